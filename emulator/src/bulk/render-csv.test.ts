import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { TableResult } from '../org/types.ts';
import { renderCsv } from './render-csv.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-render-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const table = (columns: string[], rows: string[][]): TableResult => ({ columns, rows: () => rows });
const comma = { delimiter: ',', lineEnding: '\n' };

async function render(columns: string[], rows: string[][], format = comma) {
  const rendered = await renderCsv(table(columns, rows), join(folder, 'x.csv'), format, new AbortController().signal, () => {});
  return { rendered, bytes: readFileSync(rendered.path) };
}

test(`every cell is quoted, and nothing is an empty text ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Results for a Query Job')}`, async () => {
  const { rendered, bytes } = await render(
    ['Id', 'Account.Name'],
    [
      ['003', ''],
      ['004', 'a "b", c\nd'],
    ],
  );
  expect(rendered.head.toString()).toBe('"Id","Account.Name"\n');
  expect(bytes.toString()).toBe('"003",""\n"004","a ""b"", c\nd"\n');
});

test('delimiter and line ending are the asked ones', async () => {
  const { rendered, bytes } = await render(['a', 'b'], [['1', '2']], { delimiter: '|', lineEnding: '\r\n' });
  expect(rendered.head.toString() + bytes.toString()).toBe('"a"|"b"\r\n"1"|"2"\r\n');
});

// Pages are cut by these offsets: one byte off and a page begins inside a record (P13).
test('any slice of rows reads back as those rows', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2, maxLength: 2 }), { maxLength: 30 }),
      fc.nat(30),
      fc.nat(30),
      async (rows, one, other) => {
        const { rendered, bytes } = await render(['a', 'b'], rows);
        const [start, end] = [Math.min(one, other, rows.length), Math.min(Math.max(one, other), rows.length)];
        const slice = bytes.subarray(rendered.offsetOf(start), rendered.offsetOf(end)).toString();
        expect(parse(slice, { relax_column_count: false, record_delimiter: '\n' })).toEqual(rows.slice(start, end));
        expect(rendered.rowCount).toBe(rows.length);
        expect(rendered.offsetOf(rows.length)).toBe(bytes.length);
      },
    ),
    { numRuns: 60 },
  ));

test('rows larger than the buffer, and more rows than the first offsets, come out whole', async () => {
  const rows = [['x'.repeat(3_000_000), 'é'.repeat(500_000)], ...Array.from({ length: 2500 }, (_, n) => [String(n), 'v'])];
  const { bytes } = await render(['a', 'b'], rows);
  expect(parse(bytes)).toEqual(rows);
});

test('an aborted rendering stops between slices', async () => {
  const stop = new AbortController();
  let rows = 0;
  function* endless() {
    for (;;) {
      rows += 1;
      if (rows === 1000) stop.abort();
      yield ['1'];
    }
  }
  const work = renderCsv({ columns: ['a'], rows: endless }, join(folder, 'y.csv'), comma, stop.signal, () => {});
  await expect(work).rejects.toThrow();
  expect(rows).toBe(1000);
});
