import { CheckpointExpiredError, RequestRefusedError, type Row, rowsOfBlock, type Source, type SourceSpec } from '@tidemark/core';
import { expect, test } from 'vitest';
import type { SqliteFrom } from './config.ts';
import { createFile } from './fixture.ts';
import { canonicalDatetime } from './read-rows.ts';

const never = new AbortController().signal;
type File = Awaited<ReturnType<typeof createFile>>;

const open = (file: File, from: SqliteFrom, more: Partial<SourceSpec<SqliteFrom>> = {}): Promise<Source> =>
  file.connection.openSource!({ from, where: undefined, fields: null, exclude: [], startAtMs: null, ...more }, never);

async function rowsOf(source: Source): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of source.readFull(null, never)) {
    for await (const block of page.blocks) rows.push(...rowsOfBlock(block, source.schema.fields));
  }
  return rows;
}

test('declared types become canonical types, and values their canonical form', async () => {
  await using file = await createFile();
  file.sql(`CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN, big BIGINT, price DECIMAL(10,2), ratio DOUBLE, day DATE,
    at DATETIME, clock TIME, doc JSON, raw BLOB, name VARCHAR(80), anything)`);
  file.sql(`INSERT INTO t VALUES (1, 1, 9007199254740993, 12.5, 1.5e-7, '2024-02-29', '2024-05-22 13:05:09', '13:05', '{"a":[1]}',
    x'00ff', 'Ada', 'x'), (2, 0, -5, 3, 2, NULL, '2024-05-22T15:05:09+02:00', NULL, '12.5', NULL, NULL, 17)`);
  const source = await open(file, { table: 't' });
  expect(Object.fromEntries(source.schema.fields.map(({ name, type }) => [name, type]))).toEqual({
    id: 'integer',
    flag: 'boolean',
    big: 'integer',
    price: 'decimal',
    ratio: 'double',
    day: 'date',
    at: 'datetime',
    clock: 'time',
    doc: 'json',
    raw: 'bytes',
    name: 'text',
    anything: 'text',
  });
  expect(await rowsOf(source)).toEqual([
    {
      id: 1,
      flag: true,
      // More than a double holds: its digits.
      big: '9007199254740993',
      price: 12.5,
      ratio: 1.5e-7,
      day: '2024-02-29',
      at: '2024-05-22T13:05:09.000Z',
      clock: '13:05:00.000',
      doc: { a: [1] },
      raw: 'AP8=',
      name: 'Ada',
      anything: 'x',
    },
    {
      id: 2,
      flag: false,
      big: -5,
      price: 3,
      ratio: 2,
      day: null,
      at: '2024-05-22T13:05:09.000Z',
      clock: null,
      doc: 12.5,
      raw: null,
      name: null,
      anything: '17',
    },
  ]);
});

test('datetimes are read as SQLite and others write them; what is none stays', () => {
  expect(
    ['2024-05-22', '2024-05-22 13:05', '2024-05-22 13:05:09.123456', '2024-05-22T13:05:09+0130', 'soon', '2024-13-45 00:00'].map(
      canonicalDatetime,
    ),
  ).toEqual([
    '2024-05-22T00:00:00.000Z',
    '2024-05-22T13:05:00.000Z',
    '2024-05-22T13:05:09.123Z',
    '2024-05-22T11:35:09.000Z',
    'soon',
    '2024-13-45 00:00',
  ]);
});

test('a query is read with the key that is named, filtered in SQL', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (a TEXT, b INT, "odd ""name" TEXT)');
  file.sql(`INSERT INTO t VALUES ('x', 1, 'one'), ('x', 2, 'two'), ('y', 1, 'three')`);
  const source = await open(
    file,
    { query: 'SELECT a, b, "odd ""name" FROM t -- all\n;', key: ['a', 'b'] },
    { where: "a = 'x' -- x only" },
  );
  expect((await rowsOf(source)).map((row) => row['odd "name'])).toEqual(['one', 'two']);
  const changes = await source.readKeys!(['["x","2"]', '["y","1"]', '["x","word"]'], never);
  expect(changes.map(({ op }) => op)).toEqual(['upsert', 'delete', 'delete']);
  expect(await source.mark(never)).toBeNull();
  expect(await source.estimate(never)).toBe(2);
});

test('a watermark of integers goes past 2^53 and keeps its ties', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (id TEXT PRIMARY KEY, version INTEGER)');
  file.sql(`INSERT INTO t VALUES ('a', 9007199254740993)`);
  const source = await open(file, { table: 't', watermark: 'version' });
  expect(source.stampField).toBeUndefined();
  const mark = (await source.mark(never))!;
  file.sql(`INSERT INTO t VALUES ('0', 9007199254740993), ('b', 9007199254740994), ('old', 9007199254740992), ('null', NULL)`);
  const keys: string[] = [];
  for await (const batch of source.readDelta!(mark, never)) keys.push(...batch.changes.map(({ key }) => key));
  expect(keys).toEqual(['0', 'a', 'b']);
});

test('startAt bounds a read by the watermark, however its datetimes are written', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (id TEXT PRIMARY KEY, at TEXT)');
  file.sql(
    `INSERT INTO t VALUES ('before', '2024-05-22 12:59:59'), ('after', '2024-05-22 13:00:00'), ('iso', '2024-05-22T13:00:00.000Z')`,
  );
  const source = await open(file, { table: 't', watermark: 'at' }, { startAtMs: Date.UTC(2024, 4, 22, 13) });
  expect((await rowsOf(source)).map(({ id }) => id)).toEqual(['after', 'iso']);
});

test('what is not there is named, with what is', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT)');
  file.sql('CREATE TABLE keyless (a)');
  const refused = async (from: SqliteFrom, more: Partial<SourceSpec<SqliteFrom>> = {}) => {
    const error = await open(file, from, more).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RequestRefusedError);
    return `${(error as Error).message} ${(error as RequestRefusedError).hint}`;
  };
  expect(await refused({ table: 'contact' })).toMatch(/no table contact in .* contacts, keyless/);
  expect(await refused({ table: 'contacts', watermark: 'changed' })).toMatch(/no column changed.* id, name/);
  expect(await refused({ table: 'contacts' }, { fields: ['nmae'] })).toMatch(/no column nmae/);
  expect(await refused({ table: 'keyless' })).toMatch(/no primary key/);
  expect(await refused({ query: 'SELEC 1', key: 'a' })).toMatch(/syntax error/);
});

// A page that goes on from a null compares with null: all that lies behind it would be passed over in silence.
test('rows whose key is null are refused before anything is read, in a full read and in a delta (P1)', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (a TEXT, b INT, version INTEGER, PRIMARY KEY (a, b))');
  file.sql(
    `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO t SELECT CASE WHEN i < 5000 THEN 'a' ELSE 'b' END, CASE WHEN i < 5000 THEN i END, 5 FROM n`,
  );
  file.sql(`INSERT INTO t VALUES ('b', 1, 5), ('c', 1, 9)`);
  const source = await open(file, { table: 't', watermark: 'version' });
  await expect(rowsOf(source)).rejects.toThrow('t has rows whose key (a, b) is null');
  await expect(rowsOf(await open(file, { table: 't', key: ['a', 'b'] }, { where: 'version < 9' }))).rejects.toThrow(/is null/);
  const changesSince = async (from: string) => {
    const keys: string[] = [];
    for await (const batch of source.readDelta!(from, never)) keys.push(...batch.changes.map(({ key }) => key));
    return keys;
  };
  // Only what the delta would read stands in its way, and nothing of it is told before.
  expect(await changesSince('[{"int":"6"}]')).toEqual(['["c","1"]']);
  await expect(source.readDelta!('[{"int":"5"}]', never)[Symbol.asyncIterator]().next()).rejects.toThrow(RequestRefusedError);
  const without = await open(file, { table: 't' }, { where: 'b IS NOT NULL' });
  expect(await rowsOf(without)).toHaveLength(5001);
});

test('a row whose key is null and that comes while a full read goes on fails it (P1)', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b))');
  file.sql(`WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT 'a', i FROM n`);
  file.sql(`INSERT INTO t VALUES ('b', 1)`);
  const pages = (await open(file, { table: 't' })).readFull(null, never)[Symbol.asyncIterator]();
  expect((await pages.next()).done).toBe(false);
  file.sql(`INSERT INTO t VALUES ('b', NULL)`);
  await expect(pages.next()).rejects.toThrow(/is null/);
});

test('a position of another key is refused', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))');
  const source = await open(file, { table: 't' });
  await expect(source.readFull('[1]', never)[Symbol.asyncIterator]().next()).rejects.toThrow(CheckpointExpiredError);
});
