import { expect, test } from 'vitest';
import { gathered } from './gathered.ts';

const never = new AbortController().signal;
const limit = (max: number) => ({ max, sizeOf: () => 1 });
const rest = () => new Promise((resolve) => setImmediate(resolve));

async function* numbers(from: number, to: number, read: number[] = []): AsyncGenerator<number> {
  for (let n = from; n <= to; n++) {
    read.push(n);
    yield n;
  }
}

test('what comes while one is worked on is handed over together, in its order, and nothing is lost', async () => {
  const seen: (readonly number[])[] = [];
  for await (const some of gathered(() => numbers(1, 7), limit(3), never)) {
    seen.push(some);
    await rest();
  }
  expect(seen.flat()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(seen.length).toBeLessThan(7);
});

test('no more is read than may wait', async () => {
  const read: number[] = [];
  const reading = gathered(() => numbers(1, 100, read), limit(5), never);
  await reading.next();
  await rest();
  expect(read.length).toBeLessThanOrEqual(7);
  await reading.return(undefined);
});

test('an error comes after all that was read before it', async () => {
  const seen: number[] = [];
  const read = async function* () {
    yield* numbers(1, 2);
    throw new Error('broken');
  };
  const reading = async () => {
    for await (const some of gathered(read, limit(9), never)) seen.push(...some);
  };
  await expect(reading()).rejects.toThrow('broken');
  expect(seen).toEqual([1, 2]);
});

test('who leaves ends the read under way, though nothing comes any more', async () => {
  let ended = false;
  const silent = async function* (signal: AbortSignal) {
    yield 1;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    ended = true;
  };
  for await (const _ of gathered(silent, limit(9), never)) break;
  expect(ended).toBe(true);
});
