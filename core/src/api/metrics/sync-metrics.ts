import type { Engine } from '../../control/engine.ts';
import type { Meter } from './meter.ts';

/** How each sync stands, by what the store knows; read when somebody asks. */
export function syncMetrics(
  meter: Meter,
  engine: Pick<Engine, 'measures' | 'liveStatus'>,
  now: () => number,
): () => Promise<void> {
  const info = meter.gauge('sync_info', '1 for each sync: its direction, and the connections that it joins', [
    ...(['sync', 'direction', 'from', 'to'] as const),
  ]);
  const failures = meter.gauge('open_failures', 'Records that the target refused and that are tried again', ['sync']);
  const conflicts = meter.gauge('open_conflicts', 'Records that both sides changed and that somebody has to decide', ['sync']);
  const paused = meter.gauge('sync_paused', '1 while somebody has paused the sync', ['sync']);
  const heldBack = meter.gauge('sync_waits_for_calls', '1 while the sync waits because API calls are short', ['sync']);
  const held = meter.gauge('sync_window_held_seconds', 'For how long one record has held the window open; 0 when none does', [
    'sync',
  ]);
  const running = meter.gauge('run_in_progress', '1 while the sync runs', ['sync']);
  const lastRun = meter.gauge('last_run_succeeded', '1 when the newest run of the sync succeeded, 0 when it failed', ['sync']);
  const lastSuccess = meter.gauge('last_success_timestamp_seconds', 'When the newest run that succeeded began', ['sync']);
  const lag = meter.gauge(
    'sync_lag_seconds',
    'Age of the oldest change that may not be in the target yet: of a stream as it tells, else since the end of the last window that was read',
    ['sync'],
  );
  const waiting = meter.gauge('sync_lag_events', 'Events that have come for the syncs of the stream and are not yet written', [
    'sync',
  ]);
  const storeUp = meter.gauge('store_up', '1 while the state store answers', []);
  const all = [info, failures, conflicts, paused, heldBack, held, running, lastRun, lastSuccess, lag, waiting];

  return async () => {
    for (const each of all) each.reset();
    const followed = new Map(engine.liveStatus().flatMap((status) => status.syncs.map((sync) => [sync, status] as const)));
    try {
      for (const measured of await engine.measures()) {
        const { sync, direction, from, to, lastRun: run, lastSuccess: success } = measured;
        info.set({ sync, direction, from, to }, 1);
        failures.set({ sync }, measured.openFailures);
        conflicts.set({ sync }, measured.openConflicts);
        paused.set({ sync }, measured.paused ? 1 : 0);
        heldBack.set({ sync }, measured.wait === null ? 0 : 1);
        held.set({ sync }, measured.heldSinceMs === null ? 0 : Math.max(0, now() - measured.heldSinceMs) / 1000);
        running.set({ sync }, run?.state === 'running' ? 1 : 0);
        if (run !== null && run.state !== 'running') lastRun.set({ sync }, run.state === 'failed' ? 0 : 1);
        if (success !== null) lastSuccess.set({ sync }, success.startedAtMs / 1000);
        const stream = followed.get(sync);
        if (stream !== undefined) waiting.set({ sync }, stream.waiting);
        const readTo = success?.windowToMs ?? success?.startedAtMs;
        const lagMs = stream !== undefined ? stream.lagMs : readTo === undefined ? null : Math.max(0, now() - readTo);
        if (lagMs !== null) lag.set({ sync }, lagMs / 1000);
      }
      storeUp.set(1);
    } catch {
      // Better without these than without all the others: the store's own trouble is the first thing to know.
      storeUp.set(0);
    }
  };
}
