import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { Run, RunReport } from '@tidemark/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Example } from '../command-line.ts';
import { inWarehouse, type LinkedWorld, names as namesIn, openWorld } from './world.ts';

// System 004, line by line (004-1 … 004-10): the example as it stands, run as processes of their own against an org and an order
// API that answer on sockets. A window that failed is read again; a failed run's cursor is not taken over.              (P1, P2)

const config = fileURLToPath(new URL('tidemark.yaml', import.meta.url));

let world: LinkedWorld;
let { org, orders, insert } = {} as LinkedWorld;
let example: Example;
beforeEach(async () => {
  world = await openWorld();
  ({ org, orders, insert } = world);
  example = new Example(config, world.env);
});
afterEach(async () => {
  example[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

const rename = (id: string, name: string) => org.org.write((tx) => tx.update('Account', id, { Name: name }));
const runAccounts = (...flags: string[]) => example.json<RunReport>('run', 'accounts', ...flags);
const runOrders = (...flags: string[]) => example.json<RunReport>('run', 'orders', ...flags);

const warehouse = <T>(work: (database: DatabaseSync) => T): T => inWarehouse(example, work);
const names = () => namesIn(example);
const refuse = (name: string) =>
  warehouse((db) =>
    db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON accounts WHEN NEW.name = '${name}'
             BEGIN SELECT RAISE(ABORT, 'the warehouse takes no ${name}'); END`),
  );
const accept = () => warehouse((db) => db.exec('DROP TRIGGER refuse'));

test('the first run fetches everything, later ones changes; Full Run reads all again (004-1, 004-8, 004-9)', async () => {
  expect(await runAccounts()).toMatchObject({ kind: 'full', state: 'succeeded', counts: { created: 3 } });
  const id = insert('Umbrella');
  expect(await runAccounts()).toMatchObject({ kind: 'delta', state: 'succeeded', counts: { created: 1 } });
  // Beyond what the next reads look back over for late commits.
  org.org.clock.advance(10 * 60_000);
  rename(id, 'Umbrella & Co');
  expect(await runAccounts()).toMatchObject({ kind: 'delta', counts: { updated: 1 } });
  // Data loss: a delta cannot see it, a full run mends it.
  warehouse((db) => db.exec("DELETE FROM accounts WHERE name = 'Acme'"));
  expect(await runAccounts()).toMatchObject({ kind: 'delta', counts: { created: 0 } });
  expect(names()).not.toContain('Acme');
  expect(await runAccounts('--full')).toMatchObject({ kind: 'full', counts: { created: 1 } });
  expect(names()).toEqual(['Acme', 'Globex', 'Initech', 'Umbrella & Co']);
});

test('a source that cannot tell what has changed is read whole each time, and what is the same stays untouched (004-1, 004-10)', async () => {
  const own = example.path('tidemark.yaml');
  const list = (...lines: string[]) => writeFileSync(example.path('prices.csv'), `sku,cents\n${lines.join('\n')}\n`);
  writeFileSync(
    own,
    `connections:
  list: { type: file, folder: . }
  warehouse: { type: sqlite, path: ./warehouse.db }
syncs:
  prices: { from: { connection: list, file: prices.csv, key: sku }, to: { connection: warehouse, table: prices }, every: 5m }
`,
  );
  const run = async () => JSON.parse((await example.run(['run', 'prices', '--json'], { config: own })).out) as RunReport;
  list('a,100', 'b,200');
  expect(await run()).toMatchObject({ kind: 'full', counts: { read: 2, created: 2 } });
  list('a,100', 'b,250', 'c,300');
  expect(await run()).toMatchObject({ kind: 'full', counts: { read: 3, created: 1, updated: 1, unchanged: 1 } });
});

test('a changed mapping makes the next run full, and plan says so before (004-9)', async () => {
  await runAccounts();
  const changed = example.path('tidemark.yaml');
  const yaml = readFileSync(config, 'utf8').replace('industry: Industry', 'industry: Industry, phone: Phone');
  writeFileSync(changed, yaml.replace('./orders.ts', fileURLToPath(new URL('orders.ts', import.meta.url))));
  const plan = await example.run(['plan', 'accounts'], { config: changed });
  expect(plan.out).toMatch(/the next run is full[\s\S]*about 3 rows[\s\S]*about \d+ API calls[\s\S]*phone/);
  const run = await example.run(['run', 'accounts'], { config: changed });
  expect(run.out).toMatch(/full run succeeded/);
});

test('after a failure the window stays open and widens, good records are written, and the next good run catches up (004-2, 004-3, 004-4)', async () => {
  await runAccounts();
  refuse('Bad');
  insert('Bad');
  insert('Good');
  const first = await example.run(['run', 'accounts']);
  expect(first.exitCode).toBe(1);
  expect(first.out).toMatch(/delta run failed[\s\S]*keeps the window open[\s\S]*1 record has an open failure/);
  expect(names()).toContain('Good');
  insert('Later');
  expect(await runAccounts()).toMatchObject({ state: 'failed', error: { code: 'held' } });
  expect(names()).toContain('Later');
  accept();
  expect(await runAccounts()).toMatchObject({ state: 'succeeded', openFailures: 0 });
  expect(names()).toEqual(['Acme', 'Bad', 'Globex', 'Good', 'Initech', 'Later']);

  const { runs } = await example.json<{ runs: Run[] }>('runs', 'accounts');
  const [good, second, held, full] = runs as [Run, Run, Run, Run];
  expect(runs.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
    'delta succeeded',
    'delta failed',
    'delta failed',
    'full succeeded',
  ]);
  expect(full.windowFromMs).toBeNull();
  expect([second.windowFromMs, good.windowFromMs]).toEqual([held.windowFromMs, held.windowFromMs]);
  expect(good.windowToMs!).toBeGreaterThan(held.windowToMs!);
  expect((await example.run(['runs', 'accounts'])).out).toContain(
    new Date(held.windowFromMs!).toISOString().replace(/\.\d+Z$/, 'Z'),
  );
});

test('the record that gums up the works is named, and told of when it has done so for long (004-5)', async () => {
  await runAccounts();
  refuse('Bad');
  const id = insert('Bad');
  const early = await example.run(['run', 'accounts']);
  expect(early.err).not.toContain('holds the window open');
  expect((await example.run(['status'])).out).toMatch(new RegExp(`held: ${id} has kept the window open since .*takes no Bad`));
  // Two hours pass for the failure.
  using store = new DatabaseSync(example.path('store.db'));
  store.exec('UPDATE failures SET first_at_ms = first_at_ms - 7200000');
  const late = await example.run(['run', 'accounts']);
  expect(late.err).toMatch(new RegExp(`"key":"${id}".*one record holds the window open`));
  const status = await example.run(['status']);
  expect(status.exitCode).toBe(1);
  expect(status.out).toContain(`overdue: ${id} `);
  const { failures } = await example.json<{ failures: object[] }>('failures', 'list');
  expect(failures).toEqual([expect.objectContaining({ sync: 'accounts', key: id })]);
  accept();
  await runAccounts();
  expect((await example.run(['status'])).exitCode).toBe(0);
});

test('A ends at 200 and succeeds, B at 300 and fails, C starts at 200 (004-6, 004-7)', async () => {
  orders.last = 200;
  expect(await runOrders()).toMatchObject({ state: 'succeeded', counts: { created: 200 } });
  orders.last = 400;
  orders.brokenAfter = 300;
  orders.asked = [];
  expect(await runOrders()).toMatchObject({ state: 'failed', error: { message: expect.stringContaining('answered 500') } });
  expect(orders.asked).toEqual([200, 300]);
  orders.brokenAfter = Number.POSITIVE_INFINITY;
  orders.asked = [];
  expect(await runOrders()).toMatchObject({ state: 'succeeded', counts: { created: 100, unchanged: 100 } });
  expect(orders.asked).toEqual([200, 300]);
  expect((await example.run(['status', 'orders'])).out).toContain('cursor 400');
  // Full Run ignores the cursor.
  orders.asked = [];
  expect(await runOrders('--full')).toMatchObject({ kind: 'full', counts: { unchanged: 400 } });
  expect(orders.asked[0]).toBe(0);
});

test('unchanged records stay untouched, by deltas and by full runs (004-10)', async () => {
  await runAccounts();
  warehouse((db) =>
    db.exec(`CREATE TABLE touched (name TEXT);
             CREATE TRIGGER touched AFTER UPDATE ON accounts BEGIN INSERT INTO touched VALUES (NEW.name); END;`),
  );
  const touched = () =>
    warehouse((db) =>
      db
        .prepare('SELECT name FROM touched')
        .all()
        .map((row) => row.name),
    );
  await runAccounts();
  expect(await runAccounts('--full')).toMatchObject({ counts: { updated: 0, unchanged: expect.any(Number) } });
  expect(touched()).toEqual([]);
  // Of all that the next delta reads again, only what has changed is touched.
  const [row] = warehouse((db) => db.prepare("SELECT id FROM accounts WHERE name = 'Acme'").all());
  org.org.write((tx) => tx.update('Account', String(row!.id), { Name: 'Acme Corp' }));
  await runAccounts();
  expect(touched()).toEqual(['Acme Corp']);
});
