import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Connector, type ConnectorContext, type Problem, RequestRefusedError, SyncError } from '@tidemark/core';
import { type QueueConfig, type QueueFrom, type QueueTo, queueConfig, queueFrom, queueTo } from './config.ts';
import { QueueInbox } from './inbox.ts';
import type { KafkaQueues } from './kafka-queues.ts';
import { PostgresStore } from './postgres-store.ts';
import type { RedisQueues } from './redis-queues.ts';
import { openSource } from './source.ts';
import { SqlQueues } from './sql-queues.ts';
import { SqliteStore } from './sqlite-store.ts';
import { queueStreamWriter } from './stream-writer.ts';
import { QueueTarget } from './target.ts';

type AnyQueues = SqlQueues | RedisQueues | KafkaQueues;

export function createConnector(): Connector<QueueConfig, QueueFrom, QueueTo> {
  return {
    name: 'queue',
    summary: 'A durable, ordered queue between syncs, in a SQLite file, PostgreSQL, Redis or Kafka',
    config: queueConfig,
    from: queueFrom,
    to: queueTo,
    tellsChanges: true,
    readsInParts: true,
    inbox: {
      // A file of its own: two connections that write one file of SQLite keep each other waiting.
      beside: (store) =>
        store.kind === 'postgres'
          ? queueConfig.parse({ url: store.url, schema: 'tidemark_store' })
          : store.file === ':memory:'
            ? null
            : queueConfig.parse({ path: `${store.file.replace(/\.(db|sqlite3?)$/, '')}.hooks.db` }),
      from: ({ name, schema }) => ({ queue: name, schema }),
    },
    open(config, context) {
      let opening: Promise<AnyQueues> | undefined;
      const queues = () => (opening ??= openQueues(config, context));
      return {
        check: () => check(queues, config, context),
        discover: async () => (await queues()).names(),
        openSource: async (spec, signal) =>
          openSource({ queues: await queues(), spec, keepMs: config.keep, clock: context.clock }, signal),
        openTarget: async (spec) => new QueueTarget(await queues(), spec, context.clock),
        async openInbox(spec) {
          const kept = await queues();
          if (kept instanceof SqlQueues) return QueueInbox.open(kept, spec, context.clock);
          throw new RequestRefusedError(
            `connections.${context.connection} cannot keep what is posted: it is in ${config.url?.startsWith('kafka') ? 'Kafka' : 'Redis'}`,
            {
              hint: 'Let hooks use a queue in SQLite or PostgreSQL, or name none: it is made beside the store.',
            },
          );
        },
        openStreamWriter: async () => queueStreamWriter(await queues(), context.clock),
        async [Symbol.asyncDispose]() {
          await (await opening)?.close();
          opening = undefined;
        },
      };
    },
  };
}
export default createConnector();

/** Drivers are large: each is loaded where it is used. */
async function openQueues(config: QueueConfig, { baseDir, clock, random, connection }: ConnectorContext): Promise<AnyQueues> {
  const { path, url = '', schema, prefix } = config;
  if (path !== undefined) return new SqlQueues(new SqliteStore(resolve(baseDir, path), clock, random));
  if (url.startsWith('redis')) return new (await import('./redis-queues.ts')).RedisQueues(url, prefix, connection);
  if (url.startsWith('kafka')) return new (await import('./kafka-queues.ts')).KafkaQueues(url, prefix, connection);
  return new SqlQueues(new PostgresStore(url, schema, connection));
}

async function check(
  queues: () => Promise<AnyQueues>,
  { path }: QueueConfig,
  { connection, baseDir }: ConnectorContext,
): Promise<Problem[]> {
  const place = `connections.${connection}`;
  try {
    if (path !== undefined) {
      const folder = dirname(resolve(baseDir, path));
      const mayWrite = await access(folder, constants.W_OK).then(
        () => true,
        () => false,
      );
      if (!mayWrite) {
        const hint = 'Make the folder, and give the user of this process the right to write in it.';
        return [{ place, severity: 'error', message: `no file can be made in ${folder}`, hint }];
      }
    }
    const opened = await queues();
    await opened.names();
    return opened instanceof SqlQueues ? [] : [...(await opened.warnings(place))];
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [{ place, severity: 'error', message: error.message, hint: error.hint }];
  }
}
