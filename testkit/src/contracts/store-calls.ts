import type { CountedCalls, Store } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** What every state store promises of the calls that processes count together (P8). */
export function describeCalls(place: () => { store: Store; newSync(): string }): void {
  const inOrder = (counted: readonly CountedCalls[]) =>
    [...counted].sort((a, b) => a.fromMs - b.fromMs || (a.priority < b.priority ? -1 : 1));

  describe('calls', () => {
    test('what several processes add at once is the sum of it all, and each connection has its own', async () => {
      const { store, newSync } = place();
      const [one, other] = [newSync(), newSync()];
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.calls.add(
            one,
            [
              { priority: i % 2 === 0 ? 'live' : 'full', fromMs: 900_000, calls: 3 },
              { priority: 'delta', fromMs: 1_800_000, calls: 1 },
            ],
            0,
          ),
        ),
      );
      await store.calls.add(other, [{ priority: 'live', fromMs: 900_000, calls: 7 }], 0);
      expect(inOrder(await store.calls.read(one))).toEqual([
        { priority: 'full', fromMs: 900_000, calls: 30 },
        { priority: 'live', fromMs: 900_000, calls: 30 },
        { priority: 'delta', fromMs: 1_800_000, calls: 20 },
      ]);
      expect(await store.calls.read(other)).toEqual([{ priority: 'live', fromMs: 900_000, calls: 7 }]);
    });

    test('whatever is added and forgotten: what is kept is what a sum of it says', () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              priority: fc.constantFrom('live', 'delta'),
              from: fc.integer({ min: 0, max: 5 }),
              calls: fc.integer({ min: 1, max: 9 }),
              keepFrom: fc.integer({ min: 0, max: 3 }),
            }),
            { maxLength: 12 },
          ),
          async (steps) => {
            const { store, newSync } = place();
            const connection = newSync();
            let model = new Map<string, CountedCalls>();
            for (const { priority, from, calls, keepFrom } of steps) {
              const fromMs = from * 900_000;
              await store.calls.add(connection, [{ priority, fromMs, calls }], keepFrom * 900_000);
              const name = `${priority} ${fromMs}`;
              model.set(name, { priority, fromMs, calls: calls + (model.get(name)?.calls ?? 0) });
              model = new Map([...model].filter(([, each]) => each.fromMs >= keepFrom * 900_000));
            }
            expect(inOrder(await store.calls.read(connection))).toEqual(inOrder([...model.values()]));
          },
        ),
        { numRuns: 30 },
      ));
  });
}
