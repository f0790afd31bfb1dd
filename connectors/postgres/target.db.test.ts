import {
  type Change,
  type DatasetSchema,
  type DeleteRule,
  NotConnectedError,
  RequestRefusedError,
  type Row,
  type Target,
  type WriteResult,
} from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { row } from './fixture.ts';
import { database, table } from './table-fixture.ts';

const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
    { name: 'Count', type: 'integer', nullable: true },
  ],
};
const never = new AbortController().signal;

async function open(fields: DatasetSchema = schema, deletes: DeleteRule = 'mirror', config = {}) {
  const unit = `sync ${table}`;
  const target = await database.connect(config).openTarget!({ to: { table }, unit, schema: fields, deletes }, never);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(unit);
  return { target, epoch, unit };
}

const upsert = (values: { [field: string]: Row[string] }, stampMs = 1000): Change => ({
  op: 'upsert',
  key: String(values.Id),
  row: row(values),
  stampMs,
});

function write(target: Target, epoch: number, changes: readonly Change[]): Promise<readonly WriteResult[]> {
  return target.write(changes, { epoch, settle: async () => null }, never);
}

const column = async (name: string, from = table) =>
  (await database.sql(`SELECT ${name} FROM ${from} ORDER BY id`)).map(([value]) => value);

describe('a table that was there before', () => {
  test('keeps its rows, columns and constraints, and unchanged records draw no numbers from its sequences', async () => {
    await database.script(
      `CREATE TABLE ${table} (number serial, id varchar(18) NOT NULL UNIQUE, name text, tenant text NOT NULL, "Count" int CHECK ("Count" >= 0));
       INSERT INTO ${table} (id, name, tenant, "Count") VALUES ('a', 'mine', 'x', 1), ('own', 'own', 'x', 2)`,
    );
    const { target, epoch } = await open();
    const results = await write(target, epoch, [
      upsert({ Id: 'a', Name: 'synced', Count: 5 }),
      // The table wants a tenant for a new row, which the sync does not have.
      upsert({ Id: 'b', Name: 'new', Count: 5 }),
      upsert({ Id: 'own', Name: 'own', Count: -1 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['updated', 'rejected', 'rejected']);
    expect(results.map((each) => (each.status === 'rejected' ? each.reason.code : null))).toEqual([null, '23502', '23514']);
    expect(await column('name')).toEqual(['synced', 'own']);
    expect(await column('tenant')).toEqual(['x', 'x']);
    const numbers = await database.sql(`SELECT last_value FROM ${table}_number_seq`);
    for (let i = 0; i < 3; i++) await write(target, epoch, [upsert({ Id: 'a', Name: 'synced', Count: 5 })]);
    expect(await database.sql(`SELECT last_value FROM ${table}_number_seq`)).toEqual(numbers);
  });

  test('a column of another type is refused with table, column, both types and the remedy', async () => {
    await database.script(`CREATE TABLE ${table} (id text PRIMARY KEY, name integer)`);
    const target = await database.connect().openTarget!({ to: { table }, unit: 'u', schema, deletes: 'mirror' }, never);
    const error = await target.prepare().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect((error as RequestRefusedError).message).toBe(
      `Table public.${table}, column "name": it is integer, but the field Name is text and needs text, character varying, character`,
    );
    expect((error as RequestRefusedError).hint).toContain('ALTER COLUMN "name" TYPE text');
  });

  test('a text or number that is too narrow grows; what is wide enough is left alone', async () => {
    await database.script(
      `CREATE TABLE ${table} (id varchar(18) PRIMARY KEY, short varchar(10), wide varchar(300), money numeric(8,2), plain numeric)`,
    );
    const fields: DatasetSchema = {
      ...schema,
      fields: [
        { name: 'Id', type: 'text', length: 18, nullable: false },
        { name: 'Short', type: 'text', length: 80, nullable: true },
        { name: 'Wide', type: 'text', length: 80, nullable: true },
        { name: 'Money', type: 'decimal', precision: 18, scale: 4, nullable: true },
        { name: 'Plain', type: 'decimal', precision: 18, scale: 4, nullable: true },
      ],
    };
    await open(fields);
    const types = await database.sql(
      `SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum BETWEEN 1 AND 5 ORDER BY attnum`,
    );
    expect(types.flat()).toEqual([
      'character varying(18)',
      'character varying(80)',
      'character varying(300)',
      'numeric(18,4)',
      'numeric',
    ]);
  });

  test('duplicate keys in it are reported before anything is written', async () => {
    await database.script(`CREATE TABLE ${table} (id text, name text, count int); INSERT INTO ${table} VALUES ('a'), ('a')`);
    const target = await database.connect().openTarget!({ to: { table }, unit: 'u', schema, deletes: 'mirror' }, never);
    await expect(target.prepare()).rejects.toThrow(RequestRefusedError);
  });
});

describe('the table that is made', () => {
  test('has fitting types, its key, an index on references, the prefix and the schema of the connection', async () => {
    await database.script('CREATE SCHEMA IF NOT EXISTS "Sales"');
    const types = ['text', 'boolean', 'integer', 'decimal', 'double', 'date', 'datetime', 'time', 'json', 'bytes'] as const;
    const fields: DatasetSchema = {
      name: 'Everything',
      key: ['Id'],
      fields: [
        { name: 'Id', type: 'text', nullable: false },
        ...types.map((type) => ({ name: `A_${type}`, type, nullable: true })),
        { name: 'Money', type: 'decimal', precision: 18, scale: 2, nullable: true },
        { name: 'Small', type: 'integer', precision: 5, nullable: true },
        { name: 'AccountId', type: 'text', nullable: true, reference: true },
      ],
    };
    await open(fields, 'mark', { schema: 'Sales', tablePrefix: 'sf_' });
    const name = `"Sales".sf_${table}`;
    const columns = await database.sql(
      `SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '${name}'::regclass AND attnum > 0 ORDER BY attnum`,
    );
    expect(Object.fromEntries(columns as [string, string][])).toEqual({
      id: 'text',
      a_text: 'text',
      a_boolean: 'boolean',
      a_integer: 'bigint',
      a_decimal: 'numeric',
      a_double: 'double precision',
      a_date: 'date',
      a_datetime: 'timestamp with time zone',
      a_time: 'time without time zone',
      a_json: 'jsonb',
      a_bytes: 'bytea',
      money: 'numeric(18,2)',
      small: 'integer',
      accountid: 'text',
      _tidemark_stamp: 'timestamp with time zone',
      _tidemark_deleted_at: 'timestamp with time zone',
    });
    const indexes = await database.sql(`SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '${name}'::regclass`);
    expect(indexes.flat().sort()).toEqual([`"Sales".sf_${table}_accountid_idx`, `"Sales".sf_${table}_pkey`]);
  });
});

describe('bad records', () => {
  const good = (i: number) => upsert({ Id: `k${i}`, Name: 'ok', Count: i });
  const bad: readonly ((i: number) => Change)[] = [
    (i) => upsert({ Id: `k${i}`, Name: 'a\0b', Count: i }),
    (i) => upsert({ Id: `k${i}`, Name: 'much too long', Count: i }),
    (i) => upsert({ Id: `k${i}`, Name: 'ok', Count: 'no number' }),
    (i) => upsert({ Id: `k${i}`, Name: 'ok', Count: '99999999999' }),
    (i) => upsert({ Id: `k${i}`, Name: 'ok', Count: -1 }),
    (i) => upsert({ Id: `k${i}`, Name: null, Count: i }),
  ];

  // One bad record stops nothing and is never forgotten: each is named, and each of the others is written. Batches of both
  // sizes: arrays as parameters, and COPY.                                                                       (P2)
  test('anywhere in a batch they are named one by one, and all others are written (P2)', async () => {
    await database.script(
      `CREATE TABLE ${table} (id text PRIMARY KEY, name varchar(8) NOT NULL, count integer UNIQUE CHECK (count >= 0))`,
    );
    const { target, epoch } = await open();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 7, 60, 900),
        fc.array(fc.tuple(fc.nat(), fc.nat(bad.length - 1)), { maxLength: 8 }),
        async (size, places) => {
          await database.sql(`DELETE FROM ${table}`);
          const badAt = new Map(places.map(([place, kind]) => [place % size, kind]));
          const changes = Array.from({ length: size }, (_, i) => (badAt.has(i) ? bad[badAt.get(i)!]!(i) : good(i)));
          const results = await write(target, epoch, changes);
          results.forEach((result, i) => {
            expect(result.status).toBe(badAt.has(i) ? 'rejected' : 'created');
            if (result.status !== 'rejected') return;
            expect(result.reason.code).toMatch(/^2[23]/);
            expect(result.reason.message).not.toMatch(/much too long|no number/);
          });
          const found = await database.sql(`SELECT count(*) FROM ${table}`);
          expect(Number(found[0]![0])).toBe(size - badAt.size);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('a record that needs another one of its batch is tried again once that is in', async () => {
    await database.script(
      `CREATE TABLE ${table} (id text PRIMARY KEY, name text REFERENCES ${table} (id), count integer CHECK (count >= 0))`,
    );
    const { target, epoch } = await open();
    const results = await write(target, epoch, [
      upsert({ Id: 'child', Name: 'parent', Count: 1 }),
      upsert({ Id: 'orphan', Name: 'nobody', Count: 1 }),
      upsert({ Id: 'bad', Name: null, Count: -1 }),
      upsert({ Id: 'parent', Name: null, Count: 1 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['created', 'rejected', 'rejected', 'created']);
  });
});

// A delta brings everything at once, and each kind takes its own way through the statements.                             (P3)
test.each([30, 600])(
  'in one batch of %i each record gets what is right for it, and older never overwrites newer (P3)',
  async (size) => {
    // Columns may have the names that come to mind first for what the merge finds out about a row.
    const fields: DatasetSchema = {
      ...schema,
      fields: [
        ...schema.fields,
        { name: 'wins', type: 'text', nullable: true },
        { name: 'place', type: 'integer', nullable: true },
      ],
    };
    const { target, epoch } = await open(fields);
    const values = (i: number, Name: string) => ({ Id: `k${i}`, Name, Count: i, wins: 'w', place: i });
    const kinds = [
      { kind: 'differs', stampMs: 2000, name: 'new', status: 'updated', holds: ['new', 2000] },
      { kind: 'differs at the same second', stampMs: 1000, name: 'new', status: 'updated', holds: ['new', 1000] },
      { kind: 'equal and newer', stampMs: 2000, name: 'old', status: 'unchanged', holds: ['old', 2000] },
      { kind: 'equal', stampMs: 1000, name: 'old', status: 'unchanged', holds: ['old', 1000] },
      { kind: 'older', stampMs: 500, name: 'late', status: 'unchanged', holds: ['old', 1000] },
      { kind: 'new', stampMs: 2000, name: 'new', status: 'created', holds: ['new', 2000] },
      { kind: 'gone', stampMs: 2000, name: null, status: 'deleted', holds: undefined },
      { kind: 'deleted before it was written last', stampMs: 500, name: null, status: 'unchanged', holds: ['old', 1000] },
    ] as const;
    const of = (i: number) => kinds[i % kinds.length]!;
    const all = Array.from({ length: size * kinds.length }, (_, i) => i);
    const there = all.filter((i) => of(i).kind !== 'new').map((i) => upsert(values(i, 'old'), 1000));
    await write(target, epoch, there);
    const changes = all.map((i): Change => {
      const { name, stampMs } = of(i);
      return name === null ? { op: 'delete', key: `k${i}`, row: null, stampMs } : upsert(values(i, name), stampMs);
    });
    const results = await write(target, epoch, changes);
    expect(results.map(({ status }) => status)).toEqual(all.map((i) => of(i).status));
    const rows = await database.sql(`SELECT id, name, extract(epoch FROM _tidemark_stamp)::numeric * 1000 FROM ${table}`);
    const held = new Map(rows.map(([id, name, stamp]) => [id, [name, Number(stamp)]]));
    expect(all.map((i) => held.get(`k${i}`))).toEqual(all.map((i) => of(i).holds));
  },
);

describe('what goes wrong around a write', () => {
  test('a connection that is cut before the commit leaves nothing, is said to be lost, and the next write works (P1)', async () => {
    const { target, epoch, unit } = await open();
    const settle = async () => {
      await database.sql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark' AND state = 'idle in transaction'
         AND datname = current_database() AND pid <> pg_backend_pid()`,
      );
      return 'never kept';
    };
    await expect(target.write([upsert({ Id: 'a' })], { epoch, settle }, never)).rejects.toThrow(NotConnectedError);
    expect(await column('id')).toEqual([]);
    expect(await target.checkpoints!.read(unit)).toBeNull();
    expect((await write(target, epoch, [upsert({ Id: 'a' })]))[0]!.status).toBe('created');
  });

  test('work that is called off while it waits for a lock ends at once and writes nothing', async () => {
    const { target, epoch } = await open();
    const holder = await database.pool.connect();
    await holder.query(`BEGIN; LOCK TABLE ${table}`);
    const stop = new AbortController();
    const waiting = target.write([upsert({ Id: 'a' })], { epoch, settle: async () => null }, stop.signal);
    waiting.catch(() => {});
    const isWaiting = async () =>
      (await database.sql(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`))
        .length > 0;
    while (!(await isWaiting()));
    stop.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    await holder.query('ROLLBACK');
    holder.release();
    expect(await column('id')).toEqual([]);
  });

  test('no table, no right, no login: each says what to do', async () => {
    const { target, epoch } = await open();
    await database.script(`DROP TABLE ${table}`);
    await expect(write(target, epoch, [upsert({ Id: 'a' })])).rejects.toMatchObject({ code: 'schema_changed' });
    const url = new URL(database.url);
    url.password = 'hush-hush';
    const problems = await database.connect({ url: url.href }).check();
    expect(problems).toMatchObject([
      { severity: 'error', place: 'connections.trial', hint: expect.stringContaining('password') },
    ]);
    expect(JSON.stringify(problems)).not.toContain('hush');
    await database.script(
      `DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r'; REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
    );
    url.username = 'reader';
    url.password = 'r';
    const connection = database.connect({ url: url.href });
    expect(await connection.check()).toEqual([]);
    const denied = await connection.openTarget!({ to: { table }, unit: 'u', schema, deletes: 'mirror' }, never);
    await expect(denied.prepare()).rejects.toMatchObject({ code: 'access_denied', hint: expect.stringContaining('Grant') });
    await connection[Symbol.asyncDispose]();
    await database.script('DROP ROLE reader');
  });
});

test('many that begin at once, in sessions that have looked before, find one another’s tables (P11)', async () => {
  const connection = database.connect({ schema: 'shared' });
  await database.script('CREATE SCHEMA shared');
  const targets = await Promise.all(
    Array.from({ length: 4 }, (_, i) =>
      connection.openTarget!({ to: { table: `of_${i}` }, unit: `unit ${i}`, schema, deletes: 'mirror' }, never),
    ),
  );
  // Each session has seen that there is nothing.
  await Promise.all(targets.map((target, i) => target.checkpoints!.read(`unit ${i}`)));
  await Promise.all(targets.map((target) => target.prepare()));
  await Promise.all(targets.map((target, i) => target.checkpoints!.acquire(`unit ${i}`)));
});
