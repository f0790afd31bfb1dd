import { NO_STAMP, RequestRefusedError, type Row, rowsOfBlock, type Source, type SourceSpec } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import type { PostgresFrom } from './config.ts';
import { database, table } from './table-fixture.ts';

const never = new AbortController().signal;

function open(from: PostgresFrom, spec: Partial<SourceSpec> = {}): Promise<Source> {
  return database.connect().openSource!({ where: undefined, fields: null, exclude: [], startAtMs: null, ...spec, from }, never);
}

async function readAll(source: Source): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of source.readFull(null, never)) {
    for await (const block of page.blocks) rows.push(...rowsOfBlock(block, source.schema.fields));
  }
  return rows;
}

async function delta(source: Source, from: string): Promise<{ keys: string[]; checkpoint: string }> {
  const keys: string[] = [];
  let checkpoint = from;
  for await (const batch of source.readDelta!(from, never)) {
    keys.push(...batch.changes.map(({ key }) => key));
    checkpoint = batch.checkpoint ?? checkpoint;
  }
  return { keys, checkpoint };
}

/** A session that stays open, as a long transaction of the user's application. */
async function session() {
  const client = await database.pool.connect();
  return {
    run: (sql: string) => client.query(sql),
    end: () => client.release(),
  };
}

describe('a delta', () => {
  // The row carries the time at which its transaction began, so it appears behind what has been read since. A poll that goes on
  // from the newest row it saw never reads it.                                                                  (P1)
  test.each([
    ['a timestamp', 'timestamptz NOT NULL DEFAULT now()'],
    ['a timestamp without time zone', 'timestamp NOT NULL DEFAULT now()'],
    ['a number of a sequence', `bigserial`],
  ])('finds rows that are committed late, by %s (P1)', async (_, type) => {
    await database.script(`CREATE TABLE ${table} (id text PRIMARY KEY, changed ${type})`);
    const source = await open({ table, watermark: 'changed' });
    let { checkpoint } = await delta(source, (await source.mark(never))!);
    const slow = await session();
    await slow.run(`BEGIN; SET TimeZone = 'UTC'; INSERT INTO ${table} (id) VALUES ('late')`);
    const found: string[] = [];
    for (let i = 0; i < 3; i++) {
      await database.sql(`INSERT INTO ${table} (id) VALUES ('quick ${i}')`);
      const read = await delta(source, checkpoint);
      // Fresh rows do not wait for the slow transaction.
      expect(read.keys).toContain(`quick ${i}`);
      found.push(...read.keys);
      checkpoint = read.checkpoint;
      // Longer than the margin that is kept anyway.
      await database.sql('SELECT pg_sleep(0.6)');
    }
    expect(found).not.toContain('late');
    await slow.run('COMMIT');
    slow.end();
    expect((await delta(source, checkpoint)).keys).toContain('late');
  });

  test('reads numbers again only until the transactions of their time have ended', async () => {
    await database.script(`CREATE TABLE ${table} (id text PRIMARY KEY, changed bigserial)`);
    const source = await open({ table, watermark: 'changed' });
    const mark = (await source.mark(never))!;
    await database.sql(`INSERT INTO ${table} (id) VALUES ('a'), ('b'), ('c')`);
    let { keys, checkpoint } = await delta(source, mark);
    expect(keys).toEqual(['a', 'b', 'c']);
    await database.sql(`INSERT INTO ${table} (id) VALUES ('d')`);
    ({ keys, checkpoint } = await delta(source, checkpoint));
    expect(keys).toContain('d');
    // Other tests of this run have transactions, too: it may take a few polls. The newest may tie, so it is always read.
    while (keys.length > 1) ({ keys, checkpoint } = await delta(source, checkpoint));
    expect(keys).toEqual(['d']);
  });

  test('with startAt reads nothing that is older', async () => {
    await database.script(
      `CREATE TABLE ${table} (id text PRIMARY KEY, changed timestamptz);
       INSERT INTO ${table} VALUES ('old', '2020-01-01Z'), ('new', '2024-01-01Z')`,
    );
    const source = await open({ table, watermark: 'changed' }, { startAtMs: Date.UTC(2023, 0) });
    expect((await readAll(source)).map(({ id }) => id)).toEqual(['new']);
  });
});

describe('a full read', () => {
  test('takes every type as its field and value, by the catalog', async () => {
    await database.script(
      `CREATE TYPE ${table}_mood AS ENUM ('happy');
       CREATE TABLE ${table} (id uuid PRIMARY KEY, b boolean, i int, l bigint, n numeric(20,4), f float8, d date, ts timestamp,
         tz timestamptz, t time, j jsonb, a text[], y bytea, v varchar(7), e ${table}_mood);
       INSERT INTO ${table} VALUES ('11111111-2222-3333-4444-555555555555', true, 1, 9007199254740993, 1234567890123456.7890, 0.1,
         '2024-02-29', '2024-05-22 13:05:09', '2024-05-22 15:05:09.5+02', '13:05:09', '{"a": 1}', '{x,"y z"}', '\\xffef', 'short', 'happy'),
         ('21111111-2222-3333-4444-555555555555', null, null, null, 'NaN', 'Infinity', 'infinity', null, '-infinity', null, null, null, null, null, null)`,
    );
    const source = await open({ table });
    expect(Object.fromEntries(source.schema.fields.map(({ name, type }) => [name, type]))).toEqual({
      id: 'text',
      b: 'boolean',
      i: 'integer',
      l: 'integer',
      n: 'decimal',
      f: 'double',
      d: 'date',
      ts: 'datetime',
      tz: 'datetime',
      t: 'time',
      j: 'json',
      a: 'json',
      y: 'bytes',
      v: 'text',
      e: 'text',
    });
    expect(source.schema.fields.find(({ name }) => name === 'v')?.length).toBe(7);
    const [row, odd] = await readAll(source);
    expect({ ...row }).toEqual({
      id: '11111111-2222-3333-4444-555555555555',
      b: true,
      i: 1,
      l: '9007199254740993',
      n: '1234567890123456.789',
      f: 0.1,
      d: '2024-02-29',
      ts: '2024-05-22T13:05:09.000Z',
      tz: '2024-05-22T13:05:09.500Z',
      t: '13:05:09.000',
      j: { a: 1 },
      a: ['x', 'y z'],
      y: '/+8=',
      v: 'short',
      e: 'happy',
    });
    expect(odd).toMatchObject({ n: 'NaN', f: 'Infinity', d: 'infinity', tz: '-infinity' });
  });

  test('goes over several pages of a composite key, also of a query, with a filter', async () => {
    await database.script(
      `CREATE TABLE ${table} (region text, number int, note text, PRIMARY KEY (region, number));
       INSERT INTO ${table} SELECT 'r' || g % 3, g, CASE WHEN g % 2 = 0 THEN 'even' END FROM generate_series(1, 12000) g`,
    );
    const whole = await readAll(await open({ table }));
    expect(new Set(whole.map(({ region, number }) => `${region} ${number}`)).size).toBe(12_000);
    const query = await open(
      { query: `SELECT region, number AS n, upper(note) AS note FROM ${table};`, key: ['region', 'n'] },
      { where: "note = 'EVEN' -- only these" },
    );
    const found = await readAll(query);
    expect(found).toHaveLength(6000);
    expect(found[0]).toMatchObject({ note: 'EVEN' });
    const [change] = await query.readKeys!([JSON.stringify(['r2', '2'])], never);
    expect(change).toMatchObject({ op: 'upsert', row: { region: 'r2', n: 2 } });
  });

  test.each([
    ['a table that is not there', { table: 'nowhere' }, 'There is no table public.nowhere'],
    ['a query that is none', { query: 'SELEC 1', key: 'a' }, 'syntax error'],
    ['a column that is not there', { query: 'SELECT 1 AS a', key: 'b' }, 'has no column "b"'],
    ['a watermark of text', { query: "SELECT 1 AS a, 'x'::text AS w", key: 'a', watermark: 'w' }, 'The watermark w is text'],
  ] as const)('%s is refused in words', async (_, from, message) => {
    await expect(open(from as PostgresFrom)).rejects.toThrow(message);
  });

  test('rows without a key are refused, not passed over (P13)', async () => {
    await database.script(`CREATE TABLE ${table} (a int, b text); INSERT INTO ${table} VALUES (1, 'x'), (null, 'y')`);
    await expect(open({ table })).rejects.toThrow('has no primary key');
    const source = await open({ table, key: 'a' });
    await expect(readAll(source)).rejects.toThrow(RequestRefusedError);
  });

  // A page that goes on from a null compares with null, and passes over all that it should read.
  test('a delta refuses rows without a key as well, and only those that it would read (P1)', async () => {
    await database.script(
      `CREATE TABLE ${table} (a int, changed timestamptz); INSERT INTO ${table} VALUES (null, '2020-01-01Z'), (1, '2024-01-01Z')`,
    );
    const source = await open({ table, key: 'a', watermark: 'changed' });
    await expect(delta(source, JSON.stringify({ settled: null, seen: null }))).rejects.toThrow('whose key (a) is null');
    const from = JSON.stringify({ settled: '2023-01-01 00:00:00+00', seen: '2023-01-01 00:00:00+00' });
    expect((await delta(source, from)).keys).toEqual(['1']);
    await database.sql(`INSERT INTO ${table} VALUES (null, '2024-01-01Z')`);
    await expect(delta(source, from)).rejects.toThrow(RequestRefusedError);
  });
});

test('a row that cannot be seen is deleted without a stamp, so that it can come back with its old one (P12)', async () => {
  await database.script(
    `CREATE TABLE ${table} (id text PRIMARY KEY, hidden bool, changed timestamptz); INSERT INTO ${table} VALUES ('a', true, '2024-01-01Z')`,
  );
  const source = await open({ table, watermark: 'changed' }, { where: 'NOT hidden' });
  expect(await source.readKeys!(['a', 'never was'], never)).toEqual([
    { op: 'delete', key: 'a', row: null, stampMs: NO_STAMP },
    { op: 'delete', key: 'never was', row: null, stampMs: NO_STAMP },
  ]);
});

test('a watermark of local times is warned of, also behind a domain (P1)', async () => {
  await database.script(
    `CREATE DOMAIN ${table}_time AS timestamp(3);
     CREATE TABLE ${table} (id text PRIMARY KEY, plain timestamp(0), renamed ${table}_time, zoned timestamptz, number bigint)`,
  );
  const warned = async (watermark: string) => (await open({ table, watermark })).warnings?.map(({ message }) => message);
  expect(await warned('plain')).toEqual(['the watermark plain is a timestamp without time zone']);
  expect(await warned('renamed')).toHaveLength(1);
  expect(await warned('zoned')).toEqual([]);
  expect(await warned('number')).toEqual([]);
});
