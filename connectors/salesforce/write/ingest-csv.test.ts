import { TruncatedReplyError } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scanCsv } from '../csv-scanner.ts';
import { cellOf, JobFile, JobResults, readResults } from './ingest-csv.ts';
import type { Outcome, Outgoing } from './outcome.ts';

// What goes into a job's file and what comes out of its results is the same record, whatever its values hold; and a result file that
// is not whole is never taken for one.                                                                             (P2, P13)

async function* bytesOf(text: string, cut = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
}

const read = async (kind: 'successful' | 'failed', header: readonly string[], csv: string) => {
  const rows: { readonly key: string; readonly outcome: Outcome }[] = [];
  await readResults(bytesOf(csv), kind, header, (key, outcome) => rows.push({ key, outcome }));
  return rows;
};

test(`errors are told by code, words and fields ${evidence('recorded', 'failedResults of a job of Opportunity; the others documented in the Bulk API 2.0 Developer Guide')}`, async () => {
  const csv = `"sf__Id","sf__Error",Name,CloseDate
"","INVALID_FIELD:Failed to deserialize field at col 1. Due to, '2003-04-98' is not a valid value for the type xsd:date:CloseDate --","Ann","2003-04-98"
"001","UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 2 records: 001a,001b:--","Bob","2003-04-01"
"","DUPLICATES_DETECTED:Use one of these records?:--","first
second","2003-04-01"
"","REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A,B --","""quoted"", and more","2003-04-01"
"","something else","Eve","2003-04-01"
`;
  const rows = await read('failed', ['Name', 'CloseDate'], csv);
  expect(rows.map(({ key, outcome }) => [key, outcome.ok || outcome.reason.code, outcome.ok || outcome.fields])).toEqual([
    ['Ann', 'INVALID_FIELD', ['CloseDate']],
    ['Bob', 'UNABLE_TO_LOCK_ROW', []],
    ['first\nsecond', 'DUPLICATES_DETECTED', []],
    ['"quoted", and more', 'REQUIRED_FIELD_MISSING', ['A', 'B']],
    ['Eve', 'UNKNOWN', []],
  ]);
  const [first] = rows;
  expect(!first!.outcome.ok && first!.outcome.reason.message).toMatch(/^Failed to deserialize .* xsd:date \(CloseDate\)$/);
});

test('a file with fewer rows than the job told, or cut in the middle, is not whole (P13)', async () => {
  const csv = '"sf__Id","sf__Created",Key__c\n"a01","true","a"\n"a02","false","b"\n';
  const results = new JobResults('job', ['a', 'b', 'c', 'b']);
  await expect(results.read(bytesOf(csv), 'successful', ['Key__c'], 3)).rejects.toThrow(TruncatedReplyError);
  await expect(read('successful', ['Key__c'], csv.slice(0, -1))).rejects.toThrow(TruncatedReplyError);
  await results.read(bytesOf(csv), 'successful', ['Key__c'], 2);
  expect([0, 1, 2, 3].map((index) => results.of(index))).toEqual([
    { ok: true, created: true },
    { ok: true, created: false },
    undefined,
    { ok: true, created: false },
  ]);
});

test('a cell holds any text, and says which it cannot hold', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('#N/A', ' #n/a', '', '"', '\r\n', ' x ')), {
        minLength: 1,
      }),
      async (texts) => {
        const told = texts.flatMap((text) => cellOf(text) ?? []).filter((cell) => cell !== '');
        const kept = texts.filter((text) => text !== '' && cellOf(text) !== null);
        for (const text of texts) if (/^\s*#n\/a\s*$/i.test(text)) expect(cellOf(text)).toBeNull();
        const found: string[] = [];
        for await (const { rowCount, bytes, spans, offset } of scanCsv(
          bytesOf(`a,b\n${told.map((cell) => `${cell},x\n`).join('')}`, 3),
          ['a', 'b'],
        )) {
          for (let row = 0; row < rowCount; row++)
            found.push(bytes.toString('utf8', spans[offset + row * 4]!, spans[offset + row * 4 + 1]!));
        }
        expect(found).toEqual(kept);
        expect(cellOf(null)).toBe('#N/A');
        expect(cellOf(undefined)).toBe('');
      },
    ),
  ));

test('a file holds what one job takes, the next begins where it ends; read again, it is the same', () => {
  const records = Array.from({ length: 100 }, (_, key) => ({ key, values: [] }) as unknown as Outgoing);
  const long = 'x'.repeat(130_000);
  const columns = [
    { name: 'Key__c', cell: ({ key }: Outgoing) => (key === 3 ? null : String(key)) },
    ...['A__c', 'B__c', 'C__c'].map((name) => ({ name, cell: () => long })),
  ];
  const order = [...records.keys()].reverse();
  const first = new JobFile(records, order, 0, columns);
  const second = new JobFile(records, order, first.end, columns);
  expect(second.end).toBe(100);
  // No CSV can say the fourth.
  expect([...first.inJob, ...second.inJob]).toEqual(order.filter((index) => index !== 3));
  const read = (file: JobFile) => Buffer.concat([...file.pieces()]);
  expect(read(first).length).toBeLessThan(100_000_000);
  for (const file of [first, second]) {
    const lines = file.inJob.map((index) => `${index},${long},${long},${long}\n`);
    for (let again = 0; again < 2; again++)
      expect(read(file).equals(Buffer.from(`Key__c,A__c,B__c,C__c\n${lines.join('')}`))).toBe(true);
  }
});
