import { RateLimitedError } from '@tidemark/core';
import type { OrgTime } from './org-clock.ts';

/** How long a reading of the org's usage counts. After that one call may go out to learn the new one. */
const readingMsMax = 15 * 60_000;

/**
 * Keeps the org's API calls for others (P8). Every reply says how many of its calls of 24 hours the org has used,
 * whoever made them; past the declared share we stop and wait.
 */
export interface ApiBudget {
  /** @throws {RateLimitedError} the share is used up. */
  admit(): void;
  observe(limitInfo: string | null): void;
  usage(): { readonly used: number; readonly max: number } | null;
}

export function createApiBudget(share: number, time: OrgTime): ApiBudget {
  let reading: { used: number; max: number; atMs: number } | null = null;
  return {
    admit() {
      if (reading === null || reading.used < share * reading.max) return;
      const ageMs = time.now() - reading.atMs;
      if (ageMs < 0 || ageMs >= readingMsMax) {
        reading = null;
        return;
      }
      throw new RateLimitedError(
        `the org has used ${reading.used} of its ${reading.max} API calls of 24 hours, and apiShare allows us to go on below ${Math.floor(share * reading.max)}`,
        { retryAfterMs: readingMsMax - ageMs, hint: 'Wait, raise apiShare in the connection, or let syncs run less often' },
      );
    },
    observe(limitInfo) {
      const match = /api-usage=(\d+)\/(\d+)/.exec(limitInfo ?? '');
      if (match === null) return;
      const used = Number(match[1]);
      const max = Number(match[2]);
      // The figure jitters from server to server: within one reading's life the highest counts.
      const fresh = reading !== null && time.now() - reading.atMs < readingMsMax && reading.max === max;
      reading = fresh && reading !== null && reading.used > used ? reading : { used, max, atMs: time.now() };
    },
    usage: () => reading,
  };
}
