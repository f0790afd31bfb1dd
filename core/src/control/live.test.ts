import { expect, test } from 'vitest';
import { TransientError } from '../base/errors.ts';
import { StreamWorld } from './live-fixture.ts';

const minute = 60_000;

test('P5: while one sync is read for long, the stream of the others is lost and goes on at once', async () => {
  await using world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  let read!: () => void;
  world.fullReads.set('people', new Promise((resolve) => void (read = resolve)));
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ state: 'catching up', rereads: ['people'] });
  await world.lose(new TransientError('lost'));
  await world.write(['people', '1', { name: 'El' }], ['places', '1', { name: 'Gotham' }]);
  await world.clock.advance(minute);
  expect(world.copied('places')).toEqual({ 1: 'Gotham' });
  expect(world.opened).toBe(2);
  expect(world.copied('people')).toEqual({});
  read();
  await world.clock.advance(minute);
  expect(world.copied('people')).toEqual({ 1: 'El' });
  // One load, and the delta that brings what was told during it: the lost connection cost no other.
  expect(world.runs.filter((run) => run.startsWith('people'))).toEqual(['people full succeeded', 'people delta succeeded']);
  expect(world.status).toMatchObject({ state: 'live', rereads: [] });
  await world.clock.advance(minute);
  expect(world.kept!.rereads).toEqual({});
});
