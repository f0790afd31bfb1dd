import { seededRandom } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { History } from './history.ts';
import { Life } from './life.ts';
import { NothingWaitsError, Scheduler } from './scheduler.ts';

// What a simulation says is worth something only if the same seed is the same world, and if a crash is one: nothing of the process
// goes on, and nothing of it is tidied up.

function world(seed: number, linesMax = 0) {
  const history = new History(linesMax);
  return { history, scheduler: new Scheduler({ random: seededRandom(seed), startMs: 1000, history }) };
}

/** Some that wait for each other, for time and for the outside; what they did, in order. */
async function play(seed: number, sleeps: readonly number[]): Promise<{ done: string[]; hash: string; steps: number }> {
  const { scheduler, history } = world(seed);
  const life = new Life('one');
  const clock = scheduler.clock(life);
  const done: string[] = [];
  let left = sleeps.length;
  sleeps.forEach(async (ms, i) => {
    await clock.sleep(ms);
    const answer = await scheduler.outside(life, `ask ${i}`, async () => {
      // However long the outside takes in truth.
      for (let turns = 0; turns < i % 4; turns++) await new Promise((resolve) => setImmediate(resolve));
      return i;
    });
    done.push(`${answer} at ${clock.now()}`);
    left--;
  });
  await scheduler.run(() => left === 0);
  return { done, hash: history.hash, steps: scheduler.steps };
}

test('the same seed is the same world, to the last step', () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.nat(5), { maxLength: 12 }), async (seed, sleeps) => {
      expect(await play(seed, sleeps)).toEqual(await play(seed, sleeps));
    }),
    { numRuns: 30 },
  ));

test('other seeds are other orders of the same things', async () => {
  const sleeps = [3, 3, 3, 3, 3, 3];
  const orders = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const { done } = await play(seed, sleeps);
    orders.add(done.join());
    expect([...done].sort()).toEqual(sleeps.map((_, i) => `${i} at 1003`));
  }
  expect(orders.size).toBeGreaterThan(15);
});

test('nobody goes on before his time, and time does not pass while somebody may go on', async () => {
  const { scheduler } = world(1);
  const life = new Life('one');
  const clock = scheduler.clock(life, 500);
  const woken: [number, number][] = [];
  for (const ms of [40, 0, 7, 40, 12]) void clock.sleep(ms).then(() => woken.push([ms, clock.now()]));
  await scheduler.run(() => woken.length === 5);
  expect(woken).toEqual([0, 7, 12, 40, 40].map((ms) => [ms, 1500 + ms]));
});

test('who is abandoned never goes on: no answer, no error, no finally; what it holds of the machine is let go', async () => {
  const { scheduler } = world(1);
  const [dying, other] = [new Life('dying'), new Life('other')];
  const seen: string[] = [];
  dying.onAbandoned(() => seen.push('its files are closed'));
  const work = async () => {
    try {
      await scheduler.outside(dying, 'write', () => seen.push('written'));
      seen.push('answered');
    } catch {
      seen.push('an error');
    } finally {
      seen.push('finally');
    }
  };
  void work();
  await scheduler.run(() => seen.includes('written'));
  scheduler.abandon(dying);
  void scheduler.park(dying, 'too late', 0).then(() => seen.push('too late'));
  let over = false;
  void scheduler
    .clock(other)
    .sleep(10)
    .then(() => {
      over = true;
    });
  await scheduler.run(() => over);
  expect(seen).toEqual(['written', 'its files are closed']);
  expect(scheduler.waiting).toBe(0);
});

test('who is frozen goes on where it was, once it thaws; for others time passes meanwhile', async () => {
  const { scheduler } = world(1);
  const [frozen, other] = [new Life('frozen'), new Life('other')];
  const woken: string[] = [];
  const sleep = (life: Life, ms: number) =>
    void scheduler
      .clock(life)
      .sleep(ms)
      .then(() => woken.push(`${life.name} at ${scheduler.now()}`));
  sleep(frozen, 5);
  sleep(other, 20);
  scheduler.freeze(frozen);
  await scheduler.run(() => woken.length === 1);
  scheduler.thaw(frozen);
  await scheduler.run(() => woken.length === 2);
  expect(woken).toEqual(['other at 1020', 'frozen at 1020']);
});

test('who gives up waiting is told why, and waits no more', async () => {
  const { scheduler } = world(1);
  const life = new Life('one');
  const stop = new AbortController();
  const waiting = scheduler.clock(life).sleep(1000, stop.signal);
  scheduler.after(life, 'stop', 5, () => {
    stop.abort(new Error('enough'));
    return undefined;
  });
  let reason: unknown;
  waiting.catch((error: unknown) => {
    reason = error;
  });
  await scheduler.run(() => reason !== undefined);
  expect(reason).toEqual(new Error('enough'));
  expect([scheduler.now(), scheduler.waiting]).toEqual([1005, 0]);
});

test('that everybody waits for somebody else is told', async () => {
  const { scheduler } = world(1);
  await expect(scheduler.run(() => false)).rejects.toThrow(NothingWaitsError);
});

test('the end of the history is kept, and its hash is that of all of it', async () => {
  const [short, long] = [new History(2), new History()];
  for (let i = 0; i < 9; i++) for (const each of [short, long]) each.add(`line ${i}`);
  expect(short.lines()).toEqual(['line 7', 'line 8']);
  expect(long.lines()).toEqual([]);
  expect(short.hash).toBe(long.hash);
  long.add('one more');
  expect(short.hash).not.toBe(long.hash);
});
