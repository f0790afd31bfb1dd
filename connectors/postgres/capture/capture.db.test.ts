import { AccessDeniedError, CheckpointExpiredError, RequestRefusedError, type Source } from '@tidemark/core';
import { brief, describeCaptureContract, readChanges } from '@tidemark/testkit';
import { describe, expect, test } from 'vitest';
import { database } from '../table-fixture.ts';
import { createItems, signal } from './fixture.ts';

// Whatever is committed in a captured table is told, by whatever statement it was written, once its transaction has ended; and the
// application's own statements never fail for it.                                                                    (P1, P4)

const plain = 'id integer PRIMARY KEY, name text, data jsonb';
const mark = async (source: Source) => (await source.mark(signal))!;

// Of the statement: what the log holds. The row 1 (`a`) and the row 2 (`b`) are there before.
const statements: readonly [what: string, sql: string, log: readonly string[]][] = [
  ['an upsert that updates', `INSERT INTO T VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name`, ['U 1 name']],
  ['an upsert that does nothing', 'INSERT INTO T VALUES (1) ON CONFLICT DO NOTHING', []],
  ['an update that changes nothing', 'UPDATE T SET name = name', []],
  ['a value that becomes null', 'UPDATE T SET name = NULL WHERE id = 1', ['U 1 name']],
  ['a key that moves', 'UPDATE T SET id = 7 WHERE id = 1', ['D 1', 'I 7']],
  ['keys that change places', 'UPDATE T SET id = 3 - id', ['U 1 name,note,email', 'U 2 name,note,email']],
  ['a statement with several parts', `WITH gone AS (DELETE FROM T WHERE id = 1) INSERT INTO T VALUES (3)`, ['D 1', 'I 3']],
  [
    'a merge',
    `MERGE INTO T USING (VALUES (1, 'q'), (9, 'new')) AS n (id, name) ON T.id = n.id
     WHEN MATCHED THEN UPDATE SET name = n.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.id, n.name)`,
    ['I 9', 'U 1 name'],
  ],
  ['a savepoint that is rolled back', `BEGIN; SAVEPOINT s; DELETE FROM T; ROLLBACK TO s; COMMIT`, []],
  ['a transaction that is rolled back', 'BEGIN; DELETE FROM T; ROLLBACK', []],
  ['a copy', `CREATE TEMPORARY TABLE c AS SELECT 5 AS id; INSERT INTO T (id) SELECT id FROM c; DROP TABLE c`, ['I 5']],
  ['a json that differs', `UPDATE T SET note = '{"a":2}' WHERE id = 1`, ['U 1 note']],
  ['a change of capitals that the collation takes for none', `UPDATE T SET email = 'A@X' WHERE id = 1`, ['U 1 email']],
  ['a generated column', 'UPDATE T SET price = 3 WHERE id = 1', ['U 1 price,doubled']],
  ['a point, which has no equality', `UPDATE T SET place = point(1, 2) WHERE id = 2`, ['U 2 place']],
];
describe('statements', () => {
  test.each(statements)('%s', async (_, sql, log) => {
    const collation = `capture_insensitive`;
    await database.script(
      `CREATE COLLATION IF NOT EXISTS ${collation} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    const items = await createItems(
      database,
      `id integer PRIMARY KEY DEFERRABLE, name text, note json, email text COLLATE ${collation}, price integer,
       doubled integer GENERATED ALWAYS AS (price * 2) STORED, place point`.replace(
        sql.includes('CONFLICT') ? ' DEFERRABLE' : '\0',
        '',
      ),
    );
    await database.script(
      `INSERT INTO ${items.table} (id, name, note, email) VALUES (1, 'a', '{"a":1}', 'a@x'), (2, 'b', NULL, NULL)`,
    );
    await database.script(`DELETE FROM ${items.schema}._tidemark_log_items`);
    await database.script(sql.replaceAll(/\bT\b/g, items.table).replaceAll(`${items.table}.id =`, 'items.id ='));
    expect([...(await items.logged())].sort()).toEqual([...log].sort());
  });

  test('rows that a foreign key takes along are told', async () => {
    await database.script('CREATE TABLE public.parents (id integer PRIMARY KEY)');
    const columns = 'id integer PRIMARY KEY, parent integer REFERENCES public.parents ON DELETE CASCADE';
    const items = await createItems(database, columns, { captured: false });
    await database.script(`INSERT INTO public.parents VALUES (1); INSERT INTO ${items.table} VALUES (10, 1), (11, 1)`);
    await items.install();
    await database.script('DELETE FROM public.parents');
    expect(await items.logged()).toEqual(['D 10', 'D 11']);
  });

  test('a key of several columns and of types whose text depends on the session', async () => {
    const items = await createItems(database, 'a timestamptz, b bytea, c text, v integer, PRIMARY KEY (c, a, b)');
    await using source = await items.open();
    const from = await mark(source);
    await database.script(`SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET bytea_output = 'escape';
      INSERT INTO ${items.table} VALUES ('2026-03-01 12:00:00+00', '\\x00ff', 'it''s "1"', 1);
      RESET TimeZone; RESET DateStyle; RESET bytea_output`);
    const { changes, checkpoint } = await readChanges(source, from);
    const key = JSON.stringify(['it\'s "1"', '2026-03-01T12:00:00.000Z', 'AP8=']);
    expect(brief(changes)).toEqual([`upsert ${key}`]);
    await database.script(`DELETE FROM ${items.table}`);
    expect(brief((await readChanges(source, checkpoint)).changes)).toEqual([`delete ${key}`]);
  });

  test('TRUNCATE makes the next run a full one (P4)', async () => {
    const items = await createItems(database, plain);
    await using source = await items.open();
    const from = await mark(source);
    await database.script(`TRUNCATE ${items.table}`);
    await expect(readChanges(source, from)).rejects.toThrow(CheckpointExpiredError);
    const after = await mark(source);
    await database.script(`INSERT INTO ${items.table} VALUES (1)`);
    const next = await readChanges(source, after);
    expect(brief(next.changes)).toEqual(['upsert 1']);
    await readChanges(source, next.checkpoint);
    expect(await items.logged()).toEqual([]);
  });
});

describeCaptureContract('postgres', (options) => createItems(database, 'id integer PRIMARY KEY, name text, data text', options), {
  keepsLast: false,
});

test('a partitioned table is followed wherever its rows are written, and into partitions that come later', async () => {
  const items = await createItems(
    database,
    'id integer, region text, name text, PRIMARY KEY (id, region)) PARTITION BY LIST (region',
    {
      captured: false,
    },
  );
  const part = (region: string) =>
    `CREATE TABLE ${items.schema}.items_${region} PARTITION OF ${items.table} FOR VALUES IN ('${region}')`;
  await database.script(`${part('eu')}; ${part('us')}`);
  await items.install();
  await database.script(part('as'));
  await database.script(`INSERT INTO ${items.table} VALUES (1, 'eu', 'a'), (2, 'as', 'b'); INSERT INTO ${items.schema}.items_us VALUES (3, 'us', 'c');
    UPDATE ${items.table} SET name = 'x' WHERE id = 3; UPDATE ${items.table} SET region = 'us' WHERE id = 1; DELETE FROM ${items.schema}.items_as`);
  expect([...(await items.logged())].sort()).toEqual(['D 1/eu', 'D 2/as', 'I 1/eu', 'I 1/us', 'I 2/as', 'I 3/us', 'U 3/us name']);
  await items.remove();
  expect(await ours(items.schema)).toEqual([]);
});

describe('a table that is altered goes on being told', () => {
  const alterations: readonly [what: string, sql: string, write: string, log: readonly string[] | 'all'][] = [
    ['a column that is added', 'ADD COLUMN extra integer', 'UPDATE T SET extra = 1 WHERE id = 1', ['U 1 extra']],
    ['a column that is dropped', 'DROP COLUMN name', `UPDATE T SET data = '[]' WHERE id = 1`, ['U 1 data']],
    [
      'a column of another type',
      'ALTER COLUMN data TYPE json',
      `UPDATE T SET data = '[]', name = 'z' WHERE id = 1`,
      ['U 1 data,name'],
    ],
    ['a column of another name', 'RENAME COLUMN name TO title', `UPDATE T SET title = 'z' WHERE id = 1`, ['U 1 title']],
    ['an insert after that', 'ADD COLUMN extra integer', 'INSERT INTO T VALUES (2)', ['I 2']],
    ['a delete after that', 'ADD COLUMN extra integer', 'DELETE FROM T', ['D 1']],
    ['a key that moves after that', 'ADD COLUMN extra integer', 'UPDATE T SET id = 5', ['D 1', 'I 5']],
    ['a key of another type', 'ALTER COLUMN id TYPE bigint', 'UPDATE T SET id = 5', 'all'],
    ['a key of another name', 'RENAME COLUMN id TO number', 'UPDATE T SET number = 5', 'all'],
    ['a key that goes', 'DROP COLUMN id', `INSERT INTO T VALUES ('x')`, 'all'],
  ];
  test.each(alterations)('%s', async (_, alteration, write, log) => {
    const items = await createItems(database, plain);
    await database.script(`INSERT INTO ${items.table} VALUES (1, 'a', '{}'); DELETE FROM ${items.schema}._tidemark_log_items`);
    await database.script(`ALTER TABLE ${items.table} ${alteration}`);
    await database.script(write.replaceAll(/\bT\b/g, items.table));
    expect([...(await items.logged())].sort()).toEqual(log === 'all' ? ['T'] : log);
  });

  test('check tells of it, and applying again renews the capture without a gap', async () => {
    const items = await createItems(database, plain);
    await using source = await items.open();
    const from = await mark(source);
    await database.script(`ALTER TABLE ${items.table} ADD COLUMN extra integer; INSERT INTO ${items.table} VALUES (1)`);
    await using reopened = await items.open();
    expect(reopened.warnings).toEqual([expect.objectContaining({ hint: expect.stringContaining('schema apply') })]);
    expect((await items.plan()).map(({ summary }) => summary)).toEqual([
      expect.stringContaining('function'),
      expect.stringContaining('noted'),
    ]);
    await items.install();
    expect(await items.plan()).toEqual([]);
    await database.script(`UPDATE ${items.table} SET extra = 1`);
    await using renewed = await items.open();
    expect(renewed.warnings).toEqual([]);
    expect(brief((await readChanges(renewed, from)).changes)).toEqual(['upsert 1']);
  });
});

test('what a trigger of the application does in our statement is its own', async () => {
  const items = await createItems(database, plain);
  await database.script(`
    CREATE FUNCTION ${items.schema}.also() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO ${items.table} VALUES (NEW.id + 100, 'derived'); RETURN NULL; END $$;
    CREATE TRIGGER also AFTER INSERT ON ${items.table} FOR EACH ROW WHEN (NEW.id < 100) EXECUTE FUNCTION ${items.schema}.also();
    BEGIN; SET LOCAL tidemark.writer = 'sync'; INSERT INTO ${items.table} VALUES (1); COMMIT; INSERT INTO ${items.table} VALUES (2)`);
  const written = await database.sql(`SELECT key[1], writer FROM ${items.schema}._tidemark_log_items ORDER BY key[1]::int`);
  expect(written).toEqual([
    ['1', 'sync'],
    ['2', null],
    ['101', null],
    ['102', null],
  ]);
});

describe('several readers', () => {
  test('readers that say so at the same moment do not each leave the rows to the other', async () => {
    const items = await createItems(database, plain);
    const readers = await Promise.all(['a', 'b'].map((unit) => items.open({ unit })));
    const marks = await Promise.all(readers.map(mark));
    await database.script(`INSERT INTO ${items.table} VALUES (1)`);
    const read = await Promise.all(readers.map((reader, i) => readChanges(reader, marks[i]!)));
    const session = database.open(1);
    const client = await session.connect();
    // Each is held up after it has looked for what can go, and before it commits.
    await client.query(`SELECT pg_advisory_lock(7); CREATE FUNCTION ${items.schema}.pause() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;
      CREATE TRIGGER pause AFTER DELETE ON ${items.schema}._tidemark_log_items EXECUTE FUNCTION ${items.schema}.pause()`);
    const acknowledged = Promise.all(readers.map((reader, i) => readChanges(reader, read[i]!.checkpoint)));
    const waiting = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    while ((await database.sql(waiting))[0]![0] !== '2');
    await client.query('SELECT pg_advisory_unlock(7)');
    await acknowledged;
    client.release();
    await session.end();
    for (const reader of readers) await reader[Symbol.asyncDispose]();
    expect(await items.logged()).toEqual([]);
  });

  test('a position of another history of the server is refused (P1)', async () => {
    const items = await createItems(database, plain);
    await using source = await items.open();
    const from = JSON.parse(await mark(source));
    expect(from.timeline).toMatch(/^[0-9A-F]{8}$/);
    await expect(readChanges(source, JSON.stringify({ ...from, timeline: 'FFFFFFFF' }))).rejects.toThrow(CheckpointExpiredError);
    await expect(readChanges(source, JSON.stringify({ ...from, snapshot: '999999999:999999999:' }))).rejects.toThrow(
      CheckpointExpiredError,
    );
  });
});

describe('what cannot be told is refused', () => {
  const refused: readonly [what: string, make: string, expected: RegExp][] = [
    ['no primary key', 'CREATE TABLE S.items (id integer UNIQUE)', /has no primary key/],
    ['a view', 'CREATE VIEW S.items AS SELECT 1 AS id', /is no table/],
    ['an unlogged table', 'CREATE UNLOGGED TABLE S.items (id integer PRIMARY KEY)', /unlogged/],
    ['a table with heirs', 'CREATE TABLE S.items (id integer PRIMARY KEY); CREATE TABLE S.heir () INHERITS (S.items)', /inherit/],
    ['an heir', 'CREATE TABLE S.p (id integer); CREATE TABLE S.items (PRIMARY KEY (id)) INHERITS (S.p)', /inherit/],
    [
      'a partition',
      `CREATE TABLE S.p (id integer PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE S.items PARTITION OF S.p DEFAULT`,
      /is a partition/,
    ],
    ['no table', '', /There is no table/],
  ];
  test.each(refused)('%s', async (what, make, expected) => {
    const schema = `refused_${what.replaceAll(' ', '_')}`;
    await database.script(`CREATE SCHEMA ${schema}; ${make.replaceAll('S.', `${schema}.`)}`);
    const connection = database.connect({ schema });
    const from = { table: 'items', capture: true };
    await expect(connection.planSource!(from)).rejects.toThrow(expected);
    await expect(connection.prepareSource!(from, signal)).rejects.toThrow(RequestRefusedError);
  });

  test('a table whose triggers are off, or gone with the table (P1)', async () => {
    const items = await createItems(database, plain);
    await using source = await items.open();
    const from = await mark(source);
    await database.script(`ALTER TABLE ${items.table} DISABLE TRIGGER _tidemark_capture_update`);
    await expect(readChanges(source, from)).rejects.toThrow(/triggers are disabled/);
    await expect(items.open()).rejects.toThrow(/_tidemark_capture_update/);
    await database.script(`DROP TABLE ${items.table}; CREATE TABLE ${items.table} (${plain})`);
    await expect(readChanges(source, from)).rejects.toThrow(RequestRefusedError);
    await items.install();
    await using again = await items.open();
    await expect(readChanges(again, from)).rejects.toThrow(CheckpointExpiredError);
  });

  test('a start that no column tells of', async () => {
    const items = await createItems(database, plain);
    await expect(items.open({ startAtMs: 0 })).rejects.toThrow(/startAt means nothing/);
  });
});

describe('rights', () => {
  test('who may not make triggers gets the statements; run by the owner they serve this user, and writers need no right on the log', async () => {
    const items = await createItems(database, plain, { captured: false });
    const [user, app] = [`reader_${items.schema}`, `app_${items.schema}`];
    await database.script(`
      CREATE ROLE ${user} LOGIN PASSWORD 'secret'; CREATE ROLE ${app} LOGIN PASSWORD 'secret';
      GRANT USAGE ON SCHEMA ${items.schema} TO ${user}, ${app}; GRANT SELECT ON ${items.table} TO ${user};
      GRANT INSERT, SELECT, UPDATE, DELETE, TRUNCATE ON ${items.table} TO ${app}`);
    const url = new URL(database.url);
    url.username = user;
    url.password = 'secret';
    const connection = database.connect({ schema: items.schema, url: url.href });
    const from = { table: 'items', capture: true };
    const error = await connection.prepareSource!(from, signal).catch((e: unknown) => e as AccessDeniedError);
    expect(error).toBeInstanceOf(AccessDeniedError);
    const missing = [`CREATE ON SCHEMA "${items.schema}"`, `TRIGGER ON "${items.schema}"."items"`];
    for (const right of missing) expect((error as AccessDeniedError).hint).toContain(`GRANT ${right} TO "${user}";`);
    const script = (error as AccessDeniedError).hint!.split('\n').slice(1).join('\n');
    expect(script).not.toContain('secret');
    await database.script(script);
    await using source = await connection.openSource!(
      { from, unit: 'sync', where: undefined, fields: null, exclude: [], startAtMs: null },
      signal,
    );
    const start = await mark(source);
    await database.script(`SET ROLE ${app}; INSERT INTO ${items.table} VALUES (1); RESET ROLE`);
    const { changes, checkpoint } = await readChanges(source, start);
    expect(brief(changes)).toEqual(['upsert 1']);
    await readChanges(source, checkpoint);
    expect(await items.logged()).toEqual([]);
  });

  test('who was given what the refusal names makes a capture, and reads it; each right that is lost is named again', async () => {
    const items = await createItems(database, plain, { captured: false });
    // What the captures of a schema share is somebody else's.
    await database.script(`CREATE TABLE ${items.schema}.other (id int PRIMARY KEY)`);
    await items.connection.prepareSource!({ table: 'other', capture: true }, signal);
    const user = `maker_${items.schema}`;
    await database.script(`CREATE ROLE ${user} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA ${items.schema} TO ${user};
      GRANT SELECT ON ${items.table} TO ${user}`);
    const connection = database.connect({
      schema: items.schema,
      url: Object.assign(new URL(database.url), { username: user, password: 'secret' }).href,
    });
    const from = { table: 'items', capture: true };
    const open = () =>
      connection.openSource!({ from, unit: 'sync', where: undefined, fields: null, exclude: [], startAtMs: null }, signal);
    const given: string[] = [];
    /** Tries until it is not refused any more, and gives what each refusal names. */
    const insist = async <T>(work: () => Promise<T>): Promise<T> => {
      for (;;) {
        const done = await work().catch((error: unknown) => error as AccessDeniedError);
        if (!(done instanceof AccessDeniedError)) return done;
        const grants = done.hint!.split(' Or: ')[0]!;
        expect(given).not.toContain(grants);
        given.push(grants);
        await database.script(grants);
      }
    };
    await insist(() => connection.prepareSource!(from, signal));
    await (await insist(open))[Symbol.asyncDispose]();
    // Plain rights do: nothing is to be passed on.
    const grant = (on: string) => `GRANT ${on} TO "${user}";`;
    const [schema, captures, consumers] = [items.schema, '_tidemark_captures', '_tidemark_consumers'];
    expect(given).toEqual([
      grant(`SELECT ON "${schema}"."${captures}"`),
      [
        grant(`CREATE ON SCHEMA "${schema}"`),
        grant(`TRIGGER ON "${schema}"."items"`),
        grant(`INSERT, UPDATE ON "${schema}"."${captures}"`),
        grant(`SELECT, DELETE ON "${schema}"."${consumers}"`),
      ].join(' '),
      grant(`INSERT, UPDATE ON "${schema}"."${consumers}"`),
    ]);
    // One that another version has made is renewed by who made it.
    await database.script(`UPDATE ${schema}.${captures} SET definition = 'former' WHERE table_name = 'items'`);
    expect(await connection.prepareSource!(from, signal)).not.toEqual([]);
    expect(await connection.planSource!(from)).toEqual([]);
    for (const [right, what] of [
      ['DELETE', '_tidemark_log_items'],
      ['SELECT', '_tidemark_captures'],
      ['DELETE', '_tidemark_consumers'],
    ]) {
      const on = `${right} ON "${items.schema}"."${what}"`;
      const owner = what === '_tidemark_log_items' ? user : 'postgres';
      await database.script(`SET ROLE ${owner}; REVOKE ${on} FROM ${user}; RESET ROLE`);
      await expect(open()).rejects.toMatchObject({ code: 'access_denied', hint: `GRANT ${on} TO "${user}";` });
      await database.script(`GRANT ${on} TO ${user}`);
    }
    await (await open())[Symbol.asyncDispose]();
  });
});

test('removal leaves nothing behind, and another capture of the schema as it is', async () => {
  const items = await createItems(database, plain);
  await database.script(`CREATE TABLE ${items.schema}."It's" ("Id""x" text PRIMARY KEY)`);
  const other = { table: "It's", capture: true };
  await items.connection.prepareSource!(other, signal);
  await items.remove();
  await database.script(`INSERT INTO ${items.table} VALUES (1); INSERT INTO ${items.schema}."It's" VALUES ('k')`);
  expect(await database.sql(`SELECT op, key[1] FROM ${items.schema}."_tidemark_log_It's"`)).toEqual([['I', 'k']]);
  await items.connection.removeSource!(other, signal);
  expect(await ours(items.schema)).toEqual([]);
  expect(await items.connection.removeSource!(other, signal)).toEqual([]);
});

async function ours(schema: string): Promise<string[]> {
  const rows = await database.sql(
    `SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relname LIKE '%tidemark%'
     UNION SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname LIKE '%tidemark%'
     UNION SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = $1::regnamespace AND tgname LIKE '%tidemark%'`,
    [schema],
  );
  return rows.map(([name]) => name!);
}

test('who waits for a change hears of it once it is committed', async () => {
  const items = await createItems(database, plain);
  await using source = await items.open();
  const from = await mark(source);
  const session = database.open(1);
  const client = await session.connect();
  await client.query(`BEGIN; INSERT INTO ${items.table} VALUES (1)`);
  let heard = false;
  const waiting = source.waitForChange!(from, signal).then(() => {
    heard = true;
  });
  await source.estimate(signal);
  expect(heard).toBe(false);
  await client.query('COMMIT');
  await waiting;
  client.release();
  await session.end();
});
