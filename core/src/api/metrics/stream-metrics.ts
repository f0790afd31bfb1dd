import type { LiveState, LiveStatus } from '../../pipeline/live/live-status.ts';
import type { Meter } from './meter.ts';

const states: readonly LiveState[] = ['connecting', 'catching up', 'live', 'waiting', 'polling', 'paused', 'stopped'];

/** The streams that this process follows. */
export function streamMetrics(meter: Meter, liveStatus: () => readonly LiveStatus[], now: () => number): () => void {
  const { gauge, counter } = meter;
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
  const gauges = [connected, state, lag, waiting, lastEvent, position, rereads, aside];
  // A stream counts itself, from its beginning in this process.
  const counters = [events, transactions, written, reconnects, splits, healed];

  return () => {
    for (const each of [...gauges, ...counters]) each.reset();
    for (const status of liveStatus()) {
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
  };
}
