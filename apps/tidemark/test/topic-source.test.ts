import { expect, test, vi } from 'vitest';
import { orderUpdate, TopicWorld } from './topic-world.ts';

// What is published on a topic gets to its target, each event once by its UUID, and none is passed over in silence (P1, P2).

const hour = 3_600_000;
const order = (n: number, more: object = {}) => ({ OrderId__c: `O${n}`, Status__c: `s${n}`, ...more });
const soon = <T>(look: () => T) => vi.waitFor(look, { timeout: 90_000, interval: 20 });

test.each(['pubsub', 'cometd'])('every event published while it listens becomes a row, by %s', async (stream) => {
  await using world = await TopicWorld.open();
  world.publish(order(0));
  const life = await world.start({}, stream);
  await world.live(life);
  const at = '2026-03-04T05:06:07.000Z';
  const uuids = world.publish(order(1, { Amount__c: 12.5, Urgent__c: true, At__c: at }), order(2, { Note__c: 'x'.repeat(5000) }));
  await soon(() => expect(world.rows('OrderId__c')).toHaveLength(2));
  expect(world.rows('*')).toMatchObject([
    { EventUuid: uuids[0], OrderId__c: 'O1', Amount__c: 12.5, Urgent__c: 1, At__c: at, Note__c: null },
    { EventUuid: uuids[1], OrderId__c: 'O2', Amount__c: null, Urgent__c: 0, Note__c: 'x'.repeat(5000) },
  ]);
  await life.stop();
  expect(world.told).toEqual([]);
});

test.each(['pubsub', 'cometd'])(
  'stopped, killed and started again by %s, it misses nothing, and the order is kept (P1)',
  async (stream) => {
    await using world = await TopicWorld.open();
    let n = 0;
    for (let round = 0; round < 5; round++) {
      const life = await world.start({}, stream);
      if (round === 0) await world.live(life);
      for (let i = 0; i < 60; i++) {
        world.publish(order(n++));
        if (i % 20 === 0) await new Promise(setImmediate);
      }
      await (round % 2 === 0 ? life.kill() : life.stop());
      world.publish(order(n++));
    }
    const last = await world.start({}, stream);
    await soon(() => expect(world.rows('OrderId__c')).toHaveLength(n));
    expect(world.rows().map((row) => row.OrderId__c)).toEqual(Array.from({ length: n }, (_, i) => `O${i}`));
    await last.stop();
  },
);

test.each(['pubsub', 'cometd'])('replay: earliest begins with all that is retained, by %s', async (stream) => {
  await using world = await TopicWorld.open();
  world.publish(order(0));
  world.emulator.org.clock.advance(80 * hour);
  world.publish(order(1), order(2));
  const life = await world.start({ from: { connection: 'org', topic: '/event/Order_Update__e', replay: 'earliest' } }, stream);
  await soon(() => expect(world.rows('OrderId__c')).toEqual([{ OrderId__c: 'O1' }, { OrderId__c: 'O2' }]));
  await life.stop();
});

test.each(['pubsub', 'cometd'])(
  'left until the retention has passed, it says what is gone and brings what is not, by %s',
  async (stream) => {
    await using world = await TopicWorld.open();
    const first = await world.start({}, stream);
    await world.live(first);
    world.publish(order(0));
    await soon(() => expect(world.rows()).toHaveLength(1));
    await first.stop();
    const leftMs = world.emulator.org.clock.now();
    world.publish(order(1));
    world.emulator.org.clock.advance(80 * hour);
    world.publish(order(2));
    const second = await world.start({}, stream);
    await soon(() => expect(world.rows('OrderId__c')).toEqual([{ OrderId__c: 'O0' }, { OrderId__c: 'O2' }]));
    const { holes } = second.engine.liveStatus()[0]!;
    expect(holes).toHaveLength(1);
    expect(Math.abs(holes[0]!.fromMs - leftMs)).toBeLessThan(120_000);
    expect(Math.abs(holes[0]!.toMs - (leftMs + 10 * hour))).toBeLessThan(120_000);
    const error = world.told.find(({ level }) => level === 'error');
    expect(error).toMatchObject({
      message: expect.stringMatching(/gone/),
      data: { from: expect.any(String), to: expect.any(String) },
    });
    await second.stop();
    // It stays on record, and is told once.
    world.told.length = 0;
    const third = await world.start({}, stream);
    await world.live(third);
    expect(third.engine.liveStatus()).toMatchObject([{ holes }]);
    expect(world.told).toEqual([]);
    await third.stop();
  },
);

test.each(['pubsub', 'cometd'])(
  'a field that the event gets while it listens is brought with the first event that has it, by %s',
  async (stream) => {
    await using world = await TopicWorld.open();
    const life = await world.start({}, stream);
    await world.live(life);
    world.publish(order(1));
    await soon(() => expect(world.rows('OrderId__c')).toHaveLength(1));
    world.emulator.events.definePlatformEvent({
      name: 'Order_Update__e',
      fields: [...orderUpdate.fields, { name: 'Extra__c', type: 'text' }],
    });
    world.publish(order(2, { Extra__c: 'more' }), order(3));
    await soon(() => expect(world.rows('OrderId__c')).toHaveLength(3));
    expect(world.rows('OrderId__c, Extra__c')).toEqual([
      { OrderId__c: 'O1', Extra__c: null },
      { OrderId__c: 'O2', Extra__c: 'more' },
      { OrderId__c: 'O3', Extra__c: null },
    ]);
    await life.stop();
  },
);
