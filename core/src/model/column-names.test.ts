import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestRefusedError } from '../base/errors.ts';
import { type ColumnNaming, columnNames, shortened } from './column-names.ts';

const postgres: ColumnNaming = { fold: 'lower', bytesMax: 63, reserved: ['ctid', 'xmin'] };
const sqlite: ColumnNaming = { fold: 'keep', bytesMax: Number.POSITIVE_INFINITY };
const named = (...names: string[]) => names.map((name) => ({ name }));
const object = (columns: Map<string, string>) => Object.fromEntries(columns);

const hostileName = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 90 }),
  fc.constantFrom(
    'select',
    'Name',
    'name',
    'NAME',
    '"',
    "it's",
    '_tidemark_stamp',
    '_TIDEMARK_x',
    'ctid',
    'İ',
    'ı',
    'K',
    'K',
    'é',
    'é',
    '😀'.repeat(30),
    'x'.repeat(200),
    `${'x'.repeat(200)}y`,
  ),
);
const hostileNames = fc.uniqueArray(
  hostileName.filter((name) => !name.includes('\0') && name.isWellFormed()),
  { maxLength: 12 },
);

// Two fields in one column would overwrite each other in every row, without an error anywhere.
describe('columns of fields', () => {
  for (const [database, naming] of Object.entries({ postgres, sqlite })) {
    test(`in ${database} every field has a column of its own that the database can tell apart`, () =>
      fc.assert(
        fc.property(hostileNames, hostileNames, (names, existing) => {
          const columns = [...columnNames(named(...names), { ...naming, existing }).values()];
          expect(columns).toHaveLength(names.length);
          const identity = (column: string) =>
            naming.fold === 'keep' ? column.replace(/[A-Z]/g, (c) => c.toLowerCase()) : column;
          expect(new Set(columns.map(identity)).size).toBe(names.length);
          for (const column of columns) {
            expect(column).not.toBe('');
            expect(column.isWellFormed()).toBe(true);
            expect(column.toLowerCase().startsWith('_tidemark_')).toBe(false);
            expect(naming.reserved ?? []).not.toContain(column.toLowerCase());
            if (!existing.includes(column)) expect(Buffer.byteLength(column)).toBeLessThanOrEqual(naming.bytesMax);
          }
        }),
      ));
  }

  test('the order of fields does not matter', () =>
    fc.assert(
      fc.property(hostileNames, (names) => {
        const columns = columnNames(named(...names), postgres);
        expect(object(columnNames(named(...names.toReversed()), postgres))).toEqual(object(columns));
      }),
    ));

  test('they are found again once the table has them', () =>
    fc.assert(
      fc.property(hostileNames, hostileNames, (names, later) => {
        const first = columnNames(named(...names), postgres);
        const all = named(...new Set([...later, ...names]));
        const second = columnNames(all, { ...postgres, existing: [...first.values()], known: first });
        for (const name of names) expect(second.get(name)).toBe(first.get(name));
      }),
    ));

  test('names are folded as SQL folds them, and by ASCII only', () =>
    expect(object(columnNames(named('AccountId', 'Rating__c', 'ÄÖ'), postgres))).toEqual({
      AccountId: 'accountid',
      Rating__c: 'rating__c',
      ÄÖ: 'ÄÖ',
    }));

  test('names that meet all get a suffix of their own', () => {
    const columns = columnNames(named('Case', 'CASE', 'other'), postgres);
    expect(columns.get('Case')).toMatch(/^case_[0-9a-f]{6}$/);
    expect(columns.get('CASE')).toMatch(/^case_[0-9a-f]{6}$/);
    expect(columns.get('other')).toBe('other');
  });

  test('a column of the table is found exactly, or else without regard to case', () => {
    expect(object(columnNames(named('Email', 'Phone'), { ...postgres, existing: ['eMail', 'phone', 'Phone'] }))).toEqual({
      Email: 'eMail',
      Phone: 'Phone',
    });
  });

  test('a name that the user wrote keeps its spelling', () =>
    expect(object(columnNames([{ name: 'signupCode', spelled: true }], postgres))).toEqual({ signupCode: 'signupCode' }));

  test('a new field does not take the column of one that differs in case', () => {
    const known = new Map([['Name', 'name']]);
    const columns = columnNames(named('name', 'Name'), { ...postgres, existing: ['name'], known });
    expect(columns.get('Name')).toBe('name');
    expect(columns.get('name')).toMatch(/^name_[0-9a-f]{6}$/);
  });

  test.each(['', 'a\0b', 'half \ud83d'])('%j cannot be a column', (name) => {
    expect(() => columnNames(named(name), postgres)).toThrow(RequestRefusedError);
  });

  test.each(['_tidemark_stamp', 'ctid', 'x'.repeat(64)])('the user is told that %s cannot be taken as it is', (name) => {
    expect(() => columnNames([{ name, spelled: true }], postgres)).toThrow(RequestRefusedError);
  });

  test('a shortened name is as long as allowed and tells long names apart', () => {
    expect(shortened('contacts_pkey', 63)).toBe('contacts_pkey');
    const [one, two] = ['a', 'b'].map((end) => shortened(`${'é'.repeat(60)}${end}`, 63));
    expect(one).not.toBe(two);
    expect(Buffer.byteLength(one!)).toBeLessThanOrEqual(63);
  });
});
