import type { OrgClock } from '../org/types.ts';

const minuteMs = 60_000;

/** An allocation over a rolling span by the org's clock. Counted by the minute, so that a long life costs no memory. */
export interface RollingLimit {
  /** Tests make it small. */
  max: number;
  used(): number;
  /** False when less than `count` (1 when absent) is left; what is refused is not counted (assumed). */
  spend(count?: number): boolean;
  /** Counts what somebody else used, even beyond the allocation. */
  add(count: number): void;
}

export function createRollingLimit(clock: OrgClock, spanMinutes: number, max: number): RollingLimit {
  const perMinute = new Map<number, number>();
  let sum = 0;
  const minute = () => Math.floor(clock.now() / minuteMs);
  const used = () => {
    const from = minute() - spanMinutes;
    // Minutes were added as time went, so the old ones come first.
    for (const [at, count] of perMinute) {
      if (at > from) break;
      perMinute.delete(at);
      sum -= count;
    }
    return sum;
  };
  const add = (count: number) => {
    const at = minute();
    perMinute.set(at, (perMinute.get(at) ?? 0) + count);
    sum += count;
  };
  return {
    max,
    used,
    add,
    spend(count = 1) {
      if (used() + count > this.max) return false;
      add(count);
      return true;
    },
  };
}
