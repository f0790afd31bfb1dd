import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { Run } from '@tidemark/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Example, type Running } from '../command-line.ts';
import { openWorld, type PolledWorld } from './world.ts';

// System 000, line by line (000-1 … 000-8): the example as it stands, run as a process of its own against an org that answers on
// a socket. What the original loses (late commits, a watermark that moves before its records are out) is not lost here.   (P1)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));
let world: PolledWorld;
let example: Example;
beforeEach(async () => {
  world = await openWorld();
  example = new Example(config, world.env);
});
afterEach(async () => {
  example[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

const messages = (out: string): string[] =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).message);
const about = (name: string) => (line: string) => line.includes(`Contact ${name} changed`);
const finished = (running: Running) => running.line('err', (line) => line.includes('run finished'));

test('starts by itself after its delay, repeats, prints what changed as JSON, and stops cleanly (000-1, 000-2, 000-4, 000-5, 000-8)', async () => {
  const running = example.start(['start']);
  const started = JSON.parse(await running.line('err', (line) => line.includes('"started"')));
  // The first watermark is a day back: Ada, and not Old.
  const line = JSON.parse(await running.line('out', about('Ada')));
  expect(line).toMatchObject({ op: 'upsert', row: { Name: 'Ada' } });
  expect(line.message).toMatch(/^Contact Ada changed at \d{4}-\d\d-\d\dT/);
  const report = JSON.parse(await finished(running));
  expect(report).toMatchObject({ sync: 'contacts', state: 'succeeded', updated: 1, failed: 0 });
  world.insert('Grace');
  await running.line('out', about('Grace'));
  await finished(running);
  running.interrupt();
  const { exitCode, out, err } = await running.ended;
  expect(exitCode, err).toBe(0);
  // Standard output is the records' alone: it can be piped.
  expect(messages(out)).toHaveLength(2);
  expect(err).toContain('stopped after');

  const { runs } = await example.json<{ runs: Run[] }>('runs');
  const [second, first] = [runs.at(-2)!, runs.at(-1)!];
  expect(first.startedAtMs - Date.parse(started.time)).toBeGreaterThanOrEqual(1_000);
  // A run's record is made a moment after the run fell due, each time a little sooner or later.
  expect(second.startedAtMs - first.startedAtMs).toBeGreaterThanOrEqual(9_500);
  expect(second).toMatchObject({ kind: 'delta', state: 'succeeded', counts: { read: expect.any(Number), failed: 0 } });
});

test('the watermark is durable under its key, and each process goes on where the last one ended (000-3)', async () => {
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Ada')]);
  using store = new DatabaseSync(example.path('store.db'), { readOnly: true });
  const kept = store.prepare('SELECT * FROM checkpoints').all();
  expect(kept).toEqual([expect.objectContaining({ unit: 'lastUpdateTimestampKey' })]);

  expect((await example.run(['run', 'contacts'])).out).toBe('');
  const id = world.insert('Grace');
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Grace')]);
  world.org.org.write((tx) => tx.update('Contact', id, { LastName: 'Hopper' }));
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Hopper')]);
});

test('a record that was stamped before a query and committed after it is printed by the next one (000-2, 000-3)', async () => {
  await example.run(['run', 'contacts']);
  const late = world.org.org.begin();
  late.insert('Contact', { LastName: 'Late' });
  world.org.org.clock.advance(5 * 60_000);
  world.insert('Early');
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Early')]);
  late.commit();
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Late')]);
});

test('lines that nobody read are printed again, and the reader who leaves ends the process at once (000-3)', async () => {
  for (let i = 0; i < 3_000; i += 200)
    world.org.org.write((tx) => void Array.from({ length: 200 }, (_, n) => tx.insert('Contact', { LastName: `N${i + n}` })));
  const running = example.start(['run', 'contacts']);
  await running.line('out', about('N1'));
  running.leave();
  expect((await running.ended).exitCode).toBe(1);
  const again = messages((await example.run(['run', 'contacts'])).out);
  expect(new Set(again).size).toBe(3_001);
});

test('a run ends with its totals; --json is one document on standard output, and the records make way (000-4)', async () => {
  const people = await example.run(['run', 'contacts']);
  expect(people.err).toMatch(/contacts: full run succeeded[\s\S]* 1 updated/);
  world.insert('Grace');
  const machine = await example.run(['run', 'contacts', '--json']);
  expect(JSON.parse(machine.out)).toMatchObject({ sync: 'contacts', kind: 'delta', counts: { updated: 1 } });
  expect(machine.err).toContain('Contact Grace changed');
});

test('logs in with user, password and token; a test of the connection says why it fails, and nothing is taken over (000-6, 000-7)', async () => {
  const good = await example.run(['check']);
  expect(good).toMatchObject({ exitCode: 0, out: expect.stringContaining('ready') });
  expect(world.org.requests.totals().byKind).toMatchObject({ soap: 1 });
  for (const wrong of [{ SF_PASSWORD: 'wr0ng-passw0rd' }, { SF_SECURITY_TOKEN: 'wr0ng-t0ken' }]) {
    const bad = await example.run(['check'], { env: wrong });
    expect(bad.exitCode).toBe(1);
    expect(bad.out).toMatch(/connections\.crm: .*(refused|Invalid)[\s\S]*to do: /i);
    expect(bad.out + bad.err).not.toContain(Object.values(wrong)[0]);
    // A run with them fails, and the watermark stays where it was.
    expect((await example.run(['run', 'contacts'], { env: wrong })).exitCode).toBe(1);
  }
  expect(messages((await example.run(['run', 'contacts'])).out)).toEqual([expect.stringContaining('Ada')]);
});

test('the sync is edited in its file (000-8)', async () => {
  await example.run(['run', 'contacts']);
  const edited = example.path('tidemark.yaml');
  writeFileSync(edited, readFileSync(config, 'utf8').replace('Contact {Name} changed at', 'Look: {Name} at'));
  world.insert('Grace');
  const { out, exitCode } = await example.run(['run', 'contacts'], { config: edited });
  expect(exitCode).toBe(0);
  expect(messages(out)).toContainEqual(expect.stringMatching(/^Look: Grace at /));
});
