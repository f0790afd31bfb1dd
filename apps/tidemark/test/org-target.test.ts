import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import salesforce from '@tidemark/connector-salesforce';
import { type AnyConnector, type Clock, Engine, newRow, openStore, parseConfig, systemClock } from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test } from 'vitest';

// An org as a target, with everything around it as it ships: what its own people have there is theirs, what a sync writes stays equal
// to the source, and a record that the org refuses is named and comes later.                                   (P2, P4, P8, P12)

const signal = new AbortController().signal;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let emulator: Emulator;
let source: Memory;
let at: number;
beforeEach(async () => {
  emulator = await startEmulator({ clock: createClock() });
  const { schema } = emulator.org;
  const phone = schema.field('Account', 'Phone')!;
  const code = {
    ...phone,
    name: 'Code__c',
    label: 'Code',
    type: 'string' as const,
    custom: true,
    externalId: true,
    idLookup: true,
    unique: true,
  };
  schema.add({ ...schema.object('Account')!, fields: [code] });
  source = new Memory();
  at = Date.UTC(2026, 0, 1);
  const field = (name: string, type: 'text' | 'decimal' | 'datetime' = 'text') => ({ name, type, nullable: true });
  const fields = [field('id'), field('name'), field('site'), field('staff', 'decimal'), field('changedAt', 'datetime')];
  source.define({ name: 'companies', key: ['id'], fields }, 'changedAt');
});
afterEach(() => emulator.close());

function put(id: string, values: { name?: string; site?: string | null; staff?: number | null }): void {
  at += 1000;
  const row = { id, name: `Company ${id}`, site: null, staff: 1, changedAt: new Date(at).toISOString(), ...values };
  source.dataset('companies').put(Object.assign(newRow(), row));
}

async function engine(to: object = {}, sync: object = {}): Promise<Engine & AsyncDisposable> {
  const { loginUrl, clientId, clientSecret } = emulator.credentials;
  const yaml = JSON.stringify({
    connections: {
      app: { type: 'memory', datasets: {} },
      crm: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
    },
    syncs: {
      companies: {
        from: { connection: 'app', dataset: 'companies' },
        to: { connection: 'crm', object: 'Account', key: 'Code__c', ...to },
        fields: { Code__c: 'id', Name: 'name', Website: 'site', NumberOfEmployees: 'staff' },
        ...sync,
      },
    },
  });
  const connectors = [createMemoryConnector({ memory: source }), salesforce] as unknown as AnyConnector[];
  const config = parseConfig(yaml, { file: 'tidemark.yaml', env: {}, connectors });
  const clock: Clock = { now: () => at, sleep: (ms, abort) => systemClock.sleep(ms < 30_000 ? Math.min(ms, 2) : ms, abort) };
  return new Engine({ config, store: await openStore(':memory:'), clock, random: Math.random, log: quiet, fetch });
}

function accounts(where = 'Code__c != null') {
  const found = emulator.org.query(
    `SELECT Code__c, Name, Website, NumberOfEmployees FROM Account WHERE ${where} ORDER BY Code__c`,
  );
  return (found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[]).map(({ attributes: _, ...record }) => record);
}

const callsSoFar = () => emulator.requests.totals().apiCalls;

test('changes and deletes follow the source, and what the org has besides stays (P4)', async () => {
  emulator.org.write((transaction) => transaction.insert('Account', { Name: 'of the org' }));
  await using running = await engine();
  for (const id of ['a', 'b', 'c']) put(id, { site: 'https://example.com' });
  expect(await running.run('companies', { signal })).toMatchObject({ state: 'succeeded', kind: 'full', counts: { created: 3 } });
  put('a', { name: 'New name', site: null });
  put('d', {});
  at += 1000;
  source.dataset('companies').remove('b', at);
  expect(await running.run('companies', { signal })).toMatchObject({
    kind: 'delta',
    counts: { created: 1, updated: 1, deleted: 1 },
  });
  expect(accounts()).toEqual([
    { Code__c: 'a', Name: 'New name', Website: null, NumberOfEmployees: 1 },
    { Code__c: 'c', Name: 'Company c', Website: 'https://example.com', NumberOfEmployees: 1 },
    { Code__c: 'd', Name: 'Company d', Website: null, NumberOfEmployees: 1 },
  ]);
  await running.run('companies', { full: true, signal });
  expect(accounts('Code__c = null')).toHaveLength(1);
  expect(await running.verify('companies', { repair: false, signal })).toMatchObject({ verified: 3, differences: 0 });
});

test('a record that the org refuses is named, and comes when it is mended (P2)', async () => {
  await using running = await engine();
  put('good', {});
  put('bad', { name: 'x'.repeat(256) });
  expect(await running.run('companies', { signal })).toMatchObject({ counts: { created: 1, failed: 1 } });
  const [failure] = await running.failures({ sync: 'companies' });
  expect(failure).toMatchObject({ key: 'bad', code: 'STRING_TOO_LONG', message: expect.stringContaining('Name') });
  put('bad', { name: 'short' });
  await running.retry('companies', { ids: [failure!.id], signal });
  expect(await running.failures({})).toEqual([]);
  expect(accounts().map(({ Name }) => Name)).toEqual(['short', 'Company good']);
});

test('with compare: true a full run sends the org nothing but what somebody has changed there (P8, P12)', async () => {
  await using running = await engine({ compare: true });
  for (let i = 0; i < 500; i++) put(`k${i}`, {});
  await running.run('companies', { signal });
  emulator.org.write((transaction) => {
    const [{ Id }] = emulator.org.query("SELECT Id FROM Account WHERE Code__c = 'k77'").page(0, 1, 'v62.0') as [{ Id: string }];
    transaction.update('Account', Id, { Website: 'https://changed.example', Phone: '1' });
  });
  const before = callsSoFar();
  const { counts } = await running.run('companies', { full: true, signal });
  expect(counts).toMatchObject({ updated: 1, unchanged: 499, created: 0 });
  // One to read what is there, one to write.
  expect(callsSoFar() - before).toBe(2);
  expect(accounts("Code__c = 'k77'")).toMatchObject([{ Website: null }]);
});

test('a full run of many records is one job, over the borders of pages (P8)', async () => {
  await using running = await engine();
  for (let i = 0; i < 2500; i++) put(`k${i}`, {});
  expect(await running.run('companies', { signal })).toMatchObject({ state: 'succeeded', counts: { created: 2500 } });
  expect(emulator.ingest.list()).toMatchObject([{ state: 'JobComplete', recordsProcessed: 2500 }]);
  expect(accounts()).toHaveLength(2500);
});

test('check names what is in the way, at its place, and what may come twice', async () => {
  await using wrong = await engine({}, { fields: { Code__c: 'id', Websit: 'site' } });
  expect(await wrong.check(signal)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        severity: 'error',
        place: 'syncs.companies.fields.Websit',
        message: 'Account has no field Websit',
      }),
      expect.objectContaining({
        severity: 'error',
        message: 'Account.Name is required for new records, and nothing is mapped to it',
      }),
    ]),
  );
  await using inserts = await engine({ operation: 'insert' }, { deletes: 'ignore' });
  expect(await inserts.check(signal)).toContainEqual(
    expect.objectContaining({ severity: 'warning', place: 'syncs.companies', message: expect.stringContaining('twice') }),
  );
});
