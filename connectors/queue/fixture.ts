import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaClient } from '@tidemark/connector-kafka/client';
import {
  type Change,
  type DatasetSchema,
  newRow,
  type Row,
  type Source,
  type SourcePart,
  systemClock,
  type Target,
} from '@tidemark/core';
import { createTestDatabase, serviceOrSkip } from '@tidemark/testkit';
import { createClient } from 'redis';
import { queueConfig } from './config.ts';
import connector from './connector.ts';
import { kafkaAccess } from './kafka-access.ts';

const context = {
  connection: 'q',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '/',
};

/** Of the records that most tests put into queues. */
export const schema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', nullable: false },
    { name: 'Name', type: 'text', nullable: true },
  ],
};

export type Connection = ReturnType<typeof connector.open>;

/** A database for queues. Each `connect` is a process of its own. */
export interface Place extends AsyncDisposable {
  /** Of the database server; absent where there is none. */
  readonly url?: string;
  connect(settings?: { keep?: string; now?: () => number }): Connection;
}

export async function sqlitePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-queue-'));
  return placeOf({ path: join(folder, 'queue.db') }, () => rm(folder, { recursive: true }));
}

export async function postgresPlace(): Promise<Place> {
  const database = await createTestDatabase();
  return { url: database.url, ...placeOf({ url: database.url }, () => database.drop()) };
}

/** Null, with the reason, where there is no Redis. */
export async function redisService() {
  return serviceOrSkip('redis');
}

export async function redisPlace(): Promise<Place> {
  const { url } = await redisService();
  const prefix = `test-${randomUUID()}`;
  return placeOf({ url, prefix }, async () => {
    const client = await createClient({ url: url! }).connect();
    for await (const keys of client.scanIterator({ MATCH: `{${prefix}}*` })) if (keys.length > 0) await client.del(keys);
    client.destroy();
  });
}

/** Null, with the reason, where there is no Kafka. */
export async function kafkaService() {
  return serviceOrSkip('kafka');
}

export async function kafkaPlace(): Promise<Place> {
  const { url } = await kafkaService();
  const prefix = `test-${randomUUID()}`;
  const place = { url: `kafka://${url}`, prefix };
  return placeOf(place, async () => {
    await using client = new KafkaClient(kafkaAccess(place.url, 'q'));
    const topics = (await client.topics()).filter((name) => name.startsWith(prefix));
    if (topics.length > 0) await client.admin.deleteTopics({ topics });
  });
}

function placeOf(where: object, remove: () => Promise<void>): Place {
  const connections: Connection[] = [];
  return {
    connect({ keep, now } = {}) {
      const config = queueConfig.parse({ ...where, ...(keep !== undefined && { keep }) });
      const clock = now === undefined ? systemClock : { ...systemClock, now };
      const connection = connector.open(config, { ...context, clock });
      connections.push(connection);
      return connection;
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await remove();
    },
  };
}

const never = new AbortController().signal;

export function openTarget(
  connection: Connection,
  schema: DatasetSchema,
  spec: { queue?: string; unit?: string; deletes?: 'mirror' | 'mark' | 'ignore' } = {},
): Promise<Target> {
  const { queue = 'contacts', unit = 'producer', deletes = 'mirror' } = spec;
  return connection.openTarget!({ to: { queue }, unit, schema, deletes }, never);
}

export function openSource(
  connection: Connection,
  spec: { queue?: string; unit?: string; part?: SourcePart } = {},
): Promise<Source> {
  const { queue = 'contacts', unit = 'consumer', part } = spec;
  const all = { where: undefined, fields: null, exclude: [], startAtMs: null };
  return connection.openSource!({ from: { queue }, unit, ...(part !== undefined && { part }), ...all }, never);
}

/** Everything behind a checkpoint, and the checkpoint that covers it. */
export async function readAll(source: Source, from: string): Promise<{ changes: Change[]; checkpoint: string }> {
  const changes: Change[] = [];
  let checkpoint = from;
  for await (const batch of source.readDelta!(from, never)) {
    changes.push(...batch.changes);
    checkpoint = batch.checkpoint ?? checkpoint;
  }
  return { changes, checkpoint };
}

export function emptyRow(schema: DatasetSchema): Row {
  const row = newRow();
  for (const { name } of schema.fields) row[name] = null;
  return row;
}
