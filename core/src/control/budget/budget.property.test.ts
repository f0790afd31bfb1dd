import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Priority, priorities } from '../../base/caller.ts';
import type { BudgetRules, CallAmount } from '../../model/call-budget.ts';
import { Budget, READING_MS } from './budget.ts';
import { STRETCH_MS, WINDOW_MS } from './call-ledger.ts';
import { PACED_MS_MAX } from './spacing.ts';

// API calls stay inside a declared share of the day, the reserve of it is for live work, and what can wait longer waits sooner (P8).
// The system counts its calls exactly, over every stretch of 24 hours; the budget knows what replies tell it.

const minute = 60_000;
const hour = 60 * minute;
const began = Date.UTC(2026, 2, 4, 10);

/** A system that counts what everybody calls. */
class System {
  readonly max: number;
  readonly #calls: { atMs: number; by: Priority | 'others' }[] = [];
  constructor(max: number) {
    this.max = max;
  }
  used(nowMs: number, of: (by: Priority | 'others') => boolean = () => true): number {
    return this.#calls.filter(({ atMs, by }) => atMs > nowMs - WINDOW_MS && atMs <= nowMs && of(by)).length;
  }
  call(by: Priority | 'others', nowMs: number): boolean {
    if (this.used(nowMs) >= this.max) return false;
    this.#calls.push({ atMs: nowMs, by });
    return true;
  }
}

const amount = (most: number): fc.Arbitrary<CallAmount> =>
  fc.oneof(
    fc.integer({ min: 1, max: most }).map((calls) => ({ calls })),
    fc.integer({ min: 1, max: 100 }).map((share) => ({ share: share / 100 })),
  );

const steps = fc.array(
  fc.record({
    waitMs: fc.oneof(
      fc.integer({ min: 0, max: minute }),
      fc.integer({ min: 0, max: 9 * hour }),
      fc.constantFrom(WINDOW_MS, STRETCH_MS, READING_MS),
    ),
    calls: fc.array(fc.constantFrom(...priorities, 'others' as const), { maxLength: 30 }),
    lost: fc.boolean(),
  }),
  { maxLength: 40 },
);

const world = fc.record({ max: fc.integer({ min: 5, max: 120 }), share: amount(120), reserve: amount(60), steps });
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** Plays a world and looks at each call that is made, and at each that is not. */
function play(
  { max, share, reserve, steps: todo }: World,
  look: (seen: { budget: Budget; system: System; by: Priority; nowMs: number; made: boolean; told: boolean }) => void,
): { budget: Budget; system: System; nowMs: number } {
  const budget = new Budget({ share, reserve });
  const system = new System(max);
  // Until the system has told, a share of all it allows is not known.
  budget.learn({ used: 0, max, atMs: began });
  let nowMs = began;
  let told = true;
  for (const { waitMs, calls, lost } of todo) {
    nowMs += waitMs;
    for (const by of calls) {
      if (by === 'others') {
        if (system.call(by, nowMs)) told = false;
        continue;
      }
      const made = budget.admit(by, nowMs) === null;
      look({ budget, system, by, nowMs, made, told });
      if (!made) continue;
      const answered = system.call(by, nowMs);
      budget.ended(lost ? null : { used: system.used(nowMs), max }, nowMs);
      if (!answered) budget.exhausted(nowMs);
      told = !lost;
    }
  }
  return { budget, system, nowMs };
}

const own = (by: Priority | 'others') => by !== 'others';

test('within any 24 hours no more calls are made than the share, whoever makes them and whatever is told', () =>
  fc.assert(
    fc.property(world, (plan) => {
      play(plan, ({ budget, system, nowMs, made }) => {
        if (made) expect(system.used(nowMs, own)).toBeLessThan(budget.limits().share);
      });
    }),
  ));

test('what is not live leaves the reserve of the share alone', () =>
  fc.assert(
    fc.property(world, (plan) => {
      play(plan, ({ budget, system, by, nowMs, made }) => {
        const { share, reserve } = budget.limits();
        if (made && by !== 'live') expect(system.used(nowMs, own)).toBeLessThan(share - reserve);
      });
    }),
  ));

test('what is not live leaves the reserve of what the system has alone, as far as it was told', () =>
  fc.assert(
    fc.property(world, (plan) => {
      let probedMs = Number.NEGATIVE_INFINITY;
      play(plan, ({ budget, system, by, nowMs, made, told }) => {
        if (!made || by === 'live' || !told) return;
        const isShort = system.max - system.used(nowMs) - budget.limits().reserve < 1;
        // Of all who wait for a new number, one goes and finds out.
        if (!isShort) return;
        expect(nowMs - probedMs).toBeGreaterThanOrEqual(READING_MS);
        probedMs = nowMs;
      });
    }),
  ));

test('live work starves of nothing but live work and others: it waits only when its own calls have used the reserve, or the system has none', () =>
  fc.assert(
    fc.property(world, (plan) => {
      play(plan, ({ budget, by, nowMs, made }) => {
        if (made || by !== 'live') return;
        const shortage = budget.shortage('live', nowMs)!;
        if (shortage.cause === 'system') {
          const { used, max } = budget.reading!;
          expect(used).toBeGreaterThanOrEqual(max);
          return;
        }
        // As the budget counts, to the quarter of an hour.
        expect(budget.ledger.byPriority(nowMs).live).toBeGreaterThanOrEqual(Math.floor(budget.limits().reserve));
      });
    }),
  ));

test('who has to wait less goes on when who can wait longer does not', () =>
  fc.assert(
    fc.property(world, (plan) => {
      const { budget, nowMs } = play(plan, () => {});
      const waits = priorities.map((priority) => budget.shortage(priority, nowMs) !== null);
      expect(waits).toEqual([...waits].sort((a, b) => Number(a) - Number(b)));
    }),
  ));

test('all work is resumed when the day has passed', () =>
  fc.assert(
    fc.property(world, fc.constantFrom(...priorities), (plan, priority) => {
      const { budget, system, nowMs } = play(plan, () => {});
      const later = nowMs + WINDOW_MS + STRETCH_MS;
      const { share, reserve } = budget.limits();
      // Of a handful of calls, the part of the last may be less than one.
      fc.pre(share - reserve >= 10);
      expect(budget.admit(priority, later)).toBeNull();
      expect(system.call(priority, later)).toBe(true);
      budget.ended({ used: system.used(later), max: system.max }, later);
      const isRoomy = system.max - 1 - reserve >= 4;
      if (isRoomy) expect(budget.shortage(priority, later)).toBeNull();
    }),
  ));

test('when nothing else happens, work is resumed at the instant that was told and not before', () =>
  fc.assert(
    fc.property(
      world,
      fc.constantFrom<Priority>('delta', 'refresh', 'full'),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (plan, priority, part) => {
        const calm = { ...plan, steps: plan.steps.map((step) => ({ ...step, calls: step.calls.filter((by) => by !== 'live') })) };
        const { budget, nowMs } = play(calm, () => {});
        const shortage = budget.shortage(priority, nowMs);
        fc.pre(shortage !== null && budget.limits().share - budget.limits().reserve >= 4);
        expect(shortage!.untilMs).toBeGreaterThan(nowMs);
        expect(budget.shortage(priority, nowMs + Math.floor((shortage!.untilMs - nowMs) * part))).not.toBeNull();
        const next = budget.shortage(priority, shortage!.untilMs);
        // One of the two was short before the other.
        if (next !== null) expect(next.cause).not.toBe(shortage!.cause);
      },
    ),
  ));

const half: BudgetRules = { share: { share: 0.5 }, reserve: { share: 0.1 } };

/** A system of 5,000 calls a day, of which 2,500 are ours, and a day that goes by minute by minute. */
function day(rules: BudgetRules, work: (budget: Budget, nowMs: number) => void, hours = 24): Budget {
  const budget = new Budget(rules);
  budget.learn({ used: 0, max: 5000, atMs: began });
  for (let nowMs = began; nowMs < began + hours * hour; nowMs += 10_000) work(budget, nowMs);
  return budget;
}

test('deltas every 10 s are 8,640 calls a day: they are spaced, never stand still, and leave room for a refresh at any time', () => {
  let lastMs = began;
  let longestMs = 0;
  let calls = 0;
  day(
    half,
    (budget, nowMs) => {
      if (nowMs < budget.pacedUntilMs('delta', nowMs)) return;
      expect(budget.admit('delta', nowMs)).toBeNull();
      budget.ended(null, nowMs);
      calls++;
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
      expect(budget.shortage('full', nowMs)).toBeNull();
    },
    72,
  );
  expect(longestMs).toBeLessThanOrEqual(PACED_MS_MAX);
  // Half of what is there for them, once they have settled: three days of 1,000, and what the first day was quicker.
  expect(calls).toBeGreaterThan(2700);
  expect(calls).toBeLessThan(4000);
});

test('a debt made at another pace holds deltas no longer than their widest spacing, however often it is asked', () => {
  const all: BudgetRules = { share: { share: 1 }, reserve: { calls: 0 } };
  const budget = new Budget(all);
  budget.learn({ used: 0, max: 94, atMs: began });
  for (let call = 0; call < 10; call++) {
    budget.admit('delta', began);
    budget.ended(null, began);
  }
  // Others have used up the rest: at the pace of that, the debt would be paid in days.
  budget.exhausted(began);
  const nextDay = began + 25 * hour;
  let heldUntilMs = budget.pacedUntilMs('delta', nextDay);
  for (let looks = 0; looks < 3 && heldUntilMs > nextDay; looks++) heldUntilMs = budget.pacedUntilMs('delta', heldUntilMs);
  expect(heldUntilMs).toBeLessThanOrEqual(nextDay);
  expect(budget.admit('delta', nextDay)).toBeNull();
});

/** Work that never rests, of which each piece costs so many calls: it is gathered for as long as it is told to. */
class Restless {
  /** The longest that it waited from one piece to the next. */
  longestMs = 0;
  readonly #priority: Priority;
  readonly #cost: number;
  #lastMs = began;
  #untilMs = began;

  constructor(priority: Priority, cost: number) {
    this.#priority = priority;
    this.#cost = cost;
  }

  /** What it cannot have it tries again later. */
  work(budget: Budget, nowMs: number): void {
    if (nowMs < this.#untilMs) return;
    for (let call = 0; call < this.#cost; call++) {
      if (budget.admit(this.#priority, nowMs) !== null) return;
      budget.ended(null, nowMs);
    }
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#untilMs = budget.pacedUntilMs(this.#priority, nowMs);
  }
}

test('two-way syncs whose sides never rest find calls all day, and so do polls and a refresh beside them', () =>
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 47 }),
      (costs, polls, refreshedAfterHours) => {
        const told = costs.map((cost) => new Restless('live', cost));
        const polled = Array.from({ length: polls }, () => new Restless('delta', 1));
        let refreshed = 0;
        const budget = day(
          half,
          (it, nowMs) => {
            for (const each of [...told, ...polled]) each.work(it, nowMs);
            if (nowMs - began < refreshedAfterHours * hour || refreshed === 12) return;
            if (it.admit('refresh', nowMs) !== null) return;
            it.ended(null, nowMs);
            refreshed++;
          },
          48,
        );
        for (const { longestMs } of [...told, ...polled]) expect(longestMs).toBeLessThanOrEqual(PACED_MS_MAX);
        expect(refreshed).toBe(12);
        // The reserve is left to what cannot be gathered, and most of the others are made use of.
        const { live } = budget.ledger.byPriority(began + 48 * hour);
        expect(budget.ledger.total(began + 48 * hour)).toBeLessThan(2000);
        expect(live).toBeGreaterThan(950);
      },
    ),
    { numRuns: 10 },
  ));

test('what the day has calls enough for is not gathered: two thirds of what is not reserved, by whole half hours', () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 27 }), { minLength: 72, maxLength: 72 }), (perHalfHour) => {
      const budget = new Budget(half);
      budget.learn({ used: 0, max: 5000, atMs: began });
      for (const [at, calls] of perHalfHour.entries()) {
        const nowMs = began + at * 30 * minute;
        for (let call = 0; call < calls; call++) {
          expect(budget.pacedUntilMs('live', nowMs)).toBe(nowMs);
          expect(budget.admit('live', nowMs)).toBeNull();
          budget.ended(null, nowMs);
        }
      }
    }),
    { numRuns: 20 },
  ));

test('what live work will need is left to it before it needs it', () => {
  const budget = day(
    half,
    (it, nowMs) => {
      // 60 an hour: 1,440 a day.
      if (nowMs % minute === 0) expect(it.admit('live', nowMs)).toBeNull();
      while (it.admit('full', nowMs) === null) it.ended(null, nowMs);
    },
    48,
  );
  const { live, full } = budget.ledger.byPriority(began + 48 * hour);
  expect(live).toBeGreaterThan(1400);
  expect(full).toBeGreaterThan(200);
});

test.each([
  ['nothing is made', 0, null],
  ['a pace that a day allows', 100, null],
  ['a pace that it does not: what was made is made, the rest goes on from there', 250, 2500 / 250],
])('the forecast, when %s', (_, perHour, reachedAfterHours) => {
  const atMs = began + 4 * hour;
  const budget = new Budget(half);
  budget.learn({ used: 0, max: 5000, atMs: began });
  for (let i = 0; i < perHour * 4; i++) {
    const call = began + (i / (perHour * 4)) * 4 * hour;
    budget.admit('live', call);
    budget.ended(null, call);
  }
  const spentAtMs = budget.spentAtMs(atMs);
  if (reachedAfterHours === null) expect(spentAtMs).toBeNull();
  else expect(Math.abs(spentAtMs! - (began + reachedAfterHours * hour))).toBeLessThan(hour);
});

test('the number jitters from server to server: while one counts, the highest does', () => {
  const budget = new Budget(half);
  budget.admit('live', began);
  budget.ended({ used: 4600, max: 5000 }, began);
  budget.admit('live', began + minute);
  budget.ended({ used: 40, max: 5000 }, began + minute);
  expect(budget.shortage('delta', began + 2 * minute)).toEqual({ cause: 'system', untilMs: began + READING_MS });
  expect(budget.shortage('live', began + 2 * minute)).toBeNull();
  expect(budget.admit('delta', began + READING_MS)).toBeNull();
  // One goes and finds out.
  expect(budget.admit('delta', began + READING_MS)).not.toBeNull();
  budget.ended({ used: 40, max: 5000 }, began + READING_MS + 1000);
  expect(budget.admit('delta', began + READING_MS + 1000)).toBeNull();
});
