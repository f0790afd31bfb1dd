import { expect, test } from 'vitest';
import { Lull } from './lull.ts';

// What ends a transaction when the server does not say that nothing more is there (P6): it must come, and must not be told too early.

/** Sleeps end when they are told to. */
function steppedClock() {
  const sleeping: (() => void)[] = [];
  const clock = {
    now: () => 0,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleeping.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const pass = async () => {
    sleeping.shift()!();
    await new Promise(setImmediate);
  };
  return { clock, sleeping, pass };
}

const never = new Promise(() => {});

test('told once the time has passed and nothing has come, and again for the next wait', async () => {
  const { clock, pass } = steppedClock();
  const lull = new Lull(clock, new AbortController().signal);
  for (let n = 0; n < 3; n++) {
    const told = lull.comesBefore(never, 1000);
    await pass();
    expect(await told).toBe(true);
  }
});

test('what comes first ends the wait, whether it is a message or a failure', async () => {
  const { clock } = steppedClock();
  const lull = new Lull(clock, new AbortController().signal);
  expect(await lull.comesBefore(Promise.resolve(), 1000)).toBe(false);
  expect(await lull.comesBefore(Promise.reject(new Error('gone')), 1000)).toBe(false);
});

test('thousands of waits take one timer, and a wait that began while it ran is given all of its time', async () => {
  const { clock, sleeping, pass } = steppedClock();
  const lull = new Lull(clock, new AbortController().signal);
  for (let n = 0; n < 5000; n++) await lull.comesBefore(Promise.resolve(), 1000);
  expect(sleeping).toHaveLength(1);
  let told = false;
  void lull.comesBefore(never, 1000).then(() => {
    told = true;
  });
  await pass();
  expect(told).toBe(false);
  await pass();
  expect(told).toBe(true);
});

test('the end of the connection ends its timer', async () => {
  const { clock, sleeping } = steppedClock();
  const connection = new AbortController();
  const lull = new Lull(clock, connection.signal);
  const { promise, resolve } = Promise.withResolvers<void>();
  const told = lull.comesBefore(promise, 1000);
  connection.abort();
  resolve();
  expect(await told).toBe(false);
  await new Promise(setImmediate);
  expect(sleeping).toHaveLength(1);
});
