import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Connector, type ConnectorContext, type Problem, SyncError } from '@tidemark/core';
import { type QueueConfig, type QueueFrom, type QueueTo, queueConfig, queueFrom, queueTo } from './config.ts';
import { QueueInbox } from './inbox.ts';
import { PostgresStore } from './postgres-store.ts';
import { Queues } from './queue.ts';
import { openSource } from './source.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';
import { QueueStreamWriter } from './stream-writer.ts';
import { QueueTarget } from './target.ts';

export function createConnector(): Connector<QueueConfig, QueueFrom, QueueTo> {
  return {
    name: 'queue',
    summary: 'A durable, ordered queue between syncs, in a SQLite file or PostgreSQL',
    config: queueConfig,
    from: queueFrom,
    to: queueTo,
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
      let opened: Queues | undefined;
      const queues = () => (opened ??= new Queues(openStore(config, context)));
      return {
        check: () => check(queues, config, context),
        discover: () => queues().names(),
        openSource: (spec, signal) => openSource({ queues: queues(), spec, keepMs: config.keep, clock: context.clock }, signal),
        openTarget: async (spec) => new QueueTarget(queues(), spec, context.clock),
        openInbox: (spec) => QueueInbox.open(queues(), spec, context.clock),
        openStreamWriter: async () => new QueueStreamWriter(queues(), context.clock),
        async [Symbol.asyncDispose]() {
          await opened?.store.close();
          opened = undefined;
        },
      };
    },
  };
}
export default createConnector();

function openStore({ path, url, schema }: QueueConfig, { baseDir, clock, random, connection }: ConnectorContext): Store {
  return path === undefined
    ? new PostgresStore(url!, schema, connection)
    : new SqliteStore(resolve(baseDir, path), clock, random);
}

async function check(queues: () => Queues, { path }: QueueConfig, { connection, baseDir }: ConnectorContext): Promise<Problem[]> {
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
    await queues().names();
    return [];
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [{ place, severity: 'error', message: error.message, hint: error.hint }];
  }
}
