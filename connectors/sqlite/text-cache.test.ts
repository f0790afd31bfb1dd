import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TextCache } from './text-cache.ts';
import type { Utf8 } from './text-reader.ts';

// A text that is taken for another one, because it looks like it in a few bytes or lies where another lay, is a wrong value that
// no count and no type would tell.                                                                                        (P12)

test('a text is what its bytes say, whatever was read before it and wherever', () =>
  fc.assert(
    fc.property(
      // Few letters, of one byte and more: many texts that agree in most of their bytes.
      fc.array(
        fc.oneof(
          fc.string({ unit: fc.constantFrom('a', 'b', 'é', '部'), maxLength: 8 }),
          fc.nat(40).map((n) => 'x'.repeat(n)),
        ),
        {
          maxLength: 400,
        },
      ),
      fc.nat(3),
      (texts, shift) => {
        const cache = new TextCache();
        // One piece of memory for all of them, one after the other.
        const memory = Buffer.alloc(200);
        for (const text of texts) {
          const length = memory.write(text, shift);
          expect(cache.text(memory as unknown as Utf8, shift, shift + length)).toBe(text);
        }
      },
    ),
  ));

test('values that come again are decoded once; where none does, nothing is looked up any more', () => {
  const decoded = (texts: readonly string[]) => {
    const cache = new TextCache();
    let count = 0;
    let looks = 0;
    for (const text of texts) {
      const bytes = Buffer.from(text);
      const source = new Proxy(bytes, {
        get(target, name) {
          if (name === 'utf8Slice') {
            return (start: number, end: number) => {
              count++;
              return bytes.toString('utf8', start, end);
            };
          }
          looks++;
          return Reflect.get(target, name, target);
        },
      });
      cache.text(source as unknown as Utf8, 0, bytes.length);
    }
    return { count, looks };
  };
  const countries = ['Deutschland', 'भारत', 'USA'];
  expect(decoded(Array.from({ length: 3000 }, (_, i) => countries[i % 3]!)).count).toBe(3);
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `003Yw000000${i}`);
  expect(decoded(ids(3000)).count).toBe(3000);
  expect(decoded(ids(3000)).looks).toBe(decoded(ids(1024)).looks);
});
