import type { RunReport } from '../../pipeline/recorded-run.ts';
import type { Meter } from './meter.ts';

/** What is counted of a run. */
export type EndedRun = Pick<RunReport, 'sync' | 'kind' | 'state' | 'counts' | 'durationMs' | 'sides'>;

/** Where a one-way sync goes. */
export type EndsOf = (sync: string) => { readonly from: string; readonly to: string } | null;

/** Counted from the start of the process, as Prometheus expects. */
export function runMetrics(meter: Meter, endsOf: EndsOf): (run: EndedRun) => void {
  const runs = meter.counter('runs_total', 'Runs that have ended, by kind and how they ended', ['sync', 'kind', 'state']);
  const records = meter.counter('records_total', 'Records of these runs, by what became of them', ['sync', 'outcome']);
  const written = meter.counter(
    'records_written_total',
    'Records that runs have written, by the connection that they came from and the one that they went to',
    ['sync', 'from', 'to', 'outcome'],
  );
  const duration = meter.histogram(
    'run_duration_seconds',
    'How long runs took',
    ['sync', 'kind'],
    [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
  );
  return ({ sync, kind, state, counts, durationMs, sides }) => {
    runs.inc({ sync, kind, state });
    duration.observe({ sync, kind }, durationMs / 1000);
    for (const [outcome, count] of Object.entries(counts)) records.inc({ sync, outcome }, count);
    const ends = endsOf(sync);
    const directions =
      sides !== undefined
        ? sides.map((side, i) => ({ from: sides[1 - i]!.connection, to: side.connection, counts: side }))
        : ends === null
          ? []
          : [{ ...ends, counts }];
    for (const { from, to, counts: each } of directions) {
      for (const outcome of ['created', 'updated', 'deleted'] as const) written.inc({ sync, from, to, outcome }, each[outcome]);
    }
  };
}
