import { RequestRefusedError, type Row, type RowsQuery, type RowsSpec, STORE_SCHEMA, type TableUse } from '@tidemark/core';
import { describeRowsContract } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { postgresConfig } from './config.ts';
import { createConnector } from './connector.ts';
import { postgresRows } from './rows.ts';
import { database, table } from './table-fixture.ts';

const never = new AbortController().signal;
const spec = (name: string, at: object = {}): RowsSpec => ({
  name,
  at: { schema: 'public', table: name, key: undefined, ...at },
  watermark: null,
  mentions: [],
});
let made = 0;

describeRowsContract('postgres', async () => {
  const people = `people_${made++}`;
  await database.script(
    `CREATE TABLE ${people} (id text PRIMARY KEY, name text, size bigint, price numeric(10,2), active boolean, at timestamptz)`,
  );
  const connection = database.connect();
  return {
    open: () => connection.openRows!(spec(people), never),
    async put(all) {
      const values = all.flatMap(({ id, name, size, price, active, at }) => [id, name, size, price, active, at]);
      const places = all.map((_, i) => `(${Array.from({ length: 6 }, (_, j) => `$${i * 6 + j + 1}`).join(', ')})`);
      await database.sql(`INSERT INTO ${people} VALUES ${places.join(', ')}`, values);
    },
    change: async (id, name) => void (await database.sql(`UPDATE ${people} SET name = $1 WHERE id = $2`, [name, id])),
    remove: async (ids) => void (await database.sql(`DELETE FROM ${people} WHERE id = ANY($1)`, [ids])),
    async [Symbol.asyncDispose]() {},
  };
});

const config = postgresConfig.parse({ url: 'postgres://localhost/app', tablePrefix: 'sf_' });
const surroundings = { baseDir: '/', store: { kind: 'postgres', url: 'postgres://localhost/app' } } as const;
const place = (as: TableUse['as'], of: object, over: object = {}) =>
  postgresRows.place({ ...config, ...over }, { as, spec: of }, surroundings);

test('a table is called what it is called in the database; Tidemark’s own are nobody’s to look into', () => {
  expect(place('to', { table: 'contacts' })?.name).toBe('sf_contacts');
  expect(place('to', { table: 'contacts', schema: 'sales' })?.name).toBe('sales.sf_contacts');
  expect(place('side', { table: 'contacts' })?.name).toBe('contacts');
  expect(place('from', { query: 'SELECT 1', key: 'id' })).toBeNull();
  for (const own of ['_tidemark_checkpoints', '_tidemark_updates']) expect(place('from', { table: own })).toBeNull();
  expect(place('from', { table: 'access_tokens' }, { schema: STORE_SCHEMA })).toBeNull();
});

const query = (over: Partial<RowsQuery>): RowsQuery => ({
  ...{ where: [], sort: [{ field: 'id', descending: false }], fields: ['id'], after: null, limit: 10 },
  ...over,
});

// Canonical instants have milliseconds: a page that went on from them would tell rows again that lie within one.
test('rows that differ by less than a canonical value tells come once each', async () => {
  await database.script(`CREATE TABLE ${table} (id int PRIMARY KEY, at timestamptz);
    INSERT INTO ${table} SELECT i, timestamptz '2026-01-01 00:00:00.000' + i * interval '1 microsecond' FROM generate_series(1, 9) i`);
  const rows = await database.connect().openRows!(spec(table), never);
  const sort = [
    { field: 'at', descending: true },
    { field: 'id', descending: false },
  ];
  const seen: unknown[] = [];
  for (let after: string | null = null; ; ) {
    const page = await rows.page(query({ sort, after, limit: 2 }), never);
    seen.push(...page.rows.map(({ id }) => id));
    if (page.next === null) break;
    after = page.next;
  }
  expect(seen).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
});

test('what the server itself gives a row, or alone can compare, is told or refused and no fault', async () => {
  await database.script(`DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('ok', 'bad');
    CREATE TABLE ${table} (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), feels mood, tags text[], doc xml, must int NOT NULL,
      twice int GENERATED ALWAYS AS (must * 2) STORED);
    CREATE VIEW ${table}_v AS SELECT * FROM ${table}`);
  const rows = await database.connect().openRows!(spec(table), never);
  expect(rows.schema.fields.map(({ name, writable, required }) => [name, writable, required])).toEqual([
    ['id', true, false],
    ['feels', true, false],
    ['tags', false, false],
    ['doc', true, false],
    ['must', true, true],
    ['twice', false, false],
  ]);
  const row = { must: 4, feels: 'ok' } as Row;
  const [written] = await rows.merge!([], async () => [{ op: 'create', row }], never);
  expect(written).toMatchObject({ status: 'written' });
  const { rows: found } = await rows.page(
    query({ where: [{ field: 'feels', is: 'eq', value: 'ok' }], fields: ['twice', 'tags'] }),
    never,
  );
  expect(found).toEqual([{ twice: 8, tags: null }]);
  for (const where of [
    [{ field: 'id', is: 'eq', value: 'none' }],
    [{ field: 'feels', is: 'gt', value: 'so so' }],
    [{ field: 'doc', is: 'eq', value: '<a/>' }],
  ] as const) {
    await expect(rows.page(query({ where }), never)).rejects.toBeInstanceOf(RequestRefusedError);
  }
  const view = await database.connect().openRows!(spec(`${table}_v`, { key: 'id' }), never);
  expect([view.merge, view.schema.fields.some(({ writable }) => writable)]).toEqual([undefined, false]);
});

test('what is written is anybody’s, and a capture tells of it as of any program’s', async () => {
  await database.script(`CREATE TABLE ${table} (id int PRIMARY KEY, name text)`);
  const connection = database.connect();
  await connection.prepareSource!(createConnector().from!.parse({ table, capture: true }), never);
  const rows = await connection.openRows!(spec(table), never);
  await rows.merge!([], async () => [{ op: 'create', row: { id: 1, name: 'Ann' } as Row }], never);
  expect(await database.sql(`SELECT op, writer FROM _tidemark_log_${table} WHERE key = '{1}'`)).toEqual([['I', null]]);
});
