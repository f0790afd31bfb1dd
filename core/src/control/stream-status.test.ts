import { expect, test } from 'vitest';
import { AccessDeniedError, RateLimitedError, TransientError } from '../base/errors.ts';
import { StreamWorld } from './live-fixture.ts';

// What is told of a stream is what it is at that moment, and while it is down nothing waits for it (P1, P8).

const minute = 60_000;
const spent = () => new RateLimitedError('the event deliveries of 24 hours are used up', { retryAfterMs: 15 * minute });

async function followed(): Promise<StreamWorld> {
  const world = await StreamWorld.open();
  await world.write(['people', '1', { name: 'Kent' }], ['places', '1', { name: 'Metropolis' }]);
  await world.start();
  await world.clock.advance(minute);
  expect(world.status).toMatchObject({ state: 'live', connected: true, lagMs: 0, waiting: 0, reason: null, nextTryMs: null });
  world.runs.length = 0;
  return world;
}

test('an idle stream owes nothing, however long ago its last event is', async () => {
  await using world = await followed();
  await world.write(['people', '1', { name: 'El' }]);
  const { lastEventMs } = world.status;
  await world.clock.advance(90 * minute);
  expect(world.status).toMatchObject({ state: 'live', lagMs: 0, lastEventMs });
});

test('P1, P8: while deliveries are spent its syncs are polled every minute, and the stream goes on where it was', async () => {
  await using world = await followed();
  world.refuses = spent();
  await world.lose(spent());
  await world.write(['people', '1', { name: 'El' }], ['places', '2', { name: 'Gotham' }]);
  await world.clock.advance(20_000);
  expect(world.status).toMatchObject({
    state: 'polling',
    connected: false,
    reason: 'the event deliveries of 24 hours are used up',
    nextTryMs: expect.any(Number),
  });
  expect(world.copied('people')).toEqual({ 1: 'El' });
  expect(world.copied('places')).toEqual(world.truth('places'));
  await world.clock.advance(10 * minute);
  expect(world.runs.filter((run) => run === 'people delta succeeded')).toHaveLength(11);
  expect(world.status.lagMs).toBeGreaterThan(10 * minute);
  expect(world.opened).toBe(1);
  // The window has moved, and what the polls brought comes once more by the stream.
  world.refuses = null;
  await world.clock.advance(6 * minute);
  expect(world.opened).toBe(2);
  expect(world.status).toMatchObject({ state: 'live', lagMs: 0, reconnects: 1, reason: null, nextTryMs: null });
  expect(world.copied('people')).toEqual({ 1: 'El' });
  world.runs.length = 0;
  await world.write(['people', '1', { name: 'Superman' }], ['people', '2', { name: 'Lane' }]);
  await world.clock.advance(30 * minute);
  expect(world.copied('people')).toEqual({ 1: 'Superman', 2: 'Lane' });
  expect(world.runs).toEqual([]);
});

test('P1: a retention that passes while the stream is refused costs one reread, and no record', async () => {
  await using world = await followed();
  await world.stop();
  await world.clock.advance(71 * 60 * minute);
  world.refuses = spent();
  await world.start();
  await world.clock.advance(40 * minute);
  world.writeUntold(['people', '2', { name: 'Lane' }]);
  world.refuses = null;
  await world.clock.advance(16 * minute);
  expect(world.status).toMatchObject({ state: 'live', healed: { lost: 1, gap: 0, overflow: 0 }, rereads: [] });
  expect(world.copied('people')).toEqual({ 1: 'Kent', 2: 'Lane' });
});

test('a moment without connection is waited for; a longer one is polled through', async () => {
  await using world = await followed();
  world.refuses = new TransientError('the service is unavailable');
  await world.lose(new TransientError('the service is unavailable'));
  expect(world.status).toMatchObject({ state: 'waiting', connected: false, reason: 'the service is unavailable' });
  expect(world.runs).toEqual([]);
  await world.clock.advance(30_000);
  const { lagMs } = world.status;
  await world.clock.advance(30_000);
  expect(world.status.lagMs! - lagMs!).toBe(30_000);
  await world.clock.advance(10_000);
  expect(world.status.state).toBe('polling');
  expect(world.runs).toEqual(expect.arrayContaining(['people delta succeeded', 'places delta succeeded']));
});

test('P1: a run that began before the stream went down is no delta in its place: the next look makes one', async () => {
  await using world = await followed();
  world.writeUntold(['people', '1', { name: 'El' }]);
  const read = world.holdReads('people', 'delta', 'end');
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.clock.advance(minute);
  world.refuses = spent();
  await world.lose(spent());
  await world.write(['people', '2', { name: 'Lane' }]);
  await world.clock.advance(16_000);
  read();
  await world.clock.advance(16_000);
  expect(world.status.state).toBe('polling');
  expect(world.copied('people')).toEqual({ 1: 'El', 2: 'Lane' });
});

test('a right that is missing is told with when it is looked at again', async () => {
  await using world = await followed();
  world.refuses = new AccessDeniedError('no View All on Contact');
  await world.lose(new AccessDeniedError('no View All on Contact'));
  expect(world.status).toMatchObject({
    state: 'polling',
    reason: 'no View All on Contact',
    nextTryMs: world.clock.now() + 10 * minute,
  });
});

test('a sync that polls as often by itself is not polled twice, and a paused one not at all', async () => {
  await using world = await StreamWorld.open();
  await world.start({ people: { every: '30s', startDelay: '1s' } });
  await world.clock.advance(minute);
  await world.engine.setPaused('places', true);
  world.refuses = spent();
  await world.lose(spent());
  world.runs.length = 0;
  await world.clock.advance(5 * minute);
  expect(world.runs.filter((run) => run.startsWith('people'))).toHaveLength(10);
  expect(world.runs.filter((run) => run.startsWith('places'))).toEqual([]);
});

test('a pause of all its syncs, and an end, are told as such', async () => {
  await using world = await followed();
  for (const sync of ['people', 'places']) await world.engine.setPaused(sync, true);
  await world.clock.advance(10_000);
  expect(world.status.state).toBe('paused');
  for (const sync of ['people', 'places']) await world.engine.setPaused(sync, false);
  await world.clock.advance(10_000);
  expect(world.status.state).toBe('live');
  const { engine } = world;
  await world.stop();
  expect(engine.liveStatus()[0]).toMatchObject({ state: 'stopped', connected: false, reason: null, nextTryMs: null });
});

test('holes count when they are mended, each once, whoever listens', async () => {
  await using world = await followed();
  const read = world.holdReads('people', 'delta');
  await world.publish({ op: 'overflow', dataset: 'people', keys: [] });
  await world.publish({ op: 'gap', dataset: 'places', keys: ['1'] });
  await world.clock.advance(10_000);
  expect(world.status).toMatchObject({ state: 'catching up', rereads: ['people'], healed: { lost: 0, gap: 1, overflow: 0 } });
  read();
  await world.clock.advance(10_000);
  expect(world.status).toMatchObject({ state: 'live', rereads: [], healed: { lost: 0, gap: 1, overflow: 1 } });
});

test('what waits to be written is behind, and how far grows until it is written', async () => {
  await using world = await followed();
  const commits = world.holdCommits();
  await world.write(['people', '1', { name: 'El' }]);
  await world.write(['people', '1', { name: 'Superman' }]);
  await world.clock.advance(minute);
  const { status } = world;
  commits();
  // One is being written, the other is ready.
  expect(status).toMatchObject({ state: 'catching up', connected: true, waiting: 2 });
  expect(status.lagMs).toBeGreaterThanOrEqual(minute);
  await world.clock.advance(5000);
  expect(world.status).toMatchObject({ state: 'live', lagMs: 0, waiting: 0 });
});
