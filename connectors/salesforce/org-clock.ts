import type { Clock } from '@tidemark/core';

/**
 * The org's time, known from the `Date` header of its replies. Our own clock only measures how long things take:
 * whatever it says the time is may be wrong by hours without a record being lost.
 */
export interface OrgTime {
  /** About what the org's clock says now. Good for deciding what to ask, never as a bound of what was read. */
  now(): number;
  /**
   * Takes note of a reply to a request sent at `sentAtMs` (our clock). Answers a time by the org's clock at which the
   * request had not been worked on yet: the header's second less the whole time the reply took. Null without a header.
   */
  observe(dateHeader: string | null, sentAtMs: number): number | null;
}

export function createOrgTime(clock: Clock): OrgTime {
  let aheadMs = 0;
  return {
    now: () => clock.now() + aheadMs,
    observe(dateHeader, sentAtMs) {
      const dateMs = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
      if (Number.isNaN(dateMs)) return null;
      const receivedAtMs = clock.now();
      aheadMs = dateMs - receivedAtMs;
      return dateMs - Math.max(0, receivedAtMs - sentAtMs);
    },
  };
}
