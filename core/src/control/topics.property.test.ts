import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type TopicFault, type TopicTarget, TopicWorld } from './topic-fixture.ts';

// Nobody can read an event again. So whatever befalls a process that brings events, each of them is in the target in the end, or in a
// stretch of time that it names as lost; and it is there once, but where the target had done what nobody could note.   (P1, P2)

const hour = 3_600_000;

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('publish' as const), events: fc.integer({ min: 1, max: 30 }) }) },
  fc.record({ do: fc.constant('repeat' as const) }),
  fc.record({ do: fc.constant('stop' as const) }),
  fc.record({ do: fc.constant('kill' as const) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 7_000, hour, 30 * hour, 80 * hour) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('leave' as const, 'cut' as const),
      events: fc.integer({ min: 1, max: 12 }),
      ms: fc.constantFrom(30 * hour, 80 * hour),
    }),
  },
  fc.record({ do: fc.constant('renumber' as const) }),
  fc.record({ do: fc.constant('poison' as const) }),
  fc.record({ do: fc.constant('pause' as const) }),
  fc.record({ do: fc.constant('resume' as const) }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('break' as const),
      at: fc.constantFrom<TopicFault>('stream', 'write', 'acknowledged', 'note', 'keep', 'commit'),
      after: fc.nat(3),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** A long time passes at a leap, as for a machine that sleeps. */
async function pass(world: TopicWorld, ms: number): Promise<void> {
  if (ms > 60_000) world.clock.at += ms;
  await world.clock.advance(Math.min(ms, 10_000));
}

async function live(world: TopicWorld, actions: readonly Action[]): Promise<void> {
  const due = new Map<TopicFault, number>();
  world.breaks = (at) => {
    const left = due.get(at);
    if (left === undefined) return false;
    if (left > 0) {
      due.set(at, left - 1);
      return false;
    }
    due.delete(at);
    return true;
  };
  // What was published before anybody listened was never promised.
  await world.start();
  for (const each of actions) {
    if (each.do === 'publish') await world.publish(each.events);
    else if (each.do === 'repeat') await world.repeat();
    else if (each.do === 'wait') await pass(world, each.ms);
    else if (each.do === 'renumber') world.renumber();
    else if (each.do === 'poison') world.poison.add(`e${world.published.length + 1}`);
    else if (each.do === 'break') due.set(each.at, each.after);
    else if (each.do === 'leave') {
      if (world.isRunning) await world.stop();
      await world.publish(each.events);
      await pass(world, each.ms);
      await world.start();
    } else if (each.do === 'cut') {
      // In the middle of what comes, and for long.
      due.set('stream', 1);
      await world.publish(each.events);
      await pass(world, each.ms);
    } else if (each.do === 'start' && !world.isRunning) await world.start();
    else if (each.do === 'stop' && world.isRunning) await world.stop();
    else if (each.do === 'kill' && world.isRunning) await world.kill();
    else if (world.isRunning && (each.do === 'pause' || each.do === 'resume')) {
      await world.engine.setPaused('events', each.do === 'pause');
    }
  }
  due.clear();
  world.poison.clear();
  if (!world.isRunning) await world.start();
  await world.engine.setPaused('events', false);
  // A bus that has nothing to tell says nothing.
  if (!world.tellsAtOnce) await world.publish(1);
  // Long enough for every wait between attempts.
  await world.clock.advance(0.3 * hour);
  const failures = await world.engine.failures({});
  await world.engine.retry('events', { signal: new AbortController().signal, ids: failures.map(({ id }) => id) });
}

async function checkNothingLost(world: TopicWorld): Promise<void> {
  const here = new Set(world.held());
  const { state, holes } = world.status;
  expect(state).toBe('live');
  expect(await world.engine.failures({})).toEqual([]);
  for (const { key, atMs } of world.published) {
    if (here.has(key)) continue;
    const isTold = holes.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs);
    expect(isTold, `${key} is in no hole`).toBe(true);
  }
}

test('P5, P11: who has lost a topic to another process goes on with it when that one is gone, and not before', async () => {
  await using world = await TopicWorld.open('table');
  await world.start();
  await world.publish(1);
  const isThere = world.takeOver();
  await world.publish(1);
  for (let s = 0; s < 600; s += 15) {
    isThere();
    await world.clock.advance(15_000);
    expect(world.status.state).toBe('stopped');
  }
  expect(world.held()).toEqual(['e0']);
  await world.clock.advance(120_000);
  expect(world.status).toMatchObject({ state: 'live', reason: null });
  expect(world.held()).toEqual(['e0', 'e1']);
});

const kinds: readonly TopicTarget[] = ['table', 'log', 'queue'];

test.each(kinds)(
  'P1: what comes with the first word of a bus is not skipped when it cannot be written, into a %s',
  async (kind) => {
    await using world = await TopicWorld.open(kind);
    world.tellsAtOnce = false;
    await world.publish(1);
    await world.start();
    let isDown = true;
    world.breaks = (at) => isDown && (at === 'write' || at === 'commit');
    await world.publish(2);
    await world.clock.advance(60_000);
    await world.kill();
    isDown = false;
    await world.start();
    await world.clock.advance(60_000);
    expect(world.held()).toEqual(expect.arrayContaining(['e1', 'e2']));
  },
);

test.each(kinds)('no event is lost without a word, whatever befalls the process, into a %s', (kind) =>
  fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.boolean(), async (actions, tellsAtOnce) => {
      await using world = await TopicWorld.open(kind);
      world.tellsAtOnce = tellsAtOnce;
      await live(world, actions);
      await checkNothingLost(world);
    }),
    { numRuns: 60 },
  ),
);

/** Not among them: a process that ends, or an answer that is lost, between what the target has done and our note of it. */
const isCertain = (each: Action) =>
  each.do !== 'kill' && !(each.do === 'break' && (each.at === 'acknowledged' || each.at === 'note'));

test('a target that takes everything twice gets each event once, as long as its answers are heard', () =>
  fc.assert(
    fc.asyncProperty(fc.array(action.filter(isCertain), { maxLength: 15 }), async (actions) => {
      await using world = await TopicWorld.open('log');
      await live(world, actions);
      await checkNothingLost(world);
      expect(world.held()).toEqual([...new Set(world.held())]);
    }),
    { numRuns: 60 },
  ));
