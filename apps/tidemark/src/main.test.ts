// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is how the file names a variable
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProgram } from './main.ts';
import type { Terminal } from './terminal.ts';
import { type Answer, Workplace } from './testing.ts';

// A script can rely on the command line: 0 done, 1 it ran and something failed, 2 usage or configuration; with --json exactly
// one JSON document on standard output whatever happens; and no secret anywhere.                                    (P2, P10)

const rows = [
  { Id: 'a', Name: 'Ann', At: '2024-05-22T13:05:09.000Z' },
  { Id: 'b', Name: 'Bo', At: '2024-05-22T13:05:10.000Z' },
];
const datasets = JSON.stringify({
  people: { key: 'Id', watermark: 'At', fields: { Id: 'text', Name: 'text', At: 'datetime' }, rows },
});
/** Into a table that refuses Bo, and with a schedule. */
const working = `
connections:
  CONNECTION: { type: memory, datasets: ${datasets} }
syncs:
  people:
    from: { connection: CONNECTION, dataset: people }
    to: { connection: CONNECTION, dataset: copy }
    every: 1s
`;
const refusing = working.replace('every: 1s', "steps: [ { filter: \"$assert(Name != 'Bo', 'no Bo here')\" } ]");

let place: Workplace;
let places = 0;
beforeEach(() => {
  place = new Workplace();
  places++;
});
/** Memory lives as long as the process, by the connection's name: each test has its own. */
const configure = (yaml: string) => place.write('tidemark.yaml', yaml.replaceAll('CONNECTION', `memory${places}`));
afterEach(() => place[Symbol.dispose]());

const json = (answer: Answer) => {
  expect(answer.out.endsWith('\n')).toBe(true);
  return JSON.parse(answer.out);
};

describe('run', () => {
  test('answers with totals and exit code 0', async () => {
    const answer = await configure(working).call('run', 'people');
    expect(answer.out).toMatch(/people: full run succeeded in .*\n {2}2 read, 2 created\n/);
    expect(answer.exitCode).toBe(0);
  });
  test('--json is one document, even while progress and logs go on', async () => {
    const answer = await configure(working).call('run', 'people', '--json', '--verbose');
    expect(json(answer)).toMatchObject({ sync: 'people', state: 'succeeded', counts: { read: 2, created: 2 } });
    expect(answer.err).not.toBe('');
  });
  test('--dry-run leaves no trace', async () => {
    configure(working);
    expect(json(await place.call('run', 'people', '--dry-run', '--json'))).toMatchObject({ dryRun: true, counts: { read: 2 } });
    expect(json(await place.call('runs', '--json'))).toEqual({ runs: [] });
  });
  test('a record that fails makes it exit code 1, and is listed, and can be discarded', async () => {
    configure(refusing);
    const run = await place.call('run', 'people', '--json');
    expect(run.exitCode).toBe(1);
    expect(json(run)).toMatchObject({ openFailures: 1 });
    expect((await place.call('status')).exitCode).toBe(1);
    const { failures } = json(await place.call('failures', 'list', '--json'));
    expect(failures).toEqual([expect.objectContaining({ sync: 'people', key: 'b' })]);
    expect(failures[0]).not.toHaveProperty('row');
    const listed = (await place.call('failures', 'list')).out;
    expect(listed).toContain(`to do for ${failures[0].code}: ${failures[0].remedy}`);
    expect(json(await place.call('failures', 'list', '--json', '--limit', '1', '--after', failures[0].id)).failures).toEqual([]);
    expect(await place.call('failures', 'list', '--after', 'b')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('id'),
    });
    expect((await place.call('failures', 'retry', '--all')).exitCode).toBe(1);
    expect((await place.call('failures', 'discard', failures[0].id)).exitCode).toBe(0);
    expect(json(await place.call('failures', 'list', '--json'))).toEqual({ failures: [], next: null });
    expect((await place.call('status')).exitCode).toBe(0);
  });
});

test('pause and resume show in status', async () => {
  configure(working);
  await place.call('pause', 'people');
  expect(json(await place.call('status', '--json')).syncs).toEqual([expect.objectContaining({ sync: 'people', paused: true })]);
  await place.call('resume', 'people');
  expect(json(await place.call('status', '--json')).syncs).toEqual([expect.objectContaining({ paused: false })]);
});

test('plan says what would happen and writes nothing', async () => {
  const answer = await configure(working).call('plan');
  expect(answer).toMatchObject({
    exitCode: 0,
    out: expect.stringMatching(/people: the next run is full \(.*\)\n.*about 2 rows/),
  });
  const records = await place.call('plan', 'people', '--records', '--show', '1');
  expect(records.out).toMatch(/the next run is full(.|\n)*2 read, 2 created\n.*create a: (.|\n)*and 1 more record/);
  const [{ dryRun }] = json(await place.call('plan', '--records', '--json')).syncs;
  expect(dryRun.writes).toMatchObject([
    { key: 'a', effect: 'create' },
    { key: 'b', effect: 'create' },
  ]);
  expect(json(await place.call('runs', '--json'))).toEqual({ runs: [] });
});

const mistakes: readonly [what: string, argv: string[], yaml: string | null, expected: RegExp][] = [
  ['an unknown command', ['rum'], working, /unknown command 'rum'\n\(Did you mean run\?\)/],
  ['an unknown option', ['check', '--jason'], working, /unknown option '--jason'\n\(Did you mean --json\?\)/],
  ['no sync', ['run'], working, /which sync\?\n {2}to do: name one of: people/],
  ['an unknown sync', ['run', 'persons'], working, /there is no sync persons in .*\n {2}to do: it has: people/],
  ['a missing argument', ['verify'], working, /missing required argument 'sync'/],
  ['a share that is none', ['run', 'people', '--sweep-max', '2'], working, /Write a share between 0% and 100%/],
  ['a count that is none', ['runs', '-n', 'x'], working, /Write a whole number above 0/],
  ['failures without a choice', ['failures', 'discard'], working, /which failures\?\n {2}to do: give ids/],
  ['a failure that is not there', ['failures', 'discard', 'f1'], working, /there is no open failure f1\n {2}to do: see/],
  ['nothing scheduled', ['start'], refusing, /no sync has a schedule.*\n {2}to do: give a sync every/],
  ['no configuration file', ['check'], null, /no such file\n {6}to do: write one with `tidemark init`/],
  [
    'a bad key',
    ['check'],
    working.replace('every', 'evry'),
    /tidemark.yaml:8:5: syncs.people.evry: is not known here\n {6}to do: did you mean every\?/,
  ],
  ['a missing variable', ['check'], working.replace('dataset: copy', 'dataset: "${COPY}"'), /COPY is not set\n {6}to do: set it/],
];
describe('usage and configuration end with exit code 2, the place and the remedy', () => {
  test.each(mistakes)('%s', async (_, argv, yaml, expected) => {
    if (yaml !== null) configure(yaml);
    const answer = await place.call(...argv);
    expect(answer.err).toMatch(expected);
    expect(answer).toMatchObject({ exitCode: 2, out: '' });
    const asJson = await place.call(...argv, '--json');
    expect(asJson.exitCode).toBe(2);
    expect(json(asJson)).toEqual({ error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }) });
  });
});

test('an .env file beside the configuration is read, and the process counts more', async () => {
  configure(working.replace('dataset: copy', 'dataset: "${COPY}"')).write('.env', 'COPY=fromfile\n');
  expect((await place.call('plan')).out).toContain('fromfile');
  place.env.COPY = 'fromprocess';
  expect((await place.call('plan')).out).toContain('fromprocess');
});

test('every command has help with an example, and takes --config and --json', () => {
  const terminal = { out: () => {}, err: () => {} } as unknown as Terminal;
  const cli = { terminal, env: {}, clock: systemClock, exitCode: 0, logLine: () => {} };
  const leaves = createProgram(cli).commands.flatMap((c) => (c.commands.length > 0 ? c.commands : [c]));
  expect(leaves.length).toBeGreaterThan(14);
  for (const leaf of leaves.filter((c) => c.name() !== 'emulator')) {
    let help = '';
    leaf.configureOutput({
      writeOut: (text) => {
        help += text;
      },
      getOutHasColors: () => false,
    });
    leaf.outputHelp();
    expect(help, leaf.name()).toMatch(/--config <file>[\s\S]*--json[\s\S]*Examples?:\n {2}\$ tidemark /);
  }
});

describe('as a process', () => {
  const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
  const start = (...argv: string[]) => {
    const child = spawn(process.execPath, [bin, ...argv], {
      env: { PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: place.path('tidemark.yaml') },
    });
    let err = '';
    let out = '';
    child.stderr.on('data', (data) => {
      err += data;
    });
    child.stdout.on('data', (data) => {
      out += data;
    });
    const ended = new Promise<Answer>((resolve) => child.on('close', (code) => resolve({ exitCode: code ?? -1, out, err })));
    const said = (text: string) =>
      new Promise<void>((resolve) => {
        const look = () => (err.includes(text) ? resolve() : undefined);
        child.stderr.on('data', look);
        child.on('close', () => resolve());
        look();
      });
    return { child, ended, said };
  };

  test('start runs by schedule and stops cleanly on SIGTERM', async () => {
    configure(working);
    const { child, ended, said } = start('start', '--json');
    await said('run finished');
    child.kill('SIGTERM');
    const answer = await ended;
    expect(answer.exitCode, answer.err).toBe(0);
    expect(json(answer)).toMatchObject({ failed: 0 });
    expect(json(answer).runs).toBeGreaterThan(0);
  });
  test('a reader who leaves is no error of ours', async () => {
    configure(working);
    await start('run', 'people').ended;
    const { child, ended } = start('runs', '--verbose');
    child.stdout.destroy();
    const answer = await ended;
    expect(answer.err).not.toMatch(/EPIPE|error/i);
  });
  test('bad configuration is exit code 2', async () => {
    place.write('tidemark.yaml', 'connections: 1\n');
    const answer = await start('check').ended;
    expect(answer).toMatchObject({
      exitCode: 2,
      out: '',
      err: expect.stringContaining('tidemark.yaml:1:14: connections: takes a block of keys'),
    });
  });
  test('help is exit code 0 and touches nothing', async () => {
    const answer = await start('--help').ended;
    expect(answer).toMatchObject({ exitCode: 0, err: '' });
    expect(existsSync(place.path('.tidemark'))).toBe(false);
  });
});
