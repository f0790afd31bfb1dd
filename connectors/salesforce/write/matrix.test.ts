import type { FieldValue, Row } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { statuses, types, upsert, type WriteOrg, write, writeOrg } from './write-fixture.ts';

// Absent, null, empty and a value are four different things, in a record that is made and in one that is changed, for every type of
// field, by every path. What is absent is left alone; null and empty text leave nothing; a value arrives.

let org: WriteOrg;
beforeAll(async () => {
  org = await writeOrg();
  org.emulator.org.write((transaction) => transaction.insert('Account', { Name: 'first', Code__c: 'A1' }));
  org.emulator.org.write((transaction) => transaction.insert('Account', { Name: 'second', Code__c: 'A2' }));
});
afterAll(() => org[Symbol.asyncDispose]());

interface Case {
  /** What is there before, and what is written; then what the org holds after each of the two. */
  readonly before: FieldValue;
  readonly value: FieldValue;
  readonly stored?: unknown;
  readonly more?: readonly (readonly [written: FieldValue, stored: unknown])[];
}

const cases: Readonly<Record<string, Case>> = {
  Text__c: {
    before: 'old',
    value: 'new',
    more: [
      ['#N/A', '#N/A'],
      ['#n/a', '#n/a'],
      ['=1+1', '=1+1'],
      ['null', 'null'],
      [' padded ', 'padded'],
      ['a,"b"\r\nc', 'a,"b"\r\nc'],
      ['你好 Ω 👩‍👩‍👧', '你好 Ω 👩‍👩‍👧'],
      ['007', '007'],
      [12.5, '12.5'],
      [true, 'true'],
      [{ a: [1] }, '{"a":[1]}'],
    ],
  },
  Long__c: { before: 'old', value: 'line one\nline two\r\n"three"', more: [['x'.repeat(131_072), 'x'.repeat(131_072)]] },
  Flag__c: {
    before: true,
    value: false,
    more: [
      ['true', true],
      ['0', false],
    ],
  },
  Count__c: { before: 1, value: 0, more: [['9007199254740993', expect.anything()]] },
  Amount__c: {
    before: 1.5,
    value: -1234.56,
    more: [
      ['1e3', 1000],
      ['0.10', 0.1],
    ],
  },
  Money__c: { before: 1, value: '99.95', stored: 99.95 },
  Share__c: { before: 1, value: 12.5 },
  Day__c: { before: '2020-01-01', value: '2024-02-29', more: [['2024-02-29T00:00:00.000Z', '2024-02-29']] },
  At__c: {
    before: '2020-01-01T00:00:00.000Z',
    value: '2024-05-22T13:05:09.000Z',
    stored: '2024-05-22T13:05:09.000+0000',
    more: [
      ['2024-05-22T15:05:09.000+02:00', '2024-05-22T13:05:09.000+0000'],
      ['2024-05-22', '2024-05-22T00:00:00.000+0000'],
    ],
  },
  Time__c: { before: '01:00:00.000', value: '13:05:09.123', stored: '13:05:09.123Z' },
  Mail__c: { before: 'a@example.com', value: 'b@example.com' },
  Site__c: { before: 'https://a.example', value: 'https://b.example/?q="1,2"' },
  Phone__c: { before: '1', value: '+1 (555) 0100' },
  Stage__c: { before: 'old', value: 'new' },
  Colours__c: { before: 'red', value: 'red;blue', more: [[['blue', 'red'], 'red;blue']] },
  'Account__r.Code__c': { before: 'A1', value: 'A2', stored: 'A2' },
};

const paths = {
  Collections: { bulkAbove: 1_000_000 },
  Bulk: { bulkAbove: 0 },
  'Collections, compared': { bulkAbove: 1_000_000, compare: true },
  'Bulk, compared': { bulkAbove: 0, compare: true },
};

const stored = (field: string, value: FieldValue) => {
  if (types[field] === 'datetime') return String(value).replace('Z', '+0000');
  return types[field] === 'time' ? `${value}Z` : value;
};

for (const [path, to] of Object.entries(paths)) {
  describe(path, () => {
    for (const [field, { before, value, stored: shown = value, more = [] }] of Object.entries(cases)) {
      test(`${field} absent, null, empty and with a value ${evidence('documented', 'REST API Developer Guide, sObject Collections; Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, async () => {
        const target = await org.target({ names: ['Key__c', field], to });
        const name = (what: string) => `${path} ${field} ${what}`;
        const writes: [what: string, row: Row, expected: unknown][] = [
          ['absent', {}, stored(field, before)],
          ['null', { [field]: null }, field === 'Flag__c' ? false : null],
          ['empty', { [field]: '' }, field === 'Flag__c' ? false : null],
          ['value', { [field]: value }, shown],
          ...more.map(([written, held], i): [string, Row, unknown] => [`more ${i}`, { [field]: written }, held]),
        ];
        const read = () => {
          const selected = field === 'Account__r.Code__c' ? 'Account__r.Code__c' : field;
          const found = org.records(['Key__c', selected], `Key__c LIKE '${path} ${field}%'`);
          const heldBy = (record: Record<string, unknown>) =>
            field === 'Account__r.Code__c' ? ((record.Account__r as { Code__c: string } | null)?.Code__c ?? null) : record[field];
          return new Map(found.map((record) => [record.Key__c, heldBy(record)]));
        };
        // Made anew.
        const made = writes.map(([what, row]) => upsert({ Key__c: name(what), ...row }));
        expect(statuses(await write(target, made))).toEqual(made.map(() => 'created'));
        for (const [what, row, expected] of writes) {
          const unset = field === 'Flag__c' ? false : null;
          expect(read().get(name(what)), what).toEqual(row[field] === undefined ? unset : expected);
        }
        // Changed from what is there.
        await write(
          target,
          writes.map(([what]) => upsert({ Key__c: name(what), [field]: before })),
        );
        const results = statuses(await write(target, made));
        expect(results.filter((status) => status !== 'updated' && status !== 'unchanged')).toEqual([]);
        for (const [what, , expected] of writes) expect(read().get(name(what)), what).toEqual(expected);
        if (!('compare' in to)) return;
        // And what is there is recognised.
        expect(new Set(statuses(await write(target, made)))).toEqual(new Set(['unchanged']));
      });
    }
  });
}
