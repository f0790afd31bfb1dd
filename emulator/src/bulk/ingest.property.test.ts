import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { delimiterOf, type LineEnding, lineBreakOf } from './csv-format.ts';
import { type IngestClient, startIngest } from './ingest-testing.ts';
import { parseRows } from './parse-rows.ts';
import { createRowScanner } from './row-scanner.ts';

// The results of a job partition its upload exactly, and the org holds exactly what was accepted: no row is lost, told of
// twice or written otherwise than it was uploaded, whatever stands in it.

let client: IngestClient;
beforeAll(async () => {
  client = await startIngest();
});
afterAll(() => client.org.emulator.close());

const delimiterNames = ['COMMA', 'BACKQUOTE', 'CARET', 'PIPE', 'SEMICOLON', 'TAB'];
const awkward = fc.constantFrom('"', '""', ',', ';', '|', '`', '^', '\t', '\n', '\r\n', ' ', 'é', '😀', '#N/A', '\u2028', 'x');
const text = fc.oneof(
  fc.array(awkward, { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => !value.includes('\0')),
  fc.constantFrom('', '#N/A'),
);
/** One record: whether it is refused follows from an empty name or a phone that is too long. */
const record = fc.record({
  name: fc.oneof({ weight: 4, arbitrary: text.map((value) => `n${value}`) }, { weight: 1, arbitrary: fc.constant('') }),
  description: text,
  phone: fc.oneof({ weight: 4, arbitrary: fc.constant('1') }, { weight: 1, arbitrary: fc.constant('9'.repeat(41)) }),
});
const job = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 420, size: 'max' }),
  columnDelimiter: fc.constantFrom(...delimiterNames),
  lineEnding: fc.constantFrom<LineEnding>('LF', 'CRLF'),
  quoteAll: fc.boolean(),
  lastLineBreak: fc.boolean(),
});

function toCsv(rows: readonly (readonly string[])[], { columnDelimiter, lineEnding, quoteAll, lastLineBreak }: Format): string {
  const cell = (value: string) =>
    quoteAll || /["\n\r]/.test(value) || value.includes(delimiterOf(columnDelimiter))
      ? `"${value.replaceAll('"', '""')}"`
      : value;
  const lines = rows.map((cells) => cells.map(cell).join(delimiterOf(columnDelimiter)));
  return lines.join(lineBreakOf(lineEnding)) + (lastLineBreak ? lineBreakOf(lineEnding) : '');
}
type Format = { columnDelimiter: string; lineEnding: LineEnding; quoteAll: boolean; lastLineBreak: boolean };

const header = ['LastName', 'Description', 'Phone', 'Ext__c', 'FirstName'];
const stored = (value: string) => (value.trim() === '' ? null : value.trim());

test(`any text in any format: uploaded, told of once, held as it was ${evidence('documented', 'Bulk API 2.0 Developer Guide, Valid CSV Record Rows; how blanks are kept is assumed')}`, async () => {
  const { schema } = client.org.emulator.org;
  const external = schema.field('Account', 'Ext__c');
  if (!external) throw new Error('the test org has no Account.Ext__c');
  schema.add({ ...schema.object('Contact')!, fields: [external] });
  let uploads = 0;
  await fc.assert(
    fc.asyncProperty(job, async ({ records, ...format }) => {
      uploads += 1;
      const rows = records.map(({ name, description, phone }, n) => [name, description, phone, `${uploads}-${n}`, 'f']);
      const state = await client.run(toCsv([header, ...rows], format), {
        columnDelimiter: format.columnDelimiter,
        lineEnding: format.lineEnding,
      });
      expect(state).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: rows.length });

      const given = {
        delimiter: delimiterOf(format.columnDelimiter),
        columns: false,
        record_delimiter: lineBreakOf(format.lineEnding),
      };
      const read = async (which: string) =>
        parse((await client.results(state.id, which)).text, given).slice(1) as unknown as string[][];
      const [done, failed, rest] = [
        await read('successfulResults'),
        await read('failedResults'),
        await read('unprocessedrecords'),
      ];
      const told = [...done.map((row) => row.slice(2)), ...failed.map((row) => row.slice(2)), ...rest];
      const byKey = (a: readonly string[], b: readonly string[]) => (a[3]! < b[3]! ? -1 : 1);
      expect(told.sort(byKey)).toEqual([...rows].sort(byKey));
      expect(failed).toHaveLength(state.numberRecordsFailed);
      const refused = rows.filter(([name, , phone]) => name === '' || phone !== '1');
      expect(failed.map((row) => row[5]).sort()).toEqual(refused.map((row) => row[3]).sort());

      const held = client.select(`SELECT Id, LastName, Description, Phone, Ext__c FROM Contact WHERE Ext__c LIKE '${uploads}-%'`);
      const accepted = rows.filter((row) => !refused.includes(row));
      expect(held).toHaveLength(accepted.length);
      const ids = new Map(done.map((row) => [row[5], row[0]]));
      const uploaded = new Map(accepted.map((row) => [row[3], row]));
      for (const { Id, LastName, Description, Phone, Ext__c } of held) {
        const [name, description, phone] = uploaded.get(Ext__c as string)!;
        expect(Id).toBe(ids.get(Ext__c as string));
        expect({ LastName, Phone }).toEqual({ LastName: stored(name!), Phone: phone });
        expect(Description).toBe(description === '#N/A' || description === '' ? null : description);
      }
    }),
    { numRuns: 30 },
  );
});

test('however it is cut into pieces, a CSV has the rows that the library reads', () => {
  const cells = fc.array(fc.array(text, { minLength: 2, maxLength: 3 }), { maxLength: 12 });
  const format = fc.record({
    columnDelimiter: fc.constantFrom(...delimiterNames),
    lineEnding: fc.constantFrom<LineEnding>('LF', 'CRLF'),
    quoteAll: fc.boolean(),
    lastLineBreak: fc.boolean(),
  });
  fc.assert(
    fc.property(cells, format, fc.integer({ min: 1, max: 7 }), (rows, given, piece) => {
      const delimiter = delimiterOf(given.columnDelimiter);
      const bytes = Buffer.from(toCsv(rows, given));
      const ends: number[] = [];
      const endings = new Set<string>();
      const scanner = createRowScanner(delimiter.charCodeAt(0));
      const onRow = (end: number, ending: string) => {
        ends.push(end);
        endings.add(ending);
      };
      for (let at = 0; at < bytes.length; at += piece) scanner.scan(bytes.subarray(at, at + piece), onRow);
      scanner.end(onRow);
      expect(parseRows(bytes, ends, delimiter)).toEqual(rows.map((row) => ({ cells: row, malformed: undefined })));
      endings.delete('none');
      expect([...endings].every((ending) => ending === given.lineEnding)).toBe(true);
      // Each row by itself is the same row.
      let start = 0;
      for (const [index, end] of ends.entries()) {
        expect(parseRows(bytes.subarray(start, end), [end - start], delimiter)[0]?.cells).toEqual(rows[index]);
        start = end;
      }
    }),
  );
});
