import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evidence } from '../../evidence.ts';
import type { Column, Stored } from '../../org/table.ts';
import { checkbox, date, datetime, double, field, percent, picklist, reference, text } from '../../schema/fields.ts';
import { readFormula } from './formula.ts';

// A formula reads here as it does in an org, or a sync that passes its tests writes other numbers than the org's (P1).

const columns: Record<string, Column> = {};
const declared = [
  double('N__c', 'N', 16, 2),
  double('M__c', 'M', 16, 2),
  percent('Share__c', 'Share', 5, 2),
  text('T__c', 'T', 80),
  text('Account.Name', 'Name', 80),
  checkbox('Flag__c', 'Flag'),
  date('Day__c', 'Day'),
  datetime('At__c', 'At'),
  field('Clock__c', 'Clock', 'time'),
  picklist('Stage__c', 'Stage', 'Open|Won'),
  field('Colours__c', 'Colours', 'multipicklist'),
  reference('OwnerId', 'Owner', 'User'),
];
const kinds = {
  double: 'double',
  percent: 'double',
  boolean: 'boolean',
  date: 'date',
  datetime: 'datetime',
  time: 'time',
} as const;
for (const { describe: described } of declared) {
  const kind = kinds[described.type as keyof typeof kinds] ?? 'text';
  columns[described.name] = { name: described.name, field: described, kind, quotedName: '', foldIndexed: false };
}
const now = Date.parse('2026-03-04T05:06:07Z');

/** What a formula gives for a record with these values; blank numbers are zero only if `zero` is. */
function run(formula: string, values: Record<string, Stored> = {}, { zero = false } = {}) {
  const read = readFormula(formula, { column: (path) => columns[path], blanksAsZero: zero });
  return read.work(
    read.inputs.map(({ path }) => values[path!] ?? null),
    now,
  );
}
const refused = (formula: string, ofSave = false) => {
  try {
    readFormula(formula, { column: (path) => columns[path], blanksAsZero: false, ofSave });
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe(`operators ${evidence('documented', 'Salesforce Help, Formula Operators and Functions A–Z')}`, () => {
  test.each([
    ['1 + 2 * 3 - 4 / 2', 5],
    ['(1 + 2) * -3', -9],
    ['2 ^ 3 * 2', 16],
    ['10 - 2 - 3', 5],
    ['0.1 + 0.2 = 0.3', true],
    ['1 < 2 && 2 <> 3 || FALSE', true],
    ['TRUE || FALSE && FALSE', true],
    ['!TRUE || not(false)', true],
    ['"a" & \'b\' & "\\"c\\""', 'ab"c"'],
    ['/* a note */ 1 /* and */ + 1', 2],
    ['IF(1 = 1, "yes", "no")', 'yes'],
    ['"a" = "A"', false],
    ['-N__c', -7],
    ['n__c', 'refused'],
  ])('%s', (formula, expected) => {
    if (expected === 'refused') expect(refused(formula)).toContain('does not exist');
    else expect(run(formula, { N__c: 7 })).toBe(expected);
  });
});

describe(`functions ${evidence('documented', 'Salesforce Help, Formula Operators and Functions A–Z')}`, () => {
  test.each<[string, unknown]>([
    ['ROUND(2.345, 2)', 2.35],
    ['ROUND(-2.5, 0)', -3],
    ['ROUND(1234, -2)', 1200],
    ['CEILING(-2.1) & ""', 'refused'],
    ['CEILING(-2.1)', -3],
    ['FLOOR(-2.9)', -2],
    ['MCEILING(-2.1)', -2],
    ['MFLOOR(-2.1)', -3],
    ['MAX(1, N__c, 3) - MIN(2, 1)', 6],
    ['MOD(7, 4)', 3],
    ['TEXT(N__c) & "!"', '7!'],
    ['TEXT(Stage__c)', 'Won'],
    ['TEXT(Day__c)', '2024-02-29'],
    ['TEXT(At__c)', '2024-05-22 13:05:09Z'],
    ['VALUE("12.50") + 1', 13.5],
    ['VALUE("x")', null],
    ['N__c / 0', null],
    ['IF(N__c = 0, 1, 14 / N__c)', 2],
    ['CASE(Stage__c, "Open", 1, "Won", 2, 3)', 2],
    ['CASE(N__c, 1, "one", 7, "seven", "?")', 'seven'],
    ['ISPICKVAL(Stage__c, "Won")', true],
    ['INCLUDES(Colours__c, "red")', true],
    ['LEFT(T__c, 2) & RIGHT(T__c, 1) & MID(T__c, 3, 2)', 'heoll'],
    ['FIND("l", T__c) + FIND("l", T__c, 4)', 7],
    ['LPAD("7", 3, "0") & RPAD("ab", 4, "xy")', '007abxy'],
    ['SUBSTITUTE(T__c, "l", "$&")', 'he$&$&o'],
    ['CONTAINS(T__c, "ell") && BEGINS(T__c, "he")', true],
    ['LEN(TRIM(UPPER(" abc ")))', 3],
    ['Day__c + 1', '2024-03-01'],
    ['Day__c - DATE(2024, 2, 1)', 28],
    ['At__c - 0.5', '2024-05-22T01:05:09.000Z'],
    ['ADDMONTHS(Day__c, 12)', '2025-02-28'],
    ['ADDMONTHS(Day__c, 1)', '2024-03-31'],
    ['YEAR(Day__c) + MONTH(Day__c) + DAY(Day__c)', 2055],
    ['WEEKDAY(Day__c)', 5],
    ['DATEVALUE(At__c)', '2024-05-22'],
    ['DATETIMEVALUE("2024-01-02 03:04:05")', '2024-01-02T03:04:05.000Z'],
    ['DATE(2023, 2, 29)', null],
    ['TODAY()', '2026-03-04'],
    ['NOW()', '2026-03-04T05:06:07.000Z'],
    ['HOUR(Clock__c) * 60 + MINUTE(Clock__c)', 605],
    ['Share__c * 200', 25],
    ['Account.Name', 'Acme'],
    ['OwnerId', '005000000000001'],
    ['CASESAFEID(OwnerId)', '005000000000001AAA'],
  ])('%s', (formula, expected) => {
    if (expected === 'refused') return expect(refused(formula)).toContain('Incorrect parameter type');
    const values = {
      ...{ N__c: 7, Share__c: 12.5, T__c: 'hello', 'Account.Name': 'Acme', Stage__c: 'Won', Colours__c: 'blue;red' },
      ...{ Day__c: '2024-02-29', At__c: '2024-05-22T13:05:09.000Z', Clock__c: '10:05:00.000Z', OwnerId: '005000000000001AAA' },
    };
    expect(run(formula, values)).toBe(expected);
  });
});

test(`blanks: a sum with one is blank or counts it as zero, text goes on without it, comparisons are false ${evidence('documented', 'Salesforce Help, Blank Field Handling in Formulas')}`, () => {
  expect(run('N__c + 1')).toBe(null);
  expect(run('N__c + 1', {}, { zero: true })).toBe(1);
  expect(run('ISBLANK(N__c)')).toBe(true);
  expect(run('ISBLANK(N__c)', {}, { zero: true })).toBe(false);
  expect(run('BLANKVALUE(N__c, 5)')).toBe(5);
  expect(run('N__c < 1')).toBe(false);
  expect(run('N__c < 1', {}, { zero: true })).toBe(true);
  expect(run('"a" & T__c & "b"')).toBe('ab');
  expect(run('T__c = ""')).toBe(true);
  expect(run('LEN(T__c)')).toBe(0);
  expect(run('Day__c + 1', {}, { zero: true })).toBe(null);
  expect(run('Flag__c')).toBe(false);
  expect(run('IF(T__c = NULL, NULL, 1)')).toBe(null);
});

test(`what is misspelt or of the wrong type is refused before any record is asked ${evidence('documented', 'Salesforce Help, Troubleshoot Formulas: syntax errors, types, unknown names')}`, () => {
  const messages = [
    '1 +',
    'IF(TRUE, 1)',
    '"a" & 1',
    'Stage__c = "Won"',
    'Nope__c',
    'REGEX("a", "b")',
    'IF(TRUE, 1, "a")',
    'toString(1)',
  ];
  expect(messages.map((formula) => refused(formula))).toEqual([
    'Syntax error. Missing a value',
    "Incorrect number of parameters for function 'IF()'. Expected 3, received 2",
    "Incorrect parameter type for operator '&'. Expected text, received number",
    "Incorrect parameter type for operator '='. Expected number, text, boolean, date, datetime, time, received picklist",
    'Field Nope__c does not exist. Check spelling.',
    'Unknown function REGEX: this org does not know it',
    "Incorrect parameter type for function 'IF()'. Expected number, received text",
    'Unknown function TOSTRING: this org does not know it',
  ]);
  expect(refused('ISNEW()')).toContain('may not be used');
  expect(refused('ISCHANGED(N__c) && ISNEW()', true)).toBe('accepted');
  expect(refused(`${'('.repeat(100_000)}1`)).toContain('nested too deeply');
});

test('any arithmetic gives what the same arithmetic gives elsewhere, and nothing makes it throw', () => {
  const leaf = fc.oneof(
    fc.integer({ min: -1000, max: 1000 }).map((n) => [n < 0 ? `(${n})` : `${n}`, n] as const),
    fc.constant(['N__c', 7] as const),
  );
  const sumOf = fc.letrec<{ node: readonly [string, number] }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.tuple(fc.constantFrom('+', '-', '*'), tie('node'), tie('node')).map(([sign, [a, x], [b, y]]) => {
        return [`(${a} ${sign}${b})`, sign === '+' ? x + y : sign === '-' ? x - y : x * y] as const;
      }),
    ),
  })).node;
  fc.assert(
    fc.property(sumOf, ([formula, expected]) => {
      const actual = run(formula, { N__c: 7 }) as number;
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(Math.abs(expected) * 1e-12);
    }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...'()+-*&,"\' 1aN', 'IF(', 'N__c', 'T__c', 'TODAY()', '<', '='), { maxLength: 12 }),
      (bits) => {
        const message = refused(bits.join(''));
        if (message === 'accepted') run(bits.join(''), { N__c: 7 });
      },
    ),
  );
});
