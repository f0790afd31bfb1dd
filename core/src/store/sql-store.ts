import { type Kysely, sql } from 'kysely';
import { postgresWorkers } from './postgres-workers.ts';
import { soleWorker } from './sole-worker.ts';
import { sqlAccess } from './sql-access.ts';
import { sqlCalls } from './sql-calls.ts';
import { sqlCheckpoints } from './sql-checkpoints.ts';
import { sqlFailures } from './sql-failures.ts';
import { sqlJournal } from './sql-journal.ts';
import { sqlLinks } from './sql-links.ts';
import { sqlNotifications } from './sql-notifications.ts';
import { sqlOrgs } from './sql-orgs.ts';
import { OF_SINGLE_RECORDS, sqlRuns } from './sql-runs.ts';
import { sqlSummaries } from './sql-summaries.ts';
import type { Seen, Store } from './store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

/** Rows in one statement: 4 parameters each. */
const ROWS_MAX = 2_000;

/** The store over either database. Each method is one statement or one transaction. */
export function sqlStore(database: Database): Store {
  const { db, among } = database;
  const rest: Omit<
    Store,
    | 'checkpoints'
    | 'journal'
    | 'links'
    | 'calls'
    | 'orgs'
    | 'access'
    | 'notifications'
    | 'workers'
    | 'summaries'
    | keyof ReturnType<typeof sqlRuns>
    | keyof ReturnType<typeof sqlFailures>
  > = {
    async setPaused(sync, paused) {
      if (paused) {
        await db
          .insertInto('paused_syncs')
          .values({ sync: toStored(sync) })
          .onConflict((conflict) => conflict.column('sync').doNothing())
          .execute();
      } else await db.deleteFrom('paused_syncs').where('sync', '=', toStored(sync)).execute();
    },
    async paused(sync) {
      const found = await db.selectFrom('paused_syncs').select('sync').where('sync', '=', toStored(sync)).executeTakeFirst();
      return found !== undefined;
    },
    async pausedSyncs() {
      const found = await db.selectFrom('paused_syncs').select('sync').execute();
      return new Set(found.map(({ sync }) => fromStored(sync)));
    },

    async seen(sync, keys) {
      if (keys.length === 0) return new Map();
      const found = await db
        .selectFrom('seen')
        .select(['key', 'stamp_ms', 'hash'])
        .where('sync', '=', toStored(sync))
        .where(among('key', keys.map(toStored)))
        .execute();
      return new Map(
        found.map((row): [string, Seen] => {
          const key = fromStored(row.key);
          return [key, { key, stampMs: row.stamp_ms, hash: row.hash }];
        }),
      );
    },
    async putSeen(sync, seen, keepFromMs) {
      // One statement cannot touch a row twice: of one key the last counts. Sorted, so that row locks are taken in one order.
      const latest = [...new Map(seen.map((each) => [toStored(each.key), each])).entries()].sort(([a], [b]) => (a < b ? -1 : 1));
      await db.transaction().execute(async (transaction) => {
        for (let at = 0; at < latest.length; at += ROWS_MAX) {
          await transaction
            .insertInto('seen')
            .values(
              latest
                .slice(at, at + ROWS_MAX)
                .map(([key, { stampMs, hash }]) => ({ sync: toStored(sync), key, stamp_ms: stampMs, hash: toStored(hash) })),
            )
            .onConflict((conflict) =>
              conflict.columns(['sync', 'key']).doUpdateSet((eb) => ({
                stamp_ms: eb.ref('excluded.stamp_ms'),
                hash: eb.ref('excluded.hash'),
              })),
            )
            .execute();
        }
        await transaction.deleteFrom('seen').where('sync', '=', toStored(sync)).where('stamp_ms', '<', keepFromMs).execute();
      });
    },

    async getValue(name) {
      const found = await db.selectFrom('named_values').select('value').where('name', '=', toStored(name)).executeTakeFirst();
      return found === undefined ? null : fromStored(found.value);
    },
    async setValue(name, value) {
      if (value === null) {
        await db.deleteFrom('named_values').where('name', '=', toStored(name)).execute();
        return;
      }
      await putValue(db, name, value);
    },
    async setPassingValue(name, value) {
      await database.unflushed((connection) => putValue(connection, name, value));
    },

    async values(prefix) {
      const length = [...prefix].length;
      const begins = sql<boolean>`substr(name, 1, ${sql.lit(length)}) = ${prefix}`;
      const found = await db.selectFrom('named_values').selectAll().where(begins).execute();
      return new Map(found.map(({ name, value }) => [name, fromStored(value)]));
    },

    async keepFirst(scope, key, value) {
      await db
        .insertInto('made_values')
        .values({ scope: toStored(scope), key: toStored(key), value: toStored(value) })
        .onConflict((conflict) => conflict.columns(['scope', 'key']).doNothing())
        .execute();
      return (await rest.keptFirst(scope, key))!;
    },
    async keptFirst(scope, key) {
      const found = await db
        .selectFrom('made_values')
        .select('value')
        .where('scope', '=', toStored(scope))
        .where('key', '=', toStored(key))
        .executeTakeFirst();
      return found === undefined ? null : fromStored(found.value);
    },

    async reset(sync) {
      const name = toStored(sync);
      await db.transaction().execute(async (transaction) => {
        // The epoch goes up, so that a run that is under way cannot bring the old checkpoint back.
        await transaction
          .updateTable('checkpoints')
          .set((eb) => ({ checkpoint: null, epoch: eb('epoch', '+', 1) }))
          .where('unit', '=', name)
          .execute();
        // What was covered says nothing any more of what the target holds.
        const lastSuccess = transaction
          .selectFrom('runs')
          .select(({ fn }) => fn.max('id').as('id'))
          .where('sync', '=', name)
          .where('state', '=', 'succeeded')
          .where('kind', 'not in', OF_SINGLE_RECORDS);
        await transaction.updateTable('runs').set({ window_to_ms: null }).where('id', '=', lastSuccess).execute();
        await transaction.deleteFrom('seen').where('sync', '=', name).execute();
        await transaction.deleteFrom('paused_syncs').where('sync', '=', name).execute();
      });
    },

    [Symbol.asyncDispose]: () => db.destroy(),
  };
  return translating(
    {
      checkpoints: translating(sqlCheckpoints(database), database),
      journal: translating(sqlJournal(database), database),
      links: translating(sqlLinks(database), database),
      calls: translating(sqlCalls(database), database),
      orgs: translating(sqlOrgs(database), database),
      access: translating(sqlAccess(database), database),
      notifications: translating(sqlNotifications(database), database),
      workers: database.openSession === undefined ? soleWorker : postgresWorkers(database.openSession, database),
      ...sqlRuns(database),
      ...sqlSummaries(database),
      ...sqlFailures(database),
      ...rest,
    },
    database,
  );
}

async function putValue(db: Kysely<Tables>, name: string, value: string): Promise<void> {
  await db
    .insertInto('named_values')
    .values({ name: toStored(name), value: toStored(value) })
    .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute();
}

/** The same methods, their drivers' errors as ours. */
function translating<T extends object>(methods: T, { translate }: Database): T {
  return Object.fromEntries(
    Reflect.ownKeys(methods).map((name) => {
      const method = methods[name as keyof T];
      if (typeof method !== 'function') return [name, method];
      return [
        name,
        async (...values: unknown[]) => {
          try {
            return await method(...values);
          } catch (error) {
            throw translate(error);
          }
        },
      ];
    }),
  ) as T;
}
