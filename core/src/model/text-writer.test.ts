import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cellText } from './block.ts';
import { TextWriter } from './text-writer.ts';

// What an expression has computed arrives as it was computed, however long, in whatever alphabet, between whatever neighbours. (P12)
test('every text comes back from the column it was written into', () =>
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 20 })))),
      (texts) => {
        const writer = new TextWriter(texts.length);
        for (const text of texts) writer.add(text);
        const column = writer.column();
        // Half of a pair has no UTF-8.
        expect(texts.map((_, row) => cellText(column, row))).toEqual(texts.map((text) => text?.toWellFormed() ?? null));
      },
    ),
    { numRuns: 500 },
  ));
