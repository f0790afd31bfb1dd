import { type RawBuilder, type Selectable, sql, type Updateable } from 'kysely';
import type { Counts, Run, Store } from './store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

const NO_COUNTS: Counts = { read: 0, created: 0, updated: 0, unchanged: 0, deleted: 0, failed: 0, dropped: 0 };

/** Kinds that read no window, whatever comes of them. */
export const OF_SINGLE_RECORDS = ['retry', 'replay'];

export function sqlRuns({
  db,
}: Database): Pick<
  Store,
  'startRun' | 'updateRun' | 'runs' | 'run' | 'lastSuccess' | 'failedRuns' | 'closeAbandonedRuns' | 'trimRuns'
> {
  return {
    async startRun({ sync, kind, startedAtMs }) {
      const run = await db
        .insertInto('runs')
        .values({ sync: toStored(sync), kind, state: 'running', started_at_ms: startedAtMs, counts: JSON.stringify(NO_COUNTS) })
        .returning('id')
        .executeTakeFirstOrThrow();
      return String(run.id);
    },
    async updateRun(id, change) {
      const set = columnsOf(change);
      if (Object.keys(set).length > 0) await db.updateTable('runs').set(set).where('id', '=', Number(id)).execute();
    },
    async runs({ sync, limit, before }) {
      let query = db.selectFrom('runs').selectAll().orderBy('id', 'desc');
      if (sync !== undefined) query = query.where('sync', '=', toStored(sync));
      if (before !== undefined) query = query.where('id', '<', Number(before));
      if (limit !== undefined) query = query.limit(limit);
      return (await query.execute()).map(runOf);
    },
    async run(id) {
      const run = await db.selectFrom('runs').selectAll().where('id', '=', Number(id)).executeTakeFirst();
      return run === undefined ? null : runOf(run);
    },
    async lastSuccess(sync) {
      const run = await db
        .selectFrom('runs')
        .selectAll()
        .where('sync', '=', toStored(sync))
        .where('state', '=', 'succeeded')
        .where('kind', 'not in', OF_SINGLE_RECORDS)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return run === undefined ? null : runOf(run);
    },
    async failedRuns() {
      const ended = sql<boolean>`state in ('succeeded', 'failed') and kind not in (${sql.join(OF_SINGLE_RECORDS)})`;
      const failed = await db
        .selectFrom('runs')
        .selectAll()
        .where('id', 'in', newestRuns(ended))
        .where('state', '=', 'failed')
        .execute();
      return failed.map(runOf);
    },
    async closeAbandonedRuns(sync, atMs) {
      const error = {
        code: 'abandoned',
        message: 'the process ended before the run did; the next run goes on from the checkpoint',
      };
      await db
        .updateTable('runs')
        .set({ state: 'failed', finished_at_ms: atMs, error: JSON.stringify(error) })
        .where('sync', '=', toStored(sync))
        .where('state', '=', 'running')
        .execute();
    },
    async trimRuns(finishedBeforeMs) {
      const last = db
        .selectFrom('runs')
        .select(({ fn }) => fn.max('id').as('id'))
        .groupBy('sync');
      const lastSuccess = last.where('state', '=', 'succeeded').where('kind', 'not in', OF_SINGLE_RECORDS);
      const { numDeletedRows } = await db
        .deleteFrom('runs')
        .where('finished_at_ms', '<', finishedBeforeMs)
        .where('id', 'not in', last)
        .where('id', 'not in', lastSuccess)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

/**
 * Ids of the newest run of each sync that fits, or of one sync alone. It goes from sync to sync by the index, because of a thousand
 * syncs there are hundreds of thousands of runs.
 */
export function newestRuns(fits: RawBuilder<boolean>, of?: string): RawBuilder<number> {
  const runs = sql.table('runs');
  const asked =
    of === undefined
      ? sql`select min(sync) from ${runs} union all
          select (select min(sync) from ${runs} where sync > asked.sync) from asked where asked.sync is not null`
      : sql`select cast(${toStored(of)} as text)`;
  return sql`(with recursive asked(sync) as (${asked})
    select (select id from ${runs} as run where run.sync = asked.sync and ${fits} order by id desc limit 1) from asked)`;
}

function columnsOf(change: Parameters<Store['updateRun']>[1]): Updateable<Tables['runs']> {
  return {
    ...(change.kind !== undefined && { kind: change.kind }),
    ...(change.state !== undefined && { state: change.state }),
    ...(change.finishedAtMs !== undefined && { finished_at_ms: change.finishedAtMs }),
    ...(change.windowFromMs !== undefined && { window_from_ms: change.windowFromMs }),
    ...(change.windowToMs !== undefined && { window_to_ms: change.windowToMs }),
    ...(change.counts !== undefined && { counts: JSON.stringify(change.counts) }),
    ...(change.error !== undefined && { error: change.error === null ? null : JSON.stringify(change.error) }),
    ...(change.heldBy !== undefined && { held_by: change.heldBy === null ? null : toStored(change.heldBy) }),
  };
}

export function runOf(kept: Selectable<Tables['runs']>): Run {
  return {
    id: String(kept.id),
    sync: fromStored(kept.sync),
    kind: kept.kind as Run['kind'],
    state: kept.state as Run['state'],
    startedAtMs: kept.started_at_ms,
    finishedAtMs: kept.finished_at_ms,
    windowFromMs: kept.window_from_ms,
    windowToMs: kept.window_to_ms,
    counts: JSON.parse(kept.counts) as Counts,
    error: kept.error === null ? null : (JSON.parse(kept.error) as Run['error']),
    heldBy: kept.held_by === null ? null : fromStored(kept.held_by),
  };
}
