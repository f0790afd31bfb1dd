import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Block, cellValue } from '../model/block.ts';
import type { FieldSchema } from '../model/schema.ts';
import { blockReader } from './block-reader.ts';

const fields: FieldSchema[] = [
  { name: 'A', type: 'text', nullable: true },
  { name: 'B', type: 'text', nullable: true },
  { name: 'N', type: 'integer', nullable: true },
];

/** Cells one after the other in one buffer, as a scan leaves them; a null where the text is. */
function blockOf(rows: readonly (readonly (string | null)[])[]): Block {
  const spans = new Int32Array(rows.length * fields.length * 2);
  let at = 0;
  rows.flat().forEach((text, i) => {
    spans[i * 2] = text === null ? -1 : at;
    at += Buffer.byteLength(text ?? '');
    spans[i * 2 + 1] = at;
  });
  const bytes = Buffer.from(rows.flat().join(''));
  const stride = fields.length * 2;
  return { rowCount: rows.length, columns: fields.map((_, c) => ({ kind: 'text', bytes, spans, offset: c * 2, stride })) };
}

const short = fc.string({ unit: fc.constantFrom('a', 'Z', ' ', '0', '"'), maxLength: 12 });
const long = fc.integer({ min: 1, max: 40_000 }).map((length) => 'xyz'.repeat(length));
const foreign = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.toWellFormed());
const text = fc.option(
  fc.oneof({ weight: 8, arbitrary: short }, { weight: 2, arbitrary: foreign }, { weight: 1, arbitrary: long }),
);

// Where a cell happens to lie among the bytes, and what lies beside it, is nothing to an expression.                   (P12)
test('a cell reads the same whichever way it is decoded', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text, fc.option(fc.integer().map(String))), { maxLength: 60 }), (rows) => {
      const block = blockOf(rows);
      const reader = blockReader(block, { name: 'Contact', key: ['A'], fields });
      for (reader.row = 0; reader.row < rows.length; reader.row++) {
        const expected = fields.map((field, c) => cellValue(block.columns[c]!, reader.row, field));
        expect(fields.map(({ name }) => reader.get(name))).toEqual(expected);
        expect(Object.values(reader.all())).toEqual(expected);
      }
      expect(reader.get('Missing')).toBeUndefined();
    }),
    { numRuns: 200 },
  ));
