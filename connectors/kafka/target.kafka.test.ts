import { type Change, type DatasetSchema, newRow, OwnershipLostError, type Row } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { fetchCommitted } from './client/index.ts';
import { kafka, nameOfSuite, newTopic, openClient, openConnection, rowsOf, settled, signal } from './fixture.ts';

// A message is in its topic with the position that covers it, or neither is; what the brokers refuse stops no other.     (P1, P2)

const schema: DatasetSchema = {
  name: 't',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
  ],
};
const upsert = (key: string, Name = key, stampMs = 0): Change => {
  const row: Row = Object.assign(newRow(), { Id: key, Name });
  return { op: 'upsert', key, row, stampMs };
};
const gone = (key: string): Change => ({ op: 'delete', key, row: null, stampMs: 0 });

async function open(to: object = {}, deletes: 'mirror' | 'mark' = 'mirror', state?: string) {
  const topic = newTopic();
  const connection = openConnection(state === undefined ? {} : { state });
  const openTarget = (name = topic, more: object = {}) =>
    connection.openTarget!(
      { to: { topic: name, format: 'json', create: true, partitions: 2, ...to, ...more }, unit: name, schema, deletes },
      signal,
    );
  const target = await openTarget();
  await target.prepare();
  const { epoch } = await target.checkpoints!.acquire(topic);
  return {
    ...{ topic, connection, target, epoch, openTarget },
    write: (changes: readonly Change[]) => target.write(changes, { epoch, settle: async () => 'on' }, signal),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function messages(topic: string) {
  await settled(topic);
  await using client = openClient();
  const facts = (await client.topic(topic))!;
  const from = new Map(facts.leaders.map((_, partition) => [partition, 0]));
  return (await fetchCommitted(client, facts, from, { waitMs: 100, bytes: 10_000_000 })).messages;
}

/** What the topic takes from now on. */
async function limit(topic: string, bytes: number): Promise<void> {
  await using client = openClient();
  const configs = [{ name: 'max.message.bytes', configOperation: 0 as const, value: `${bytes}` }];
  await client.admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: topic, configs }] });
}

describe.skipIf(kafka.missing !== null)(nameOfSuite, () => {
  test('a message says in headers which sync wrote it, what happened, and when; a record stays in its partition (P3)', async () => {
    await using world = await open();
    await world.write([upsert('a', 'one', 5), upsert('b')]);
    await world.write([upsert('a', 'two', 6), gone('b')]);
    const found = await messages(world.topic);
    const of = (key: string) => found.filter((message) => String(message.key) === key);
    expect(of('a').map(({ value }) => String(value))).toEqual(['{"Id":"a","Name":"one"}', '{"Id":"a","Name":"two"}']);
    expect(new Set(of('a').map(({ partition }) => partition)).size).toBe(1);
    expect(Object.fromEntries(of('a')[0]!.headers)).toEqual({
      'tidemark-sync': world.topic,
      'tidemark-op': 'upsert',
      'tidemark-key': '["Id"]',
      'tidemark-stamp': '5',
    });
    expect(of('b')[1]).toMatchObject({ value: null });
  });

  test('a delete may be a value with a flag, for readers to whom a tombstone says too little (P4)', async () => {
    await using world = await open({}, 'mark');
    await world.write([gone('a')]);
    expect((await messages(world.topic)).map(({ value }) => String(value))).toEqual(['{"Id":"a","_tidemark_deleted":true}']);
  });

  test('a message larger than the topic takes becomes a failure, and the others are written (P2)', async () => {
    await using world = await open();
    const results = await world.write([upsert('a'), upsert('large', 'x'.repeat(2_000_000)), upsert('z')]);
    expect(results).toMatchObject([
      { status: 'updated' },
      { status: 'rejected', reason: { code: 'MESSAGE_TOO_LARGE' } },
      { status: 'updated' },
    ]);
    expect([...(await rowsOf(world.topic, schema)).keys()].sort()).toEqual(['a', 'z']);
    expect(await world.target.checkpoints!.read(world.topic)).toBe('on');
  });

  test('what the brokers themselves refuse is found among the others, and becomes a failure (P2)', async () => {
    await using world = await open();
    // Made smaller after it was asked for.
    await limit(world.topic, 2000);
    const results = await world.write([upsert('a'), upsert('large', 'x'.repeat(5000)), upsert('b')]);
    expect(results.map(({ status }) => status)).toEqual(['updated', 'rejected', 'updated']);
    expect([...(await rowsOf(world.topic, schema)).keys()].sort()).toEqual(['a', 'b']);
    expect((await world.write([upsert('c')])).map(({ status }) => status)).toEqual(['updated']);
  });

  test('a batch of more bytes than a message may have is written in parts of one transaction', async () => {
    await using world = await open();
    const many = Array.from({ length: 30 }, (_, i) => upsert(`k${i}`, 'x'.repeat(100_000)));
    expect((await world.write(many)).every(({ status }) => status === 'updated')).toBe(true);
    expect((await rowsOf(world.topic, schema)).size).toBe(30);
  });

  test('a former owner in the middle of a transaction writes nothing of it, and nothing later (P11)', async () => {
    const state = newTopic('state');
    await using world = await open({}, 'mirror', state);
    await using other = openConnection({ state });
    const later = await other.openTarget!(
      { to: { topic: world.topic, format: 'json', create: true, partitions: 2 }, unit: world.topic, schema, deletes: 'mirror' },
      signal,
    );
    let taken: { epoch: number } | undefined;
    const settle = async () => {
      // The messages are with the brokers, and only the commit is still to come.
      taken = await later.checkpoints!.acquire(world.topic);
      return 'late';
    };
    await expect(world.target.write([upsert('late')], { epoch: world.epoch, settle }, signal)).rejects.toThrow(
      OwnershipLostError,
    );
    await expect(world.write([upsert('later')])).rejects.toThrow(OwnershipLostError);
    await later.write([upsert('new')], { epoch: taken!.epoch, settle: async () => 'new' }, signal);
    expect((await messages(world.topic)).map(({ key }) => String(key))).toEqual(['new']);
    expect(await world.target.checkpoints!.read(world.topic)).toBe('new');
  });

  test('what a stream brings is in all of its topics with the position, or in none; a partial change is asked for whole (P1, P6)', async () => {
    await using world = await open();
    const { connection, target } = world;
    const name = newTopic('other');
    const other = await world.openTarget(name);
    await other.prepare();
    const { epoch } = await target.checkpoints!.acquire('live');
    await using writer = await connection.openStreamWriter!([target, other]);
    const given = await writer.begin(signal);
    await given.apply(target, [upsert('lost')]);
    await given.rollback();
    const transaction = await writer.begin(signal);
    const partial = { op: 'update' as const, key: 'a', row: { Name: 'x' } as Row, stampMs: 0 };
    expect(await transaction.apply(target, [upsert('a'), partial])).toEqual([{ status: 'updated' }, { status: 'absent' }]);
    expect(await transaction.apply(other, [upsert('b'), upsert('large', 'x'.repeat(2_000_000))])).toMatchObject([
      { status: 'updated' },
      { status: 'rejected' },
    ]);
    expect([await messages(world.topic), await messages(name)]).toEqual([[], []]);
    await transaction.commit('live', epoch, 'here');
    expect([[...(await rowsOf(world.topic, schema)).keys()], [...(await rowsOf(name, schema)).keys()]]).toEqual([['a'], ['b']]);
    expect(await target.checkpoints!.read('live')).toBe('here');
    await target.checkpoints!.acquire('live');
    const late = await writer.begin(signal);
    await late.apply(target, [upsert('late')]);
    await expect(late.commit('live', epoch, 'later')).rejects.toThrow(OwnershipLostError);
  });

  test('what the brokers refuse holds nothing up in a stream: begun anew, it names the record and goes on without it (P2)', async () => {
    await using world = await open();
    const { connection, target } = world;
    const name = newTopic('other');
    const other = await world.openTarget(name);
    await other.prepare();
    const unit = newTopic('live');
    const { epoch } = await target.checkpoints!.acquire(unit);
    // Nobody has told: not everybody may ask for it.
    await limit(world.topic, 2000);
    const bring = async () => {
      await using writer = await connection.openStreamWriter!([target, other]);
      const transaction = await writer.begin(signal);
      const results = [
        ...(await transaction.apply(target, [upsert('a'), upsert('large', 'x'.repeat(5000)), upsert('b')])),
        ...(await transaction.apply(other, [upsert('large', 'x'.repeat(5000))])),
      ];
      await transaction.commit(unit, epoch, 'here');
      return results.map(({ status }) => status);
    };
    await expect(bring()).rejects.toMatchObject({ code: 'transient' });
    expect(await target.checkpoints!.read(unit)).toBe(null);
    expect(await bring()).toEqual(['updated', 'rejected', 'updated', 'updated']);
    expect([[...(await rowsOf(world.topic, schema)).keys()].sort(), [...(await rowsOf(name, schema)).keys()]]).toEqual([
      ['a', 'b'],
      ['large'],
    ]);
    expect(await target.checkpoints!.read(unit)).toBe('here');
  });

  test('many that are each small enough are written, though together they are more than the brokers take (P2)', async () => {
    await using world = await open({ partitions: 1 });
    await limit(world.topic, 2000);
    const many = Array.from({ length: 50 }, (_, i) => upsert(`k${i}`, 'x'.repeat(200)));
    expect(new Set((await world.write(many)).map(({ status }) => status))).toEqual(new Set(['updated']));
    await using writer = await world.connection.openStreamWriter!([world.target]);
    const { epoch } = await world.target.checkpoints!.acquire('live');
    const transaction = await writer.begin(signal);
    await transaction.apply(world.target, many);
    await transaction.commit('live', epoch, 'here');
    expect((await messages(world.topic)).length).toBe(100);
  });
});
