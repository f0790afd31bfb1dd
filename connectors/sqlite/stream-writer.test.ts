import { InvariantError, newRow, type Row, type Update } from '@tidemark/core';
import { contact, contactSchema, upsert } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createFile } from './fixture.ts';

const never = new AbortController().signal;
type File = Awaited<ReturnType<typeof createFile>>;

async function open(file: File) {
  const spec = { to: { table: 'contacts' }, unit: 'sync', schema: contactSchema, deletes: 'mirror' as const };
  const target = await file.connection.openTarget!(spec, never);
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire('live');
  return { target, epoch, writer: await file.connection.openStreamWriter!([target]) };
}

const update = (key: string, values: { readonly [field: string]: Row[string] }): Update => ({
  op: 'update',
  key,
  row: Object.assign(newRow(), values),
  stampMs: 2000,
});

// A trigger may roll everything back. What comes after it in the same transaction must not be kept without what came before. (P1)
test('a transaction that the table has rolled back is at its end: its checkpoint is not kept', async () => {
  await using file = await createFile();
  const { target, epoch, writer } = await open(file);
  file.sql(
    `CREATE TRIGGER never AFTER UPDATE OF Name ON contacts WHEN new.Name = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no more of this'); END`,
  );
  const first = await writer.begin(never);
  await first.apply(target, [upsert(contact('a'), 1000), upsert(contact('b'), 1000)]);
  await first.commit('live', epoch, 'first');
  const second = await writer.begin(never);
  await second.apply(target, [update('a', { Name: 'good' })]);
  await expect(second.apply(target, [update('b', { Name: 'bad' })])).rejects.toThrow('no more of this');
  await expect(second.apply(target, [update('a', { Count: 1 })])).rejects.toThrow(InvariantError);
  await expect(second.commit('live', epoch, 'second')).rejects.toThrow(InvariantError);
  await second.rollback();
  expect(file.sql('SELECT Name FROM contacts')).toEqual([{ Name: null }, { Name: null }]);
  expect(await target.checkpoints!.read('live')).toBe('first');
  const third = await writer.begin(never);
  await third.apply(target, [update('a', { Name: 'good' })]);
  await third.commit('live', epoch, 'third');
  expect(await target.checkpoints!.read('live')).toBe('third');
});

test('polls wait for an open transaction, and a transaction that ends while it waits keeps nobody waiting', async () => {
  await using file = await createFile();
  const { target, epoch, writer } = await open(file);
  const own = await target.checkpoints!.acquire('sync');
  const order: string[] = [];
  const transaction = await writer.begin(never);
  await transaction.apply(target, [upsert(contact('a', { Name: 'stream' }), 1000)]);
  const poll = target.write(
    [upsert(contact('a', { Name: 'poll' }), 2000)],
    {
      epoch: own.epoch,
      settle: async () => {
        order.push('poll');
        return null;
      },
    },
    never,
  );
  await transaction.commit('live', epoch, 'on');
  order.push('stream');
  expect((await poll)[0]!.status).toBe('updated');
  expect(order).toEqual(['stream', 'poll']);

  const holder = await writer.begin(never);
  const second = await file.connection.openStreamWriter!([target]);
  const called = new AbortController();
  const waiting = second.begin(called.signal);
  called.abort(new RangeError('enough'));
  await holder.rollback();
  await expect(waiting).rejects.toThrow('enough');
  const next = await writer.begin(never);
  await next.rollback();
});

test('only the indexes of columns that change are written: an update says what it sets', async () => {
  await using file = await createFile();
  const { target, epoch, writer } = await open(file);
  const first = await writer.begin(never);
  await first.apply(target, [upsert(contact('a', { Name: 'x', Count: 1 }), 1000)]);
  await first.commit('live', epoch, 'on');
  // A trigger for a column fires for statements that name it, whether or not its value changes.
  file.sql('CREATE TABLE named (what TEXT)');
  file.sql(`CREATE TRIGGER name AFTER UPDATE OF Name ON contacts BEGIN INSERT INTO named VALUES ('Name'); END`);
  file.sql(`CREATE TRIGGER count AFTER UPDATE OF Count ON contacts BEGIN INSERT INTO named VALUES ('Count'); END`);
  const second = await writer.begin(never);
  await second.apply(target, [update('a', { Count: 2 })]);
  await second.commit('live', epoch, 'on');
  expect(file.sql('SELECT what FROM named')).toEqual([{ what: 'Count' }]);
});
