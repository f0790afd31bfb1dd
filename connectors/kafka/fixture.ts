import { randomBytes } from 'node:crypto';
import {
  type Batch,
  type DatasetSchema,
  newRow,
  type Row,
  type Source,
  type SourceSpec,
  seededRandom,
  systemClock,
} from '@tidemark/core';
import { type SourceFixture, serviceOrSkip, type TargetFixture } from '@tidemark/testkit';
import { KafkaClient, StateTopic, Units } from './client/index.ts';
import type { KafkaFrom } from './config.ts';
import { createConnector } from './connector.ts';

export const kafka = await serviceOrSkip('kafka');
export const nameOfSuite = `Kafka${kafka.missing === null ? '' : `: ${kafka.missing}`}`;
export const signal = AbortSignal.timeout(600_000);

/** One for all tests of a file: what they need of it is kept apart by names. */
const state = `state-${randomBytes(6).toString('hex')}`;

export const newTopic = (name = 'topic') => `${name}-${randomBytes(6).toString('hex')}`;

export function openConnection(settings: object = {}) {
  const connector = createConnector();
  const config = connector.config.parse({ brokers: kafka.url ?? '127.0.0.1:1', state, ...settings });
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const context = { connection: 'k', clock: systemClock, random: seededRandom(1), log: quiet, fetch, baseDir: '/' };
  return connector.open(config, context);
}

/** The cluster as another program sees it. */
export function openClient(): KafkaClient {
  return new KafkaClient({ brokers: [kafka.url!], tls: null, sasl: null });
}

/** Puts messages into a topic as another program would. */
export async function openProducer(client = openClient()) {
  const units = new Units(client, new StateTopic(client, state));
  const unit = newTopic('another');
  const { epoch } = await units.checkpoints.acquire(unit);
  return {
    client,
    units,
    send: (topic: string, messages: readonly { key: string | null; value: string | null; partition?: number }[], headers = {}) =>
      units.transact(unit, epoch, async ({ send }) => {
        await send(messages.map((message) => ({ topic, headers, ...message })));
        return undefined;
      }),
    /** In a transaction that is given up. */
    async abort(topic: string, messages: readonly { key: string; value: string }[]) {
      const enough = new Error('given up');
      await units
        .transact(unit, epoch, async ({ send }) => {
          await send(messages.map((message) => ({ topic, ...message })));
          throw enough;
        })
        .catch((error: unknown) => {
          if (error !== enough) throw error;
        });
    },
    async [Symbol.asyncDispose]() {
      await units[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}

const all = { where: undefined, fields: null, exclude: [], startAtMs: null };

export function openSource(
  connection: ReturnType<typeof openConnection>,
  from: Partial<KafkaFrom> & { topic: string },
  spec: Partial<SourceSpec> = {},
): Promise<Source> {
  return connection.openSource!({ ...all, ...spec, from: { key: ['Id'], ...from } }, signal);
}

/** Everything behind a position, and the position that covers it. */
export async function readAll(source: Source, from?: string) {
  const batches: Batch[] = [];
  let checkpoint = from ?? (await source.mark(signal))!;
  for await (const batch of source.readDelta!(checkpoint, signal)) {
    batches.push(batch);
    checkpoint = batch.checkpoint ?? checkpoint;
  }
  return {
    changes: batches.flatMap(({ changes }) => changes),
    unread: batches.flatMap(({ unread = [] }) => unread),
    checkpoint,
  };
}

/** Whoever reads a topic from its beginning can tell what there is. */
export async function rowsOf(topic: string, schema: DatasetSchema): Promise<Map<string, Row>> {
  await using connection = openConnection();
  const rows = new Map<string, Row>();
  const fields = Object.fromEntries(schema.fields.map(({ name, type }) => [name, type]));
  await using source = await openSource(connection, { topic, key: [...schema.key], fields });
  for (const { key, row } of (await readAll(source)).changes) {
    if (row === null) rows.delete(key);
    else rows.set(key, Object.assign(newRow(), Object.fromEntries(schema.fields.map(({ name }) => [name, row[name] ?? null]))));
  }
  return rows;
}

/** Until no transaction is under way there: its end is told a moment before readers see it. */
export async function settled(topic: string): Promise<void> {
  await using client = openClient();
  const facts = (await client.topic(topic))!;
  const uncommitted = async () => {
    const partitions = facts.leaders.map((_, partitionIndex) => ({ partitionIndex, timestamp: -1n }));
    const [found] = await client.admin.listOffsets({ topics: [{ name: topic, partitions }], isolationLevel: 0 });
    return found!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
  };
  const wanted = await uncommitted();
  while ((await client.bounds(facts)).end.reduce((sum, each) => sum + each, 0) < wanted);
}

export async function createTargetFixture(to: object = {}): Promise<TargetFixture> {
  const topics = { contacts: newTopic('contacts'), other: newTopic('other') };
  const connections: ReturnType<typeof openConnection>[] = [];
  const connect = () => {
    // Units of the contract have the same names in all of its tests.
    const connection = openConnection({ state: `${topics.contacts}.state` });
    connections.push(connection);
    return connection;
  };
  /** A stream writes targets of one connection; otherwise each that is opened is a process of its own. */
  let streamed: ReturnType<typeof openConnection> | undefined;
  return {
    async open({ schema, deletes, dataset = 'contacts' }) {
      const connection = dataset === 'other' ? connections.at(-1)! : connect();
      streamed = connection;
      const unit = dataset === 'other' ? 'other' : 'contract';
      const common = { format: 'json' as const, create: true, partitions: 3 };
      const topic = topics[dataset];
      const target = await connection.openTarget!({ to: { topic, ...common, ...to }, unit, schema, deletes }, signal);
      const write = target.write.bind(target);
      return Object.assign(target, {
        write: async (...parameters: Parameters<typeof write>) => {
          const results = await write(...parameters);
          await settled(topic);
          return results;
        },
      });
    },
    openStreamWriter: (targets) => streamed!.openStreamWriter!(targets),
    rows: (schema, dataset = 'contacts') => rowsOf(topics[dataset], schema),
    async [Symbol.asyncDispose]() {
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await using client = openClient();
      const made = [topics.contacts, topics.other, `${topics.contacts}.state`];
      for (const topic of made) await client.admin.deleteTopics({ topics: [topic] }).catch(() => {});
    },
  };
}

/** A topic that another program fills. */
export async function createSourceFixture(): Promise<SourceFixture> {
  const topic = newTopic('contacts');
  const producer = await openProducer();
  await producer.client.createTopic(topic, { partitions: 3, replicas: -1 });
  const connection = openConnection();
  const fields = { Id: 'text', Name: 'text' } as const;
  return {
    open: ({ fields: wanted, ...spec } = {}) =>
      openSource(connection, { topic, fields }, { ...spec, ...(wanted !== undefined && { fields: wanted }) }),
    async put(records) {
      for (let at = 0; at < records.length; at += 1000) {
        const some = records.slice(at, at + 1000);
        await producer.send(
          topic,
          some.map(({ id, name }) => ({ key: id, value: JSON.stringify({ Id: id, Name: name }) })),
        );
      }
      await settled(topic);
    },
    async remove(ids) {
      if (ids.length > 0)
        await producer.send(
          topic,
          ids.map((id) => ({ key: id, value: null })),
        );
      await settled(topic);
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await producer.client.admin.deleteTopics({ topics: [topic] }).catch(() => {});
      await producer[Symbol.asyncDispose]();
    },
  };
}
