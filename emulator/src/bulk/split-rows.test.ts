import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { splitRows } from './split-rows.ts';

// Whatever is split by hand is what the CSV library reads; and what is well formed is split by hand.

const how = (delimiter: string) => ({
  delimiter,
  record_delimiter: ['\r\n', '\n'],
  relax_column_count: true,
  skip_empty_lines: true,
});
const delimiter = fc.constantFrom(',', '`', '^', '|', ';', '\t');
const anything = fc.array(fc.constantFrom('"', '""', ',', ';', '|', '\n', '\r\n', '\r', 'a', 'ü', '😀', ' '), { maxLength: 24 });

test(`as the library reads it, or not at all ${evidence('documented', 'Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, () => {
  fc.assert(
    fc.property(delimiter, anything, (between, pieces) => {
      const text = pieces.join('');
      const rows = splitRows(text, between);
      if (rows) expect(rows).toEqual(parse(text, how(between)));
    }),
    { numRuns: 2000 },
  );
});

test(`well-formed rows are all split ${evidence('documented', 'Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, () => {
  const cell = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r\n', 'a', 'ü', ' '), maxLength: 6 });
  const row = fc.array(cell, { minLength: 1, maxLength: 5 }).filter((cells) => cells.length > 1 || cells[0] !== '');
  fc.assert(
    fc.property(fc.array(row, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'), fc.boolean(), (rows, lineBreak, isClosed) => {
      const written = rows.map((cells) =>
        cells.map((text) => (/["\r\n,]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)),
      );
      const text = written.map((cells) => cells.join(',')).join(lineBreak) + (isClosed ? lineBreak : '');
      expect(splitRows(text, ',')).toEqual(rows);
    }),
  );
});
