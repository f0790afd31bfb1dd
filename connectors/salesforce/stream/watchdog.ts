import type { Clock } from '@tidemark/core';

/**
 * A server lets us hear something at least every 270 s; who has heard nothing for longer has lost a connection that does not know
 * it yet (Pub/Sub API guide, "Subscribe RPC": keepalive).
 */
export const silenceMsMax = 300_000;

export interface Watchdog {
  heard(): void;
  /** It has been too quiet for too long. */
  readonly fired: boolean;
  stop(): void;
}

export function startWatchdog(clock: Clock, limitMs: number, bark: () => void): Watchdog {
  const stopped = new AbortController();
  let heardAtMs = clock.now();
  let fired = false;
  async function watch(): Promise<void> {
    for (;;) {
      const leftMs = heardAtMs + limitMs - clock.now();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, stopped.signal);
    }
    fired = true;
    bark();
  }
  watch().catch(() => {});
  return {
    heard() {
      heardAtMs = clock.now();
    },
    get fired() {
      return fired;
    },
    stop: () => stopped.abort(),
  };
}
