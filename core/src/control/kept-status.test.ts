import { expect, test } from 'vitest';
import { believable } from './kept-status.ts';
import { StreamWorld } from './live-fixture.ts';

// `status` runs in a process of its own: what the one that follows a stream told last may not be so any more.

const minute = 60_000;

test('what was told lately counts, and of who fell silent it is said that nobody follows', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const kept = JSON.parse((await world.store.getValue(`status of ${world.status.stream}`))!);
  expect(kept).toMatchObject({ state: 'live', lagMs: 0 });
  expect(believable(kept, kept.asOfMs + 20_000)).toEqual(kept);
  expect(believable(kept, kept.asOfMs + 5 * minute)).toMatchObject({
    state: 'stopped',
    connected: false,
    reason: expect.stringContaining('has ended without a word'),
    sinceMs: kept.asOfMs,
    lagMs: 5 * minute,
  });
  expect(believable(null, 0)).toBeNull();
});

test('an end that was asked for is no silence, however long ago', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const { stream } = world.status;
  await world.stop();
  const kept = JSON.parse((await world.store.getValue(`status of ${stream}`))!);
  expect(believable(kept, kept.asOfMs + 1000 * minute)).toMatchObject({ state: 'stopped', reason: null });
});

test('P11: who has lost a stream to another process tells so once, and leaves the word to that one', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  const { stream } = world.status;
  const name = `status of ${stream}`;
  // Another process takes the stream over, in the target.
  const unit = world.target.units.get(stream)!;
  world.target.units.set(stream, { ...unit, epoch: unit.epoch + 1 });
  await world.write(['people', '1', { name: 'Kent' }]);
  await world.clock.advance(minute / 4);
  const told = JSON.parse((await world.store.getValue(name))!);
  expect(told).toMatchObject({ state: 'stopped', reason: expect.any(String) });
  await world.store.setValue(name, 'of the other one');
  await world.clock.advance(minute / 4);
  expect(await world.store.getValue(name)).toBe('of the other one');
});

test('the process that follows tells what is, not what it told last', async () => {
  await using world = await StreamWorld.open();
  await world.start();
  await world.clock.advance(minute);
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  const [status] = await world.engine.status('people');
  expect(status!.stream).toEqual({ ...world.status, asOfMs: world.clock.now() });
});
