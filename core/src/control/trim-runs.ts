import type { Clock } from '../base/clock.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';

/** A poll every ten seconds makes 260,000 of them in that time. */
const KEPT_MS = 30 * 86_400_000;
const EVERY_MS = 3_600_000;

/** Forgets runs of long ago, until `stop`. What `status` shows of a sync stays, however old. */
export async function trimRuns(store: Store, clock: Clock, log: Log, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      await store.trimRuns(clock.now() - KEPT_MS);
    } catch (error) {
      log.warn({ err: error }, 'old runs could not be forgotten, which is tried again');
    }
    await clock.sleep(EVERY_MS, stop).catch(() => {});
  }
}
