import { expect, test } from 'vitest';
import { onBehalfOf, type Priority, withPriority } from '../../base/caller.ts';
import { OverBudgetError } from '../../base/errors.ts';
import type { BudgetRules } from '../../model/call-budget.ts';
import { openStore } from '../../store/open-store.ts';
import { budgetStatus, describeBudget } from './budget-status.ts';
import { Budgets } from './budgets.ts';
import { HoldBack, waitOf } from './hold-back.ts';
import { KeptBudget } from './kept-budget.ts';

// Every process that shares a store counts the calls of all of them, and remembers them when it is started anew (P8).

const minute = 60_000;
const hour = 60 * minute;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const rules: BudgetRules = { share: { calls: 100 }, reserve: { calls: 20 } };

async function world() {
  const store = await openStore(':memory:');
  const time = { nowMs: Date.UTC(2026, 2, 4, 10) };
  const clock = {
    now: () => time.nowMs,
    sleep: async (ms: number) => {
      time.nowMs += ms;
    },
  };
  const parts = { store, clock, log };
  const process = () => new KeptBudget('crm', rules, parts);
  /** As many calls as there are for it, one after the other. */
  const spend = async (budget: KeptBudget, priority: Priority, most = 1000): Promise<number> => {
    for (let made = 0; made < most; made++) {
      const refused = await onBehalfOf({ priority }, () => budget.admit()).catch((error: unknown) => error);
      if (refused instanceof OverBudgetError) return made;
      expect(refused).toBeUndefined();
      budget.ended({ used: 0, max: 1000 });
    }
    return most;
  };
  return { store, time, clock, parts, process, spend };
}

test('two processes keep to one share together, and a third one knows it', async () => {
  const { time, process, spend } = await world();
  const [one, other] = [process(), process()];
  expect(await spend(one, 'delta', 50)).toBe(50);
  time.nowMs += minute;
  // The first tells of 50 when it is next asked, and of one more later: so many may be too many.
  expect(await spend(one, 'delta', 1)).toBe(1);
  expect(await spend(other, 'delta')).toBe(30);
  expect(await spend(other, 'live', 5)).toBe(5);
  await other.refresh(true);
  expect(await spend(process(), 'delta')).toBe(0);
  expect(await spend(process(), 'live')).toBe(15);
  time.nowMs += 24 * hour + 15 * minute;
  expect(await spend(one, 'delta')).toBe(80);
});

test('for whom a call is made is known wherever it is made', async () => {
  const { process, spend } = await world();
  const budget = process();
  expect(await spend(budget, 'delta')).toBe(80);
  const calling = async () => {
    await new Promise(setImmediate);
    return budget.admit();
  };
  await expect(onBehalfOf({ priority: 'live' }, () => withPriority('full', calling))).rejects.toThrow(OverBudgetError);
  await onBehalfOf({ priority: 'live' }, calling);
  // What the user has set for a sync no part of its work changes.
  await onBehalfOf({ priority: 'live', fixed: true }, () => withPriority('full', calling));
  await onBehalfOf({ priority: 'full', ignoresBudget: true }, calling);
  // Somebody who asks by hand.
  await calling();
  async function* pages() {
    for (;;) {
      await calling();
      yield 1;
    }
  }
  await expect(
    onBehalfOf({ priority: 'delta' }, async () => {
      for await (const _ of pages());
    }),
  ).rejects.toThrow(OverBudgetError);
});

test('who is refused is told why, until when, and what to do', async () => {
  const { time, process, spend } = await world();
  const budget = process();
  await spend(budget, 'delta');
  const error = await onBehalfOf({ priority: 'delta' }, () => budget.admit()).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(OverBudgetError);
  const { message, hint, retryAfterMs } = error as OverBudgetError;
  expect(message).toBe(
    '80 of our 100 calls to crm within 24 hours are made; the last 20 of them and what live work will need are not for delta work',
  );
  expect(hint).toBe('Wait until 2026-03-05T10:15:00.000Z, raise budget: in the connection, or run it with --ignore-budget');
  expect(time.nowMs + retryAfterMs).toBe(Date.UTC(2026, 2, 5, 10, 15));
});

test('what status tells is what the processes have told', async () => {
  const { store, time, process, spend } = await world();
  expect(await budgetStatus('crm', store, time.nowMs)).toBeNull();
  const budget = process();
  await spend(budget, 'live', 3);
  await spend(budget, 'delta');
  budget.ended({ used: 300, max: 1000 });
  await budget.refresh(true);
  const status = await budgetStatus('crm', store, time.nowMs);
  expect(status).toMatchObject({ ours: 80, share: 100, reserve: 20, byPriority: { live: 3, delta: 77 }, perHour: 20 });
  expect(describeBudget(status!)).toBe(
    '80 of our 100 calls of 24 hours are made (live 3, delta 77); 300 of all 1,000 are used, whoever made them; ' +
      '20 more an hour, our share is used up by 2026-03-04T11:00Z at this pace; delta work waits until 2026-03-05T10:15Z at least; ' +
      'refresh work waits until 2026-03-05T10:15Z at least; full work waits until 2026-03-05T10:15Z at least',
  );
});

test('scheduled work that would find no calls does not begin, says so, and begins when it would', async () => {
  const { store, time, clock, parts, spend } = await world();
  const budgets = new Budgets(parts);
  const budget = budgets.open('crm', rules) as KeptBudget;
  const holdBack = new HoldBack(budgets, { store, clock });
  const work = { sync: 'contacts', connections: ['db', 'crm'], priority: null };
  expect(await holdBack.untilMs(work, 'delta')).toBeNull();
  await spend(budget, 'delta');
  const untilMs = (await holdBack.untilMs(work, 'delta'))!;
  // It is looked again sooner: others may need less.
  expect(untilMs - time.nowMs).toBe(minute);
  expect(await waitOf('contacts', store, time.nowMs)).toMatchObject({
    connection: 'crm',
    priority: 'delta',
    untilMs: Date.UTC(2026, 2, 5, 10, 15),
  });
  expect(await holdBack.untilMs(work, 'live')).toBeNull();
  expect(await holdBack.untilMs({ ...work, priority: 'live' }, 'refresh')).toBeNull();
  await holdBack.wait(work, 'delta', new AbortController().signal);
  expect(time.nowMs).toBe(Date.UTC(2026, 2, 5, 10, 15));
  expect(await waitOf('contacts', store, time.nowMs)).toBeNull();
});

test('a first load that could not be made to its end waits for the calls of a first load', async () => {
  const { store, clock, parts, spend } = await world();
  const budgets = new Budgets(parts);
  const budget = budgets.open('crm', rules) as KeptBudget;
  const holdBack = new HoldBack(budgets, { store, clock });
  const work = { sync: 'contacts', connections: ['crm'], priority: null };
  expect(await spend(budget, 'full')).toBe(24);
  const error = { code: 'over_budget', message: '' };
  expect(await holdBack.ended(work, 'delta', { kind: 'full', durationMs: 0, error })).toBe(true);
  expect(await holdBack.untilMs(work, 'delta')).not.toBeNull();
  expect(await holdBack.untilMs({ ...work, sync: 'others' }, 'delta')).toBeNull();
  expect(await holdBack.ended(work, 'delta', { kind: 'full', durationMs: 0, error: null })).toBe(false);
  expect(await holdBack.untilMs(work, 'delta')).toBeNull();
});

test('a delta that is spaced begins when it was told to, whatever others do meanwhile', async () => {
  const { store, time, clock, parts, spend } = await world();
  const budgets = new Budgets(parts);
  const budget = budgets.open('crm', rules) as KeptBudget;
  const holdBack = new HoldBack(budgets, { store, clock });
  const work = { sync: 'contacts', connections: ['crm'], priority: null };
  await spend(budget, 'delta', 60);
  const beganMs = time.nowMs;
  const untilMs = budget.spacing('delta')!.untilMs;
  expect(untilMs - beganMs).toBeGreaterThan(5 * minute);
  expect(untilMs - beganMs).toBeLessThanOrEqual(15 * minute);
  for (let nextMs: number | null; ; time.nowMs = nextMs) {
    nextMs = await holdBack.untilMs(work, 'delta');
    if (nextMs === null) break;
    expect(nextMs - time.nowMs).toBeLessThanOrEqual(minute);
    if (time.nowMs < untilMs - 2 * minute) await spend(budget, 'delta', 1);
  }
  expect(time.nowMs).toBe(untilMs);
  // The next one is spaced anew.
  expect(await holdBack.untilMs(work, 'delta')).toBeGreaterThan(time.nowMs);
});

test('live work that can be gathered goes on at once, and when calls run short as late as it was told, and says so', async () => {
  const { store, time, clock, parts, spend } = await world();
  const budgets = new Budgets(parts);
  const budget = budgets.open('crm', rules) as KeptBudget;
  const holdBack = new HoldBack(budgets, { store, clock });
  const work = { sync: 'accounts', connections: ['crm', 'db'], priority: null };
  const ended = new AbortController();
  const beganMs = time.nowMs;
  await holdBack.gather(work, ended.signal);
  expect(time.nowMs).toBe(beganMs);
  expect(await waitOf('accounts', store, beganMs)).toBeNull();
  // What deltas spend is no debt of live work.
  await spend(budget, 'delta', 10);
  await holdBack.gather(work, ended.signal);
  expect(time.nowMs).toBe(beganMs);

  await spend(budget, 'live', 5);
  await holdBack.gather(work, ended.signal);
  const gatheredMs = time.nowMs - beganMs;
  expect(gatheredMs).toBeGreaterThan(minute);
  expect(gatheredMs).toBeLessThanOrEqual(15 * minute);
  expect(await waitOf('accounts', store, time.nowMs - 1)).toEqual({
    ...{ connection: 'crm', priority: 'live', untilMs: time.nowMs },
    reason:
      '15 of our 100 calls to crm within 24 hours are made: what changes is gathered and goes across together, so that the others last',
  });
  expect(await waitOf('accounts', store, time.nowMs)).toBeNull();
  // A day later it is prompt again.
  time.nowMs += 25 * hour;
  const laterMs = time.nowMs;
  await holdBack.gather(work, ended.signal);
  expect(time.nowMs).toBe(laterMs);
});

test('live work that the user calls a delta is spaced once a piece, and never puts off the scheduled delta', async () => {
  const { store, time, clock, parts, spend } = await world();
  const budgets = new Budgets(parts);
  const budget = budgets.open('crm', rules) as KeptBudget;
  const holdBack = new HoldBack(budgets, { store, clock });
  const work = { sync: 'accounts', connections: ['crm'], priority: 'delta' } as const;
  const ended = new AbortController().signal;
  await spend(budget, 'delta', 60);
  const beganMs = time.nowMs;
  const dueMs = budget.spacing('delta')!.untilMs;
  // There are calls: nothing else is waited for before work.
  await holdBack.wait(work, 'live', ended);
  expect(time.nowMs).toBe(beganMs);
  expect(await holdBack.untilMs(work, 'delta')).toBe(beganMs + minute);
  await holdBack.gather(work, ended);
  expect(time.nowMs).toBe(dueMs);
  // The side that was told first works on: the delta begins when it was told to.
  await spend(budget, 'delta', 1);
  expect(await holdBack.untilMs(work, 'delta')).toBeNull();
});
