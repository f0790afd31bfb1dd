import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import sqlite from '@tidemark/connector-sqlite';
import { answersAnything, type DescribedOperation, describedOperations } from '@tidemark/testkit';
import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AnyConnector } from '../../config/config.ts';
import type { ApiParts } from '../v1/endpoint.ts';
import { ApiWorld } from '../v1/fixture.ts';
import { describeTables } from './describe-tables.ts';

// The tables that syncs read or write, row by row: what is asked is held against the table's own columns, nobody writes over what they
// have not seen, and nothing but these tables can be reached.

let folder: string;
let database: DatabaseSync;
let api: ApiWorld;
let described: DescribedOperation[];

const PEOPLE = '/data/app/people';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-data-'));
  database = new DatabaseSync(join(folder, 'app.db'));
  database.exec(`
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER, active BOOLEAN, price DECIMAL(10, 2), born DATE,
      at DATETIME, data JSON, blob BLOB, email VARCHAR(20) UNIQUE, upper_name TEXT AS (upper(name)));
    CREATE TABLE parts (a TEXT, b INTEGER, note TEXT, changed_at DATETIME, PRIMARY KEY (a, b));
    CREATE TABLE copies (id TEXT PRIMARY KEY, name TEXT);
    CREATE TABLE secret (id INTEGER PRIMARY KEY, word TEXT);
    CREATE TABLE unread (id INTEGER PRIMARY KEY)`);
  const yaml = `
connections: { src: { type: a }, dst: { type: b }, app: { type: sqlite, path: ${JSON.stringify(join(folder, 'app.db'))} } }
syncs:
  people: { from: { connection: app, table: people }, to: { connection: dst, dataset: people } }
  parts: { from: { connection: app, table: parts, watermark: changed_at }, to: { connection: dst, dataset: parts } }
  unread: { from: { connection: app, table: unread }, to: { connection: dst, dataset: unread } }
  copies: { from: { connection: src, dataset: people }, to: { connection: app, table: copies } }
http: { data: { app: { people: write, parts: write, copies: read } } }
`;
  api = await ApiWorld.open(yaml, [sqlite as unknown as AnyConnector]);
  database.exec("INSERT INTO people (id, name) VALUES (1, 'Ann')");
  described = await describedOperations(api, { key: '1', sync: 'people', connection: 'src', id: '1' });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  database.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  database.exec('DELETE FROM people; DELETE FROM parts; DELETE FROM copies');
  database.exec(
    "INSERT INTO people (id, name, size, active, at) VALUES (1, 'Ann', 7, 1, '2026-01-02 03:04:05'), (2, 'Bo', NULL, 0, NULL)",
  );
});

const served = () => described.filter(({ path }) => path.startsWith('/data/'));

describe('rows', () => {
  test('are listed as the table types them, filtered, sorted, page by page, with the fields that are wanted', async () => {
    const { status, body } = await api.ask('GET', PEOPLE, { as: 'read' });
    expect([status, body.next]).toEqual([200, null]);
    expect(body.data[0]).toEqual({
      ...{ id: 1, name: 'Ann', size: 7, active: true, price: null, born: null, at: '2026-01-02T03:04:05.000Z' },
      ...{ data: null, blob: null, email: null, upper_name: 'ANN' },
    });
    const ask = async (query: string) =>
      (await api.ask('GET', `${PEOPLE}?select=id&${query}`)).body.data.map(({ id }: { id: number }) => id);
    expect(await ask('filter[name]=Bo')).toEqual([2]);
    expect(await ask('filter[size][gte]=7&filter[active]=true')).toEqual([1]);
    expect(await ask('filter[size][null]=true')).toEqual([2]);
    expect(await ask('filter[id][in]=2&filter[id][in]=1&filter[name][ne]=Bo')).toEqual([1]);
    expect(await ask('filter[at][lt]=2026-01-02T04:04:06%2B01:00')).toEqual([1]);
    expect(await ask('filter[name][starts]=A')).toEqual([1]);
    expect(await ask('sort=-name')).toEqual([2, 1]);
    const first = await api.ask('GET', `${PEOPLE}?sort=-id&limit=1&select=id`);
    expect(first.body.data).toEqual([{ id: 2 }]);
    expect(first.headers.get('link')).toMatch(/^<\/data\/app\/people\?sort=-id&limit=1&select=id&after=[\w-]+>; rel="next"$/);
    const next = /<(.*)>/.exec(first.headers.get('link')!)![1]!;
    expect((await api.ask('GET', next)).body).toEqual({ data: [{ id: 1 }], next: null });
  });
});

describe('one row', () => {
  test('has a tag of its state, by which it need not be sent again', async () => {
    const first = await api.ask('GET', `${PEOPLE}/1?select=name,id`, { as: 'read' });
    expect([first.status, first.body]).toEqual([200, { name: 'Ann', id: 1 }]);
    const etag = first.headers.get('etag')!;
    expect(etag).toMatch(/^"[\w-]{27}"$/);
    expect((await api.ask('GET', `${PEOPLE}/1`, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await api.ask('GET', `${PEOPLE}/1`, { headers: { 'if-none-match': `W/${etag}, "x"` } })).status).toBe(304);
    database.exec("UPDATE people SET name = 'Anna' WHERE id = 1");
    const second = await api.ask('GET', `${PEOPLE}/1`, { headers: { 'if-none-match': etag } });
    expect([second.status, second.body.name, second.headers.get('etag') === etag]).toEqual([200, 'Anna', false]);
  });

  test('is made, with the key that is sent or one that the database gives', async () => {
    const made = await api.ask('POST', PEOPLE, { as: 'operate', body: { name: 'Cy', price: '12.50', data: { a: [1] } } });
    expect([made.status, made.headers.get('location')]).toEqual([201, `${PEOPLE}/3`]);
    expect(made.body).toMatchObject({ id: 3, name: 'Cy', price: 12.5, data: { a: [1] }, upper_name: 'CY' });
    const again = await api.ask('GET', `${PEOPLE}/3`);
    expect([again.body, again.headers.get('etag')]).toEqual([made.body, made.headers.get('etag')]);
    const own = await api.ask('POST', PEOPLE, { body: { id: 40, name: 'Di' } });
    expect([own.status, own.headers.get('location')]).toEqual([201, `${PEOPLE}/40`]);
    expect((await api.ask('POST', PEOPLE, { body: { id: 40, name: 'Di' } })).status).toBe(409);
  });

  // Two who have read the same row: the second one's change is refused, and not written over the first one's.
  test('is changed by whoever has seen it as it is, field by field or as a whole, and deleted', async () => {
    const etagOf = async (id: number) => (await api.ask('GET', `${PEOPLE}/${id}`)).headers.get('etag')!;
    const seen = await etagOf(1);
    const change = (body: object, match: string) =>
      api.ask('PATCH', `${PEOPLE}/1`, { as: 'operate', body, headers: { 'if-match': match } });
    const changed = await change({ name: 'Anna' }, seen);
    expect([changed.status, changed.body]).toMatchObject([200, { name: 'Anna', size: 7 }]);
    expect((await change({ name: 'Anne' }, seen)).status).toBe(412);
    expect((await change({ name: 'Anne' }, `W/${changed.headers.get('etag')}`)).status).toBe(412);
    expect((await change({ size: null }, `"x", ${changed.headers.get('etag')}`)).body).toMatchObject({
      name: 'Anna',
      size: null,
    });
    expect((await change({ name: 'Ann', id: 1 }, '*')).body).toMatchObject({ name: 'Ann' });

    const put = (id: number, body: object, headers: Record<string, string>) =>
      api.ask('PUT', `${PEOPLE}/${id}`, { body, headers });
    const whole = await put(1, { name: 'Whole', born: '2000-02-29' }, { 'if-match': await etagOf(1) });
    expect([whole.status, whole.body]).toMatchObject([200, { name: 'Whole', born: '2000-02-29', active: null, at: null }]);
    expect((await put(9, { name: 'New' }, { 'if-none-match': '*' })).status).toBe(201);
    expect((await put(9, { name: 'New' }, { 'if-none-match': '*' })).status).toBe(412);
    expect((await put(10, { name: 'New' }, { 'if-match': '*' })).status).toBe(404);

    const gone = (headers: Record<string, string>) => api.ask('DELETE', `${PEOPLE}/9`, { headers });
    expect((await gone({ 'if-match': seen })).status).toBe(412);
    expect([(await gone({ 'if-match': await etagOf(9) })).status, (await gone({ 'if-match': '*' })).status]).toEqual([204, 404]);
  });

  test('of many who have seen the same state, one writes it', async () => {
    const headers = { 'if-match': (await api.ask('GET', `${PEOPLE}/1`)).headers.get('etag')! };
    const sizes = Array.from({ length: 12 }, (_, i) => 100 + i);
    const answers = await Promise.all(sizes.map((size) => api.ask('PATCH', `${PEOPLE}/1`, { body: { size }, headers })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(412)]);
    const winner = answers.findIndex(({ status }) => status === 200);
    expect((await api.ask('GET', `${PEOPLE}/1`)).body.size).toBe(sizes[winner]);
  });

  test('is not written by whoever does not say which state of it they mean', async () => {
    for (const [method, body] of [
      ['PATCH', { name: 'x' }],
      ['PUT', { name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: told } = await api.ask(method, `${PEOPLE}/1`, { body });
      expect([method, status, told.error.hint]).toEqual([method, 428, expect.stringContaining('If-Match')]);
    }
  });

  test('is found by all parts of its key, whatever they are; programs’ own time of change is set', async () => {
    const a = 'a/b "ü';
    const { status, headers } = await api.ask('POST', '/data/app/parts', { body: { a, b: 7 } });
    const path = `/data/app/parts/${encodeURIComponent(JSON.stringify([a, '7']))}`;
    expect([status, headers.get('location')]).toEqual([201, path]);
    const { body } = await api.ask('GET', path);
    expect(body).toMatchObject({ a, b: 7, note: null });
    expect(Math.abs(Date.parse(body.changed_at) - Date.now())).toBeLessThan(60_000);
    const unchanged = await api.ask('PATCH', path, { body: { note: null }, headers: { 'if-match': '*' } });
    expect(unchanged.body).toEqual(body);
    const given = await api.ask('PATCH', path, { body: { changed_at: '2020-01-01T00:00:00Z' }, headers: { 'if-match': '*' } });
    expect(given.body.changed_at).toBe('2020-01-01T00:00:00.000Z');
  });
});

describe('who may ask, and for what (P10)', () => {
  test('nobody without a token; nobody writes who may only read; what is done is on record', async () => {
    expect(served().length).toBeGreaterThan(12);
    for (const { method, path } of served()) {
      const { status } = await api.ask(method, path, { as: null });
      expect([method, path, status]).toEqual([method, path, 401]);
      if (method === 'GET') continue;
      expect([method, path, (await api.ask(method, path, { as: 'read', body: {} })).status]).toEqual([method, path, 403]);
    }
    await api.ask('DELETE', `${PEOPLE}/1`, { as: 'operate', headers: { 'if-match': '*' } });
    const { body } = await api.ask('GET', '/api/v1/audit?limit=1');
    expect(body).toMatchObject([{ what: `DELETE ${PEOPLE}/1`, status: 204, who: expect.stringMatching(/^a operate/) }]);
    expect((await api.ask('GET', PEOPLE, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
  });

  test('what is served is listed; nothing else is there, Tidemark’s own tables least of all', async () => {
    const { body } = await api.ask('GET', '/data', { as: 'read' });
    expect(body).toEqual([
      { connection: 'app', table: 'people', access: 'write', sync: null, href: PEOPLE },
      { connection: 'app', table: 'parts', access: 'write', sync: null, href: '/data/app/parts' },
      { connection: 'app', table: 'copies', access: 'read', sync: null, href: '/data/app/copies' },
    ]);
    // What a target of a sync keeps there is made with its first run.
    await api.ask('POST', '/api/v1/syncs/copies/runs', { body: {} });
    await api.operations.idle();
    expect(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_tidemark_checkpoints'").get()).toBeDefined();
    expect((await api.ask('GET', `${PEOPLE}/%zz`)).status).toBeLessThan(500);
    const others = [
      'secret',
      'unread',
      'PEOPLE',
      'people; --',
      '"people"',
      '_tidemark_checkpoints',
      '_TIDEMARK_checkpoints',
      'sqlite_schema',
    ];
    for (const name of [...others, 'main.people', '..', '%2e%2e/app/people']) {
      const { status } = await api.ask('GET', `/data/app/${encodeURIComponent(name)}`);
      expect([name, status]).toEqual([name, 404]);
    }
    for (const connection of ['src', 'dst', 'nobody', 'constructor']) {
      expect((await api.ask('GET', `/data/${connection}/people`)).status).toBe(404);
    }
    const { body: copies } = await api.ask('GET', '/data/app/copies?limit=1');
    expect(Object.keys(copies.data[0] ?? {}).filter((name) => name.startsWith('_tidemark'))).toEqual([]);
  });

  test('what a sync writes is only read', async () => {
    const { status, body } = await api.ask('POST', '/data/app/copies', { body: { id: 'x' } });
    expect([status, body.error.code, body.error.hint]).toEqual([405, 'read_only', 'its sync writes it: change the source']);
  });
});

describe('what makes no sense is told with its place and a remedy', () => {
  test.each([
    ['?filter[nmae]=x', 'filter[nmae]: people has no field "nmae"', 'did you mean name?'],
    ['?filter[nothing]=x', 'filter[nothing]: people has no field', 'it has id, name'],
    ['?filter[size]=big', 'filter[size]: takes a whole number', 'size is of type integer'],
    ['?filter[size]=1.5', 'filter[size]: takes a whole number', 'integer'],
    ['?filter[active]=yes', 'filter[active]: takes true or false', 'boolean'],
    ['?filter[born]=2026-02-30', 'filter[born]: takes a date', 'date'],
    ['?filter[size][like]=7', 'filter[size][like]: like is no comparison', 'one of: eq, ne'],
    ['?filter[size][starts]=7', 'filter[size][starts]: size holds integer', 'use eq'],
    ['?filter[data]=1', 'filter[data]: data holds JSON', '[null]'],
    ['?filter[size][null]=maybe', 'filter[size][null]: takes true or false', 'without a value'],
    ['?filter[price]=0.12345678901234567891', 'price cannot be compared with such a value', 'it holds decimal'],
    ['?sort=nmae', 'sort: people has no field', 'did you mean name?'],
    ['?sort=data', 'sort: data has no order', 'another field'],
    ['?select=nmae', 'select: people has no field', 'did you mean name?'],
    ['?limit=0', 'limit: takes a whole number from 1 to 1000', 'leave it out'],
    ['?limit=1001', 'limit: takes', 'leave it out'],
    ['?after=x', 'after: is no cursor', 'next of the page before'],
    ['?page=2', 'page: is no parameter', 'it takes filter'],
    ['/one', 'key: id takes a whole number', 'fields of this table'],
    ['/1?filter[id]=1', 'filter[id]: is no parameter', 'it takes select'],
  ])('GET people%s', async (path, message, hint) => {
    const { status, body } = await api.ask('GET', `${PEOPLE}${path}`);
    expect([status, body.error.code, body.error.message, body.error.hint]).toEqual([
      ...[400, 'bad_request', expect.stringContaining(message)],
      expect.stringContaining(hint),
    ]);
  });

  test.each([
    [{ name: 'x', nmae: 'x' }, 'body: people has no field "nmae"', 'did you mean name?'],
    [{ name: 7 }, 'body.name: takes text', 'type text'],
    [{ name: 'x', size: '7' }, 'body.size: takes a whole number', 'integer'],
    [{ name: 'x', at: 'soon' }, 'body.at: takes an instant', 'datetime'],
    [{ name: null }, 'body.name: may not be null', 'give it a value'],
    [{ name: 'x', upper_name: 'X' }, 'body.upper_name: is set by the database', 'leave it out'],
    [{ size: 7 }, 'body: lacks name', 'cannot be without'],
    [{}, 'body: names no field', 'one at least'],
    [[], 'body: is no object', 'send one row'],
    ['{"name": "x", "size": 1e400}', 'body.size: takes a whole number', 'integer'],
    ['{"name": ', 'body: is not JSON', 'send a JSON object'],
    ['', 'body: is empty', 'send a JSON object'],
  ])('POST %j', async (sent, message, hint) => {
    const { status, body } = await api.ask('POST', PEOPLE, { body: sent });
    expect([status, body.error.message, body.error.hint]).toEqual([
      ...[400, expect.stringContaining(message)],
      expect.stringContaining(hint),
    ]);
  });

  test('a row that the database refuses is told in its words', async () => {
    await api.ask('POST', PEOPLE, { body: { name: 'x', email: 'a@b' } });
    const { status, body } = await api.ask('POST', PEOPLE, { body: { name: 'y', email: 'a@b' } });
    expect([status, body.error]).toEqual([
      422,
      {
        code: 'SQLITE_CONSTRAINT_UNIQUE',
        message: expect.stringContaining('people.email'),
        hint: expect.stringContaining('app refuses'),
      },
    ]);
  });

  test('another key than the path says, a wait for nobody, another form than JSON, a row that is not there', async () => {
    const headers = { 'if-match': '*' };
    expect((await api.ask('PATCH', `${PEOPLE}/1`, { body: { id: 2 }, headers })).body.error.message).toContain('another key');
    expect((await api.ask('PATCH', `${PEOPLE}/1?wait=5`, { body: {}, headers })).body.error.message).toContain('wait');
    const form = { ...headers, 'content-type': 'text/plain' };
    expect((await api.ask('PATCH', `${PEOPLE}/1`, { body: 'x', headers: form })).status).toBe(415);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const { status, body } = await api.ask(method, `${PEOPLE}/404`, {
        headers,
        body: method === 'PATCH' ? { name: 'x' } : undefined,
      });
      expect([method, status, body.error.hint]).toEqual([method, 404, `GET ${PEOPLE} lists those that there are`]);
    }
  });

  test('whatever is sent: an answer, and never that we did not expect it', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('\u0000', '\ud800', '🐟', '9'.repeat(30), '-9223372036854775808', "' OR 1=1 --", '%'),
    );
    const encoded = text.map((each) => encodeURIComponent(each.toWellFormed()));
    const field = fc.oneof(
      encoded,
      fc.constantFrom('id', 'name', 'size', 'active', 'price', 'born', 'at', 'data', 'blob', 'a', 'b'),
    );
    const value = fc.oneof(encoded, fc.constantFrom('1', 'true', '2026-01-01', '2026-01-01T00:00:00Z', '1e300', 'AAAA'));
    const comparison = fc.constantFrom('', '[eq]', '[ne]', '[gt]', '[lte]', '[in]', '[starts]', '[contains]', '[null]', '[or]');
    const cursor = fc.array(
      fc.oneof(text, fc.constantFrom('[["id",false]]', '[1]', '[true]', '[{"int":"9e9"}]', '[{"blob":1}]')),
      { maxLength: 3 },
    );
    const parameter = fc.oneof(
      fc.tuple(field, comparison, value).map(([name, is, given]) => `filter[${name}]${is}=${given}`),
      fc
        .tuple(fc.constantFrom('sort', 'select', 'limit', 'after', 'wait'), fc.oneof(field, value))
        .map(([name, given]) => `${name}=${given}`),
      cursor.map((each) => `after=${Buffer.from(JSON.stringify(each)).toString('base64url')}`),
    );
    await answersAnything(api, served(), {
      names: ['id', 'name', 'size', 'active', 'price', 'born', 'at', 'data', 'blob', 'email', 'a', 'b', 'note'],
      values: fc.oneof(
        text,
        fc.double(),
        fc.constantFrom(null, 1, 2 ** 53, '2026-01-01', '2026-01-01T00:00:00Z', 'AAAA', { $gt: 1 }),
      ),
      headers: fc.record({ 'if-match': fc.constantFrom('*', '"x"', 'W/"x"', '"', ',') }, { requiredKeys: [] }),
      query: fc.array(parameter, { minLength: 1, maxLength: 3 }).map((each) => each.join('&')),
      numRuns: 150,
    });
    expect(api.told).toEqual([]);
    expect(database.prepare('SELECT count(*) AS n FROM secret').get()).toEqual({ n: 0 });
  });
});

describe('the description', () => {
  test('has the tables of now, with their columns, types and what may be done with them', async () => {
    const { body } = await api.ask('GET', '/api/v1/openapi.json', { as: null });
    expect(Object.keys(body.paths[`${PEOPLE}/{key}`])).toEqual(['parameters', 'get', 'put', 'patch', 'delete']);
    expect(Object.keys(body.paths['/data/app/copies'])).toEqual(['get']);
    expect(body.components.schemas['app.people'].properties).toMatchObject({
      name: { type: 'string' },
      size: { type: ['integer', 'string', 'null'] },
      born: { type: ['string', 'null'], format: 'date' },
      upper_name: { readOnly: true },
    });
    const { schema } = body.paths[PEOPLE].post.requestBody.content['application/json'];
    expect([schema.required, Object.keys(schema.properties).includes('upper_name')]).toEqual([['name'], false]);
    for (const { operation, method, path } of served()) {
      expect([method, path, Object.keys(operation.responses)]).toEqual([method, path, expect.arrayContaining(['4XX', '5XX'])]);
    }
  });

  test('of columns is for whoever has a token, where others than this machine can ask', async () => {
    const parts = { engine: api.engine, log: { debug() {}, info() {}, warn() {}, error() {} } } as unknown as ApiParts;
    const pathsFor = async (authorization?: string) => {
      const request = { server: { addresses: () => [{ address: '0.0.0.0' }] }, headers: { authorization } };
      return Object.keys((await describeTables({ paths: {} }, request as unknown as FastifyRequest, parts)).paths!);
    };
    expect([await pathsFor(), await pathsFor('Bearer nobody')]).toEqual([[], []]);
    expect(await pathsFor(`Bearer ${api.token('read')}`)).toContain(PEOPLE);
  });

  test('follows a table that changes; who asks before that is seen is told to ask again', async () => {
    database.exec('ALTER TABLE parts RENAME COLUMN note TO remark');
    const { status, body: told } = await api.ask('GET', '/data/app/parts');
    expect([status, told.error.code]).toEqual([503, 'schema_changed']);
    database.exec('ALTER TABLE people ADD COLUMN nick TEXT');
    api.world.clock.at += 6_000;
    expect((await api.ask('GET', '/data/app/parts?filter[remark][null]=true')).status).toBe(200);
    const { body } = await api.ask('GET', '/api/v1/openapi.json', { as: null });
    expect(body.components.schemas['app.people'].properties.nick).toEqual({ type: ['string', 'null'] });
    expect((await api.ask('PATCH', `${PEOPLE}/1`, { body: { nick: 'A' }, headers: { 'if-match': '*' } })).body.nick).toBe('A');
  });
});
