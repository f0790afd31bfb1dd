import { expect, test, vi } from 'vitest';
import { TopicWorld } from './topic-world.ts';

// What is published on a topic can be read nowhere: its journal is the only place from which a mended mapping reaches old events.

const soon = <T>(look: () => T) => vi.waitFor(look, { timeout: 90_000, interval: 20 });
const signal = new AbortController().signal;

test.each(['pubsub', 'cometd'])('published events are applied again under a new mapping, by %s', async (stream) => {
  await using world = await TopicWorld.open();
  const first = await world.start({ journal: '1d' }, stream);
  await world.live(first);
  world.publish({ OrderId__c: 'O1', Status__c: 'new' }, { OrderId__c: 'O2', Status__c: 'old', Amount__c: 2.5 });
  await soon(() => expect(world.rows()).toHaveLength(2));
  await first.stop();
  world.database.exec("DELETE FROM orders WHERE OrderId__c = 'O2'");

  const fields = { EventUuid: 'EventUuid', OrderId__c: 'OrderId__c', Status__c: '= $uppercase(Status__c)' };
  await using second = await world.engine({ journal: '1d', fields }, stream);
  const report = await second.replay('orders', { range: { from: null, to: null }, signal });
  expect(report).toMatchObject({
    state: 'succeeded',
    counts: { read: 2, created: 1, updated: 1 },
    replayed: { events: 2, left: [] },
  });
  expect(world.rows()).toEqual([
    { OrderId__c: 'O1', Status__c: 'NEW' },
    { OrderId__c: 'O2', Status__c: 'OLD' },
  ]);
  expect(world.told.filter(({ level }) => level === 'error')).toEqual([]);
});

test('into a target without transactions they are written once more', async () => {
  await using world = await TopicWorld.open();
  const sync = { journal: '1d', to: { connection: 'files', file: 'orders.jsonl' } };
  const first = await world.start(sync);
  await world.live(first);
  world.publish({ OrderId__c: 'O1' });
  await soon(() => expect(world.lines('orders.jsonl')).toHaveLength(1));
  await first.stop();
  await using second = await world.engine(sync);
  expect(await second.replay('orders', { range: { from: null, to: null }, signal })).toMatchObject({ state: 'succeeded' });
  const lines = world.lines('orders.jsonl');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toEqual(lines[0]);
});
