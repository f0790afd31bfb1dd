import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Engine, openStore, parseConfig, type RunReport, type Store, seededRandom, systemClock } from '@tidemark/core';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

// Two-way syncs as a user runs them, between two real databases: what is changed on either side reaches the other, both
// come to rest, and nothing is there twice (P7).

let folder: string;
let store: Store;
let engine: Engine;
let crm: DatabaseSync;
let app: App;
const signal = new AbortController().signal;

/** The database of the application: what its own programs do there. */
interface App extends AsyncDisposable {
  readonly connection: object;
  exec(sql: string): Promise<void>;
  all(sql: string): Promise<unknown[][]>;
}

async function sqliteApp(): Promise<App> {
  const database = new DatabaseSync(join(folder, 'app.db'));
  return {
    connection: { type: 'sqlite', path: 'app.db' },
    exec: async (sql) => database.exec(sql.replace('gen_random_uuid()::text', '(lower(hex(randomblob(8))))')),
    all: async (sql) =>
      database
        .prepare(sql)
        .all()
        .map((row) => Object.values(row)),
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

async function postgresApp(): Promise<App> {
  const { url, drop } = await createTestDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    connection: { type: 'postgres', url },
    exec: async (sql) => void (await client.query(sql)),
    all: async (sql) => (await client.query({ text: sql, rowMode: 'array' })).rows,
    async [Symbol.asyncDispose]() {
      await client.end();
      await drop();
    },
  };
}

const config = (over: object = {}) => ({
  connections: { crm: { type: 'sqlite', path: 'crm.db' }, app: app.connection },
  syncs: {
    accounts: {
      between: [
        { connection: 'crm', table: 'account', link: 'external_id' },
        { connection: 'app', table: 'customers', link: 'crm_id' },
      ],
      fields: { name: 'Name', phone: 'Phone', score: { field: 'Score', to: 'crm' } },
      conflicts: 'manual',
      ...over,
    },
  },
});

async function open(over: object = {}): Promise<Engine> {
  const { connectors } = await loadConnectors();
  const parsed = parseConfig(JSON.stringify(config(over)), { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return new Engine({ config: parsed, store, clock: systemClock, random: seededRandom(1), log, fetch });
}

describe.each([
  ['SQLite', sqliteApp],
  ['PostgreSQL', postgresApp],
] as const)('with %s', (name, openApp) => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-two-way-'));
    store = await openStore(join(folder, 'state.db'));
    crm = new DatabaseSync(join(folder, 'crm.db'));
    crm.exec('CREATE TABLE account (Id INTEGER PRIMARY KEY, Name TEXT, Phone TEXT, Score REAL, external_id TEXT UNIQUE)');
    app = await openApp();
    await app.exec(
      'CREATE TABLE customers (id TEXT PRIMARY KEY DEFAULT gen_random_uuid()::text, name TEXT NOT NULL, phone TEXT, score REAL, crm_id TEXT UNIQUE)',
    );
    engine = await open();
    await engine.applySchema(undefined, signal);
  });
  afterEach(async () => {
    await engine[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    crm.close();
    await app[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const accounts = () =>
    crm
      .prepare('SELECT Name, Phone, Score FROM account ORDER BY Name')
      .all()
      .map((row) => Object.values(row));
  const customers = () => app.all('SELECT name, phone, score FROM customers ORDER BY name');
  const run = (): Promise<RunReport> => engine.run('accounts', { signal });
  /** Until nothing is written any more. */
  async function settle(): Promise<void> {
    for (let round = 0; ; round++) {
      expect(round, 'it does not come to rest').toBeLessThan(6);
      const { state, counts, error } = await run();
      expect({ state, error }).toEqual({ state: 'succeeded', error: null });
      if (counts.created + counts.updated + counts.deleted === 0) return;
    }
  }

  test('records of either side are made on the other, once, and each is told its partner', async () => {
    crm.exec("INSERT INTO account (Name, Phone) VALUES ('Acme', '1')");
    await app.exec("INSERT INTO customers (name, phone, score) VALUES ('Globex', '2', 7)");
    await settle();
    expect(accounts()).toEqual([
      ['Acme', '1', null],
      ['Globex', '2', 7],
    ]);
    expect(await customers()).toEqual(accounts());
    expect(crm.prepare('SELECT count(*) AS n FROM account WHERE external_id IS NOT NULL').get()).toEqual({ n: 2 });
    expect(await app.all('SELECT name FROM customers WHERE crm_id IS NOT NULL')).toHaveLength(2);
    expect((await engine.status('accounts'))[0]).toMatchObject({ checkpoint: { 'records in sync': '2' }, openFailures: 0 });
  });

  test('edits of different fields on both sides go through side by side; of the same one they wait for a decision', async () => {
    crm.exec("INSERT INTO account (Name, Phone) VALUES ('Acme', '1'), ('Globex', '2')");
    await settle();
    crm.exec("UPDATE account SET Name = 'Acme Ltd' WHERE Name = 'Acme'");
    await app.exec("UPDATE customers SET phone = '11' WHERE name = 'Acme'");
    crm.exec("UPDATE account SET Phone = '22' WHERE Name = 'Globex'");
    await app.exec("UPDATE customers SET phone = '222' WHERE name = 'Globex'");
    await settle();
    expect(accounts()[0]).toEqual(['Acme Ltd', '11', null]);
    expect((await customers())[0]).toEqual(['Acme Ltd', '11', null]);
    expect([accounts()[1]![1], (await customers())[1]![1]]).toEqual(['22', '222']);

    const [conflict] = await engine.conflicts({ state: 'open' });
    expect(conflict).toMatchObject({ field: 'phone', base: '2', left: '22', right: '222' });
    await engine.resolveConflicts([conflict!.id], { side: 'app' }, { signal });
    await settle();
    expect([accounts()[1]![1], (await customers())[1]![1]]).toEqual(['222', '222']);
    expect(await engine.conflicts({ state: 'open' })).toEqual([]);
    await expect(engine.resolveConflicts([conflict!.id], { side: 'crm' }, { signal })).rejects.toThrow('is settled already');
  });

  test('a delete goes to the other side; one that meets an edit waits for a decision, and nothing is revived', async () => {
    crm.exec("INSERT INTO account (Name) VALUES ('a'), ('b'), ('c')");
    await settle();
    crm.exec("DELETE FROM account WHERE Name IN ('a', 'b')");
    await app.exec("UPDATE customers SET phone = 'edited' WHERE name = 'b'");
    await settle();
    expect(accounts().map(([name]) => name)).toEqual(['c']);
    expect((await customers()).map(([name]) => name)).toEqual(['b', 'c']);
    const [conflict] = await engine.conflicts({ state: 'open' });
    expect(conflict).toMatchObject({ field: null, left: null, right: { phone: 'edited' } });
    // A decision is about the record as it was shown: edited since then, it has to be looked at anew.
    await app.exec("UPDATE customers SET phone = 'again' WHERE name = 'b'");
    const { stillOpen } = await engine.resolveConflicts([conflict!.id], { side: 'crm' }, { signal });
    expect(stillOpen).toMatchObject([{ id: conflict!.id, right: { phone: 'again' } }]);
    // It exists: made again on request.
    await engine.resolveConflicts([conflict!.id], { side: 'app' }, { signal });
    await settle();
    expect(accounts()).toEqual(await customers());
    expect(accounts().map(([name]) => name)).toEqual(['b', 'c']);
  });

  test('a field that flows one way is put back on the other side, and the overwritten value is told', async () => {
    await app.exec("INSERT INTO customers (name, score) VALUES ('Acme', 5)");
    await settle();
    crm.exec("UPDATE account SET Score = 9 WHERE Name = 'Acme'");
    await settle();
    expect(accounts()).toEqual([['Acme', null, 5]]);
    expect(await engine.conflicts({ state: 'settled' })).toMatchObject([{ field: 'score', left: 9, outcome: 5 }]);
  });

  test('a record that a side refuses is a failure with its reason, the others go on, and it is tried again (P2)', async () => {
    crm.exec("INSERT INTO account (Name) VALUES ('good'), (NULL)");
    const { counts } = await run();
    expect(counts).toMatchObject({ created: 1, failed: 1 });
    expect(await engine.failures({})).toMatchObject([
      { code: name === 'SQLite' ? 'SQLITE_CONSTRAINT_NOTNULL' : '23502', place: 'app' },
    ]);
    crm.exec("UPDATE account SET Name = 'mended' WHERE Name IS NULL");
    await settle();
    expect(await engine.failures({})).toEqual([]);
    expect((await customers()).map(([name]) => name)).toEqual(['good', 'mended']);
  });

  test('plan says what the next run reads and what a side lacks; what only one-way syncs can is refused with a way out', async () => {
    expect(await engine.plan('accounts', signal)).toMatchObject([{ kind: 'full', schemaChanges: [] }]);
    await run();
    expect(await engine.plan('accounts', signal)).toMatchObject([{ kind: 'delta', reason: null }]);
    await engine.removeSchema('accounts', signal);
    const [plan] = await engine.plan('accounts', signal);
    expect(plan!.schemaChanges.length).toBeGreaterThan(1);
    await expect(engine.refetch('accounts', ['1'], { signal })).rejects.toThrow('accounts is a two-way sync');
  });

  test('a column that its database computes is named before anything runs, and may flow the other way', async () => {
    await app.exec(
      `ALTER TABLE customers ADD COLUMN shout TEXT GENERATED ALWAYS AS (upper(name)) ${name === 'SQLite' ? 'VIRTUAL' : 'STORED'}`,
    );
    const place = 'syncs.accounts.fields.shout';
    const problemsOf = async (fields: object) => {
      await engine[Symbol.asyncDispose]();
      engine = await open({ fields });
      return (await engine.check(signal)).filter((problem) => problem.place === place);
    };
    expect(await problemsOf({ name: 'Name', shout: 'Phone' })).toMatchObject([
      { severity: 'error', message: expect.stringContaining('computes'), hint: expect.stringContaining('to:') },
    ]);
    expect(await run()).toMatchObject({ state: 'failed', error: { message: expect.stringContaining(place) } });
    expect(await problemsOf({ name: 'Name', shout: { field: 'Phone', to: 'crm' } })).toEqual([]);
    await app.exec("INSERT INTO customers (name) VALUES ('Acme')");
    await settle();
    expect(accounts()).toEqual([['Acme', 'ACME', null]]);
  });

  test.runIf(name === 'PostgreSQL')('a right that only a delete needs is named by check, and nothing waits for it', async () => {
    const role = `clerk_${process.pid}`;
    await app.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'r'; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
      REVOKE DELETE ON customers FROM ${role}`);
    await engine[Symbol.asyncDispose]();
    const { url } = app.connection as { url: string };
    Object.assign(app.connection, { url: Object.assign(new URL(url), { username: role, password: 'r' }).href });
    engine = await open();
    const place = 'syncs.accounts.between[1]';
    const errors = async () => (await engine.check(signal)).filter(({ severity }) => severity === 'error');
    const lacking = { place, hint: `GRANT DELETE ON "public"."customers" TO "${role}"; or deletes: ignore` };
    expect(await errors()).toMatchObject([lacking]);
    crm.exec("INSERT INTO account (Name) VALUES ('Acme')");
    await settle();
    expect(await customers()).toEqual([['Acme', null, null]]);
    await app.exec(lacking.hint.split(';')[0]!);
    expect(await errors()).toEqual([]);
    await app.exec(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  test('verify: no difference after a clean run, what comes late is brought, and what is lost is found and mended', async () => {
    const verify = (repair = false) => engine.verify('accounts', { repair, signal });
    await expect(verify()).rejects.toMatchObject({ hint: 'tidemark run accounts' });
    crm.exec("INSERT INTO account (Name, Phone) VALUES ('Acme', '1'), ('Globex', '2')");
    await run();
    expect(await verify()).toMatchObject({ verified: 2, differences: 0, failing: 0, conflicts: 0 });
    crm.exec("UPDATE account SET Phone = '3' WHERE Name = 'Acme'");
    expect(await verify()).toMatchObject({ differences: 0 });
    expect(await customers()).toContainEqual(['Acme', '3', null]);
    // Written past the triggers, as a restored backup or a disabled trigger would have it: no delta tells of it.
    crm.exec("UPDATE account SET Phone = '4' WHERE Name = 'Acme'; UPDATE _tidemark_log_account SET op = '-'");
    expect(await verify()).toMatchObject({
      ...{ differences: 1, repaired: 0 },
      examples: [{ kind: 'different', fields: ['phone'] }],
    });
    expect(await verify(true)).toMatchObject({ differences: 1, repaired: 1 });
    expect(await verify()).toMatchObject({ differences: 0 });
    crm.exec("UPDATE account SET Phone = '5' WHERE Name = 'Acme'");
    await app.exec("UPDATE customers SET phone = '6' WHERE name = 'Acme'");
    await run();
    expect(await verify()).toMatchObject({ differences: 0, conflicts: 1 });
  });

  test('a first meeting: what a run would link, make and overwrite is shown before, and then done', async () => {
    await engine[Symbol.asyncDispose]();
    engine = await open({ match: 'name', conflicts: 'app' });
    crm.exec("INSERT INTO account (Name, Phone) VALUES ('Acme', '1'), ('Globex', '2'), ('Twin', '3')");
    await app.exec(
      "INSERT INTO customers (name, phone) VALUES ('Acme', '1'), ('Globex', '9'), ('Initech', '4'), ('Twin', '5'), ('Twin', '6')",
    );
    const found: object[] = [];
    const plan = await engine.planPairing('accounts', { signal, onLink: (pair) => found.push(pair) });
    const idOf = new Map((await app.all('SELECT name, id FROM customers')) as [string, string][]);
    expect(found).toEqual([
      { left: '1', right: idOf.get('Acme') },
      { left: '2', right: idOf.get('Globex') },
    ]);
    expect(plan).toMatchObject({ linked: 2, left: { created: 1 }, right: { created: 0 }, failed: 3, conflicts: 1 });
    expect(plan.shown).toMatchObject([{ field: 'phone', left: '2', right: '9', outcome: '9' }]);
    expect(accounts()).toHaveLength(3);
    await run();
    expect((await engine.failures({})).map(({ code }) => code)).toEqual(Array(3).fill('several_matches'));
    expect(accounts().filter(([name]) => name === 'Twin')).toHaveLength(1);
    expect(accounts().find(([name]) => name === 'Globex')).toEqual(['Globex', '9', null]);
  });
});
