import type { OrgClock } from '../org/types.ts';

/** Waits for the long silences of streams. */
export interface Timers {
  /** Calls once, unless cancelled before. */
  after(ms: number, call: () => void): () => void;
}

/**
 * A wait is over when that much time has passed for the machine or by the org's clock, whichever is first: a test that
 * moves the org's clock sees keepalives and closed streams at once, and an org whose clock stands still has them too.
 */
export function createTimers(clock: OrgClock): Timers & { close(): void } {
  const waiting = new Set<{ dueMs: number; end: () => void }>();
  const stop = clock.onMove(() => {
    const now = clock.now();
    for (const wait of [...waiting]) if (wait.dueMs <= now && waiting.has(wait)) wait.end();
  });
  return {
    after(ms, call) {
      const cancel = () => {
        clearTimeout(timeout);
        waiting.delete(wait);
      };
      const end = () => {
        cancel();
        call();
      };
      const wait = { dueMs: clock.now() + ms, end };
      // A waiting stream is no reason to keep the process alive.
      const timeout = setTimeout(end, ms).unref();
      waiting.add(wait);
      return cancel;
    },
    close() {
      stop();
      waiting.clear();
    },
  };
}
