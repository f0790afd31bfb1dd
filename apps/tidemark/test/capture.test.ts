import postgres from '@tidemark/connector-postgres';
import sqlite from '@tidemark/connector-sqlite';
import { type AnyConnector, Engine, loadConfig, openStore, type RunReport, systemClock } from '@tidemark/core';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Answer, Workplace } from '../src/testing.ts';

// A captured table is followed from the command line: what is missing is said with its statements, made when asked for, and
// taken away again without a trace. Deletes travel.                                                                 (P1, P4)

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let client: pg.Client;
let place: Workplace;
beforeEach(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `CREATE TABLE accounts (id integer PRIMARY KEY, name text); INSERT INTO accounts VALUES (1, 'Ann'), (2, 'Bo')`,
  );
  place = new Workplace().write(
    'tidemark.yaml',
    `connections:
  app: { type: postgres, url: "${database.url}" }
  copy: { type: sqlite, path: ./copy.db }
syncs:
  accounts:
    from: { connection: app, table: accounts, capture: true }
    to: { connection: copy, table: accounts }
    every: 1s
    sweepMax: 100%
  again:
    from: { connection: app, table: accounts, capture: true }
    to: { connection: copy, table: again }
`,
  );
});
afterEach(async () => {
  place[Symbol.dispose]();
  await client.end();
  await database.drop();
});

const json = (answer: Answer) => JSON.parse(answer.out);
const ours = `SELECT relname AS name FROM pg_class WHERE relname LIKE '\\_tidemark%' AND relkind = 'r'
  UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '\\_tidemark%'
  UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE '\\_tidemark%'`;

test('a table that is not captured yet is named with what makes it so', async () => {
  const check = json(await place.call('check', '--json'));
  expect(check.problems).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      place: 'syncs.accounts',
      message: 'public.accounts is not captured yet',
      hint: expect.stringMatching(/tidemark schema apply[\s\S]*tidemark schema diff/),
    }),
  );
  expect(await place.call('run', 'accounts')).toMatchObject({ exitCode: 1, err: expect.stringContaining('is not captured yet') });
  expect((await client.query(ours)).rows).toEqual([]);
});

test('the statements that diff prints do what apply does', async () => {
  const diff = await place.call('schema', 'diff', 'accounts');
  expect(diff.exitCode).toBe(0);
  await client.query(diff.out);
  expect((await place.call('schema', 'diff', 'accounts')).out).toContain('the source needs no change');
  expect((await place.call('run', 'accounts')).exitCode).toBe(0);
});

test('rows and deletes travel, and removal leaves nothing behind', async () => {
  expect(await place.call('schema', 'apply', 'accounts')).toMatchObject({ exitCode: 0, out: expect.stringContaining('trigger') });
  const first = json(await place.call('run', 'accounts', '--json'));
  expect(first).toMatchObject({ kind: 'full', counts: { created: 2 } });
  await client.query(
    `INSERT INTO accounts VALUES (3, 'Cy'); UPDATE accounts SET name = 'Anna' WHERE id = 1; DELETE FROM accounts WHERE id = 2`,
  );
  const second = json(await place.call('run', 'accounts', '--json'));
  expect(second).toMatchObject({ kind: 'delta', counts: { read: 3, created: 1, updated: 1, deleted: 1 } });
  expect(json(await place.call('run', 'accounts', '--json'))).toMatchObject({ kind: 'delta', counts: { read: 0 } });
  expect(json(await place.call('verify', 'accounts', '--json'))).toMatchObject({ differences: 0, verified: 2 });

  await client.query(`TRUNCATE accounts; INSERT INTO accounts VALUES (9, 'Di')`);
  expect(json(await place.call('run', 'accounts', '--json'))).toMatchObject({ kind: 'full', counts: { created: 1, deleted: 2 } });

  const removed = json(await place.call('schema', 'apply', '--remove', 'accounts', '--json')).syncs[0].source;
  expect(removed.length).toBeGreaterThan(5);
  expect(removed.at(-1)).toMatchObject({ informational: true, summary: expect.stringMatching(/^again reads this as well/) });
  expect((await client.query(ours)).rows).toEqual([]);
  expect(json(await place.call('run', 'accounts', '--json'))).toMatchObject({ state: 'failed' });
  // Made anew it has no history of the time in between.
  await client.query(`DELETE FROM accounts`);
  await place.call('schema', 'apply', 'accounts');
  expect(json(await place.call('run', 'accounts', '--json'))).toMatchObject({ kind: 'full', counts: { deleted: 1 } });
});

test('while it runs, a change sets off a run, and a quiet table none', async () => {
  await place.call('schema', 'apply', 'accounts');
  const connectors = [postgres, sqlite] as unknown as readonly AnyConnector[];
  const config = await loadConfig(place.path('tidemark.yaml'), { env: {}, connectors });
  await using store = await openStore(':memory:');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch });
  const stop = new AbortController();
  const reports: RunReport[] = [];
  let heard = () => {};
  const onRun = (report: RunReport) => {
    if (report.sync !== 'accounts') return;
    reports.push(report);
    heard();
  };
  const next = () => new Promise<void>((resolve) => (heard = resolve));
  const first = next();
  const running = engine.start({ stop: stop.signal, signal: new AbortController().signal, onRun });
  await first;
  for (const id of [3, 4]) {
    const run = next();
    await client.query('INSERT INTO accounts VALUES ($1, $2)', [id, 'new']);
    await run;
  }
  stop.abort();
  await running;
  expect(reports.map(({ kind, counts }) => [kind, counts.read])).toEqual([
    ['full', 2],
    ['delta', 1],
    ['delta', 1],
  ]);
});
