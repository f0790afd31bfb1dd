import type { Engine } from '../../control/engine.ts';
import type { Meter } from './meter.ts';

/** What connections let their clients use, and what of it is used. */
export function callMetrics(meter: Meter, engine: Pick<Engine, 'allowances' | 'usage' | 'knownBudgets'>): () => Promise<void> {
  const { gauge } = meter;
  const connection = ['connection'] as const;
  const requestsLeft = gauge('api_requests_remaining', 'API requests that the system still allows in its window', connection);
  const requestsMax = gauge('api_requests_max', 'API requests that the system allows in its window', connection);
  const deliveriesLeft = gauge(
    'event_deliveries_remaining',
    'Event deliveries that the system still allows in its window',
    connection,
  );
  const deliveriesMax = gauge('event_deliveries_max', 'Event deliveries that the system allows in its window', connection);
  const deliveriesEnd = gauge(
    'event_deliveries_exhausted_timestamp_seconds',
    'When deliveries will be spent at the present pace; absent if they last',
    connection,
  );
  const ours = gauge('budget_calls', 'API calls of ours within 24 hours, by what they were made for', ['connection', 'priority']);
  const share = gauge('budget_calls_max', 'API calls within 24 hours that may be ours', connection);
  const reserve = gauge('budget_reserve', 'Calls of these that are for live work alone', connection);
  const shareEnd = gauge(
    'budget_exhausted_timestamp_seconds',
    'When our share will be used up at the present pace; absent if it lasts',
    connection,
  );
  const all = [requestsLeft, requestsMax, deliveriesLeft, deliveriesMax, deliveriesEnd, ours, share, reserve, shareEnd];

  return async () => {
    const asked = await engine.allowances().catch(() => []);
    for (const each of all) each.reset();
    // What replies told is newer than what was asked for.
    for (const { connection: of, name, used, max } of [...asked, ...engine.usage()]) {
      const [left, most] = name === 'requests' ? [requestsLeft, requestsMax] : [deliveriesLeft, deliveriesMax];
      left.set({ connection: of }, max - used);
      most.set({ connection: of }, max);
    }
    for (const { connection: of, name, spentAtMs } of asked) {
      if (name === 'event deliveries' && spentAtMs !== null) deliveriesEnd.set({ connection: of }, spentAtMs / 1000);
    }
    for (const status of engine.knownBudgets()) {
      const of = { connection: status.connection };
      share.set(of, status.share);
      reserve.set(of, status.reserve);
      for (const [priority, calls] of Object.entries(status.byPriority)) ours.set({ ...of, priority }, calls);
      if (status.spentAtMs !== null) shareEnd.set(of, status.spentAtMs / 1000);
    }
  };
}
