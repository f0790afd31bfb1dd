import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import type { ScheduleConfig } from '../config/config.ts';
import { nextDue, type Scheduled, schedule } from './scheduler.ts';
import { Slots } from './slots.ts';

/** Time passes when everybody sleeps: to the earliest moment that somebody waits for. */
class VirtualClock implements Clock {
  #now = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();
  now = () => this.#now;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => this.#sleepers.delete(sleeper) && reject(signal.reason), { once: true });
    });
  }

  /** Lets everything happen that is due within `ms`. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#now + ms;
    for (;;) {
      await new Promise(setImmediate);
      const next = [...this.#sleepers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#now = Math.max(this.#now, next.atMs);
      this.#sleepers.delete(next);
      next.wake();
    }
    this.#now = untilMs;
  }
}

interface Ran {
  readonly sync: string;
  readonly full: boolean;
  readonly atMs: number;
}

function scheduled(clock: Clock, ran: Ran[], name: string, options: Partial<Scheduled> & { takesMs?: number } = {}): Scheduled {
  const beganMs = clock.now();
  return {
    name,
    schedule: { kind: 'every', everyMs: 10_000 },
    full: null,
    startDelayMs: 0,
    paused: async () => false,
    run: async (full) => {
      ran.push({ sync: name, full, atMs: clock.now() - beganMs });
      await clock.sleep(options.takesMs ?? 0);
    },
    ...options,
  };
}

async function during(
  ms: number,
  make: (clock: VirtualClock, ran: Ran[]) => readonly Scheduled[],
  concurrency = 8,
): Promise<Ran[]> {
  const clock = new VirtualClock();
  const ran: Ran[] = [];
  const stop = new AbortController();
  const running = schedule(make(clock, ran), { clock, stop: stop.signal, slots: new Slots(concurrency) });
  await clock.pass(ms);
  stop.abort();
  await clock.pass(60_000);
  await running;
  return ran;
}

test('every: runs start that far apart, the first after the start delay', async () => {
  const ran = await during(35_000, (clock, runs) => [scheduled(clock, runs, 's', { startDelayMs: 1000 })]);
  expect(ran.map(({ atMs }) => atMs)).toEqual([1000, 11_000, 21_000, 31_000]);
});

test('a run that takes longer than its interval is followed by one run, not by a pile of them', async () => {
  const ran = await during(60_000, (clock, runs) => [scheduled(clock, runs, 's', { takesMs: 25_000 })]);
  expect(ran.map(({ atMs }) => atMs)).toEqual([0, 25_000, 50_000]);
});

test('a full run takes the place of the delta that is due with it, and never runs twice', async () => {
  const full: ScheduleConfig = { kind: 'every', everyMs: 30_000 };
  const ran = await during(65_000, (clock, runs) => [scheduled(clock, runs, 's', { full })]);
  expect(ran.filter((run) => run.full).map(({ atMs }) => atMs)).toEqual([30_000, 60_000]);
  expect(ran).toHaveLength(7);
});

test('cron follows its time zone over a change of the clocks', () => {
  const schedule: ScheduleConfig = { kind: 'cron', cron: '30 2 * * *', timezone: 'Europe/Berlin' };
  // On 29 March 2026 the hour from 2 to 3 does not exist in Berlin; on 25 October it comes twice.
  const before = Date.parse('2026-03-28T12:00:00Z');
  const spring = nextDue(schedule, null, before);
  expect(spring - before).toBeLessThan(24 * 3_600_000);
  expect(new Date(nextDue(schedule, null, Date.parse('2026-07-01T00:00:00Z'))).toISOString()).toBe('2026-07-01T00:30:00.000Z');
  expect(new Date(nextDue(schedule, null, Date.parse('2026-12-01T00:00:00Z'))).toISOString()).toBe('2026-12-01T01:30:00.000Z');
});

test('a paused sync does not run, and goes on when it is resumed', async () => {
  const ran = await during(45_000, (clock, runs) => {
    const beganMs = clock.now();
    return [scheduled(clock, runs, 's', { paused: async () => clock.now() - beganMs < 25_000 })];
  });
  expect(ran.map(({ atMs }) => atMs)).toEqual([30_000, 40_000]);
});

test('never more runs at once than allowed, never one sync twice, and nobody is left out', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
      async (takes, concurrency) => {
        let now = 0;
        let most = 0;
        const own = new Map<string, number>();
        const ran = await during(
          300_000,
          (clock, runs) =>
            takes.map((takesMs, n) => {
              const sync = scheduled(clock, runs, `s${n}`, { takesMs });
              return {
                ...sync,
                run: async (full: boolean) => {
                  most = Math.max(most, ++now);
                  own.set(sync.name, (own.get(sync.name) ?? 0) + 1);
                  expect(own.get(sync.name)).toBe(1);
                  await sync.run(full);
                  own.set(sync.name, 0);
                  now--;
                },
              };
            }),
          concurrency,
        );
        expect(most).toBeLessThanOrEqual(concurrency);
        expect(new Set(ran.map(({ sync }) => sync)).size).toBe(takes.length);
      },
    ),
    { numRuns: 30 },
  ));

test('a sync whose source tells of changes runs when there is one, at its pace, and once a minute otherwise', async () => {
  const changesAtMs = [3500, 3600, 20_000];
  const ran = await during(90_000, (clock, ran) => {
    const beganMs = clock.now();
    let seenMs = 0;
    const work = async (signal: AbortSignal) => {
      const next = changesAtMs.find((atMs) => atMs > seenMs) ?? Number.POSITIVE_INFINITY;
      await clock.sleep(Math.max(0, next - (clock.now() - beganMs)), signal).catch(() => {});
    };
    const run = async () => {
      seenMs = clock.now() - beganMs;
      ran.push({ sync: 'a', full: false, atMs: seenMs });
      return undefined;
    };
    return [scheduled(clock, ran, 'a', { schedule: { kind: 'every', everyMs: 1000 }, work, run })];
  });
  expect(ran.map(({ atMs }) => atMs)).toEqual([3500, 4500, 20_000, 81_000]);
});
