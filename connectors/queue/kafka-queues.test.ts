import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { KafkaClient, StateTopic, Units } from '@tidemark/connector-kafka/client';
import { NotConnectedError, RequestRefusedError, SyncError } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { kafkaPlace, kafkaService, openSource, openTarget, readAll } from './fixture.ts';
import { kafkaAccess } from './kafka-access.ts';
import { KafkaQueues } from './kafka-queues.ts';

const { url, missing } = await kafkaService();
const never = new AbortController().signal;
/** The brokers date markers by themselves, so that messages may not be of another time. */
const t0 = Date.now();
const schema = { name: 'q', key: ['id'], fields: [{ name: 'id', type: 'text', nullable: false }] } as const;
const upsert = (key: string) => ({ op: 'upsert' as const, key, row: { id: key }, stampMs: 0 });

test('an url names brokers, login and TLS', () => {
  expect(kafkaAccess('kafka://one:9092,two', 'q')).toEqual({ brokers: ['one:9092', 'two:9092'], tls: null, sasl: null });
  expect(kafkaAccess('kafkas://u:p%40ss@one:9093?sasl=scram-sha-512', 'q')).toEqual({
    brokers: ['one:9093'],
    tls: {},
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p@ss' },
  });
});

test.each(['kafka://', 'kafka://u:hunter2hunter2@', 'kafka://u:hunter2hunter2@k:1?sasl=gssapi', 'kafka://u:hunter2%ZZ@k:1'])(
  '%s is refused, and nothing of it is repeated (P10)',
  (wrong) => {
    const refuse = () => kafkaAccess(wrong, 'q');
    expect(refuse).toThrow(RequestRefusedError);
    expect(refuse).toThrow(/^connections.q.url is no address of Kafka$/);
  },
);

test('a Kafka that is not there is said so without a word of the password (P10)', async () => {
  const queues = new KafkaQueues('kafka://u:hunter2hunter2@127.0.0.1:1', 't', 'q');
  const error = await queues.names().catch((fault: unknown) => fault);
  expect(error).toBeInstanceOf(NotConnectedError);
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('hunter2');
  await queues.close();
});

describe.skipIf(missing !== null)('queues in Kafka', () => {
  async function open() {
    const prefix = `test-${randomUUID()}`;
    const queues = new KafkaQueues(`kafka://${url}`, prefix, 'q');
    await queues.prepare('q', schema);
    const { epoch } = await queues.checkpoints.acquire('u');
    const append = (keys: readonly string[], checkpoint: string | null, nowMs = t0) =>
      queues.append([{ queue: 'q', changes: keys.map(upsert) }], { unit: 'u', epoch, checkpoint }, nowMs);
    return { prefix, queues, append, [Symbol.asyncDispose]: () => queues.close() };
  }

  test('a consumer is a group of the topic; what all have acknowledged is put away, and markers are no messages', async () => {
    await using world = await open();
    const { queues, append } = world;
    await append(['a', 'b', 'c'], 'one');
    await append([], 'two');
    await append(['d'], null, t0 + 60_000);
    expect(await queues.facts('q')).toMatchObject({ goneSeq: 0, lastSeq: 5 });
    expect(
      (await queues.read('q', { after: 0, until: 5, limit: 10 })).messages.map(
        (message) => `${message.seq} ${'change' in message && message.change.key}`,
      ),
    ).toEqual(['1 a', '2 b', '3 c', '5 d']);
    expect([await queues.oldestAfter('q', 0), await queues.oldestAfter('q', 3), await queues.oldestAfter('q', 5)]).toEqual([
      t0,
      t0 + 60_000,
      null,
    ]);
    expect([await queues.lastBefore('q', t0), await queues.lastBefore('q', t0 + 60_001)]).toEqual([null, 5]);
    await queues.acknowledge('q', 'slow', 2, 2000, Number.MAX_SAFE_INTEGER);
    await queues.acknowledge('q', 'fast', 5, 9000, Number.MAX_SAFE_INTEGER);
    expect(await queues.consumer('q', 'slow')).toEqual({ seq: 2, seenMs: 2000 });
    expect(await queues.idleConsumers('q', 8000)).toEqual([{ consumer: 'slow', waiting: 3 }]);
    expect(await queues.facts('q')).toMatchObject({ goneSeq: 2, lastSeq: 5 });
    expect((await queues.read('q', { after: 0, until: 5, limit: 10 })).messages.map(({ seq }) => seq)).toEqual([3, 5]);
    await queues.acknowledge('q', 'slow', 5, 9600, t0 + 30_000);
    expect(await queues.facts('q')).toMatchObject({ goneSeq: 4, lastSeq: 5 });
    await queues.acknowledge('q', 'slow', 5, 9700, Number.MAX_SAFE_INTEGER);
    expect(await queues.facts('q')).toMatchObject({ goneSeq: 5, lastSeq: 5 });
  });

  test('what somebody else has put into the topic is told with what it holds, and stops no other (P2)', async () => {
    await using world = await open();
    const { queues, append, prefix } = world;
    await append(['a'], null);
    await using client = new KafkaClient(kafkaAccess(`kafka://${url}`, 'q'));
    await using others = new Units(client, new StateTopic(client, `${prefix}.others`));
    const { epoch } = await others.checkpoints.acquire('them');
    const topic = `${prefix}.queue.q`;
    const foreign = [
      { key: 'x', value: '{oops' },
      { key: 'x', value: null },
      { key: null, value: JSON.stringify({ op: 'upsert', row: { id: 'x' }, stampMs: 0 }) },
      { key: 'x', value: JSON.stringify({ op: 'merge', row: { id: 'x' }, stampMs: 0 }) },
      { key: 'x', value: JSON.stringify({ op: 'upsert', row: ['x'], stampMs: 0 }) },
      { key: 'x', value: JSON.stringify({ op: 'upsert', row: { id: 'x' }, stampMs: 'now' }) },
    ];
    for (const message of foreign)
      await others.transact('them', epoch, async ({ send }) => void (await send([{ topic, ...message }])) as undefined);
    await append(['b'], null);
    const read = async () => {
      const { lastSeq } = (await queues.facts('q'))!;
      return (await queues.read('q', { after: 0, until: lastSeq, limit: 100 })).messages;
    };
    await expect.poll(async () => (await read()).length).toBe(foreign.length + 2);
    const messages = await read();
    expect(messages.flatMap((message) => ('change' in message ? message.change.key : []))).toEqual(['a', 'b']);
    const unread = messages.flatMap((message) => ('unread' in message ? message.unread : []));
    expect(unread.map(({ raw }) => raw)).toEqual(foreign);
    expect(unread[0]).toMatchObject({ key: 'q/3', reason: 'Message 3 of the queue q is none that a sync has put there' });
  });

  test('two processes that prepare a queue at once leave it with the fields of both', async () => {
    await using world = await open();
    const others = ['a', 'b', 'c'].map((name) => ({
      queues: new KafkaQueues(`kafka://${url}`, world.prefix, 'q'),
      schema: { ...schema, fields: [...schema.fields, { name, type: 'text' as const, nullable: true }] },
    }));
    await Promise.all(others.map(({ queues, schema: arriving }) => queues.prepare('q', arriving)));
    const facts = await world.queues.facts('q');
    expect(facts?.schema.fields.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c', 'id']);
    for (const { queues } of others) await queues.close();
  });

  test('a queue may have any name, and a record any size that a record has (P2)', async () => {
    await using place = await kafkaPlace();
    const connection = place.connect();
    const queue = 'hook:ä / "x"';
    const target = await openTarget(connection, schema, { queue });
    await target.prepare();
    const { epoch } = await target.checkpoints!.acquire('producer');
    const large = { ...upsert('large'), row: { id: 'x'.repeat(3_000_000) } };
    await target.write([upsert('a'), large, upsert('z')], { epoch, settle: async () => 'on' }, never);
    const source = await openSource(connection, { queue });
    const { changes } = await readAll(source, (await source.mark(never))!);
    expect(changes.map(({ key }) => key)).toEqual(['a', 'large', 'z']);
    expect(await connection.discover!()).toEqual([queue]);
    expect(await connection.check()).toEqual([]);
  });

  test('a hook cannot keep what is posted in Kafka, and is told what to use', async () => {
    await using place = await kafkaPlace();
    const error = await place.connect().openInbox!({ name: 'hook:s', schema }).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(SyncError);
    expect((error as Error).message).toContain('it is in Kafka');
  });
});
