import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Workplace } from '../src/testing.ts';

// The real process, asked as Prometheus and an orchestrator would ask it.

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
let place: Workplace;
const children: ChildProcess[] = [];
let taker: Server | null = null;

beforeEach(() => {
  place = new Workplace();
  place.write('in.csv', 'id,name\n1,Kent\n2,Lane\n');
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  taker?.close();
  taker = null;
  place[Symbol.dispose]();
});

function configure(http = ''): void {
  place.write(
    'tidemark.yaml',
    `connections:
  files: { type: file, folder: . }
  db: { type: sqlite, path: ./copy.db }
syncs:
  people:
    from: { connection: files, file: in.csv, key: id }
    to: { connection: db, table: people }
    every: 1h
${http}`,
  );
}

function start(...argv: string[]) {
  const child = spawn(process.execPath, [bin, 'start', ...argv], {
    env: { PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: place.path('tidemark.yaml') },
  });
  children.push(child);
  let err = '';
  child.stderr.on('data', (data) => {
    err += data;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const said = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(err);
        if (found !== null) resolve(found);
      };
      child.stderr.on('data', look);
      child.on('close', () => reject(new Error(err)));
      look();
    });
  return { child, ended, said, told: () => err };
}

async function takePort(): Promise<number> {
  const server = createServer();
  taker = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

const address = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/;

test('health, readiness and metrics are there while it runs, and gone when it has stopped', async () => {
  configure();
  const { child, ended, said } = start('--port', '0');
  const url = (await said(address))[1]!;
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
  expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'ready', reasons: [] });
  await said(/run finished/);
  const metrics = await fetch(`${url}/metrics`);
  expect(metrics.headers.get('content-type')).toContain('text/plain');
  const text = await metrics.text();
  expect(text).toContain('tidemark_runs_total{sync="people",kind="full",state="succeeded"} 1');
  expect(text).toContain('tidemark_records_total{sync="people",outcome="created"} 2');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test('a port that was asked for and is taken stops the start, and says what to do', async () => {
  const port = await takePort();
  configure(`http: { port: ${port} }\n`);
  const { ended, told } = start();
  expect(await ended).toBe(1);
  expect(told()).toContain(`port ${port} is in use by another process`);
  expect(told()).toContain('--port off');
});

test('off is off, by the file or by the flag, which counts more', async () => {
  configure('http: { port: off }\n');
  const silent = start();
  await silent.said(/run finished/);
  expect(silent.told()).not.toContain('answering HTTP');
  silent.child.kill('SIGTERM');
  await silent.ended;
  const heard = start('--port', '0');
  await heard.said(address);
});

test('what is no port is refused before anything is done', async () => {
  configure();
  const wrong = await place.call('start', '--port', '70000');
  expect(wrong).toMatchObject({ exitCode: 2, err: expect.stringContaining('Write a port, 0 for a free one, or off.') });
  configure('http: { port: 70000 }\n');
  const file = await place.call('start');
  expect(file).toMatchObject({ exitCode: 2, err: expect.stringMatching(/tidemark.yaml:9:15: http.port: must be at most 65535/) });
});
