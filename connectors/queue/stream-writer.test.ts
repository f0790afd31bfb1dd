import { type Change, newRow, OwnershipLostError, type Row } from '@tidemark/core';
import { expect, test } from 'vitest';
import { openSource, openTarget, readAll, schema, sqlitePlace } from './fixture.ts';

// What a stream brings is in all of its queues with its position, or in none; and a message always holds a whole record.  (P1, P6)

const never = new AbortController().signal;
const rowOf = (Id: string) => Object.assign<Row, Row>(newRow(), { Id, Name: Id });
const upsert = (key: string): Change => ({ op: 'upsert', key, row: rowOf(key), stampMs: 0 });

test('a transaction is in all of its queues at once, with the position; a partial change is asked for whole', async () => {
  await using place = await sqlitePlace();
  const connection = place.connect();
  const [one, two] = [
    await openTarget(connection, schema, { queue: 'one' }),
    await openTarget(connection, schema, { queue: 'two', deletes: 'ignore' }),
  ];
  await one.prepare();
  await two.prepare();
  const { epoch } = await one.checkpoints!.acquire('live');
  await using writer = await connection.openStreamWriter!([one, two]);
  const read = async (queue: string) => {
    const source = await openSource(connection, { queue, unit: 'looks' });
    return (await readAll(source, (await source.mark(never))!)).changes.map(({ op, key }) => `${op} ${key}`);
  };

  const given = await writer.begin(never);
  await given.apply(one, [upsert('lost')]);
  await given.rollback();

  const transaction = await writer.begin(never);
  const partial = { op: 'update' as const, key: 'a', row: { Name: 'x' } as Row, stampMs: 0 };
  expect(await transaction.apply(one, [upsert('a'), partial])).toEqual([{ status: 'updated' }, { status: 'absent' }]);
  const gone: Change = { op: 'delete', key: 'b', row: null, stampMs: 0 };
  expect(await transaction.apply(two, [upsert('c'), gone])).toEqual([{ status: 'updated' }, { status: 'unchanged' }]);
  expect(await read('one')).toEqual([]);
  await transaction.commit('live', epoch, 'here');
  expect([await read('one'), await read('two')]).toEqual([['upsert a'], ['upsert c']]);
  expect(await one.checkpoints!.read('live')).toBe('here');

  await place.connect().openTarget!({ to: { queue: 'one' }, unit: 'x', schema, deletes: 'mirror' }, never).then((target) =>
    target.checkpoints!.acquire('live'),
  );
  const late = await writer.begin(never);
  await late.apply(one, [upsert('late')]);
  await expect(late.commit('live', epoch, 'later')).rejects.toThrow(OwnershipLostError);
  expect(await one.checkpoints!.read('live')).toBe('here');
});
