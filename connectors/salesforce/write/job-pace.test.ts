import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JobPace } from './job-pace.ts';

// A job's end is found soon, and with few questions: each of them is an API call.                                  (P8)

interface Job {
  readonly records: number;
  /** How long it waits for its turn, and how long the org then works on it. */
  readonly queuedMs: number;
  readonly workMs: number;
  /** Records that are told at once when they are done: 200 or a batch. */
  readonly step: number;
}

/** Asks until the job has ended. */
function follow({ records, queuedMs, workMs, step }: Job, pace: JobPace): { questions: number; endedMs: number } {
  let questions = 1;
  let nowMs = pace.firstWaitMs();
  for (; nowMs < queuedMs + workMs; questions++) {
    const share = Math.max(0, (nowMs - queuedMs) / workMs);
    const wait = pace.nextWaitMs(Math.floor((share * records) / step) * step, nowMs);
    expect(wait).toBeLessThanOrEqual(15_000);
    nowMs += wait;
  }
  pace.ended(nowMs);
  return { questions, endedMs: nowMs };
}

const job = fc.record({
  records: fc.integer({ min: 200, max: 50_000 }),
  queuedMs: fc.integer({ min: 0, max: 600_000 }),
  workMs: fc.integer({ min: 1, max: 600_000 }),
  step: fc.constantFrom(200, 10_000),
});

/** Four a minute, and more only while a job is young. */
const questionsMax = (totalMs: number) => 12 + totalMs / 15_000 + 20 * Math.log10(1 + totalMs / 1000);

test('however an org works on a job, it is not asked often', () =>
  fc.assert(
    fc.property(job, (given) => {
      const { questions, endedMs } = follow(given, new JobPace(given.records, 0));
      const totalMs = given.queuedMs + given.workMs;
      expect(questions).toBeLessThanOrEqual(questionsMax(totalMs));
      expect(endedMs - totalMs).toBeLessThanOrEqual(15_000);
    }),
    { numRuns: 1000 },
  ));

test('an org that tells of its progress is asked a few times, and its end is found at once', () => {
  for (const workMs of [700, 2_000, 4_500, 20_000, 90_000]) {
    const { questions, endedMs } = follow({ records: 50_000, queuedMs: 0, workMs, step: 200 }, new JobPace(50_000, 0));
    expect([workMs, questions <= 12, endedMs - workMs < 600 + workMs * 0.06]).toEqual([workMs, true, true]);
  }
});

test('a job that begins slowly is not left alone for long', () => {
  const pace = new JobPace(100_000, 0);
  pace.firstWaitMs();
  expect(pace.nextWaitMs(200, 500)).toBeLessThan(1_000);
});

test('the next job of as many records is asked for once or twice; one that is quicker teaches that', () => {
  const experience = { msPerRecord: 0 };
  const run = (workMs: number) => follow({ records: 50_000, queuedMs: 0, workMs, step: 200 }, new JobPace(50_000, 0, experience));
  run(8_000);
  expect(run(8_000).questions).toBeLessThanOrEqual(3);
  const lags = Array.from({ length: 12 }, () => run(1_000).endedMs - 1_000);
  expect(lags.at(-1)).toBeLessThan(lags[0]! / 4);
});
