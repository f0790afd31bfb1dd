import { join } from 'node:path';
import type { Row, Rows, RowsSpec, SideWrite, TableUse } from '@tidemark/core';
import { describeRowsContract, type Person } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { installCapture } from './capture/schema.ts';
import { SqliteClient } from './client.ts';
import { createFile } from './fixture.ts';
import { openRows, sqliteRows } from './rows.ts';

const never = new AbortController().signal;
const spec = (table: string): RowsSpec => ({ name: table, at: { table, key: undefined }, watermark: null, mentions: [] });

describeRowsContract('sqlite', async () => {
  const file = await createFile();
  file.sql(
    'CREATE TABLE people (id TEXT PRIMARY KEY NOT NULL, name TEXT, size INTEGER, price REAL, active BOOLEAN, at DATETIME)',
  );
  return {
    open: () => file.connection.openRows!(spec('people'), never),
    async put(people) {
      const values = people.flatMap(({ id, name, size, price, active, at }) => {
        return [id, name, size, price, active === null ? null : Number(active), sqliteForm(at)];
      });
      file.sql(`INSERT INTO people VALUES ${people.map(() => '(?, ?, ?, ?, ?, ?)').join(', ')}`, ...values);
    },
    change: async (id, name) => void file.sql('UPDATE people SET name = ? WHERE id = ?', name, id),
    remove: async (ids) => {
      for (const id of ids) file.sql('DELETE FROM people WHERE id = ?', id);
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
});

/** As SQLite's own functions write it. */
function sqliteForm(at: Person['at']): string | null {
  return at === null ? null : at.replace('T', ' ').replace('Z', '');
}

const surroundings = (store: string) => ({ baseDir: '/app', store: { kind: 'sqlite', file: store } as const });
const place = (table: string, as: TableUse['as'] = 'to', path = 'app.db', store = '/app/state.db') =>
  sqliteRows.place({ path, tablePrefix: 'sf_', busyTimeoutMs: 0 }, { as, spec: { table } }, surroundings(store));

test('a table is called what it is called in the database; Tidemark’s own are nobody’s to look into', async () => {
  expect(place('contacts')?.name).toBe('sf_contacts');
  expect(place('contacts', 'from')?.name).toBe('contacts');
  expect(
    sqliteRows.place(
      { path: 'app.db', tablePrefix: '', busyTimeoutMs: 0 },
      { as: 'from', spec: { query: 'SELECT 1' } },
      surroundings('/s'),
    ),
  ).toBeNull();
  for (const own of ['_tidemark_checkpoints', '_TIDEMARK_LOG_people', 'sqlite_schema']) expect(place(own, 'side')).toBeNull();
  // The file of the state store, under whatever name.
  await using file = await createFile();
  file.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)');
  for (const path of [file.path, join(file.folder, '..', file.folder.split('/').at(-1)!, 'test.db')]) {
    expect(place('failures', 'from', path, file.path)).toBeNull();
  }
});

const merged = (rows: Rows, writes: readonly SideWrite[]) => rows.merge!([], async () => writes, never);

test('what is written is anybody’s, and a capture tells of it as of any program’s', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)');
  const client = new SqliteClient({ path: file.path, busyTimeoutMs: 2000 });
  await installCapture(client, 'people');
  await client.close();
  const rows = await file.connection.openRows!(spec('people'), never);
  expect(await merged(rows, [{ op: 'create', row: { name: 'Ann' } as Row }])).toEqual([{ status: 'written', key: '1' }]);
  expect(file.sql('SELECT op, writer, k0 FROM _tidemark_log_people WHERE k0 IS NOT NULL')).toEqual([
    { op: 'I', writer: null, k0: 1 },
  ]);
});

test('what has to be said of a new row is told, and what cannot be said', async () => {
  await using file = await createFile();
  file.sql(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, must TEXT NOT NULL, may TEXT, own TEXT NOT NULL DEFAULT 'x', sum INTEGER AS (id + 1))",
  );
  file.sql('CREATE VIEW v AS SELECT * FROM t');
  const client = new SqliteClient({ path: file.path, busyTimeoutMs: 2000 });
  const clock = { now: () => 0, sleep: async () => {} };
  const { schema } = await openRows(client, spec('t'), clock);
  expect(schema.fields.map(({ name, writable, required }) => [name, writable, required])).toEqual([
    ['id', true, false],
    ['must', true, true],
    ['may', true, false],
    ['own', true, false],
    ['sum', false, false],
  ]);
  const view = await openRows(client, { ...spec('v'), at: { table: 'v', key: 'id' } }, clock);
  expect([view.merge, view.schema.fields.some(({ writable }) => writable)]).toEqual([undefined, false]);
  await client.close();
});

test('rows that a sync has marked as deleted are not there', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (id TEXT PRIMARY KEY, _tidemark_stamp TEXT, _tidemark_deleted_at TEXT)');
  file.sql("INSERT INTO t VALUES ('here', '', NULL), ('gone', '', '2026-01-01')");
  const rows = await file.connection.openRows!(spec('t'), never);
  const { rows: found } = await rows.page(
    { where: [], sort: [{ field: 'id', descending: false }], fields: ['id'], after: null, limit: 9 },
    never,
  );
  expect(found).toEqual([{ id: 'here' }]);
  expect(rows.schema.fields.map(({ name }) => name)).toEqual(['id']);
});

test('a position that SQLite could not even be asked with is refused', async () => {
  await using file = await createFile();
  file.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)');
  const rows = await file.connection.openRows!(spec('t'), never);
  const after = (position: unknown) =>
    rows.page(
      {
        where: [],
        sort: [{ field: 'id', descending: false }],
        fields: ['id'],
        after: JSON.stringify(position),
        limit: 1,
      },
      never,
    );
  for (const made of [[{ int: '9'.repeat(30) }], [true], [[1]], [{}], [1, 2], {}]) {
    await expect(after(made)).rejects.toThrow('no position in such a list');
  }
  expect(await after([{ int: '7' }])).toEqual({ rows: [], next: null });
});
