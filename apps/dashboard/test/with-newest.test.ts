import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Page, type Pages, withNewest } from '../src/api/with-newest.ts';

// Runs that come while somebody looks are shown in their order, none twice and none left out between two that are shown.

const SIZE = 5;
const page = (from: number, count: number): Page =>
  Array.from({ length: Math.max(0, count) }, (_, i) => ({ id: String(from - i) })).filter(({ id }) => Number(id) > 0) as never;

test('whatever has come since: the newest first, without a hole and without a double', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 12 }),
      (last, looked, since) => {
        const pages: Pages = {
          pages: Array.from({ length: looked }, (_, i) => page(last - i * SIZE, SIZE)),
          pageParams: Array.from({ length: looked }, () => undefined),
        };
        const shown = withNewest(pages, page(last + since, SIZE), SIZE)
          .pages.flat()
          .map(({ id }) => Number(id));
        expect(shown[0] ?? 0).toBe(last + since);
        expect(shown).toEqual(Array.from({ length: shown.length }, (_, i) => last + since - i));
      },
    ),
  ));

test('what has changed of a run that is shown is taken over', () => {
  const running = { id: '7', state: 'running' } as never;
  const ended = { id: '7', state: 'succeeded' } as never;
  expect(withNewest({ pages: [[running]], pageParams: [undefined] }, [ended], SIZE).pages).toEqual([[ended]]);
});
