import type { Engine } from '../control/engine.ts';
import type { LiveState } from '../pipeline/live/live-status.ts';
import type { Counts, RunKind, RunState } from '../store/store.ts';

/** What is asked for at each scrape. */
export type Measured = Pick<Engine, 'status' | 'liveStatus' | 'allowances' | 'usage' | 'budgets' | 'workers' | 'owned'>;

/** What is counted of a run. */
export interface EndedRun {
  readonly sync: string;
  readonly kind: RunKind;
  readonly state: RunState;
  readonly counts: Counts;
  readonly durationMs: number;
}

export interface Metrics {
  readonly contentType: string;
  /** Everything that is known at this moment. */
  text(): Promise<string>;
  /** A run has ended. */
  observe(run: EndedRun): void;
  /** A request to a hook has been answered. */
  answered(sync: string, status: number): void;
}

const states: readonly LiveState[] = ['connecting', 'catching up', 'live', 'waiting', 'polling', 'paused', 'stopped'];

/** Counters count from the start of the process, as Prometheus expects; gauges are read when somebody asks. */
export async function createMetrics(engine: Measured, now: () => number): Promise<Metrics> {
  const { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } = await import('prom-client');
  const register = new Registry();
  collectDefaultMetrics({ register });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter({ name: `tidemark_${name}`, help, labelNames, registers: [register] });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Gauge({ name: `tidemark_${name}`, help, labelNames, registers: [register] });

  const runs = counter('runs_total', 'Runs that have ended, by kind and how they ended', ['sync', 'kind', 'state']);
  const records = counter('records_total', 'Records of these runs, by what became of them', ['sync', 'outcome']);
  const duration = new Histogram({
    name: 'tidemark_run_duration_seconds',
    help: 'How long runs took',
    labelNames: ['sync', 'kind'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
    registers: [register],
  });
  const hookRequests = counter('hook_requests_total', 'Requests to hooks that have been answered, by HTTP status', [
    'sync',
    'status',
  ]);
  const failures = gauge('open_failures', 'Records that the target refused and that are tried again', ['sync']);
  const paused = gauge('sync_paused', '1 while somebody has paused the sync', ['sync']);
  const lastRun = gauge('last_run_succeeded', '1 when the newest run of the sync succeeded, 0 when it failed', ['sync']);
  const lastSuccess = gauge('last_success_timestamp_seconds', 'When the newest run that succeeded began', ['sync']);
  const storeUp = gauge('store_up', '1 while the state store answers', []);

  const connected = gauge('stream_connected', '1 while the stream is connected', ['stream', 'transport']);
  const state = gauge('stream_state', '1 for the state that the stream is in', ['stream', 'state']);
  const lag = gauge('stream_lag_seconds', 'Age of the oldest change that the stream may owe; 0 while it is idle', ['stream']);
  const waiting = gauge('stream_waiting_events', 'Events that have come and are not yet written', ['stream']);
  const lastEvent = gauge(
    'stream_last_event_timestamp_seconds',
    "Commit time of the newest event written, by the source's clock",
    ['stream'],
  );
  const position = gauge('stream_position_age_seconds', 'How long ago the position was kept that it would go on from', [
    'stream',
  ]);
  const rereads = gauge('stream_rereads', 'Syncs that are read again because something was not told', ['stream']);
  const aside = gauge('stream_aside', 'Syncs that the stream does not feed for now, because one of their sides refuses', [
    'stream',
  ]);
  const events = counter('events_total', 'Events that have come', ['stream']);
  const transactions = counter('stream_transactions_total', 'Transactions written to the target', ['stream']);
  const written = counter('stream_records_total', 'Records that streams have written, by what became of them', [
    'sync',
    'outcome',
  ]);
  const reconnects = counter('stream_reconnects_total', 'Connections made anew after one was lost', ['stream']);
  const splits = counter('stream_splits_total', 'Transactions that became visible in more than one step', ['stream']);
  const healed = counter('stream_healed_total', 'Holes that were mended, by what made them', ['stream', 'kind']);

  const requestsLeft = gauge('api_requests_remaining', 'API requests that the system still allows in its window', ['connection']);
  const requestsMax = gauge('api_requests_max', 'API requests that the system allows in its window', ['connection']);
  const deliveriesLeft = gauge('event_deliveries_remaining', 'Event deliveries that the system still allows in its window', [
    'connection',
  ]);
  const deliveriesMax = gauge('event_deliveries_max', 'Event deliveries that the system allows in its window', ['connection']);
  const deliveriesEnd = gauge(
    'event_deliveries_spent_seconds',
    'When deliveries will be spent at the present pace; absent if they last',
    ['connection'],
  );

  const ours = gauge('budget_calls', 'API calls of ours within 24 hours, by what they were made for', ['connection', 'priority']);
  const share = gauge('budget_share', 'API calls within 24 hours that may be ours', ['connection']);
  const shareEnd = gauge('budget_spent_seconds', 'When our share will be used up at the present pace; absent if it lasts', [
    'connection',
  ]);
  const workers = gauge('workers', 'Processes that share the syncs; 0 where one runs all', []);
  const owned = gauge('unit_owned', '1 for each unit of work that this process runs', ['unit']);

  const heldBack = gauge('sync_waits_for_calls', '1 while the sync waits because API calls are short', ['sync']);

  async function readSyncs(): Promise<void> {
    for (const each of [failures, paused, heldBack, lastRun, lastSuccess]) each.reset();
    try {
      for (const {
        sync,
        openFailures,
        paused: isPaused,
        waiting: wait,
        lastRun: run,
        lastSuccess: success,
      } of await engine.status()) {
        heldBack.set({ sync }, wait === null ? 0 : 1);
        failures.set({ sync }, openFailures);
        paused.set({ sync }, isPaused ? 1 : 0);
        if (run !== null && run.state !== 'running') lastRun.set({ sync }, run.state === 'failed' ? 0 : 1);
        if (success !== null) lastSuccess.set({ sync }, success.startedAtMs / 1000);
      }
      storeUp.set(1);
    } catch {
      // Better without these than without all the others: the store's own trouble is the first thing to know.
      storeUp.set(0);
    }
  }

  function readStreams(): void {
    for (const each of [connected, state, lag, waiting, lastEvent, position, rereads, aside]) each.reset();
    for (const each of [events, transactions, reconnects, splits, healed, written]) each.reset();
    for (const status of engine.liveStatus()) {
      const { stream } = status;
      connected.set({ stream, transport: status.transport ?? '' }, status.connected ? 1 : 0);
      for (const name of states) state.set({ stream, state: name }, status.state === name ? 1 : 0);
      if (status.lagMs !== null) lag.set({ stream }, status.lagMs / 1000);
      waiting.set({ stream }, status.waiting);
      if (status.lastEventMs !== null) lastEvent.set({ stream }, status.lastEventMs / 1000);
      if (status.positionMs !== null) position.set({ stream }, Math.max(0, now() - status.positionMs) / 1000);
      rereads.set({ stream }, status.rereads.length);
      aside.set({ stream }, Object.keys(status.aside).length);
      events.inc({ stream }, status.events);
      transactions.inc({ stream }, status.transactions);
      reconnects.inc({ stream }, status.reconnects);
      splits.inc({ stream }, status.splits);
      for (const [sync, outcomes] of Object.entries(status.records)) {
        for (const [outcome, count] of Object.entries(outcomes)) written.inc({ sync, outcome }, count);
      }
      for (const [kind, count] of Object.entries(status.healed)) healed.inc({ stream, kind }, count);
    }
  }

  async function readAllowances(): Promise<void> {
    for (const each of [requestsLeft, requestsMax, deliveriesLeft, deliveriesMax, deliveriesEnd]) each.reset();
    const asked = await engine.allowances().catch(() => []);
    // What replies told is newer than what was asked for.
    for (const { connection, name, used, max } of [...asked, ...engine.usage()]) {
      const [left, all] = name === 'requests' ? [requestsLeft, requestsMax] : [deliveriesLeft, deliveriesMax];
      left.set({ connection }, max - used);
      all.set({ connection }, max);
    }
    for (const { connection, name, spentAtMs } of asked) {
      if (name === 'event deliveries' && spentAtMs !== null) {
        deliveriesEnd.set({ connection }, Math.max(0, spentAtMs - now()) / 1000);
      }
    }
  }

  async function readBudgets(): Promise<void> {
    for (const each of [ours, share, shareEnd]) each.reset();
    for (const status of await engine.budgets().catch(() => [])) {
      const { connection } = status;
      share.set({ connection }, status.share);
      for (const [priority, calls] of Object.entries(status.byPriority)) ours.set({ connection, priority }, calls);
      if (status.spentAtMs !== null) shareEnd.set({ connection }, Math.max(0, status.spentAtMs - now()) / 1000);
    }
  }

  async function readWorkers(): Promise<void> {
    owned.reset();
    for (const unit of engine.owned()) owned.set({ unit }, 1);
    workers.set((await engine.workers().catch(() => [])).length);
  }

  return {
    contentType: register.contentType,
    observe({ sync, kind, state: ended, counts, durationMs }) {
      runs.inc({ sync, kind, state: ended });
      duration.observe({ sync, kind }, durationMs / 1000);
      for (const [outcome, count] of Object.entries(counts)) records.inc({ sync, outcome }, count);
    },
    answered: (sync, status) => hookRequests.inc({ sync, status }),
    async text() {
      await readSyncs();
      readStreams();
      await readAllowances();
      await readBudgets();
      await readWorkers();
      return register.metrics();
    },
  };
}
