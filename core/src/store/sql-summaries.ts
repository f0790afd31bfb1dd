import { OF_SINGLE_RECORDS, runOf } from './sql-runs.ts';
import type { Run, Store } from './store.ts';
import { fromStored } from './stored-text.ts';
import type { Database } from './tables.ts';

/** A few statements, however many syncs there are: each is asked for all of them at once. */
export function sqlSummaries({ db }: Database): Pick<Store, 'summaries'> {
  const lastRuns = () =>
    db
      .selectFrom('runs')
      .select(({ fn }) => fn.max('id').as('id'))
      .groupBy('sync');
  const runs = async (ids: ReturnType<typeof lastRuns>): Promise<readonly Run[]> =>
    (await db.selectFrom('runs').selectAll().where('id', 'in', ids).execute()).map(runOf);
  const counted = async (rows: Promise<readonly { sync: string; count: unknown }[]>) =>
    new Map((await rows).map(({ sync, count }) => [fromStored(sync), Number(count)]));

  return {
    async summaries() {
      const last = bySync(await runs(lastRuns()));
      const succeeded = lastRuns().where('state', '=', 'succeeded').where('kind', 'not in', OF_SINGLE_RECORDS);
      const lastSuccess = bySync(await runs(succeeded));
      const countAll = db.fn.countAll().as('count');
      const failures = await counted(db.selectFrom('failures').select(['sync', countAll]).groupBy('sync').execute());
      const conflicts = await counted(
        db.selectFrom('conflicts').select(['sync', countAll]).where('state', '=', 'open').groupBy('sync').execute(),
      );
      const paused = new Set((await db.selectFrom('paused_syncs').select('sync').execute()).map(({ sync }) => fromStored(sync)));
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

function bySync(runs: readonly Run[]): ReadonlyMap<string, Run> {
  return new Map(runs.map((run) => [run.sync, run]));
}
