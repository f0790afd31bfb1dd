import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Engine, openStore, parseConfig, type ServedTable, type Store, seededRandom, systemClock } from '@tidemark/core';
import { createClock, type Emulator, evidence, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

// A Salesforce object and a table of the user's, kept in sync in both directions: an org that trims, rounds, refuses and loses
// replies on one side, a database with locks and triggers on the other (P2, P7, P8).

let folder: string;
let store: Store;
let engine: Engine;
let emulator: Emulator;
let app: DatabaseSync;
const signal = new AbortController().signal;

const customersTable =
  'CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT, revenue REAL, notes TEXT, crm_id TEXT UNIQUE)';
const fieldXml = (name: string, content: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>${name}</fullName><label>${name}</label>${content}</CustomField>\n`;

async function open(over: object = {}, via = fetch, warn: (message: string) => void = () => {}): Promise<Engine> {
  const { connectors } = await loadConnectors();
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = emulator.credentials;
  const config = {
    connections: {
      crm: {
        type: 'salesforce',
        loginUrl,
        pubsubEndpoint: `http://${pubsubEndpoint}`,
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      app: { type: 'sqlite', path: 'app.db' },
    },
    syncs: {
      accounts: {
        between: [
          { connection: 'crm', object: 'Account', link: 'App_Id__c' },
          { connection: 'app', table: 'customers', link: 'crm_id' },
        ],
        fields: { name: 'Name', phone: 'Phone', revenue: 'AnnualRevenue', notes: 'Description' },
        conflicts: 'salesforce',
        retry: { attempts: 3, delay: '1ms' },
        ...over,
      },
    },
  };
  const parsed = parseConfig(JSON.stringify(config), { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
  const log = { debug() {}, info() {}, warn: (_: object, message: string) => warn(message), error() {} };
  // Waits between attempts are short; a limit on a reply is not one of them.
  const sleep = (ms: number, abort?: AbortSignal) => systemClock.sleep(ms < 30_000 ? Math.min(ms, 5) : ms, abort);
  const clock = { now: () => Date.now(), sleep };
  return new Engine({ config: parsed, store, clock, random: seededRandom(1), log, fetch: via });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-two-way-'));
  const fields = join(folder, 'source/main/default/objects/Account/fields');
  mkdirSync(fields, { recursive: true });
  const link = '<type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique>';
  writeFileSync(join(fields, 'App_Id__c.field-meta.xml'), fieldXml('App_Id__c', link));
  const secret = '<type>EncryptedText</type><length>16</length><maskChar>asterisk</maskChar><maskType>lastFour</maskType>';
  writeFileSync(join(fields, 'Card__c.field-meta.xml'), fieldXml('Card__c', secret));
  emulator = await startEmulator({ source: join(folder, 'source'), records: 0, clock: createClock(), changeEvents: ['Account'] });
  store = await openStore(join(folder, 'state.db'));
  app = new DatabaseSync(join(folder, 'app.db'));
  app.exec(customersTable);
  engine = await open();
  await engine.applySchema(undefined, signal);
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  app.close();
  await emulator.close();
  rmSync(folder, { recursive: true });
});

const insert = (values: Record<string, unknown>) => emulator.org.write((tx) => tx.insert('Account', values as never)).id!;
const update = (id: string, values: Record<string, unknown>) =>
  emulator.org.write((tx) => tx.update('Account', id, values as never));
function accounts(): Record<string, unknown>[] {
  const found = emulator.org.query('SELECT Id, Name, Phone, AnnualRevenue, Description, App_Id__c FROM Account ORDER BY Name');
  return found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
}
const values = (row: Record<string, unknown>) => [row.Name, row.Phone, row.AnnualRevenue, row.Description];
const customers = () =>
  app
    .prepare('SELECT name, phone, revenue, notes FROM customers ORDER BY name')
    .all()
    .map((row) => Object.values(row));

async function settle(): Promise<number> {
  let writes = 0;
  for (let round = 0; ; round++) {
    expect(round, 'it does not come to rest').toBeLessThan(8);
    const { state, counts, error } = await engine.run('accounts', { signal });
    expect({ state, error }).toEqual({ state: 'succeeded', error: null });
    const written = counts.created + counts.updated + counts.deleted;
    if (written === 0) return writes;
    writes += written;
  }
}
function expectEqual(): void {
  expect(accounts().map(values)).toEqual(customers());
  const linked = new Map(
    app
      .prepare('SELECT id, crm_id FROM customers')
      .all()
      .map(({ id, crm_id }) => [String(id), crm_id]),
  );
  for (const { Id, App_Id__c } of accounts()) expect(linked.get(String(App_Id__c))).toBe(Id);
}

test('both sides get what the other has, each record once, with the keys of their partners', async () => {
  insert({ Name: 'Acme', Phone: '1', AnnualRevenue: 10.5 });
  app.exec("INSERT INTO customers (name, notes) VALUES ('Globex', 'two\nlines')");
  await settle();
  expect(customers()).toEqual([
    ['Acme', '1', 10.5, null],
    ['Globex', null, null, 'two\nlines'],
  ]);
  expectEqual();
});

test('what the org stores in its own way comes back once, and then both are silent', async () => {
  app.exec("INSERT INTO customers (name, phone) VALUES ('  Acme  ', ' 1 ')");
  await settle();
  expectEqual();
  const requests = emulator.requests.totals();
  const { counts } = await engine.run('accounts', { signal });
  expect(counts).toMatchObject({ created: 0, updated: 0, deleted: 0 });
  expect(emulator.requests.totals()).not.toEqual(requests);
});

test('edits of different fields join, the org wins the same one, and what is overwritten is told', async () => {
  const id = insert({ Name: 'Acme', Phone: '1', Description: 'old' });
  await settle();
  update(id, { Phone: '2', Description: 'org' });
  app.exec("UPDATE customers SET name = 'Acme Ltd', notes = 'app'");
  await settle();
  expect(customers()).toEqual([['Acme Ltd', '2', null, 'org']]);
  expectEqual();
  expect(await engine.conflicts({})).toMatchObject([
    { field: 'notes', left: 'org', right: 'app', outcome: 'org', state: 'settled' },
  ]);
});

test('deletes go both ways; an undelete in the org makes the record anew and once', async () => {
  const [a] = ['a', 'b', 'c'].map((name) => insert({ Name: name }));
  await settle();
  emulator.org.write((tx) => tx.delete('Account', a!));
  app.exec("DELETE FROM customers WHERE name = 'b'");
  await settle();
  expect(customers().map(([name]) => name)).toEqual(['c']);
  expectEqual();
  emulator.org.write((tx) => tx.undelete('Account', a!));
  await settle();
  expect(customers().map(([name]) => name)).toEqual(['a', 'c']);
  expectEqual();
});

// Whoever lacks "View Encrypted Data" reads a mask and may write all the same: written back, it would be what the card is from then on.
describe(`an encrypted field ${evidence('documented', 'Salesforce Help, Classic Encryption for Custom Fields: masked without View Encrypted Data, editable without it')}`, () => {
  const mask = (text: string) => text.replaceAll(/\d{12}(\d{4})(?=")/g, '************$1');
  const masked: typeof fetch = async (input, init) => {
    const reply = await fetch(input, init);
    return new Response(reply.status === 204 ? null : mask(await reply.text()), reply);
  };
  const card = () => (emulator.org.query('SELECT Card__c FROM Account').page(0, 1, 'v62.0') as [{ Card__c: unknown }])[0].Card__c;
  const appCards = () => app.prepare('SELECT card FROM customers').all();
  async function openWith(field: object | string, over: object = {}): Promise<void> {
    await engine[Symbol.asyncDispose]();
    engine = await open({ fields: { name: 'Name', phone: 'Phone', card: field }, ...over }, masked);
    await engine.applySchema(undefined, signal);
  }
  beforeEach(() => app.exec('ALTER TABLE customers ADD COLUMN card TEXT'));

  test.each(['Card__c', { field: 'Card__c', to: 'app' }])('never gives its mask away: %j is refused (P7)', async (field) => {
    insert({ Name: 'Acme', Card__c: '4111222233334444' });
    await openWith(field);
    const refusal = {
      message: expect.stringContaining('Card__c'),
      hint: expect.stringContaining('card: { field: Card__c, to: crm }'),
    };
    expect(await engine.check(signal)).toContainEqual(expect.objectContaining(refusal));
    expect(await engine.run('accounts', { signal })).toMatchObject({ state: 'failed', error: { code: 'config_invalid' } });
    expect([customers(), card()]).toEqual([[], '4111222233334444']);
  });

  test('is no match', async () => {
    await openWith({ field: 'Card__c', to: 'crm' }, { match: ['name', 'card'] });
    expect(await engine.check(signal)).toContainEqual(
      expect.objectContaining({ place: 'syncs.accounts.match', message: expect.stringContaining('Card__c') }),
    );
  });

  test('takes what flows to the org, whose mask counts for nothing (P7, P8)', async () => {
    await openWith({ field: 'Card__c', to: 'crm' });
    app.exec("INSERT INTO customers (name, card) VALUES ('Acme', '4111222233334444')");
    await settle();
    update(String(accounts()[0]!.Id), { Phone: '2' });
    await settle();
    expect([card(), appCards()]).toEqual(['4111222233334444', [{ card: '4111222233334444' }]]);
    expect(await engine.run('accounts', { signal, full: true })).toMatchObject({
      counts: { created: 0, updated: 0, deleted: 0 },
    });
    app.exec("UPDATE customers SET card = '5555666677778888'");
    await settle();
    expect([card(), await engine.conflicts({})]).toEqual(['5555666677778888', []]);
    app.exec('DELETE FROM customers');
    await settle();
    expect([accounts(), await engine.conflicts({})]).toEqual([[], []]);
  });

  test('is not emptied by a table that never held it', async () => {
    await openWith({ field: 'Card__c', to: 'crm' });
    insert({ Name: 'Acme', Card__c: '4111222233334444' });
    await settle();
    app.exec("UPDATE customers SET phone = '1'");
    await settle();
    expect([card(), appCards()]).toEqual(['4111222233334444', [{ card: null }]]);
  });
});

// The org finds by any capitals, and keeps an e-mail address in small letters: compared exactly, whoever was met would have a twin.
describe(`records that are matched by a text ${evidence('documented', 'SOQL and SOSL Reference, Comparison Operators: comparisons on strings are case-insensitive')}`, () => {
  beforeEach(async () => {
    await engine[Symbol.asyncDispose]();
    engine = await open({ match: 'name' });
  });

  test('are the same whatever their capitals, on a first meeting and later (P7)', async () => {
    for (const [org, own] of [
      ['Acme', 'ACME'],
      ['ärzte & co', 'Ärzte & Co'],
      ['100%_', '100%_'],
    ] as const) {
      insert({ Name: org });
      app.prepare('INSERT INTO customers (name) VALUES (?)').run(own);
    }
    await settle();
    insert({ Name: 'Globex' });
    app.exec("INSERT INTO customers (name) VALUES ('GLOBEX')");
    await settle();
    expect(accounts().map(({ Name }) => Name)).toEqual(['100%_', 'Acme', 'Globex', 'ärzte & co']);
    expectEqual();
  });

  test('and are told from one another by nothing but capitals are failures, of which a dry run tells (P2)', async () => {
    insert({ Name: 'Acme' });
    app.exec("INSERT INTO customers (name) VALUES ('ACME'), ('acme')");
    const refused: unknown[] = [];
    await engine.planPairing('accounts', {
      signal,
      onWrite: ({ side, effect, reason }) => refused.push([side, effect, reason?.code]),
    });
    expect(refused.sort()).toEqual([
      ['app', 'refused', 'several_matches'],
      ['app', 'refused', 'several_matches'],
      ['crm', 'refused', 'several_matches'],
    ]);
    await engine.run('accounts', { signal });
    expect([accounts().length, customers().length]).toEqual([1, 2]);
    expect((await engine.failures({})).map(({ code }) => code)).toEqual(Array(3).fill('several_matches'));
  });
});

// A table that was made anew, or records that the user may not see any more, look like deletes.
test('so many records missing that something else must have happened are deleted on the other side on request only (P4)', async () => {
  for (const name of ['a', 'b', 'c']) insert({ Name: name });
  await settle();
  app.exec('DROP TABLE customers');
  app.exec(customersTable);
  await engine.applySchema(undefined, signal);
  const { state, error } = await engine.run('accounts', { signal });
  expect({ state, error }).toMatchObject({ state: 'failed', error: { code: 'sweep_refused' } });
  expect(error).toMatchObject({
    message: expect.stringContaining('3 of 3 records are not in app any more'),
    hint: expect.stringContaining('tidemark run accounts --full --sweep-max 100%'),
  });
  expect(accounts().map(({ Name }) => Name)).toEqual(['a', 'b', 'c']);
  expect((await engine.planPairing('accounts', { signal, full: true })).left).toMatchObject({ deleted: 3 });
  expect(await engine.run('accounts', { signal, full: true, sweepMax: 1 })).toMatchObject({ state: 'succeeded' });
  expect(accounts()).toEqual([]);
});

test.each([
  ['by a delta', () => app.exec('UPDATE customers SET id = id + 100')],
  [
    'by a run over everything, in a table that was made anew',
    () =>
      app.exec(
        `ALTER TABLE customers RENAME TO former; ${customersTable}; INSERT INTO customers SELECT id + 100, name, phone, revenue, notes, crm_id FROM former; DROP TABLE former`,
      ),
  ],
])('rows whose keys were changed stay with the records that they name, found %s (P7)', async (_, change) => {
  const ids = Array.from({ length: 30 }, (_, i) => insert({ Name: `${10 + i}` }));
  await settle();
  change();
  await engine.applySchema(undefined, signal);
  await settle();
  expect(accounts().map(({ Id, App_Id__c }) => [Id, App_Id__c])).toEqual(ids.map((id, i) => [id, String(101 + i)]));
  expectEqual();
  expect([await engine.failures({}), await engine.conflicts({})]).toEqual([[], []]);
});

test('a reply that is lost after the org has made a record does not make it twice', async () => {
  app.exec("INSERT INTO customers (name) VALUES ('Acme'), ('Globex')");
  emulator.faults.add({ kind: 'lost-response', match: { path: '/composite/sobjects', times: 1 } });
  await settle();
  expect(accounts()).toHaveLength(2);
  expectEqual();
});

test('what the org refuses is a failure with its reason; mended, it goes through (P2)', async () => {
  app.prepare('INSERT INTO customers (name, phone) VALUES (?, ?), (?, ?)').run('Acme', '9'.repeat(60), 'Globex', '2');
  await engine.run('accounts', { signal });
  expect(await engine.failures({})).toMatchObject([{ code: 'STRING_TOO_LONG', place: 'crm' }]);
  expect(accounts().map(({ Name }) => Name)).toEqual(['Globex']);
  app.exec("UPDATE customers SET phone = '9' WHERE name = 'Acme'");
  await settle();
  expect(await engine.failures({})).toEqual([]);
  expectEqual();
});

// An external id disregards capitals unless it is marked as case-sensitive, and keeps no blanks around it.
describe(`keys of the app that the org spells otherwise ${evidence('documented', 'Salesforce Help, Custom Field Attributes: External ID, Unique')}`, () => {
  beforeEach(() => {
    app.exec('DROP TABLE customers');
    app.exec(customersTable.replace('INTEGER', 'TEXT'));
    return engine.applySchema(undefined, signal);
  });

  test('that are one key to it do not stand for one record: the second is a failure, and the first stays as it is (P7)', async () => {
    app.exec("INSERT INTO customers (id, name) VALUES ('ABC', 'Acme')");
    await settle();
    app.exec("INSERT INTO customers (id, name) VALUES ('abc', 'Globex')");
    await engine.run('accounts', { signal });
    expect(await engine.failures({})).toMatchObject([
      { key: ':abc', code: 'DUPLICATE_VALUE', message: 'App_Id__c does not tell abc from ABC, which another record has' },
    ]);
    expect(accounts()).toMatchObject([{ Name: 'Acme', App_Id__c: 'ABC' }]);
  });

  test('are not told to it again and again (P8)', async () => {
    app.exec("INSERT INTO customers (id, name) VALUES (' a ', 'Acme')");
    await settle();
    expect(accounts()).toMatchObject([{ Name: 'Acme', App_Id__c: 'a' }]);
  });
});

test('check says what a side lacks', async () => {
  await engine[Symbol.asyncDispose]();
  const missing = await open({ fields: { name: 'Nmae' } });
  expect(await missing.check(signal)).toContainEqual(expect.objectContaining({ message: expect.stringContaining('Nmae') }));
  await missing[Symbol.asyncDispose]();
  engine = await open({
    between: [
      { connection: 'crm', object: 'Account', link: 'Phone' },
      { connection: 'app', table: 'customers', link: 'crm_id' },
    ],
  });
  expect(await engine.check(signal)).toContainEqual(
    expect.objectContaining({ message: expect.stringContaining('Account.Phone is no unique external id') }),
  );
});

test('a field that the user may not edit is named with what grants it, and may flow the other way', async () => {
  app.exec("INSERT INTO customers (name, phone) VALUES ('Acme', '1')");
  await settle();
  const { userId } = emulator.users.list().find(({ username }) => username === emulator.credentials.username)!;
  const permit = (edit: boolean) => emulator.users.permit(userId, { fields: { 'Account.Phone': { edit } } });
  permit(false);
  app.exec("UPDATE customers SET phone = '2'");
  expect(await engine.run('accounts', { signal })).toMatchObject({ state: 'failed', error: { code: 'schema_changed' } });
  const place = 'syncs.accounts.fields.Phone';
  const [problem] = (await engine.check(signal)).filter((each) => each.place === place);
  expect(problem).toMatchObject({ severity: 'error', message: 'the user may not change Account.Phone' });
  expect(problem!.hint).toContain('fieldPermissions Account.Phone: editable');
  expect(await engine.run('accounts', { signal })).toMatchObject({ error: { message: expect.stringContaining(place) } });
  expect(accounts().map(values)).toEqual([['Acme', '1', null, null]]);

  permit(true);
  // A process that goes on asks the org again after a quarter of an hour.
  await engine[Symbol.asyncDispose]();
  engine = await open();
  await settle();
  expectEqual();
  expect(accounts().map(values)).toEqual([['Acme', '2', null, null]]);
  permit(false);
  await engine[Symbol.asyncDispose]();
  engine = await open({ fields: { name: 'Name', phone: { field: 'Phone', to: 'app' } } });
  expect((await engine.check(signal)).filter(({ severity }) => severity === 'error')).toEqual([]);
});

test('live: a change of either side reaches the other at once, its echo is swallowed, and a quiet pair asks the org nothing (P8)', async () => {
  await engine[Symbol.asyncDispose]();
  engine = await open({ live: true, every: '1h' });
  const eventually = (check: () => void) => vi.waitFor(check, { timeout: 90_000, interval: 20 });
  // The engine lives in this process: a write that waited for its lock would wait for ever, so it is tried again.
  const write = (sql: string) => eventually(() => app.exec(sql));
  const stop = new AbortController();
  const ended = engine.start({ stop: stop.signal, signal });
  const id = insert({ Name: 'Acme', Phone: '1' });
  await eventually(() => expect(customers()).toEqual([['Acme', '1', null, null]]));
  await write("UPDATE customers SET phone = '2'");
  await eventually(() => expect(accounts().map(values)).toEqual(customers()));
  update(id, { Phone: '3' });
  await eventually(() => expect(customers()).toEqual([['Acme', '3', null, null]]));
  await write("INSERT INTO customers (name) VALUES ('Globex')");
  await eventually(expectEqual);
  await write("DELETE FROM customers WHERE name = 'Globex'");
  await eventually(() => expect(accounts()).toHaveLength(1));
  stop.abort();
  await ended;
  // Everything was swallowed: a look at all of it finds nothing to do.
  expect((await engine.run('accounts', { signal, full: true })).counts).toMatchObject({ created: 0, updated: 0, deleted: 0 });
  expect(await engine.conflicts({})).toEqual([]);
});

describe('two processes with one store (P11)', () => {
  test('one that froze between its reading and its writing finds that another has taken over, and changes nothing', async () => {
    const id = insert({ Name: 'Acme', Phone: '1' });
    await settle();
    update(id, { Phone: 'old news' });
    app.exec("UPDATE customers SET name = 'Acme Ltd'");
    const freeze = Promise.withResolvers<void>();
    const thaw = Promise.withResolvers<void>();
    const slow: typeof fetch = async (input, init) => {
      const reply = await fetch(input, init);
      if (!/Id(%20|\+| )IN/.test(String(init?.body))) return reply;
      freeze.resolve();
      await thaw.promise;
      return reply;
    };
    await using frozen = await open({}, slow);
    const late = frozen.run('accounts', { signal });
    await freeze.promise;
    update(id, { Phone: 'new' });
    await settle();
    const writes = emulator.requests.totals();
    thaw.resolve();
    expect(await late).toMatchObject({ state: 'failed', error: { code: 'ownership_lost' } });
    expect(customers()).toEqual([['Acme Ltd', 'new', null, null]]);
    expectEqual();
    expect(emulator.requests.totals()).toEqual(writes);
    expect(await engine.conflicts({})).toEqual([]);
  });

  test('one that follows live leaves a run of another its way, and then goes on following', async () => {
    await engine[Symbol.asyncDispose]();
    engine = await open({ live: true, every: '1h' });
    const eventually = (check: () => void) => vi.waitFor(check, { timeout: 90_000, interval: 20 });
    const stop = new AbortController();
    const ended = engine.start({ stop: stop.signal, signal });
    const id = insert({ Name: 'Acme', Phone: '1' });
    await eventually(() => expect(customers()).toEqual([['Acme', '1', null, null]]));
    await using other = await open();
    expect(await other.run('accounts', { signal, full: true })).toMatchObject({ state: 'succeeded' });
    update(id, { Phone: '2' });
    await eventually(() => expect(customers()).toEqual([['Acme', '2', null, null]]));
    update(id, { Phone: '3' });
    await eventually(() => expect(customers()).toEqual([['Acme', '3', null, null]]));
    stop.abort();
    await ended;
  });

  // Taken back each time that either side tells of something, a run over everything would never come to its end.
  test('one that follows live goes on until a run by hand takes over, and leaves it what either side tells then', async () => {
    await engine[Symbol.asyncDispose]();
    const said: string[] = [];
    engine = await open({ live: true, every: '1s' }, fetch, (message) => said.push(message));
    const eventually = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
    const stop = new AbortController();
    const ended = engine.start({ stop: stop.signal, signal });
    const id = insert({ Name: 'Acme', Phone: '1' });
    await eventually(() => expect(customers()).toEqual([['Acme', '1', null, null]]));
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let opening: Promise<void> | null = null;
    const slow: typeof fetch = async (input, init) => {
      opening ??= (async () => {
        await eventually(() => app.exec("UPDATE customers SET phone = '2'"));
        await eventually(() => expect(accounts()[0]!.Phone).toBe('2'));
      })();
      await opening;
      if (!/Id(%20|\+| )IN/.test(String(init?.body))) return fetch(input, init);
      begun.resolve();
      await goOn.promise;
      return fetch(input, init);
    };
    await using other = await open({}, slow);
    const byHand = other.run('accounts', { signal, full: true });
    await begun.promise;
    update(id, { Name: 'Acme Ltd' });
    await eventually(() => app.exec("UPDATE customers SET phone = '3'"));
    await eventually(() => expect([said.some((each) => each.includes('left to it')), accounts()[0]!.Phone]).toEqual([true, '2']));
    goOn.resolve();
    expect(await byHand).toMatchObject({ state: 'succeeded', error: null });
    await eventually(() => expect([customers(), accounts()[0]!.Phone]).toEqual([[['Acme Ltd', '3', null, null]], '3']));
    await eventually(() => app.exec("UPDATE customers SET phone = '4'"));
    await eventually(() => expect(accounts()[0]!.Phone).toBe('4'));
    stop.abort();
    await ended;
  });

  test('a row that somebody waits for goes across when the run of another has ended, and takes nothing from it', async () => {
    insert({ Name: 'Acme', Phone: '1' });
    await settle();
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow: typeof fetch = async (input, init) => {
      const reply = await fetch(input, init);
      if (!/Id(%20|\+| )IN/.test(String(init?.body))) return reply;
      begun.resolve();
      await goOn.promise;
      return reply;
    };
    await using other = await open({}, slow);
    const byHand = other.run('accounts', { signal, full: true });
    await begun.promise;
    app.exec("UPDATE customers SET phone = '2'");
    const { id } = app.prepare('SELECT id FROM customers').get() as { id: number };
    const table = { pairing: { sync: 'accounts', side: 'right' }, spec: { name: 'customers' } } as ServedTable;
    const brought = engine.bring(table, String(id), signal);
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    goOn.resolve();
    expect(await byHand).toMatchObject({ state: 'succeeded', error: null });
    expect(await brought).toMatchObject({ status: expect.stringMatching(/updated|unchanged/) });
    expectEqual();
    expect(accounts()[0]!.Phone).toBe('2');
  });

  test('what one that follows live is at when another takes over is no failure, which somebody would be told of, and goes across', async () => {
    await engine[Symbol.asyncDispose]();
    const eventually = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let isSlow = false;
    const isRunning = async () => (await engine.runs({ sync: 'accounts', limit: 1 }))[0]?.state === 'running';
    const slow: typeof fetch = async (input, init) => {
      if (isSlow && /Id(%20|\+| )IN/.test(String(init?.body)) && (await isRunning())) {
        begun.resolve();
        await goOn.promise;
      }
      return fetch(input, init);
    };
    engine = await open({ live: true, every: '1h' }, slow);
    const stop = new AbortController();
    const ended = engine.start({ stop: stop.signal, signal });
    insert({ Name: 'Acme', Phone: '1' });
    await eventually(() => expect(customers()).toEqual([['Acme', '1', null, null]]));
    isSlow = true;
    await eventually(() => app.exec("UPDATE customers SET phone = '2'"));
    await begun.promise;
    await using other = await open();
    expect(await other.run('accounts', { signal, full: true })).toMatchObject({ state: 'succeeded', error: null });
    await eventually(() => app.exec("UPDATE customers SET phone = '3'"));
    goOn.resolve();
    await eventually(() => expect(accounts()[0]!.Phone).toBe('3'));
    stop.abort();
    await ended;
    const states = (await engine.runs({ sync: 'accounts' })).map(({ state, error }) => `${state} ${error?.code}`);
    expect(states).toContain('stopped ownership_lost');
    expect(states.filter((state) => state.startsWith('failed'))).toEqual([]);
  });
});
