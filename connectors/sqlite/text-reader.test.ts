import fc from 'fast-check';
import { expect, test } from 'vitest';
import { textReader } from './text-reader.ts';

// Cells lie in the bytes of a reply, one beside the other. Whatever bytes lie around a cell, and in whichever order cells are
// asked for, each must be what it is by itself.
test('a cell reads the same whatever surrounds it', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.option(
          fc.oneof(
            fc.string(),
            fc.string({ unit: 'grapheme' }),
            fc.nat(9000).map((n) => 'x'.repeat(n)),
          ),
        ),
        { maxLength: 30 },
      ),
      fc.infiniteStream(fc.nat()),
      (cells, choices) => {
        const parts = cells.map((cell) => Buffer.from(cell ?? ''));
        const spans = new Int32Array(cells.length * 2);
        let at = 0;
        parts.forEach((part, i) => {
          spans.set(cells[i] === null ? [-1, 0] : [at, at + part.length], i * 2);
          at += part.length;
        });
        // As it comes from another thread: a plain array of bytes.
        const bytes = Uint8Array.from(Buffer.concat(parts)) as Buffer;
        const read = textReader({ kind: 'text', bytes, spans, offset: 0, stride: 2 });
        for (let i = 0; i < cells.length * 2; i++) {
          const row = i < cells.length ? i : Number(choices.next().value) % cells.length;
          expect(read(row)).toBe(cells[row] === null ? null : Buffer.from(cells[row]!).toString());
        }
      },
    ),
  ));
