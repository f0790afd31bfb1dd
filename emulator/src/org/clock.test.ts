import { expect, test } from 'vitest';
import { createClock } from './clock.ts';

// Tests rest on the org's clock: it moves when told to, and time neither jumps nor is lost when it stops and goes on.

const start = Date.parse('2024-05-22T13:05:09.000Z');

test('a frozen clock stands until it is moved, either way', () => {
  const clock = createClock(start);
  clock.freeze(start);
  expect(clock.now()).toBe(start);
  clock.advance(5000);
  clock.advance(-2000);
  expect(clock.now()).toBe(start + 3000);
});

test('let go, it runs on from where it stood and keeps what it was moved by', () => {
  const clock = createClock();
  clock.freeze(start);
  clock.advance(60_000);
  clock.freeze(null);
  const running = clock.now();
  expect(running).toBeGreaterThanOrEqual(start + 60_000);
  expect(running).toBeLessThan(start + 120_000);
  clock.advance(3_600_000);
  expect(clock.now() - running).toBeGreaterThanOrEqual(3_600_000);
});

test('who waits by it is told of each move, until it says no more', () => {
  const clock = createClock(start);
  const seen: number[] = [];
  clock.freeze(start);
  const stop = clock.onMove(() => seen.push(clock.now() - start));
  clock.advance(270_000);
  clock.freeze(start + 300_000);
  stop();
  clock.advance(1);
  expect(seen).toEqual([270_000, 300_000]);
});
