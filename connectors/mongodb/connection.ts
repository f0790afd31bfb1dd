import {
  type Connection,
  type ConnectorContext,
  type LookupSpec,
  type Problem,
  RequestRefusedError,
  type SideSpec,
  SyncError,
} from '@tidemark/core';
import { type Db, MongoClient } from 'mongodb';
import { MongodbStream } from './change-stream.ts';
import type { MongodbConfig, MongodbFrom, MongodbLookup, MongodbSideSpec, MongodbTo } from './config.ts';
import { faultOf } from './errors.ts';
import { openLookup } from './lookup.ts';
import { openRows } from './rows.ts';
import { openSide } from './side.ts';
import { openSource } from './source.ts';
import { MongodbTarget } from './target.ts';

/** One database. Connects when it is first used. */
export function openConnection(config: MongodbConfig, context: ConnectorContext) {
  let client: MongoClient | undefined;
  const db = () => {
    client ??= clientOf(config);
    return databaseOf(client, config, context);
  };
  return {
    check: () => check(db, context),
    async discover() {
      try {
        const found = await db().listCollections({}, { nameOnly: true }).toArray();
        return found.map(({ name }) => name).filter((name) => !name.startsWith('_tidemark_') && !name.startsWith('system.'));
      } catch (error) {
        throw faultOf(error);
      }
    },
    openSource: async (spec) => openSource(db(), spec),
    openLookup: async (spec) => openLookup(db(), spec as LookupSpec<MongodbLookup>, config.decimals),
    openSide: async (spec) => openSide(db(), spec as SideSpec<MongodbSideSpec>, config.decimals),
    openRows: async (spec) => openRows(db(), spec, config.decimals),
    openStream: async (spec) => new MongodbStream(db(), spec, context),
    openTarget: async (spec) => new MongodbTarget(db(), spec, context.clock, config.decimals),
    async [Symbol.asyncDispose]() {
      await client?.close();
      client = undefined;
    },
  } satisfies Connection<MongodbFrom, MongodbTo>;
}

function clientOf({ url, selectMs }: MongodbConfig): MongoClient {
  try {
    return new MongoClient(url, {
      serverSelectionTimeoutMS: selectMs,
      appName: 'tidemark',
      // What was acknowledged is on the disks of most members: a failover loses none of it.
      writeConcern: { w: 'majority', journal: true },
      readConcern: { level: 'majority' },
      readPreference: 'primary',
    });
  } catch (error) {
    throw faultOf(error);
  }
}

function databaseOf(client: MongoClient, { database, url }: MongodbConfig, { connection }: ConnectorContext): Db {
  // The driver would take one called `test`.
  const name = database ?? (/^[^/]+\/\/[^/]+\/[^?]/.test(url) ? client.options.dbName : undefined);
  if (name === undefined) {
    throw new RequestRefusedError(`connections.${connection} names no database`, { hint: 'Add it to the url, or as database:.' });
  }
  return client.db(name);
}

async function check(db: () => Db, { connection }: ConnectorContext): Promise<readonly Problem[]> {
  try {
    await db().command({ ping: 1 });
    await db().listCollections({}, { nameOnly: true }).toArray();
    return [];
  } catch (error) {
    const fault = faultOf(error);
    if (!(fault instanceof SyncError)) throw fault;
    return [{ place: `connections.${connection}`, severity: 'error', message: fault.message, hint: fault.hint }];
  }
}
