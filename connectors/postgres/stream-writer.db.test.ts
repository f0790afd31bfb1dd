import { type DatasetSchema, NO_STAMP, NotConnectedError, type Row, type StreamChange } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ATTEMPT, Attempts } from './attempts.ts';
import { openTransaction, query } from './driver.ts';
import { row } from './fixture.ts';
import { anotherTable, database, table } from './table-fixture.ts';
import type { PostgresTarget } from './target.ts';
import { Writer } from './write.ts';

// What the contract of streams leaves to PostgreSQL: its constraints, its sessions, and how updates of all shapes become one
// statement.

const never = new AbortController().signal;
const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
    { name: 'Count', type: 'integer', nullable: true },
    { name: 'Amount', type: 'decimal', nullable: true },
  ],
};

async function open(fields: DatasetSchema = schema) {
  const connection = database.connect();
  const unit = `sync ${table}`;
  const target = await connection.openTarget!({ to: { table }, unit, schema: fields, deletes: 'mirror' }, never);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(unit);
  const writer = await connection.openStreamWriter!([target]);
  return {
    target,
    writer,
    async commit(changes: readonly StreamChange[]) {
      const transaction = await writer.begin(never);
      const results = await transaction.apply(target, changes);
      await transaction.commit(unit, epoch, 'on');
      return results;
    },
  };
}

const put = (values: { [field: string]: Row[string] }, stampMs = 1000): StreamChange => ({
  op: 'upsert',
  key: String(values.Id),
  row: row(values),
  stampMs,
});
const set = (key: string, values: { [field: string]: Row[string] }, stampMs = 2000): StreamChange => ({
  op: 'update',
  key,
  row: row(values),
  stampMs,
});
const statuses = (results: readonly { readonly status: string }[]) => results.map(({ status }) => status);
const column = async (name: string) => (await database.sql(`SELECT ${name} FROM ${table} ORDER BY id`)).map(([value]) => value);

test('a refused update names the field, also where the server does not say it (P2)', async () => {
  await database.script(
    `CREATE TABLE ${table} (id text PRIMARY KEY, name varchar(5), count smallint CHECK (count < 100), amount numeric(5,2) NOT NULL)`,
  );
  const { commit } = await open();
  await commit(['a', 'b', 'c', 'd', 'e'].map((Id) => put({ Id, Name: 'ok', Count: 1, Amount: 1 })));
  const results = await commit([
    set('a', { Name: 'too long', Amount: 2 }),
    set('b', { Count: 70_000, Name: 'x' }),
    set('c', { Count: 100 }),
    set('d', { Amount: null }),
    set('e', { Name: 'fine' }),
  ]);
  const reasons = results.map((result) => (result.status === 'rejected' ? result.reason : null));
  expect(reasons).toEqual([
    { code: '22001', message: expect.stringContaining('field Name') },
    { code: '22003', message: expect.stringContaining('field Count') },
    { code: '23514', message: expect.stringContaining('check constraint') },
    { code: '23502', message: expect.stringContaining('Amount') },
    null,
  ]);
  expect(await column('name')).toEqual(['ok', 'ok', 'ok', 'ok', 'fine']);
});

test('a unique value moves from an updated record to a new one, and a child gets its parent, in one batch', async () => {
  await database.script(
    `CREATE TABLE ${table} (id text PRIMARY KEY, name text UNIQUE, count bigint, amount numeric, parent text REFERENCES ${table})`,
  );
  const fields = [...schema.fields, { name: 'Parent', type: 'text' as const, nullable: true }];
  const { commit } = await open({ ...schema, fields });
  await commit([put({ Id: 'a', Name: 'one' }), put({ Id: 'b', Name: 'two' })]);
  const results = await commit([
    put({ Id: 'c', Name: 'one' }, 2000),
    set('a', { Name: 'free', Parent: 'd' }),
    set('b', { Parent: 'c', Count: 1 }),
    put({ Id: 'd', Name: 'four' }, 2000),
    set('nobody', { Parent: 'c' }),
  ]);
  expect(statuses(results)).toEqual(['created', 'updated', 'updated', 'created', 'absent']);
  expect(await column('parent')).toEqual(['d', 'c', null, null]);
});

test('values are compared as the column stores them: an update that is rounded to what stands writes nothing (P8)', async () => {
  await database.script(`CREATE TABLE ${table} (id text PRIMARY KEY, name text, count bigint, amount numeric(10,2))`);
  const { commit } = await open();
  await commit([put({ Id: 'a', Amount: 1.005 })]);
  const [version] = await column('xmin');
  expect(statuses(await commit([set('a', { Amount: '1.0051' }, 1000)]))).toEqual(['unchanged']);
  expect(await column('xmin')).toEqual([version]);
});

test('tables with more columns than an integer has bits', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.dictionary(
          fc.nat(69).map((i) => `F${i}`),
          fc.constantFrom(null, 'x', 'y'),
          { maxKeys: 70 },
        ),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
      async (updates) => {
        anotherTable();
        const names = Array.from({ length: 70 }, (_, i) => `F${i}`);
        const fields = names.map((name) => ({ name, type: 'text' as const, nullable: true }));
        const wide = { ...schema, fields: [schema.fields[0]!, ...fields] };
        const { commit, target } = await open(wide);
        const model = new Map(['a', 'b'].map((Id) => [Id, row({ Id, ...Object.fromEntries(names.map((name) => [name, ''])) })]));
        await commit([...model.values()].map((each) => put({ ...each })));
        for (const [i, values] of updates.entries()) {
          const key = i % 3 === 0 ? 'a' : 'b';
          await commit([set(key, values, NO_STAMP)]);
          Object.assign(model.get(key)!, values);
        }
        expect(await target.read!(['a', 'b'])).toEqual(model);
      },
    ),
    { numRuns: 15 },
  ));

test('a connection that breaks between apply and commit leaves nothing, and the writer goes on with another (P1)', async () => {
  const { writer, target, commit } = await open();
  await commit([put({ Id: 'a', Name: 'before' })]);
  const transaction = await writer.begin(never);
  await transaction.apply(target, [set('a', { Name: 'after' })]);
  await database.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()`,
  );
  await expect(transaction.commit(`sync ${table}`, 1, 'lost')).rejects.toThrow(NotConnectedError);
  await transaction.rollback();
  expect(await column('name')).toEqual(['before']);
  expect(statuses(await commit([set('a', { Name: 'after' })]))).toEqual(['updated']);
});

test('work that is called off in the middle of a statement ends, and leaves nothing', async () => {
  const { writer, target, commit } = await open();
  await commit([put({ Id: 'a', Name: 'before' })]);
  const blocker = await openTransaction(database.pool, { settings: ['idle_in_transaction_session_timeout = 0'] });
  await blocker.client.query(`UPDATE ${table} SET name = 'mine'`);
  const called = new AbortController();
  const transaction = await writer.begin(called.signal);
  const applying = transaction.apply(target, [set('a', { Name: 'after' })]);
  const blocked = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  await expect.poll(async () => (await database.sql(blocked))[0]![0]).toBe('1');
  called.abort(new RangeError('enough'));
  await expect(applying).rejects.toThrow('enough');
  await transaction.rollback();
  await blocker.rollback();
  expect(await column('name')).toEqual(['before']);
});

test('a session that has lost its prepared statements, as behind a pooler, writes all the same', async () => {
  const { target, commit } = await open();
  await commit([put({ Id: 'a', Name: 'before' })]);
  const layout = await (target as PostgresTarget).layout();
  const names: (string | null | undefined)[] = [];
  const sessions = new Set<number | null>();
  for (const Name of ['one', 'two', 'three']) {
    const opened = await openTransaction(database.pool, { savepoint: ATTEMPT });
    sessions.add(opened.client.processID);
    const writer = new Writer(new Attempts(opened.client), layout, ['Id']);
    expect(statuses(await writer.apply([set('a', { Name }), set('nobody', { Name })]))).toEqual(['updated', 'absent']);
    if (Name === 'one') await opened.client.query('DEALLOCATE ALL');
    await opened.commit();
    names.push((await column('name'))[0]);
  }
  expect(names).toEqual(['one', 'two', 'three']);
  expect(sessions.size).toBe(1);
});

test('a process that freezes within a transaction keeps its rows from others for less than a take-over takes (P11)', async () => {
  const transaction = await openTransaction(database.pool, {});
  const { rows } = await query(transaction.client, 'SHOW idle_in_transaction_session_timeout');
  await transaction.rollback();
  expect(rows).toEqual([['10s']]);
});

test('what was expected is written as it is, and nothing else is taken for it (P1)', async () => {
  const kinds = ['expected', 'another array', 'not expected'] as const;
  const value = fc.oneof(fc.constant(null), fc.constantFrom('a', 'b', 'c'));
  const batch = fc.record({ kind: fc.constantFrom(...kinds), values: fc.array(value, { minLength: 1, maxLength: 4 }) });
  const keys = ['k0', 'k1', 'k2', 'k3'];
  const world = await open();
  let stampMs = 1000;
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
      await world.commit(keys.map((Id) => put({ Id, Name: 'before' }, ++stampMs)));
      const truth = new Map<string, string | null>(keys.map((key) => [key, 'before']));
      for (const { kind, values } of batches) {
        const changes = values.map((Name, i) => set(keys[i]!, { Name }, ++stampMs));
        if (kind === 'expected') world.writer.expect!(world.target, changes);
        if (kind === 'another array') world.writer.expect!(world.target, [set('k0', { Name: 'never' }, ++stampMs)]);
        await world.commit(changes);
        for (const [i, name] of values.entries()) truth.set(keys[i]!, name);
      }
      expect(await column('name')).toEqual([...truth.values()]);
    }),
    { numRuns: 40 },
  );
});
