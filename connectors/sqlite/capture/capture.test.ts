import { DatabaseSync } from 'node:sqlite';
import { CheckpointExpiredError, type DatasetSchema, RequestRefusedError, type Source } from '@tidemark/core';
import { brief, describeCaptureContract, readChanges } from '@tidemark/testkit';
import { describe, expect, test } from 'vitest';
import { createItems, signal } from './fixture.ts';

// Whatever is committed in a captured table is told, by whatever statement it was written, deletes that SQLite makes in silence
// included; and the application's own statements never fail for it.                                                  (P1, P4)

const plain = 'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, data TEXT)';
const mark = async (source: Source) => (await source.mark(signal))!;

// The last row of the log stays, so that its number is not given again.
describeCaptureContract('sqlite', (options) => createItems(plain, options), { keepsLast: true });

// Of the statement: what the log holds. The rows 1 (`a@x`, slot 1, NULL) and 2 (`b@x`, slot 2) are there before.
const statements: readonly [what: string, sql: string, log: readonly string[]][] = [
  [
    'an upsert that updates',
    "INSERT INTO items VALUES (1, 'z', 1) ON CONFLICT (id) DO UPDATE SET email = excluded.email",
    ['U 1 email'],
  ],
  ['an insert that is ignored', "INSERT OR IGNORE INTO items VALUES (1, 'q', 9)", []],
  ['a value that becomes null', 'UPDATE items SET slot = NULL WHERE id = 1', ['U 1 slot']],
  ['another case of a column that knows none', "UPDATE items SET email = 'A@X' WHERE id = 1", ['U 1 email']],
  ['a key that moves', 'UPDATE items SET id = 7 WHERE id = 1', ['D 1', 'U 7']],
  ['REPLACE of a row by its key', "REPLACE INTO items VALUES (1, 'q', 9)", ['I 1']],
  ['REPLACE that pushes another row aside', "REPLACE INTO items VALUES (9, 'A@x', 9)", ['R 1', 'I 9']],
  ['REPLACE that pushes two rows aside', "REPLACE INTO items VALUES (9, 'a@x', 2)", ['R 1', 'R 2', 'I 9']],
  ['UPDATE OR REPLACE that pushes a row aside', 'UPDATE OR REPLACE items SET slot = 2 WHERE id = 1', ['R 2', 'U 1 slot']],
  ['UPDATE OR REPLACE of the key', 'UPDATE OR REPLACE items SET id = 2 WHERE id = 1', ['D 1', 'U 2']],
  ['a delete of everything', 'DELETE FROM items', ['D 1', 'D 2']],
];
describe('statements', () => {
  test.each(statements)('%s', async (_, sql, log) => {
    await using items = await createItems(
      "CREATE TABLE items (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, slot INTEGER); CREATE UNIQUE INDEX slots ON items (slot); INSERT INTO items VALUES (1, 'a@x', 1), (2, 'b@x', 2)",
    );
    items.sql(sql);
    expect(items.logged().sort()).toEqual([...log].sort());
    await using source = await items.open();
    expect(source.warnings).toEqual([]);
  });

  test('a transaction that is rolled back, and a savepoint', async () => {
    await using items = await createItems(plain);
    const other = new DatabaseSync(items.file.path);
    other.exec("BEGIN; INSERT INTO items VALUES (1, 'a', NULL); ROLLBACK");
    other.exec(
      "BEGIN; INSERT INTO items VALUES (2, 'b', NULL); SAVEPOINT s; INSERT INTO items VALUES (3, 'c', NULL); ROLLBACK TO s; COMMIT",
    );
    other.close();
    expect(items.logged()).toEqual(['I 2']);
  });

  test('rows that a foreign key takes along, and what triggers of the application write', async () => {
    await using items = await createItems(
      `CREATE TABLE parents (id INTEGER PRIMARY KEY);
       CREATE TABLE items (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents ON DELETE CASCADE ON UPDATE SET NULL, touched INTEGER)`,
    );
    const other = new DatabaseSync(items.file.path, { enableForeignKeyConstraints: true });
    other.exec(`CREATE TRIGGER touch AFTER INSERT ON items BEGIN UPDATE items SET touched = 1 WHERE id = NEW.id; END;
      INSERT INTO parents VALUES (1), (2); INSERT INTO items VALUES (10, 1, NULL), (11, 2, NULL)`);
    expect(items.logged().sort()).toEqual(['I 10', 'I 11', 'U 10 touched', 'U 11 touched']);
    other.exec('DELETE FROM _tidemark_log_items WHERE seq < 5; DELETE FROM parents WHERE id = 1; UPDATE parents SET id = 3');
    expect(items.logged().slice(-2)).toEqual(['D 10', 'U 11 parent']);
    other.close();
  });

  const keys: readonly [what: string, create: string, insert: string, key: string][] = [
    ['a text', 'CREATE TABLE items (id TEXT PRIMARY KEY, v)', "INSERT INTO items VALUES ('it''s \"1\"', 1)", 'it\'s "1"'],
    [
      'several columns without a rowid',
      'CREATE TABLE items (a TEXT, b INTEGER, v, PRIMARY KEY (b, a)) WITHOUT ROWID',
      "INSERT INTO items VALUES ('x', 7, 1)",
      '["7","x"]',
    ],
    ['a blob, strict', 'CREATE TABLE items (id BLOB PRIMARY KEY, v ANY) STRICT', "INSERT INTO items VALUES (x'00ff', 1)", 'AP8='],
    [
      'an integer beyond 2^53',
      'CREATE TABLE items (id INTEGER PRIMARY KEY, v)',
      'INSERT INTO items VALUES (9223372036854775807, 1)',
      '9223372036854775807',
    ],
    [
      'a datetime',
      'CREATE TABLE items (id DATETIME PRIMARY KEY, v)',
      "INSERT INTO items VALUES ('2026-03-01 12:00:00', 1)",
      '2026-03-01T12:00:00.000Z',
    ],
  ];
  test.each(keys)('a key that is %s', async (_, create, insert, key) => {
    await using items = await createItems(create);
    await using source = await items.open();
    const from = await mark(source);
    items.sql(insert);
    const first = await readChanges(source, from);
    expect(brief(first.changes)).toEqual([`upsert ${key}`]);
    items.sql('UPDATE items SET v = 2');
    items.sql('DELETE FROM items');
    expect(brief((await readChanges(source, first.checkpoint)).changes)).toEqual([`delete ${key}`]);
  });

  test('a row whose key is null is refused, and does no harm once it has gone', async () => {
    await using items = await createItems('CREATE TABLE items (id TEXT PRIMARY KEY, v)');
    await using source = await items.open();
    const from = await mark(source);
    items.sql("INSERT INTO items VALUES (NULL, 1), ('a', 1)");
    await expect(readChanges(source, from)).rejects.toThrow(/key \(id\) is null/);
    items.sql('DELETE FROM items WHERE id IS NULL');
    expect(brief((await readChanges(source, from)).changes)).toEqual(['upsert a']);
  });
});

test('an index that triggers cannot look into is told of', async () => {
  await using items = await createItems(
    `${plain}; CREATE UNIQUE INDEX folded ON items (lower(name)); CREATE UNIQUE INDEX some ON items (data) WHERE name > ''`,
  );
  await using source = await items.open();
  expect(source.warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/REPLACE.*folded, some/) })]);
});

describe('a table that is altered', () => {
  test('goes on being told; a column that was added counts, though what changed is not told until the capture is renewed', async () => {
    await using items = await createItems(plain);
    await using source = await items.open();
    const from = await mark(source);
    items.sql("INSERT INTO items VALUES (1, 'a', NULL)");
    const first = await readChanges(source, from);
    items.sql('ALTER TABLE items ADD COLUMN extra TEXT');
    items.sql("UPDATE items SET extra = 'x'");
    const second = await readChanges(source, first.checkpoint);
    expect(brief(second.changes)).toEqual(['upsert 1']);
    items.sql("UPDATE items SET extra = 'y'");
    await using reopened = await items.open();
    expect(reopened.warnings).toEqual([expect.objectContaining({ hint: expect.stringContaining('schema apply') })]);
    await items.install();
    expect(await items.plan()).toEqual([]);
    await using renewed = await items.open();
    expect(renewed.warnings).toEqual([]);
    // Written before the renewal, by triggers that did not know the column.
    const third = await readChanges(renewed, second.checkpoint);
    expect(brief(third.changes)).toEqual(['upsert 1']);
    items.sql("UPDATE items SET extra = 'z'");
    expect(brief((await readChanges(renewed, third.checkpoint)).changes)).toEqual(['upsert 1 extra']);
  });

  test('a column that is renamed takes its triggers along; one that is dropped is refused by SQLite while it is captured', async () => {
    await using items = await createItems(plain);
    await using source = await items.open();
    const from = await mark(source);
    items.sql('ALTER TABLE items RENAME COLUMN name TO title');
    items.sql("INSERT INTO items VALUES (1, 'a', NULL)");
    items.sql("UPDATE items SET title = 'b'");
    await using renamed = await items.open();
    expect(brief((await readChanges(renamed, from)).changes)).toEqual(['upsert 1']);
    expect(() => items.sql('ALTER TABLE items DROP COLUMN data')).toThrow(/_tidemark_capture_update_items/);
    items.sql("UPDATE items SET title = 'c'");
    await items.remove();
    items.sql('ALTER TABLE items DROP COLUMN data');
    await items.install();
    await using again = await items.open();
    await expect(readChanges(again, from)).rejects.toThrow(CheckpointExpiredError);
  });

  test('one that a migration builds anew has lost its triggers: that is no delta (P1)', async () => {
    await using items = await createItems(plain);
    await using source = await items.open();
    const from = await mark(source);
    for (const sql of [
      'CREATE TABLE anew (id INTEGER PRIMARY KEY, name TEXT)',
      'DROP TABLE items',
      'ALTER TABLE anew RENAME TO items',
    ])
      items.sql(sql);
    await expect(readChanges(source, from)).rejects.toThrow(/has lost triggers/);
    await expect(items.open()).rejects.toThrow(/has lost triggers/);
    await items.install();
    await using again = await items.open();
    await expect(readChanges(again, from)).rejects.toThrow(CheckpointExpiredError);
  });
});

test('a load is ours, and one that replaces a table leaves a captured one where it is', async () => {
  const schema: DatasetSchema = {
    name: 'items',
    key: ['id'],
    fields: [
      { name: 'id', type: 'integer', nullable: false },
      { name: 'name', type: 'text', nullable: true },
    ],
  };
  await using items = await createItems(plain);
  const target = await items.connection.openTarget!(
    { to: { table: 'items' }, unit: 'writer', schema, deletes: 'mirror' },
    signal,
  );
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('writer');
  await using source = await items.open();
  const from = await mark(source);
  await using load = await target.beginLoad!({ epoch, loadId: 'l', stampColumn: 2 }, signal);
  const block = {
    rowCount: 2,
    columns: [[1, 2], ['a', 'b'], [1, 1].map(() => '2026-01-01T00:00:00.000Z')].map((values) => ({
      kind: 'values' as const,
      values,
    })),
  };
  await load.writePage(
    (async function* () {
      yield block;
    })(),
    'p',
    async () => {},
    signal,
  );
  await load.finish({ gone: [], checkpoint: null, signal });
  const { changes } = await readChanges(source, from);
  expect(changes.map(({ key, writers }) => [key, writers])).toEqual([
    ['1', ['writer']],
    ['2', ['writer']],
  ]);
  expect(items.sql('SELECT * FROM _tidemark_writer')).toEqual([]);
});

test('a checkpoint that is ahead of the log is refused (P1)', async () => {
  await using items = await createItems(plain);
  await using source = await items.open();
  const checkpoint = await mark(source);
  await expect(readChanges(source, JSON.stringify({ ...JSON.parse(checkpoint), seq: 99 }))).rejects.toThrow(
    CheckpointExpiredError,
  );
});

describe('what cannot be told is refused', () => {
  const refused: readonly [what: string, create: string, expected: RegExp][] = [
    ['no primary key', 'CREATE TABLE items (id INTEGER)', /has no primary key/],
    ['a view', 'CREATE VIEW items AS SELECT 1 AS id', /no ordinary table/],
    ['a virtual table', 'CREATE VIRTUAL TABLE items USING fts5(name)', /no ordinary table/],
    ['no table', 'CREATE TABLE others (id INTEGER PRIMARY KEY)', /There is no table/],
  ];
  test.each(refused)('%s', async (_, create, expected) => {
    await using items = await createItems(create, { captured: false });
    await expect(items.plan()).rejects.toThrow(expected);
    await expect(items.install()).rejects.toThrow(RequestRefusedError);
  });
});

test('removal leaves nothing behind, and another capture of the file as it is', async () => {
  await using items = await createItems(`${plain}; CREATE TABLE "It's" ("Id""x" TEXT PRIMARY KEY, "a'b" TEXT UNIQUE)`);
  const other = { table: "It's", capture: true };
  await items.connection.prepareSource!(other, signal);
  await items.remove();
  items.sql('INSERT INTO items (id) VALUES (1)');
  items.sql("INSERT INTO \"It's\" VALUES ('k', 'v')");
  items.sql('UPDATE "It\'s" SET "a\'b" = \'w\'');
  expect(items.sql("SELECT op, k0, changed FROM \"_tidemark_log_It's\" WHERE op <> '-'")).toEqual([
    { op: 'I', k0: 'k', changed: null },
    { op: 'U', k0: 'k', changed: '["a\'b"]' },
  ]);
  await items.connection.removeSource!(other, signal);
  expect(items.sql("SELECT name FROM sqlite_schema WHERE name LIKE '%tidemark%'")).toEqual([]);
  expect(await items.connection.removeSource!(other, signal)).toEqual([]);
});

test('a delta is read while another program holds the file; it puts away later', async () => {
  await using items = await createItems(plain);
  items.sql('PRAGMA journal_mode = WAL');
  const other = new DatabaseSync(items.file.path);
  await using source = await items.open();
  const from = await mark(source);
  items.sql('INSERT INTO items (id) VALUES (1)');
  other.exec('BEGIN IMMEDIATE');
  const { changes, checkpoint } = await readChanges(source, from);
  expect(brief(changes)).toEqual(['upsert 1']);
  other.exec('INSERT INTO items (id) VALUES (2); COMMIT');
  other.close();
  expect(brief((await readChanges(source, checkpoint)).changes)).toEqual(['upsert 2']);
  expect(items.logged()).toEqual(['I 2']);
});
