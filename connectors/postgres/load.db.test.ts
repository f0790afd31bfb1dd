import {
  type Block,
  blockOfRows,
  type Change,
  type DatasetSchema,
  type Load,
  type RejectedRow,
  RequestRefusedError,
  type Row,
} from '@tidemark/core';
import { type BlockStyle, loadBlock } from '@tidemark/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { row } from './fixture.ts';
import { anotherTable, database, table } from './table-fixture.ts';

const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
    { name: 'Count', type: 'integer', nullable: true },
    { name: 'AccountId', type: 'text', nullable: true, reference: true },
  ],
};
const never = new AbortController().signal;

async function open() {
  const unit = `sync ${table}`;
  const target = await database.connect().openTarget!({ to: { table }, unit, schema, deletes: 'mirror' }, never);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(unit);
  const begin = (loadId = '1') => target.beginLoad!({ epoch, loadId, stampColumn: schema.fields.length }, never);
  return { target, epoch, begin };
}

const contact = (Id: string, values: { [field: string]: Row[string] } = {}) =>
  row({ Name: null, Count: null, AccountId: null, ...values, Id });

async function stage(
  load: Load,
  rows: readonly Row[],
  options: { position?: string; stampMs?: number; style?: BlockStyle } = {},
) {
  const rejected: RejectedRow[] = [];
  const stamped = rows.map((each) => ({ row: each, stampMs: options.stampMs ?? 1000 }));
  const blocks = [loadBlock(stamped, schema, () => options.style ?? 'text')];
  const counts = await load.writePage(
    (async function* () {
      yield* blocks;
    })(),
    options.position ?? 'p',
    async (part) => void rejected.push(...part),
    never,
  );
  return { ...counts, refused: rejected };
}

const finish = (load: Load, more: Partial<Parameters<Load['finish']>[0]> = {}) =>
  load.finish({ gone: [], checkpoint: null, signal: never, ...more });
const identity = async () => (await database.sql(`SELECT '${table}'::regclass::oid::int`))[0]![0];
const indexes = async () =>
  (await database.sql(`SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '${table}'::regclass`)).flat().sort();
const names = async () =>
  Object.fromEntries((await database.sql(`SELECT id, name FROM ${table} ORDER BY id`)) as [string, string][]);

describe('a load into an empty table', () => {
  test('takes its place, with its key, indexes, rights and nothing of the load left over', async () => {
    const { begin } = await open();
    await database.script(
      `DROP ROLE IF EXISTS reporting_${table}; CREATE ROLE reporting_${table};
       GRANT SELECT ON ${table} TO reporting_${table}; GRANT UPDATE ON ${table} TO reporting_${table} WITH GRANT OPTION`,
    );
    const rights = async () => (await database.sql(`SELECT relacl::text FROM pg_class WHERE oid = '${table}'::regclass`))[0]![0];
    const [oid, before] = [await identity(), await rights()];
    const load = await begin();
    await stage(load, [contact('a', { Name: 'A' }), contact('b'), contact('a', { Name: 'later' })]);
    expect(await finish(load)).toEqual({ created: 2, updated: 0, unchanged: 0, deleted: 0 });
    expect(await identity()).not.toBe(oid);
    expect(await rights()).toBe(before);
    expect(await names()).toEqual({ a: 'later', b: null });
    await load.settle!(never);
    expect(await indexes()).toEqual([`${table}_accountid_idx`, `${table}_pkey`]);
    const columns = await database.sql(
      `SELECT attname FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    );
    expect(columns.flat()).toEqual(['id', 'name', 'count', 'accountid', '_tidemark_stamp']);
    expect(await database.sql(`SELECT relname FROM pg_class WHERE relname LIKE '\\_tidemark\\_load%'`)).toEqual([]);
    expect(await database.sql(`SELECT reloptions FROM pg_class WHERE oid = '${table}'::regclass`)).toEqual([[null]]);
    await database.script(`DROP OWNED BY reporting_${table}; DROP ROLE reporting_${table}`);
  });

  test('lost between the swap and its lookup indexes, it has them after the next prepare, and can be swapped again (P1)', async () => {
    const { begin, target } = await open();
    const load = await begin();
    await stage(load, [contact('a', { Name: 'A' })]);
    await finish(load);
    // As a killed process leaves it: the rows are committed, and nobody goes on.
    expect(await indexes()).toEqual([`${table}_pkey`]);
    expect(await names()).toEqual({ a: 'A' });
    const planned = (await target.plan()).map(({ summary }) => summary);
    expect(planned).toEqual(['index column accountid']);
    await target.prepare();
    expect(await indexes()).toEqual([`${table}_accountid_idx`, `${table}_pkey`]);
    await database.script(`DELETE FROM ${table}`);
    const oid = await identity();
    const again = await begin('2');
    await stage(again, [contact('b')]);
    await finish(again);
    expect(await identity()).not.toBe(oid);
  });

  test.each([
    ['a view', (t: string) => `CREATE VIEW v_${t} AS SELECT * FROM ${t}`],
    ['a foreign key', (t: string) => `CREATE TABLE child_${t} (c text REFERENCES ${t} (id))`],
    [
      'a trigger',
      (t: string) => `CREATE TRIGGER x BEFORE UPDATE ON ${t} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
    ],
    ['a column of the user’s own', (t: string) => `ALTER TABLE ${t} ADD COLUMN note text DEFAULT 'n'`],
    ['a check', (t: string) => `ALTER TABLE ${t} ADD CHECK (count < 100)`],
    ['an index', (t: string) => `CREATE INDEX ON ${t} (name)`],
    ['row security', (t: string) => `ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY`],
    ['a comment', (t: string) => `COMMENT ON COLUMN ${t}.name IS 'what they are called'`],
    ['a default', (t: string) => `ALTER TABLE ${t} ALTER COLUMN name SET DEFAULT 'n'`],
  ])('leaves a table in its place on which %s hangs', async (_, attach) => {
    const { begin } = await open();
    await database.script(attach(table));
    const oid = await identity();
    const load = await begin();
    await stage(load, [contact('a', { Name: 'A' })]);
    expect(await finish(load)).toEqual({ created: 1, updated: 0, unchanged: 0, deleted: 0 });
    expect(await identity()).toBe(oid);
    expect(await names()).toEqual({ a: 'A' });
  });

  test('merges when the table has been given rows meanwhile (P3)', async () => {
    const { begin, target, epoch } = await open();
    const load = await begin();
    await stage(load, [contact('a', { Name: 'loaded' }), contact('b', { Name: 'loaded' })]);
    const change: Change = { op: 'upsert', key: 'a', row: contact('a', { Name: 'live' }), stampMs: 2000 };
    await target.write([change], { epoch, settle: async () => null }, never);
    expect(await finish(load)).toEqual({ created: 1, updated: 0, unchanged: 1, deleted: 0 });
    expect(await names()).toEqual({ a: 'live', b: 'loaded' });
  });
});

describe('a load into a filled table', () => {
  test('writes no version of a row that is equal, and one of each that differs', async () => {
    const { begin } = await open();
    const rows = Array.from({ length: 500 }, (_, i) => contact(`k${i}`, { Name: `n${i}`, Count: i }));
    const first = await begin('1');
    await stage(first, rows);
    await finish(first);
    const versions = async () =>
      Object.fromEntries((await database.sql(`SELECT id, ctid::text || ' ' || xmin::text FROM ${table}`)) as [string, string][]);
    const before = await versions();
    const second = await begin('2');
    await stage(second, rows);
    expect(await finish(second)).toEqual({ created: 0, updated: 0, unchanged: 500, deleted: 0 });
    expect(await versions()).toEqual(before);
    const third = await begin('3');
    await stage(third, [contact('k7', { Name: 'other', Count: 7 }), ...rows.filter(({ Id }) => Id !== 'k7')], { stampMs: 1000 });
    expect(await finish(third)).toEqual({ created: 0, updated: 1, unchanged: 499, deleted: 0 });
    const after = await versions();
    expect(Object.keys(after).filter((key) => after[key] !== before[key])).toEqual(['k7']);
  });

  test('a row that only a constraint of the table refuses is handed over before the commit, the rest is merged (P2)', async () => {
    await database.script(
      `CREATE TABLE ${table} (id text PRIMARY KEY, name text UNIQUE, count bigint CHECK (count < 100), accountid text);
       INSERT INTO ${table} VALUES ('old', 'taken', 1, null)`,
    );
    const { begin } = await open();
    const load = await begin();
    await stage(load, [
      ...Array.from({ length: 50 }, (_, i) => contact(`k${i}`, { Name: `n${i}`, Count: i })),
      contact('clash', { Name: 'taken' }),
      contact('high', { Count: 100 }),
      contact('old', { Name: 'taken', Count: 2 }),
    ]);
    const refused: RejectedRow[] = [];
    const counts = await finish(load, {
      reject: async (rows) => {
        expect((await database.sql(`SELECT count(*) FROM ${table}`))[0]![0]).toBe('1');
        refused.push(...rows);
      },
    });
    expect(counts).toEqual({ created: 50, updated: 1, unchanged: 0, deleted: 0 });
    expect(refused.map(({ key, stampMs, reason }) => [key, stampMs, reason.code])).toEqual([
      ['clash', 1000, '23505'],
      ['high', 1000, '23514'],
    ]);
    expect(refused[0]!.row.Name).toBe('taken');
  });

  test('without anybody to hand a refused row to, the load fails and changes nothing', async () => {
    await database.script(
      `CREATE TABLE ${table} (id text PRIMARY KEY, name text, count bigint CHECK (count < 100), accountid text)`,
    );
    const { begin } = await open();
    const load = await begin();
    await stage(load, [contact('a'), contact('high', { Count: 100 })]);
    await expect(finish(load)).rejects.toThrow(RequestRefusedError);
    expect(await names()).toEqual({});
  });
});

describe('staged rows', () => {
  test('are begun anew when some were lost, as a crash of the server empties an unlogged table (P1)', async () => {
    await database.script(`CREATE TABLE ${table} (id text PRIMARY KEY); INSERT INTO ${table} VALUES ('mine')`);
    const { begin } = await open();
    const load = await begin();
    await stage(load, [contact('a'), contact('b')], { position: 'page 1' });
    expect((await begin()).position).toBe('page 1');
    const kept = await database.sql('SELECT load_table FROM _tidemark_checkpoints WHERE unit = $1', [`sync ${table}`]);
    const staging = kept[0]![0];
    expect(await database.sql('SELECT relpersistence FROM pg_class WHERE relname = $1', [staging])).toEqual([['u']]);
    await database.script(`TRUNCATE ${staging}`);
    const again = await begin();
    expect([again.position, again.rows]).toEqual([null, 0]);
  });

  // What a text, number or JSON value may hold is not ours to limit: every value has to come back as it went in.
  test('any values come back from the server as they went in, from text and from values', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ Name: fc.option(fc.string({ unit: 'binary' })), Count: fc.option(fc.maxSafeInteger()) }), {
          maxLength: 40,
        }),
        fc.constantFrom<BlockStyle>('text', 'values'),
        async (records, style) => {
          anotherTable();
          const { begin } = await open();
          const load = await begin();
          const rows = records.map((values, i) => contact(`k${i}`, values));
          const { refused, rows: kept } = await stage(load, rows, { style });
          const expected = rows.filter(({ Name }) => !String(Name).includes('\0'));
          expect(kept).toBe(expected.length);
          expect(refused.map(({ row: { Name } }) => String(Name).includes('\0'))).toEqual(refused.map(() => true));
          await finish(load);
          const found = await database.sql(`SELECT id, name, count FROM ${table}`);
          const values = Object.fromEntries(
            found.map(([id, name, count]) => [id, [name, count === null ? null : Number(count)]]),
          );
          expect(values).toEqual(
            Object.fromEntries(
              expected.map(({ Id, Name, Count }) => [Id, [(Name as string | null)?.toWellFormed() ?? null, Count]]),
            ),
          );
        },
      ),
      { numRuns: 30 },
    ));

  test.each([
    // What is seen not to be plain makes a stretch go as text; the rest is found by the server, which refuses it in binary form first.
    [
      'bytes that are no UTF-8, NUL, bad numbers and lacking keys',
      { 0: 'nul', 1: 'number', 17: 'utf8', 4999: 'key', 5000: 'number', 29999: 'utf8' },
    ],
    ['bytes that are no UTF-8, NUL and lacking keys', { 0: 'nul', 16: 'nul', 17: 'utf8', 4999: 'key', 29999: 'utf8' }],
  ])('%s are named one by one among thousands (P2)', async (_, kinds) => {
    const { begin } = await open();
    const load = await begin();
    const bad = new Map(Object.entries(kinds).map(([at, kind]) => [Number(at), kind]));
    const blocks: Block[] = Array.from({ length: 6 }, (_, b) => {
      const rows = Array.from({ length: 5000 }, (_, r) => {
        const kind = bad.get(b * 5000 + r);
        return row({
          Id: kind === 'key' ? null : `k${b * 5000 + r}`,
          Name: kind === 'nul' ? 'a\0b' : kind === 'utf8' ? 'broken: @' : 'x'.repeat(300),
          Count: kind === 'number' ? 'many' : r,
          AccountId: null,
        });
      });
      const block = loadBlock(
        rows.map((each) => ({ row: each, stampMs: 1000 })),
        schema,
        () => 'text',
      );
      const [first] = block.columns;
      if (first?.kind === 'text')
        for (let at = first.bytes.indexOf('broken: @'); at >= 0; at = first.bytes.indexOf('broken: @', at + 9))
          first.bytes[at + 8] = 0xff;
      return block;
    });
    const refused: RejectedRow[] = [];
    const counts = await load.writePage(
      (async function* () {
        yield* blocks;
      })(),
      'page',
      async (rows) => void refused.push(...rows),
      never,
    );
    expect(counts).toEqual({ rows: 30_000 - bad.size, rejected: bad.size });
    const codes = { nul: '22021', utf8: '22021', number: '22P02', key: 'key_missing' };
    const expected = [...bad].map(([at, kind]) => [kind === 'key' ? '' : `k${at}`, codes[kind as keyof typeof codes]]);
    expect(refused.map(({ key, reason }) => [key, reason.code]).sort()).toEqual(expected.sort());
    expect((await finish(load)).created).toBe(30_000 - bad.size);
  });

  test('a load that is cut off by its connection goes on at the page that was kept last (P1)', async () => {
    const { begin } = await open();
    const load = await begin();
    await stage(load, [contact('a')], { position: 'page 1' });
    const cut = load.writePage(
      (async function* () {
        yield blockOfRows(
          [row({ ...contact('b'), stamp: null })],
          [...schema.fields, { name: 'stamp', type: 'datetime', nullable: true }],
        );
        await database.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark' AND state <> 'idle'
           AND datname = current_database() AND pid <> pg_backend_pid()`,
        );
        yield blockOfRows(
          [row({ ...contact('c'), stamp: null })],
          [...schema.fields, { name: 'stamp', type: 'datetime', nullable: true }],
        );
      })(),
      'page 2',
      async () => {},
      never,
    );
    await expect(cut).rejects.toMatchObject({ code: 'not_connected' });
    const again = await begin();
    expect([again.position, again.rows]).toEqual(['page 1', 1]);
  });
});
