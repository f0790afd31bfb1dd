import { randomBytes } from 'node:crypto';
import kafkaConnector from '@tidemark/connector-kafka';
import { KafkaClient, StateTopic, Units } from '@tidemark/connector-kafka/client';
import { createMemoryConnector, Memory } from '@tidemark/connector-memory';
import { type AnyConnector, Engine, newRow, openStore, parseConfig, type Row, systemClock } from '@tidemark/core';
import { serviceOrSkip } from '@tidemark/testkit';
import { describe, expect, test } from 'vitest';

// Two syncs with a topic between them do together what one would do, whatever else lies in the topic.           (P1, P2, P4)

const kafka = await serviceOrSkip('kafka');
const never = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const text = (name: string, nullable = true) => ({ name, type: 'text' as const, nullable });

describe.skipIf(kafka.missing !== null)(`Kafka${kafka.missing === null ? '' : `: ${kafka.missing}`}`, () => {
  test('a change goes through a topic as soon as it is there; what others put beside it is kept aside and stops nothing', async () => {
    const name = randomBytes(6).toString('hex');
    const [source, target] = [new Memory(), new Memory()];
    const people = source.define({ name: 'people', key: ['id'], fields: [text('id', false), text('name')] });
    const connectors = [
      { ...createMemoryConnector({ memory: source }), name: 'people' },
      { ...createMemoryConnector({ memory: target }), name: 'copies' },
      kafkaConnector,
    ] as unknown as AnyConnector[];
    const yaml = `
      connections:
        src: { type: people, datasets: {} }
        bus: { type: kafka, brokers: "${kafka.url}", state: state-${name} }
        out: { type: copies, datasets: {} }
      syncs:
        fill: { from: { connection: src, dataset: people }, to: { connection: bus, topic: topic-${name}, partitions: 3 } }
        drain: { from: { connection: bus, topic: topic-${name}, key: id, fields: { id: text, name: text } }, to: { connection: out, dataset: copy }, live: true }`;
    const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors });
    await using store = await openStore(':memory:');
    await using engine = new Engine({ config, store, clock: systemClock, random: () => 0.5, log, fetch });
    const put = (id: string, as: string) => people.put(Object.assign<Row, Row>(newRow(), { id, name: as }));
    const copies = () =>
      [...target.dataset('copy').rows()].flatMap(([key, { row, deletedAtMs }]) =>
        deletedAtMs === null ? [`${key} ${row.name}`] : [],
      );

    put('a', 'Ada');
    put('b', 'Bob');
    expect(await engine.run('fill', { signal: never })).toMatchObject({ state: 'succeeded' });
    const stop = new AbortController();
    const running = engine.start({ stop: stop.signal, signal: never });
    await expect.poll(() => copies().sort()).toEqual(['a Ada', 'b Bob']);

    await using client = new KafkaClient({ brokers: [kafka.url!], tls: null, sasl: null });
    await using others = new Units(client, new StateTopic(client, `others-${name}`));
    const { epoch } = await others.checkpoints.acquire('them');
    const poison = { topic: `topic-${name}`, key: 'a', value: '{oops' };
    await others.transact('them', epoch, async ({ send }) => void (await send([poison])) as undefined);
    put('a', 'Ada Lovelace');
    people.remove('b');
    expect(await engine.run('fill', { signal: never })).toMatchObject({ state: 'succeeded' });
    await expect.poll(copies).toEqual(['a Ada Lovelace']);
    expect(await store.failures({ sync: 'drain' })).toMatchObject([
      {
        key: expect.stringMatching(/^topic-.*\/\d\/\d+$/),
        message: 'The message is not JSON',
        row: { key: 'a', value: '{oops' },
      },
    ]);
    stop.abort();
    await running;
  });
});
