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

// Who may ask for what a running process does, and change by what it runs.                                     (P10)

const openAddress = /"url":"http:\/\/0\.0\.0\.0:(\d+)"|"url":"(http:\/\/[^"]+)"/;

async function token(role: string): Promise<string> {
  const made = await place.call('token', 'add', `a ${role}`, '--role', role, '--json');
  return (JSON.parse(made.out) as { token: string }).token;
}

async function ask(url: string, path: string, given: string | null, method = 'GET', body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(given === null ? {} : { authorization: `Bearer ${given}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

test('others than this machine are answered only once somebody has a token, and then whoever has one', async () => {
  configure();
  const refused = start('--port', '0', '--host', '0.0.0.0');
  expect(await refused.ended).toBe(2);
  expect(refused.told()).toMatch(/nobody has a token[\s\S]*tidemark token add/);
  const reader = await token('read');
  const { said } = start('--port', '0', '--host', '0.0.0.0');
  const [, port] = await said(openAddress);
  const url = `http://127.0.0.1:${port ?? new URL((await said(openAddress))[2]!).port}`;
  expect((await ask(url, '/metrics', null)).status).toBe(401);
  expect((await ask(url, '/metrics', reader)).status).toBe(200);
  expect((await ask(url, '/healthz', null)).status).toBe(200);
});

test('a token that is revoked while the process runs opens nothing any more', async () => {
  configure();
  const given = await token('operate');
  const { said } = start('--port', '0');
  const url = (await said(address))[1]!;
  await said(/run finished/);
  const { status, text } = await ask(url, '/api/v1/syncs/people/runs', given, 'POST', { full: true });
  expect([status, JSON.parse(text)]).toEqual([202, expect.objectContaining({ kind: 'run', sync: 'people' })]);
  const listed = JSON.parse((await place.call('token', 'list', '--json')).out) as { tokens: { id: string }[] };
  expect((await place.call('token', 'revoke', listed.tokens[0]!.id)).exitCode).toBe(0);
  expect((await ask(url, '/api/v1/syncs', given)).status).toBe(401);
  expect((await place.call('token', 'revoke', 'nobody')).err).toMatch(/there is no token nobody/);
});

test('a configuration is checked, compared and taken over while it runs; one that is wrong changes nothing (000-7, 000-8)', async () => {
  configure();
  const admin = await token('admin');
  const { child, ended, said } = start('--port', '0');
  const url = (await said(address))[1]!;
  await said(/run finished/);
  const now = JSON.parse((await ask(url, '/api/v1/configuration', admin)).text) as { text: string; version: string };
  const wrong = { text: now.text.replace('table: people', 'tabel: people'), version: now.version };
  const refused = JSON.parse((await ask(url, '/api/v1/configuration', admin, 'PUT', wrong)).text);
  expect(refused).toMatchObject({
    ok: false,
    problems: expect.arrayContaining([expect.objectContaining({ place: expect.stringContaining('tabel') })]),
  });
  const other = `${now.text}  copies:\n    from: { connection: files, file: in.csv, key: id }\n    to: { connection: db, table: copies }\n    every: 1h\n`;
  const checked = JSON.parse((await ask(url, '/api/v1/configuration/check', admin, 'POST', { text: other })).text);
  expect(checked).toMatchObject({ ok: true, added: ['copies'], removed: [], changed: [] });
  expect((await ask(url, '/api/v1/configuration', admin, 'PUT', { text: other, version: 'another' })).text).toContain(
    'changed meanwhile',
  );
  expect((await ask(url, '/api/v1/configuration', admin, 'PUT', { text: other, version: now.version })).status).toBe(200);
  await said(/"syncs":\["people","copies"\]/);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect((await place.call('status', '--json')).out).toContain('"copies"');
});
