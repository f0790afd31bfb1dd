import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClock, type Emulator, evidence, startEmulator } from '@tidemark/emulator';
import { answersAnything, createTestDatabase, describedOperations, serviceOrSkip } from '@tidemark/testkit';
import fc from 'fast-check';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataWorld } from './data-world.ts';

// The tables of syncs as an API (002-4): over a real server whatever is sent is answered, and what is written there goes on to Salesforce,
// whose verdict whoever writes is told.

const never = new AbortController().signal;
const mongodb = await serviceOrSkip('mongodb');

describe('over PostgreSQL and MongoDB', () => {
  let postgres: { readonly url: string; drop(): Promise<void> };
  let mongo: MongoClient | null = null;
  let world: DataWorld;
  const database = `test_${randomBytes(6).toString('hex')}`;

  beforeAll(async () => {
    postgres = await createTestDatabase();
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query(`CREATE TYPE mood AS ENUM ('ok', 'bad');
      CREATE TABLE everything (id serial PRIMARY KEY, feels mood, owner uuid, amount numeric(8,2), ratio double precision, day date, at timestamptz,
        clock time, doc jsonb, raw bytea, tags text[], tree xml, short varchar(5), wide bigint, net inet);
      INSERT INTO everything (id, feels, short) VALUES (1, 'ok', 'one');
      CREATE TABLE pairs (a uuid, b date, note text, PRIMARY KEY (a, b))`);
    await client.end();
    if (mongodb.url !== null) {
      mongo = await new MongoClient(mongodb.url).connect();
      await mongo
        .db(database)
        .collection('things')
        .insertOne({ _id: '1' as never, name: 'one', size: 1, at: new Date(0), more: { a: [1] } });
    }
    const to = (table: string) => ({ connection: 'out', table });
    world = await DataWorld.open({
      connections: {
        pg: { type: 'postgres', url: postgres.url },
        out: { type: 'sqlite', path: 'out.db' },
        ...(mongodb.url !== null && { docs: { type: 'mongodb', url: mongodb.url, database, decimals: 'double' } }),
      },
      syncs: {
        everything: { from: { connection: 'pg', table: 'everything' }, to: to('everything') },
        pairs: { from: { connection: 'pg', table: 'pairs' }, to: to('pairs') },
        ...(mongodb.url !== null && {
          things: {
            from: {
              connection: 'docs',
              collection: 'things',
              fields: { _id: 'text', name: 'text', size: 'integer', at: 'datetime', more: 'json' },
            },
            to: to('things'),
          },
        }),
      },
      http: { data: { pg: 'write', ...(mongodb.url !== null && { docs: 'write' }) } },
    });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await postgres.drop();
    await mongo?.db(database).dropDatabase();
    await mongo?.close();
  });

  test('whatever is sent: an answer, and never that we did not expect it', async () => {
    const operations = (await describedOperations(world, { key: '1', sync: 's', connection: 'pg', id: '1' })).filter(({ path }) =>
      path.startsWith('/data/'),
    );
    expect(operations.length).toBe(mongodb.url === null ? 12 : 18);
    const fields = [
      'id',
      'feels',
      'owner',
      'amount',
      'ratio',
      'day',
      'at',
      'clock',
      'doc',
      'raw',
      'tags',
      'tree',
      'short',
      'wide',
      'net',
    ];
    const others = ['a', 'b', 'note', '_id', 'name', 'size', 'more'];
    const given = [
      '1',
      'x',
      '',
      '\u0000',
      '\u{1F41F}',
      "' OR 1=1 --",
      '.*',
      '(',
      '$gt',
      '1e300',
      '9'.repeat(19),
      '-1',
      '0.005',
      'NaN',
      'infinity',
    ];
    const typed = [
      '2026-01-01',
      '0001-01-01',
      '9999-12-31',
      '2026-01-01T00:00:00Z',
      '23:59:60',
      'AAAA',
      'true',
      '0b8a4a1e-0000-4000-8000-00000000000a',
    ];
    const value = fc.oneof(fc.constantFrom(...given, ...typed), fc.string());
    const field = fc.constantFrom(...fields, ...others);
    const comparison = fc.constantFrom('', '[eq]', '[ne]', '[gt]', '[lte]', '[in]', '[starts]', '[contains]', '[null]');
    const parameter = fc.oneof(
      fc
        .tuple(field, comparison, value)
        .map(([name, is, text]) => `filter[${name}]${is}=${encodeURIComponent(text.toWellFormed())}`),
      fc.tuple(fc.constantFrom('sort=', 'sort=-', 'select='), field).map((each) => each.join('')),
    );
    await answersAnything(world, operations, {
      names: [...fields, ...others],
      values: fc.oneof(value, fc.double(), fc.constantFrom(null, 1, true, { $set: 1 }, { 'a.b': 1 }, [1, null], 2 ** 40)),
      headers: fc.constantFrom({}, { 'if-match': '*' }),
      query: fc.array(parameter, { minLength: 1, maxLength: 3 }).map((each) => each.join('&')),
      numRuns: 100,
    });
    expect(world.told).toEqual([]);
  });

  // One transaction, or one conditional write: between the look and the write nobody else comes. The server that tests start in the place
  // of MongoDB lets several updates with one condition through at once.
  test.each(process.env.TIDEMARK_TEST_MONGODB_URL ? ['pg/everything', 'docs/things'] : ['pg/everything'])(
    'of many who have seen the same row of %s, one writes it',
    async (table) => {
      const path = `/data/${table}/77`;
      const field = table === 'pg/everything' ? 'wide' : 'size';
      const made = await world.ask('PUT', path, { body: { [field]: 0 }, headers: { 'if-none-match': '*' } });
      expect(made.status).toBe(201);
      const headers = { 'if-match': made.headers.get('etag')! };
      const writes = Array.from({ length: 8 }, (_, i) => world.ask('PATCH', path, { body: { [field]: i + 1 }, headers }));
      const answers = await Promise.all(writes);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
      const winner = answers.findIndex(({ status }) => status === 200);
      expect((await world.ask('GET', path)).body[field]).toBe(winner + 1);
      const makers = Array.from({ length: 4 }, () =>
        world.ask('PUT', `/data/${table}/78`, { body: { [field]: 1 }, headers: { 'if-none-match': '*' } }),
      );
      const made78 = (await Promise.all(makers)).map(({ status }) => status).sort();
      expect(made78[0]).toBe(201);
      expect(made78.slice(1).every((status) => status === 412 || status === 422)).toBe(true);
      for (const key of [77, 78]) await world.ask('DELETE', `/data/${table}/${key}`, { headers: { 'if-match': '*' } });
    },
  );

  test.skipIf(mongodb.missing !== null)('a document is written by whoever has seen it as it is', async () => {
    const path = '/data/docs/things/2';
    const made = await world.ask('PUT', path, { body: { name: 'two', size: 2 }, headers: { 'if-none-match': '*' } });
    expect([made.status, made.body]).toMatchObject([201, { _id: '2', name: 'two', size: 2, more: null }]);
    const etag = made.headers.get('etag')!;
    const change = (body: object) => world.ask('PATCH', path, { body, headers: { 'if-match': etag } });
    expect([(await change({ size: 3 })).status, (await change({ size: 4 })).status]).toEqual([200, 412]);
    expect((await world.ask('GET', '/data/docs/things?filter[size][gte]=3&select=name')).body).toEqual({
      data: [{ name: 'two' }],
      next: null,
    });
    expect((await world.ask('DELETE', path, { headers: { 'if-match': '*' } })).status).toBe(204);
  });
});

const known = evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses');

describe(`on to Salesforce ${known}`, () => {
  let folder: string;
  let emulator: Emulator;
  let postgres: Awaited<ReturnType<typeof createTestDatabase>>;
  let app: pg.Client;
  let world: DataWorld;
  const ACCOUNTS = '/data/app/accounts';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-data-org-'));
    const fields = join(folder, 'main/default/objects/Account/fields');
    mkdirSync(fields, { recursive: true });
    writeFileSync(
      join(fields, 'App_Id__c.field-meta.xml'),
      '<?xml version="1.0" encoding="UTF-8"?>\n<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>App_Id__c</fullName><label>App Id</label><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique></CustomField>\n',
    );
    emulator = await startEmulator({ source: folder, records: 0, clock: createClock(), changeEvents: ['Account'] });
    const rule = { object: 'Account', name: 'Reachable', message: 'A phone number has to begin with +', field: 'Phone' };
    emulator.automation.validationRules.define({ ...rule, check: ({ Phone }) => Phone == null || String(Phone).startsWith('+') });
    postgres = await createTestDatabase();
    app = new pg.Client({ connectionString: postgres.url });
    await app.connect();
    await app.query('CREATE TABLE accounts (id serial PRIMARY KEY, name text NOT NULL, phone text, crm_id text UNIQUE)');
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = emulator.credentials;
    const auth = { flow: 'client-credentials', clientId, clientSecret };
    world = await DataWorld.open({
      connections: {
        crm: { type: 'salesforce', loginUrl, pubsubEndpoint: `http://${pubsubEndpoint}`, auth },
        app: { type: 'postgres', url: postgres.url },
      },
      syncs: {
        accounts: {
          between: [
            { connection: 'crm', object: 'Account', link: 'App_Id__c' },
            { connection: 'app', table: 'accounts', link: 'crm_id' },
          ],
          fields: { name: 'Name', phone: 'Phone' },
          conflicts: 'salesforce',
        },
        copies: { from: { connection: 'crm', object: 'Contact' }, to: { connection: 'app', table: 'contacts' } },
      },
      http: { data: { app: { accounts: 'write-through' } } },
    });
    await world.engine.applySchema(undefined, never);
    await world.engine.run('accounts', { signal: never });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await app.end();
    await postgres.drop();
    await emulator.close();
    rmSync(folder, { recursive: true });
  });

  const anyState = { headers: { 'if-match': '*' } };
  function accounts(): Record<string, unknown>[] {
    const found = emulator.org.query('SELECT Name, Phone, App_Id__c FROM Account ORDER BY App_Id__c');
    return (found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[]).map(({ Name, Phone, App_Id__c }) => ({
      Name,
      Phone,
      App_Id__c,
    }));
  }

  test('what is written is in the database at once and in the org soon; whoever waits is told what the org made of it (002-4)', async () => {
    const made = await world.ask('POST', `${ACCOUNTS}?wait=60`, { body: { name: 'Acme', phone: '+1' } });
    expect([made.status, made.headers.get('location')]).toEqual([201, `${ACCOUNTS}/1`]);
    expect(made.body).toMatchObject({
      status: 'done',
      record: { key: '1', status: 'created', id: expect.stringMatching(/^001/) },
      data: { id: 1, name: 'Acme', crm_id: made.body.record.id },
    });
    expect(accounts()).toEqual([{ Name: 'Acme', Phone: '+1', App_Id__c: '1' }]);

    const { status, body, headers } = await world.ask('PATCH', `${ACCOUNTS}/1`, { body: { name: 'Acme Ltd' }, ...anyState });
    expect([status, headers.get('location')]).toEqual([202, body.href]);
    expect(body).toMatchObject({ status: 'pending', record: { key: '1', status: 'pending' }, data: { name: 'Acme Ltd' } });
    await world.operations.idle();
    expect((await world.ask('GET', body.href)).body).toMatchObject({
      kind: 'write',
      sync: 'accounts',
      state: 'done',
      result: { status: 'updated' },
    });
    expect(accounts()[0]!.Name).toBe('Acme Ltd');

    const waited = await world.ask('PATCH', `${ACCOUNTS}/1?wait=60`, { body: { name: 'Acme Inc' }, ...anyState });
    expect([waited.status, waited.body.record]).toEqual([200, { key: '1', status: 'updated', id: made.body.record.id }]);
    expect(waited.headers.get('etag')).toBe((await world.ask('GET', `${ACCOUNTS}/1`)).headers.get('etag'));
    expect(accounts()[0]!.Name).toBe('Acme Inc');
  });

  test('what the org refuses is told in its own words, kept as a failure, and mended by another write (P2)', async () => {
    const { body: before } = await world.ask('POST', `${ACCOUNTS}?wait=60`, { body: { name: 'Bolt', phone: '+2' } });
    const path = `${ACCOUNTS}/${before.data.id}`;
    const { status, body } = await world.ask('PATCH', `${path}?wait=60`, { body: { phone: 'none' }, ...anyState });
    expect([status, body.error]).toEqual([
      422,
      {
        code: 'FIELD_CUSTOM_VALIDATION_EXCEPTION',
        message: expect.stringContaining('A phone number has to begin with +'),
        hint: expect.stringContaining('kept'),
      },
    ]);
    expect(body).toMatchObject({ status: 'refused', record: { status: 'refused', retried: true }, data: { phone: 'none' } });
    expect(accounts().find(({ Name }) => Name === 'Bolt')!.Phone).toBe('+2');
    expect((await world.ask('GET', '/api/v1/failures?sync=accounts')).body).toHaveLength(1);

    const mended = await world.ask('PATCH', `${path}?wait=60`, { body: { phone: '+3' }, ...anyState });
    expect([mended.status, mended.body.record.status]).toEqual([200, 'updated']);
    expect((await world.ask('GET', '/api/v1/failures?sync=accounts')).body).toEqual([]);
    expect(accounts().find(({ Name }) => Name === 'Bolt')!.Phone).toBe('+3');
  });

  test('a delete goes across as well; a write that nobody waited for is told by the capture, as any program’s', async () => {
    const { body } = await world.ask('POST', `${ACCOUNTS}?wait=60`, { body: { name: 'Core' } });
    const gone = await world.ask('DELETE', `${ACCOUNTS}/${body.data.id}?wait=60`, anyState);
    expect([gone.status, gone.body]).toMatchObject([200, { status: 'done', record: { status: 'deleted' }, data: null }]);
    expect(accounts().some(({ Name }) => Name === 'Core')).toBe(false);
    const { rows } = await app.query("SELECT DISTINCT writer FROM _tidemark_log_accounts WHERE key = $1 AND op IN ('I', 'D')", [
      [String(body.data.id)],
    ]);
    expect(rows).toEqual([{ writer: null }]);
  });

  test('a sync that is paused keeps nobody from writing: it is brought on later, and said so', async () => {
    await world.engine.setPaused('accounts', true);
    const { status, body } = await world.ask('PATCH', `${ACCOUNTS}/1?wait=60`, { body: { name: 'Acme & Co' }, ...anyState });
    expect([status, body.error, body.data.name]).toEqual([
      504,
      { code: 'outcome_pending', message: 'accounts is paused', hint: expect.stringContaining('will bring it on') },
      'Acme & Co',
    ]);
    await world.engine.setPaused('accounts', false);
    expect(await world.engine.run('accounts', { signal: never })).toMatchObject({ state: 'succeeded', counts: { updated: 1 } });
    expect(accounts()[0]!.Name).toBe('Acme & Co');
  });
});
