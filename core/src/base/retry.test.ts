import { expect, test } from 'vitest';
import { RateLimitedError, RequestRefusedError, TransientError } from './errors.ts';
import { retrying } from './retry.ts';

/** Runs work that fails as listed and then succeeds; answers how often it was tried and how long was waited. */
async function attempts(failures: readonly Error[], attemptsMax: number, progressed?: () => boolean) {
  const waits: number[] = [];
  const clock = { now: () => 0, sleep: async (ms: number) => void waits.push(ms) };
  let tried = 0;
  const work = async () => {
    const failure = failures[tried++];
    if (failure !== undefined) throw failure;
  };
  const policy = { attemptsMax, delayMs: 100, delayMsMax: 1000 };
  const error = await retrying(work, { clock, random: () => 0.999, policy, ...(progressed ? { progressed } : {}) }).catch(
    (caught: unknown) => caught,
  );
  return { tried, waits, error };
}

const transient = () => new TransientError('a moment');
const limited = () => new RateLimitedError('too many', { retryAfterMs: 60_000 });

test('waits double up to a ceiling, and after the attempts that are allowed the last error counts', async () => {
  const { tried, waits, error } = await attempts(Array.from({ length: 9 }, transient), 6);
  expect(tried).toBe(6);
  expect(waits).toEqual([99, 199, 399, 799, 999]);
  expect(error).toBeInstanceOf(TransientError);
});

test('a rate limit waits as long as it says and spends no attempt (P8)', async () => {
  const many = Array.from({ length: 20 }, limited);
  expect(await attempts(many, 1)).toMatchObject({ tried: 21, error: undefined, waits: many.map(() => 60_000) });
  const between = [transient(), limited(), limited(), transient(), limited()];
  expect(await attempts(between, 3)).toMatchObject({ tried: 6, error: undefined });
});

test('progress starts the count anew: long work is not given up for faults that lie hours apart', async () => {
  const faults = Array.from({ length: 10 }, transient);
  expect(await attempts(faults, 3, () => true)).toMatchObject({ tried: 11, error: undefined });
  expect(await attempts(faults, 3, () => false)).toMatchObject({ tried: 3, error: expect.any(TransientError) });
});

test('what no retry will mend is not tried again', async () => {
  expect(await attempts([new RequestRefusedError('no such field')], 5)).toMatchObject({ tried: 1, waits: [] });
});
