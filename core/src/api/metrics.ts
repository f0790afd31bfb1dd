import type { Engine } from '../control/engine.ts';
import { callMetrics } from './metrics/call-metrics.ts';
import { type Meter, openMeter } from './metrics/meter.ts';
import { type EndedRun, runMetrics } from './metrics/run-metrics.ts';
import { streamMetrics } from './metrics/stream-metrics.ts';
import { syncMetrics } from './metrics/sync-metrics.ts';

/** What is asked for at each scrape. None of it asks for one sync or org after the other: there may be thousands. */
export type Measured = Pick<
  Engine,
  'config' | 'measures' | 'liveStatus' | 'allowances' | 'usage' | 'knownBudgets' | 'workers' | 'owned' | 'notifications'
>;

export interface Metrics {
  readonly contentType: string;
  /** Everything that is known at this moment. */
  text(): Promise<string>;
  /** A run has ended. */
  observe(run: EndedRun): void;
  /** A request to a hook has been answered. */
  answered(sync: string, status: number): void;
}

/** Counters count from the start of the process, as Prometheus expects; gauges are read when somebody asks. */
export async function createMetrics(engine: Measured, now: () => number, version: string): Promise<Metrics> {
  const meter = await openMeter();
  meter.gauge('build_info', '1, by the version of Tidemark', ['version']).set({ version }, 1);
  const observe = runMetrics(meter, (sync) => {
    const known = engine.config.syncs.get(sync);
    if (known === undefined) return null;
    return { from: known.from.kind === 'connection' ? known.from.connection : '', to: known.to.connection };
  });
  const hookRequests = meter.counter('hook_requests_total', 'Requests to hooks that have been answered, by HTTP status', [
    ...(['sync', 'status'] as const),
  ]);
  const readStreams = streamMetrics(meter, () => engine.liveStatus(), now);
  const reads = [syncMetrics(meter, engine, now), callMetrics(meter, engine), processMetrics(meter, engine)];
  const read = async () => {
    await Promise.all(reads.map((each) => each()));
    readStreams();
    return meter.text();
  };
  let reading: Promise<string> | null = null;
  return {
    contentType: meter.contentType,
    observe,
    answered: (sync, status) => hookRequests.inc({ sync, status }),
    text() {
      // Whoever asks at the same time is told the same: one look must not begin anew while another is half done.
      reading ??= read().finally(() => {
        reading = null;
      });
      return reading;
    },
  };
}

/** Who shares the work, and who is still to be told something. */
function processMetrics(meter: Meter, engine: Pick<Measured, 'workers' | 'owned' | 'notifications'>): () => Promise<void> {
  const workers = meter.gauge('workers', 'Processes that share the syncs; 0 where one runs all', []);
  const owned = meter.gauge('unit_owned', '1 for each unit of work that this process runs', ['unit']);
  const untold = meter.gauge('notifications_waiting', 'Notifications that the receiver could not be told yet', ['receiver']);
  return async () => {
    workers.set((await engine.workers().catch(() => [])).length);
    const waiting = await engine.notifications.waiting().catch(() => new Map<string, number>());
    for (const each of [owned, untold]) each.reset();
    for (const unit of engine.owned()) owned.set({ unit }, 1);
    for (const [receiver, count] of waiting) untold.set({ receiver }, count);
  };
}
