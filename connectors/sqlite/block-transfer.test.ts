import { type Block, type Column, cellText } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockMemory } from './block-transfer.ts';

// A block's bytes belong to whoever made it again as soon as it is packed, and what the worker reads is nobody else's until it
// has answered: otherwise rows of one block would turn into those of another, without an error.                       (P1, P13)

/** A block of two text columns in one piece of memory, as scanners make them, and a column of values. */
function blockOf(rows: readonly (readonly [string | null, string | null])[], release: () => void): Block {
  const cells = rows.flat();
  const parts = cells.map((cell) => Buffer.from(cell ?? ''));
  const bytes = Buffer.concat([Buffer.from('before'), ...parts, Buffer.from('behind')]);
  const spans = new Int32Array(cells.length * 2);
  let at = 'before'.length;
  parts.forEach((part, i) => {
    spans.set(cells[i] === null ? [-1, 0] : [at, at + part.length], i * 2);
    at += part.length;
  });
  const text = (column: number): Column => ({ kind: 'text', bytes, spans, offset: column * 2, stride: 4 });
  const values: Column = { kind: 'values', values: rows.map((_, r) => r) };
  return {
    rowCount: rows.length,
    columns: [text(0), values, text(1)],
    release() {
      bytes.fill('?');
      spans.fill(0);
      release();
    },
  };
}

test('what is packed stays as it was until it is freed, whatever becomes of the block and of those after it', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          rows: fc.array(fc.tuple(fc.option(fc.string({ unit: 'grapheme' })), fc.option(fc.string())), { maxLength: 20 }),
          // How many blocks later the worker answers.
          answeredAfter: fc.nat(4),
        }),
        { maxLength: 30 },
      ),
      (blocks) => {
        const memory = new BlockMemory();
        const waiting: { due: number; rows: (typeof blocks)[0]['rows']; packed: Block; free: () => void }[] = [];
        let released = 0;
        const answer = (now: number) => {
          for (const each of waiting.filter(({ due }) => due <= now)) {
            waiting.splice(waiting.indexOf(each), 1);
            const { packed } = structuredClone({ packed: each.packed });
            const [first, numbers, second] = packed.columns as [Column, Column, Column];
            const read = (column: Column) => each.rows.map((_, r) => textOf(column, r));
            expect(packed.rowCount).toBe(each.rows.length);
            expect(read(first)).toEqual(each.rows.map(([cell]) => cell));
            expect(read(second)).toEqual(each.rows.map(([, cell]) => cell));
            expect(read(numbers)).toEqual(each.rows.map((_, r) => String(r)));
            each.free();
          }
        };
        blocks.forEach(({ rows, answeredAfter }, i) => {
          const block = blockOf(rows, () => released++);
          waiting.push({ due: i + answeredAfter, rows, ...memory.pack(block) });
          answer(i);
        });
        answer(Number.POSITIVE_INFINITY);
        expect(released).toBe(blocks.length);
      },
    ),
  ));

test('memory is used again, so that a load takes no more of it than the blocks under way', () => {
  const memory = new BlockMemory();
  const seen = new Set<unknown>();
  for (let i = 0; i < 100; i++) {
    const { packed, free } = memory.pack(blockOf([['one', 'two']], () => {}));
    const [column] = packed.columns;
    seen.add(column?.kind === 'text' ? column.bytes.buffer : null);
    free();
  }
  expect(seen.size).toBe(1);
});

/** As the worker does: what arrives is a plain array of bytes. */
function textOf(column: Column, row: number): string | null {
  if (column.kind !== 'text') return cellText(column, row);
  const { buffer, byteOffset, byteLength } = column.bytes;
  return cellText({ ...column, bytes: Buffer.from(buffer, byteOffset, byteLength) }, row);
}
