import type { OrgClock } from '../org/types.ts';

const minuteMs = 60_000;
const windowMinutes = 24 * 60;

/**
 * The org's daily API requests: a rolling 24 hours by the org's clock (REST API Developer Guide, "API Request Limits
 * and Allocations"). Counted by the minute, so that a long life costs no memory.
 */
export interface ApiLedger {
  requestsMax: number;
  used(): number;
  /** False when the allocation is used up; a refused request is not counted (assumed). */
  spend(): boolean;
  /** Counts requests that some other application made. */
  add(requests: number): void;
}

export function createApiLedger(clock: OrgClock, requestsMax: number): ApiLedger {
  const perMinute = new Map<number, number>();
  const minute = () => Math.floor(clock.now() / minuteMs);
  const used = () => {
    const from = minute() - windowMinutes;
    let sum = 0;
    for (const [at, requests] of perMinute) {
      if (at <= from) perMinute.delete(at);
      else sum += requests;
    }
    return sum;
  };
  const add = (requests: number) => {
    perMinute.set(minute(), (perMinute.get(minute()) ?? 0) + requests);
  };
  return {
    requestsMax,
    used,
    add,
    spend() {
      if (used() >= this.requestsMax) return false;
      add(1);
      return true;
    },
  };
}
