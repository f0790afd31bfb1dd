import type { FieldValue, Row } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { statuses, types, upsert, type WriteOrg, write, writeOrg } from './write-fixture.ts';

// Absent, null, empty and a value are four different things, in a record that is made and in one that is changed, for every type of
// field, by every path. What is absent is left alone; null and empty text leave nothing; a value arrives.
// (Of the Composite resources, writes use Collections alone: 200 records in a call, where a Composite request takes 25.)

let org: WriteOrg;
/** Ids of the accounts, by what stands for them below. */
const accounts = new Map<FieldValue, string>();
beforeAll(async () => {
  org = await writeOrg();
  for (const code of ['A1', 'A2']) {
    const { id } = org.emulator.org.write((transaction) => transaction.insert('Account', { Name: code, Code__c: code }));
    accounts.set(`Id of ${code}`, id!);
  }
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
  Note__c: { before: 'old', value: 'one\ntwo' },
  Rich__c: { before: '<p>old</p>', value: '<p>new, <b>bold</b></p>' },
  Secret__c: { before: 'old', value: 'new' },
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
  Account__c: { before: 'Id of A1', value: 'Id of A2' },
  'Account__r.Code__c': { before: 'A1', value: 'A2', stored: 'A2' },
};

/** Of types that only the org's own objects have: changed by Id. */
const ofTasks: Readonly<Record<string, Case>> = {
  Subject: { before: 'Call', value: 'Other', more: [['something of our own', 'something of our own']] },
  CallDurationInSeconds: { before: 1, value: 0, more: [['12', 12]] },
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
const withIds = ({ before, value, stored, more }: Case): Case => {
  const own = (each: FieldValue) => accounts.get(each) ?? each;
  return { before: own(before), value: own(value), ...(stored !== undefined && { stored }), ...(more !== undefined && { more }) };
};

test('no type of field that can be written is left out', () => {
  const { schema } = org.emulator.org;
  const written = [
    ...Object.keys(cases).map((name) => schema.field('Enrichment__c', name)),
    ...Object.keys(ofTasks).map((name) => schema.field('Task', name)),
  ];
  const covered = new Set(written.map((field) => field?.type));
  const writable = schema.objects.flatMap(({ fields }) =>
    fields.filter(({ createable, updateable }) => createable || updateable),
  );
  const left = new Set(writable.map(({ type }) => type).filter((type) => !covered.has(type)));
  // Files are not written by rows.
  left.delete('base64');
  expect([...left]).toEqual([]);
});

for (const [path, to] of Object.entries(paths)) {
  describe(path, () => {
    for (const [field, given] of Object.entries(cases)) {
      test(`${field} absent, null, empty and with a value ${evidence('documented', 'REST API Developer Guide, sObject Collections; Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, async () => {
        const { before, value, stored: shown = value, more = [] } = withIds(given);
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

    for (const [field, { before, value, more = [] }] of Object.entries(ofTasks)) {
      test(`Task.${field} absent, null, empty and with a value ${evidence('documented', 'REST API Developer Guide, sObject Collections; Bulk API 2.0 Developer Guide, Valid CSV Record Rows')}`, async () => {
        const target = await org.target({ names: ['Id', field], object: 'Task', to: { ...to, operation: 'update' } });
        const rows: [row: Row, expected: unknown][] = [
          [{}, before],
          [{ [field]: null }, null],
          [{ [field]: '' }, null],
          [{ [field]: value }, value],
          ...more.map(([written, held]): [Row, unknown] => [{ [field]: written }, held]),
        ];
        const ids = rows.map(
          () => org.emulator.org.write((transaction) => transaction.insert('Task', { [field]: before as string | number })).id!,
        );
        const results = await write(
          target,
          rows.map(([row], i) => upsert({ Id: ids[i]!, ...row }, 'Id')),
        );
        expect(statuses(results).filter((status) => status !== 'updated' && status !== 'unchanged')).toEqual([]);
        const found = org.emulator.org.query(
          `SELECT Id, ${field} FROM Task WHERE Id IN (${ids.map((id) => `'${id}'`).join(', ')})`,
        );
        const held = new Map(
          (found.page(0, ids.length, 'v62.0') as Record<string, unknown>[]).map((record) => [record.Id, record[field]]),
        );
        expect(ids.map((id) => held.get(id))).toEqual(rows.map(([, expected]) => expected));
      });
    }
  });
}
