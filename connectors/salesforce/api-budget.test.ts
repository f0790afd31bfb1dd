import { type CallBudget, type CallUsage, OverBudgetError, RateLimitedError } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { expect, test } from 'vitest';
import { usageOf } from './api-budget.ts';
import { signal, testContext, testOrg } from './fixture.ts';

// The org is spared (P8): a budget is asked before each call to it, and told what the reply says of the use of all.

function noted() {
  const notes: (string | CallUsage | null)[] = [];
  const state = { refuses: false };
  const budget: CallBudget = {
    async admit() {
      notes.push('asked');
      if (state.refuses) throw new OverBudgetError('spent', { retryAfterMs: 60_000 });
    },
    ended: (usage) => void notes.push(usage),
    exhausted: () => void notes.push('exhausted'),
    usage: () => null,
  };
  return { notes, state, budget };
}

test.each([
  ['api-usage=10018/100000', { used: 10_018, max: 100_000 }],
  ['api-usage=7/15000, per-app-api-usage=2/250(appName=tidemark)', { used: 7, max: 15_000 }],
  ['per-app-api-usage=2/250(appName=tidemark), api-usage=7/15000', { used: 7, max: 15_000 }],
  ['', null],
  [null, null],
])(`%j tells %j ${evidence('recorded', 'Sforce-Limit-Info: api-usage=4147/15000')}`, (header, usage) =>
  expect(usageOf(header)).toEqual(usage),
);

test('each call is asked for before it goes, and told of once, whatever comes of it', async () => {
  await using org = await testOrg({ records: 5, limits: { DailyApiRequests: 1000 } });
  const { notes, state, budget } = noted();
  const connection = org.connect({ openBudget: () => budget });
  org.calls();
  await connection.discover!();
  expect(notes).toEqual(['asked', { used: 1, max: 1000 }]);
  notes.length = 0;
  org.emulator.faults.add({ kind: 'drop', match: { times: 1 } });
  await connection.discover!();
  expect(notes).toEqual(['asked', null, 'asked', { used: expect.any(Number), max: 1000 }]);
  notes.length = 0;
  state.refuses = true;
  const before = org.emulator.requests.totals().apiCalls;
  await expect(connection.discover!()).rejects.toThrow(OverBudgetError);
  expect(await connection.check()).toMatchObject([{ severity: 'error', message: 'spent' }]);
  expect(org.emulator.requests.totals().apiCalls).toBe(before);
});

test(`the day's calls used up and too many calls at once are different things ${evidence('documented', 'Salesforce Developer Limits, API Request Limits and Allocations')}`, async () => {
  await using org = await testOrg({ records: 5, limits: { DailyApiRequests: 10 } });
  const { notes, budget } = noted();
  const connection = org.connect({ openBudget: () => budget });
  const message = 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.';
  org.emulator.faults.add({ kind: 'limit-exceeded', match: { times: 1 }, params: { message } });
  const source = connection.openSource!({ from: { object: 'Contact', bulkAbove: 10, pageRows: 10 }, ...whole }, signal);
  const passing = await source.catch((error: unknown) => error);
  expect(passing).toBeInstanceOf(RateLimitedError);
  expect(passing).not.toBeInstanceOf(OverBudgetError);
  expect(notes).not.toContain('exhausted');
  org.emulator.limits.DailyApiRequests.add(10);
  await expect(connection.discover!()).rejects.toThrow(OverBudgetError);
  expect(notes.at(-1)).toBe('exhausted');
});

test('without anybody who counts, replies are remembered all the same', async () => {
  await using org = await testOrg({ records: 5, limits: { DailyApiRequests: 1000 } });
  const connection = org.connect(testContext());
  expect(connection.knownAllowances!()).toEqual([]);
  await connection.discover!();
  expect(connection.knownAllowances!()).toMatchObject([{ name: 'requests', used: 1, max: 1000 }]);
});

const whole = { where: undefined, fields: null, exclude: [], startAtMs: null };
