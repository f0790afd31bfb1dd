import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Allowance } from '../model/connector.ts';
import { openStore } from '../store/open-store.ts';
import {
  type AllowanceOptions,
  allowanceProblems,
  describeAllowance,
  forecast,
  keptAllowances,
  readAllowances,
  watchAllowances,
} from './allowances.ts';

// The org is spared (P8), and who uses up what it allows is told before it is.

const hour = 3_600_000;
const at = Date.UTC(2026, 2, 4, 10);
const deliveries = { name: 'event deliveries', max: 10_000, windowMs: 24 * hour } as const;

test.each([
  ['one reading tells no pace', [[at, 5000]], { perHour: null, spentAtMs: null }],
  [
    'readings that are too close neither',
    [
      [at, 4000],
      [at + 60_000, 5000],
    ],
    { perHour: null, spentAtMs: null },
  ],
  [
    'growth leads to an end',
    [
      [at, 4000],
      [at + hour, 6000],
    ],
    { perHour: 2000, spentAtMs: at + 3 * hour },
  ],
  [
    'growth that ends within no window lasts',
    [
      [at, 4000],
      [at + hour, 4100],
    ],
    { perHour: 100, spentAtMs: null },
  ],
  [
    'use that only replaces the day before lasts',
    [
      [at, 9000],
      [at + hour, 9000],
    ],
    { perHour: 0, spentAtMs: null },
  ],
  [
    'only the last hour counts',
    [
      [at, 0],
      [at + hour, 6000],
      [at + 2 * hour, 6000],
    ],
    { perHour: 0, spentAtMs: null },
  ],
  ['what is spent is spent now', [[at, 10_000]], { spentAtMs: at }],
] as const)('%s', (_, samples, expected) => expect(forecast(deliveries, samples)).toMatchObject(expected));

test('at a steady pace the end that is told is the end that comes', () =>
  fc.assert(
    fc.property(fc.integer({ min: 500, max: 100_000 }), fc.integer({ min: 5, max: 59 }), (perHour, minutes) => {
      const usedAt = (ms: number) => (perHour * (ms - at)) / hour;
      const now = at + minutes * 60_000;
      if (usedAt(now) >= deliveries.max) return;
      const { spentAtMs } = forecast(deliveries, [
        [at, 0],
        [now, usedAt(now)],
      ]);
      expect(usedAt(spentAtMs!)).toBeCloseTo(deliveries.max, 3);
    }),
  ));

async function watched() {
  const store = await openStore(':memory:');
  const world = { nowMs: at, used: 1000, warnings: [] as string[], asked: 0, down: false };
  const options: AllowanceOptions = {
    store,
    clock: {
      now: () => world.nowMs,
      sleep: async (ms) => {
        world.nowMs += ms;
      },
    },
    log: { debug() {}, info() {}, error() {}, warn: (_, message) => void world.warnings.push(message) },
    connection: () => ({
      allowances: async (): Promise<readonly Allowance[]> => {
        world.asked++;
        if (world.down) throw new Error('down');
        return [{ ...deliveries, used: world.used }];
      },
    }),
  };
  return { world, options, store };
}

test('a use that will not last is told once, and again after it had lasted', async () => {
  const { world, options, store } = await watched();
  const stop = new AbortController();
  const growth = [500, 500, 500, 0, 0, 0, 0, 0, 0, 0, 900, 900];
  const { sleep } = options.clock;
  options.clock.sleep = async (ms) => {
    await sleep(ms);
    const more = growth.shift();
    if (more === undefined) stop.abort();
    else world.used += more;
  };
  await watchAllowances(['crm'], options, stop.signal);
  expect(world.warnings).toHaveLength(2);
  expect(world.warnings[0]).toBe(
    '1,500 of 10,000 event deliveries of 24 hours are used, 3,000 more an hour: spent by 2026-03-04T13:00Z at this pace',
  );
  expect(await keptAllowances(store)).toMatchObject([{ connection: 'crm', used: world.used, max: 10_000 }]);
  await store[Symbol.asyncDispose]();
});

test('an org that does not answer is asked again, and what was known stays', async () => {
  const { world, options, store } = await watched();
  await readAllowances('crm', options, new AbortController().signal);
  world.down = true;
  const stop = new AbortController();
  const { sleep } = options.clock;
  options.clock.sleep = async (ms) => {
    await sleep(ms);
    if (world.asked > 3) stop.abort();
  };
  await watchAllowances(['crm'], options, stop.signal);
  expect(world.warnings).toEqual([]);
  expect(await keptAllowances(store)).toMatchObject([{ used: 1000, asOfMs: at }]);
  await store[Symbol.asyncDispose]();
});

test('check tells of what will not last, and of nothing else', () => {
  const lasting = { connection: 'crm', ...forecast(deliveries, [[at, 10]]) };
  const spent = { connection: 'crm', ...forecast(deliveries, [[at, 10_000]]) };
  expect(allowanceProblems([lasting])).toEqual([]);
  expect(allowanceProblems([spent])).toMatchObject([{ place: 'connections.crm', severity: 'warning' }]);
  expect(describeAllowance(spent)).toBe('10,000 of 10,000 event deliveries of 24 hours are used: none are left');
});
