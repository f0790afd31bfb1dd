import { RequestRefusedError } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { kafka, nameOfSuite, newTopic, openConnection, openProducer, openSource, readAll, settled, signal } from './fixture.ts';

// What was committed to a topic is read once and in order, whatever else lies there; what is lost is told.               (P1, P2)

const fields = { Id: 'text', n: 'integer' } as const;
const value = (Id: string, n: number) => ({ key: Id, value: JSON.stringify({ Id, n }) });

/** A topic of other programs, and a reader of it. */
async function open(partitions = 2) {
  const topic = newTopic();
  const producer = await openProducer();
  await producer.client.createTopic(topic, { partitions, replicas: -1 });
  const connection = openConnection();
  return {
    topic,
    producer,
    connection,
    source: () => openSource(connection, { topic, fields }),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await producer.client.admin.deleteTopics({ topics: [topic] }).catch(() => {});
      await producer[Symbol.asyncDispose]();
    },
  };
}

const keys = (changes: readonly { key: string }[]) => changes.map(({ key }) => key);

describe.skipIf(kafka.missing !== null)(nameOfSuite, () => {
  test('what was given up is never told, though the same producer commits before and after it (P1)', async () => {
    await using world = await open(1);
    const { producer, topic } = world;
    for (const n of [1, 2, 3]) {
      await producer.abort(topic, [{ key: 'x', value: JSON.stringify({ Id: 'x', n }) }]);
      await producer.send(topic, [value(`k${n}`, n)]);
    }
    await producer.abort(topic, [{ key: 'y', value: '{"Id":"y"}' }]);
    await settled(topic);
    await using source = await world.source();
    const { changes, checkpoint } = await readAll(source);
    expect(keys(changes)).toEqual(['k1', 'k2', 'k3']);
    // Nothing is left to read, markers least of all.
    expect(await readAll(source, checkpoint)).toMatchObject({ changes: [], checkpoint });
    expect(await source.describeCheckpoint!(checkpoint)).toEqual({ topic, depth: '0' });
  });

  test('a message that cannot be read stops no other, and is told with its place (P2)', async () => {
    await using world = await open(1);
    const { producer, topic } = world;
    await producer.send(topic, [
      value('a', 1),
      { key: 'b', value: '{oops' },
      { key: null, value: null },
      { key: 'c', value: '{"Id":"c","n":"many"}' },
      value('d', 2),
    ]);
    await settled(topic);
    await using source = await world.source();
    const { changes, unread } = await readAll(source);
    expect(keys(changes)).toEqual(['a', 'd']);
    expect(unread.map(({ key, reason }) => `${key}: ${reason}`)).toEqual([
      `${topic}/0/1: The message is not JSON`,
      `${topic}/0/2: The message has no key: nothing tells which record it is about`,
      `${topic}/0/3: The message its n is no integer`,
    ]);
  });

  test('what retention took before it was read is told as a hole, and the rest is read (P1)', async () => {
    await using world = await open(1);
    const { producer, topic } = world;
    await producer.send(topic, [value('a', 1)]);
    await settled(topic);
    await using source = await world.source();
    const { checkpoint } = await readAll(source);
    await producer.send(topic, [value('b', 2), value('c', 3)]);
    await producer.send(topic, [value('d', 4)]);
    await settled(topic);
    await producer.client.admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 5n }] }] });
    await source.waitForChange!(checkpoint, signal);
    const { changes, unread } = await readAll(source, checkpoint);
    expect(keys(changes)).toEqual(['d']);
    expect(unread).toMatchObject([{ key: `${topic}/0/2-4`, reason: expect.stringContaining('Messages 2 to 4') }]);
    // A reader that begins now has missed nothing; one that has begun when there was nothing has.
    expect(await readAll(source)).toMatchObject({ unread: [] });
    const mark = JSON.stringify({ ...JSON.parse((await source.mark(signal))!), next: { 0: 7 } });
    const { checkpoint: begun } = await readAll(source, mark);
    await producer.send(topic, [value('e', 5)]);
    await settled(topic);
    await producer.client.admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 9n }] }] });
    expect((await readAll(source, begun)).unread).toMatchObject([{ key: `${topic}/0/7-8` }]);
  });

  test('new partitions are read from their beginning, and wake whoever waits', async () => {
    await using world = await open(1);
    const { producer, topic } = world;
    await producer.send(topic, [value('a', 1)]);
    await settled(topic);
    await using source = await world.source();
    const { checkpoint } = await readAll(source);
    await producer.client.admin.createPartitions({ topics: [{ name: topic, count: 3, assignments: null }] });
    await expect.poll(async () => (await producer.client.topic(topic))?.leaders.length).toBe(3);
    const waiting = source.waitForChange!(checkpoint, signal);
    const there = await openProducer();
    await there.send(topic, [{ ...value('b', 2), partition: 2 }]);
    await waiting;
    await settled(topic);
    expect(keys((await readAll(source, checkpoint)).changes)).toEqual(['b']);
    await there[Symbol.asyncDispose]();
  });

  test('in parts each partition is read by one, also one that comes later; whoever has none says so (P1, P3)', async () => {
    await using world = await open(3);
    const { producer, topic, connection } = world;
    const parts = [];
    for (let index = 0; index < 4; index++)
      parts.push(await openSource(connection, { topic, fields }, { part: { index, of: 4, units: [] } }));
    const to = (partition: number) => ({ ...value(`k${partition}`, partition), partition });
    await producer.send(topic, [to(0), to(1), to(2)]);
    await settled(topic);
    const read = [];
    for (const part of parts) read.push(await readAll(part));
    expect(read.map(({ changes }) => keys(changes))).toEqual([['k0'], ['k1'], ['k2'], []]);
    expect(parts.flatMap(({ warnings = [] }) => warnings.map(({ message }) => message))).toEqual([
      `part 4 of 4 reads nothing: ${topic} has 3 partitions`,
    ]);
    // With the marker of the transaction.
    expect(await Promise.all(parts.map((part) => part.estimate(signal)))).toEqual([2, 2, 2, 0]);
    await producer.client.admin.createPartitions({ topics: [{ name: topic, count: 5, assignments: null }] });
    await expect.poll(async () => (await producer.client.topic(topic))?.leaders.length).toBe(5);
    await using there = await openProducer();
    await there.send(topic, [to(3), to(4)]);
    await settled(topic);
    const again = [];
    for (const [i, part] of parts.entries()) {
      if (i === 0 || i === 3) await part.waitForChange!(read[i]!.checkpoint, signal);
      again.push(keys((await readAll(part, read[i]!.checkpoint)).changes));
      await part[Symbol.asyncDispose]();
    }
    expect(again).toEqual([['k4'], [], [], ['k3']]);
  });

  test('whoever waits is woken by a message, and is let go by a signal', async () => {
    await using world = await open(2);
    await using source = await world.source();
    const mark = (await source.mark(signal))!;
    const given = new AbortController();
    const waiting = source.waitForChange!(mark, given.signal);
    given.abort();
    await Promise.allSettled([waiting]);
    const woken = source.waitForChange!(mark, signal);
    await world.producer.send(world.topic, [value('a', 1)]);
    await woken;
    await settled(world.topic);
    expect(keys((await readAll(source, mark)).changes)).toEqual(['a']);
  });

  test('a topic that was made anew is not taken for the old one; one with fewer messages than were read neither', async () => {
    await using world = await open(1);
    const { producer, topic } = world;
    await producer.send(topic, [value('a', 1)]);
    await settled(topic);
    await using source = await world.source();
    const { checkpoint } = await readAll(source);
    const further = JSON.stringify({ ...JSON.parse(checkpoint), next: { 0: 99 } });
    await expect(readAll(source, further)).rejects.toThrow('was read up to 99 before');
    await producer.client.admin.deleteTopics({ topics: [topic] });
    await expect.poll(async () => producer.client.topic(topic)).toBeNull();
    await producer.client.createTopic(topic, { partitions: 1, replicas: -1 });
    await expect(readAll(source, checkpoint)).rejects.toThrow(RequestRefusedError);
    await using anew = await world.source();
    expect(anew.origin).not.toBe(source.origin);
  });

  test('fields are those of the newest messages, or of their schema, where none are declared', async () => {
    await using world = await open(1);
    const { producer, topic, connection } = world;
    await expect(openSource(connection, { topic })).rejects.toThrow('tells which fields there are');
    await producer.send(topic, [
      { key: 'a', value: '{"Id":"a","n":1,"tags":["x"],"half":1}' },
      { key: 'b', value: '{"Id":"b","n":null,"yes":true,"half":0.5}' },
      { key: 'c', value: '{oops' },
    ]);
    await settled(topic);
    await using source = await openSource(connection, { topic });
    const types = Object.fromEntries(source.schema.fields.map(({ name, type }) => [name, type]));
    expect(types).toEqual({ Id: 'text', n: 'integer', tags: 'json', half: 'double', yes: 'boolean' });
    await expect(openSource(connection, { topic }, { fields: ['nope'] })).rejects.toThrow('has a field nope');
  });

  test('a group is told what has been applied, for the tools of Kafka', async () => {
    await using world = await open(1);
    const { producer, topic, connection } = world;
    await producer.send(topic, [value('a', 1)]);
    await settled(topic);
    const group = newTopic('group');
    await using source = await openSource(connection, { topic, fields, group });
    const { checkpoint } = await readAll(source);
    await readAll(source, checkpoint);
    const [told] = await producer.client.admin.listConsumerGroupOffsets({ groups: [group] });
    expect(told!.topics).toMatchObject([{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 2n }] }]);
  });

  test('a first run may begin at a time', async () => {
    await using world = await open(1);
    await using source = await openSource(world.connection, { topic: world.topic, fields }, { startAtMs: Date.now() + 60_000 });
    await world.producer.send(world.topic, [value('a', 1)]);
    await settled(world.topic);
    expect((await readAll(source)).changes).toEqual([]);
  });
});
