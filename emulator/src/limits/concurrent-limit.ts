import type { OrgClock } from '../org/types.ts';

/** Things that are open at the same time: requests, streaming clients. */
export interface ConcurrentLimit {
  max: number;
  used(): number;
  /** Takes a place until the returned function gives it back; `undefined` when there is none. */
  enter(): (() => void) | undefined;
}

export function createConcurrentLimit(max: number): ConcurrentLimit {
  let open = 0;
  return {
    max,
    used: () => open,
    enter() {
      if (open >= this.max) return undefined;
      open += 1;
      let left = false;
      return () => {
        if (!left) open -= 1;
        left = true;
      };
    },
  };
}

/**
 * Requests that have run longer than 20 s by the org's clock. Any request may begin while there are fewer of those than
 * `max` (Salesforce Developer Limits, "Concurrent API Request Limits").
 */
export interface LongRequests {
  max: number;
  used(): number;
  /** Counts a request from now until the returned function is called; `undefined` when it must be refused. */
  enter(): (() => void) | undefined;
}

const longRequestMs = 20_000;

export function createLongRequests(clock: OrgClock, max: number): LongRequests {
  const startedAtMs = new Map<symbol, number>();
  const used = () => {
    const before = clock.now() - longRequestMs;
    let long = 0;
    for (const at of startedAtMs.values()) {
      // Kept in the order in which they began, but for a clock that was set back.
      if (at > before) break;
      long += 1;
    }
    return long;
  };
  return {
    max,
    used,
    enter() {
      if (used() >= this.max) return undefined;
      const request = Symbol('request');
      startedAtMs.set(request, clock.now());
      return () => startedAtMs.delete(request);
    },
  };
}
