import { type RawBuilder, sql } from 'kysely';
import { newestRuns, OF_SINGLE_RECORDS, runOf } from './sql-runs.ts';
import type { Run, Store } from './store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database } from './tables.ts';

/** A few statements, however many syncs there are: each is asked for all of them at once. */
export function sqlSummaries({ db }: Database): Pick<Store, 'summaries'> {
  const newest = async (fits: RawBuilder<boolean>, of: string | undefined): Promise<ReadonlyMap<string, Run>> => {
    const found = await db.selectFrom('runs').selectAll().where('id', 'in', newestRuns(fits, of)).execute();
    return new Map(found.map(runOf).map((run) => [run.sync, run]));
  };
  const counted = async (rows: Promise<readonly { sync: string; count: unknown }[]>) =>
    new Map((await rows).map(({ sync, count }) => [fromStored(sync), Number(count)]));

  return {
    async summaries(of) {
      const isAsked = of === undefined ? sql<boolean>`true` : sql<boolean>`sync = ${toStored(of)}`;
      const last = await newest(sql<boolean>`true`, of);
      const succeeded = sql<boolean>`state = 'succeeded' and kind not in (${sql.join(OF_SINGLE_RECORDS)})`;
      const lastSuccess = await newest(succeeded, of);
      const countAll = db.fn.countAll().as('count');
      const failures = await counted(
        db.selectFrom('failures').select(['sync', countAll]).where(isAsked).groupBy('sync').execute(),
      );
      const open = db.selectFrom('conflicts').select(['sync', countAll]).where(isAsked).where('state', '=', 'open');
      const conflicts = await counted(open.groupBy('sync').execute());
      const pauses = await db.selectFrom('paused_syncs').select('sync').where(isAsked).execute();
      const paused = new Set(pauses.map(({ sync }) => fromStored(sync)));
      return (sync) => ({
        paused: paused.has(sync),
        lastRun: last.get(sync) ?? null,
        lastSuccess: lastSuccess.get(sync) ?? null,
        openFailures: failures.get(sync) ?? 0,
        openConflicts: conflicts.get(sync) ?? 0,
      });
    },
  };
}
