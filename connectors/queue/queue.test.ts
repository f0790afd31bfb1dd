import { type Change, newRow, type Row } from '@tidemark/core';
import { expect, test } from 'vitest';
import { describeDelivery } from './delivery-fixture.ts';
import { openSource, openTarget, type Place, readAll, schema, sqlitePlace } from './fixture.ts';

// What is in a queue is there until everybody has it, and nobody gets anything twice who has said that he has it.        (P1)

describeDelivery('SQLite', sqlitePlace, 20);

const never = new AbortController().signal;
const dayMs = 86_400_000;

const upsert = (key: string, Name = key): Change => ({
  op: 'upsert',
  key,
  row: Object.assign<Row, Row>(newRow(), { Id: key, Name }),
  stampMs: 0,
});

async function put(place: Place, changes: readonly Change[], now?: () => number, unit = 'producer') {
  const target = await openTarget(place.connect(now === undefined ? {} : { now }), schema, { unit });
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(unit);
  await target.write(changes, { epoch, settle: async () => null }, never);
}

const keysOf = (changes: readonly Change[]) => changes.map(({ key }) => key);

test('what a consumer has acknowledged is put away once every other one has it too', async () => {
  await using place = await sqlitePlace();
  await put(place, [upsert('a'), upsert('b')]);
  const [one, two] = [await openSource(place.connect(), { unit: 'one' }), await openSource(place.connect(), { unit: 'two' })];
  const first = await readAll(one, (await one.mark(never))!);
  const second = await readAll(two, (await two.mark(never))!);
  expect([keysOf(first.changes), keysOf(second.changes)]).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
  expect((await readAll(one, first.checkpoint)).changes).toEqual([]);
  expect(await one.estimate(never)).toBe(2);
  await readAll(two, second.checkpoint);
  expect(await one.estimate(never)).toBe(0);
  expect(await one.describeCheckpoint!(first.checkpoint)).toEqual({ queue: 'contacts', depth: '0' });
});

test('depth and the age of what waits are told; a consumer that stays away is named, and its messages are kept', async () => {
  await using place = await sqlitePlace();
  let nowMs = Date.UTC(2026, 0, 1);
  const now = () => nowMs;
  await put(place, [upsert('a')], now);
  const source = await openSource(place.connect({ now }), { unit: 'away' });
  const { checkpoint } = await readAll(source, (await source.mark(never))!);
  nowMs += 1000;
  await put(place, [upsert('b'), upsert('c')], now);
  nowMs += 30 * dayMs;
  expect(await source.describeCheckpoint!(checkpoint)).toEqual({
    queue: 'contacts',
    depth: '2',
    oldest: '2026-01-01T00:00:01.000Z',
  });
  const other = await openSource(place.connect({ now }), { unit: 'other' });
  await readAll(other, (await readAll(other, (await other.mark(never))!)).checkpoint);
  expect(other.warnings).toMatchObject([{ message: expect.stringContaining('3 messages of queue contacts wait for away') }]);
  expect(keysOf((await readAll(source, checkpoint)).changes)).toEqual(['b', 'c']);
});

test('what is kept after it was acknowledged can be read again from the beginning', async () => {
  await using place = await sqlitePlace();
  let nowMs = Date.UTC(2026, 0, 1);
  const settings = { keep: '7d', now: () => nowMs };
  for (const key of ['a', 'b']) {
    await put(place, [upsert(key)], settings.now);
    nowMs += dayMs;
  }
  const source = await openSource(place.connect(settings));
  const { checkpoint } = await readAll(source, (await source.mark(never))!);
  await readAll(source, checkpoint);
  expect(keysOf((await readAll(source, (await source.mark(never))!)).changes)).toEqual(['a', 'b']);
  nowMs += 5.5 * dayMs;
  await readAll(source, checkpoint);
  expect(keysOf((await readAll(source, (await source.mark(never))!)).changes)).toEqual(['b']);
});

test('a checkpoint from before what was put away is refused, and so is one of another queue: both would leave a hole', async () => {
  await using place = await sqlitePlace();
  await using elsewhere = await sqlitePlace();
  await put(place, [upsert('a')]);
  await put(elsewhere, [upsert('a')]);
  const source = await openSource(place.connect());
  const old = await readAll(source, (await source.mark(never))!);
  await put(place, [upsert('b')]);
  const later = await readAll(source, old.checkpoint);
  await readAll(source, later.checkpoint);
  await expect(readAll(source, old.checkpoint)).rejects.toThrow('1 messages of queue contacts were acknowledged later');
  const other = await openSource(elsewhere.connect());
  await expect(readAll(other, old.checkpoint)).rejects.toThrow('is not the one that was read before');
});

test('a reader waits until something comes, and no longer', async () => {
  await using place = await sqlitePlace();
  await put(place, [upsert('a')]);
  const source = await openSource(place.connect());
  await source.waitForChange!((await source.mark(never))!, never);
  const { checkpoint } = await readAll(source, (await source.mark(never))!);
  let woken = false;
  const waiting = source.waitForChange!(checkpoint, never).then(() => {
    woken = true;
  });
  expect(await source.estimate(never)).toBe(1);
  expect(woken).toBe(false);
  await put(place, [upsert('b')]);
  await waiting;
  expect(keysOf((await readAll(source, checkpoint)).changes)).toEqual(['b']);
});

test('messages with new fields are read with them, and a queue takes one key only', async () => {
  await using place = await sqlitePlace();
  await put(place, [upsert('a')]);
  const source = await openSource(place.connect());
  const wider = { ...schema, fields: [...schema.fields, { name: 'Phone', type: 'text' as const, nullable: true }] };
  await (await openTarget(place.connect(), wider, { unit: 'second' })).prepare();
  await expect(readAll(source, (await source.mark(never))!)).rejects.toThrow('have got other fields');
  const again = await openSource(place.connect());
  expect((await readAll(again, (await again.mark(never))!)).changes[0]?.row).toMatchObject({ Name: 'a', Phone: null });
  const otherKey = await openTarget(place.connect(), { ...schema, key: ['Name'] }, { unit: 'third' });
  await expect(otherKey.prepare()).rejects.toThrow('holds records by Id, and these come by Name');
});

test('a queue that nobody has filled is named, with the remedy', async () => {
  await using place = await sqlitePlace();
  await expect(openSource(place.connect())).rejects.toThrow('There is no queue contacts');
  await put(place, [upsert('a')]);
  await expect(openSource(place.connect(), { queue: 'contact' })).rejects.toMatchObject({
    hint: expect.stringContaining('It has: contacts'),
  });
});
