import { describe, expect, test } from 'vitest';
import { typedValue } from '../src/pages/conflicts/typed-value.ts';
import { fieldsOfBoth } from '../src/pages/record/fields-of-both.ts';
import { counted, durationText } from '../src/parts/texts.ts';

describe('a value that somebody types to decide a conflict', () => {
  test.each([
    ['12.5', { left: 1, right: 2, base: null }, 12.5],
    ['', { left: 1, right: 2, base: null }, ''],
    ['12 a', { left: 1, right: 2, base: null }, '12 a'],
    ['12', { left: '1', right: '2', base: null }, '12'],
    ['true', { left: false, right: null, base: null }, true],
    ['true', { left: 'yes', right: 'no', base: null }, 'true'],
    ['7', { left: null, right: null, base: null }, '7'],
    ['7', { left: 1, right: 'x', base: null }, '7'],
  ])('%j among %j is %j', (text, conflict, value) => {
    expect(typedValue(text, conflict)).toBe(value);
  });
});

describe('fields of both sides', () => {
  test('those that the mapping joins stand in a line, the others alone', () => {
    const mapping = [
      { source: 'Name', target: 'name', rule: '' },
      { source: '= $upper(Name)', target: 'upper', rule: '' },
    ];
    expect(fieldsOfBoth({ Id: '1', Name: 'Ann' }, { name: 'Ann', upper: 'ANN', crm_id: '1' }, mapping)).toEqual([
      { name: 'Name, name', values: ['Ann', 'Ann'] },
      { name: 'upper', values: [undefined, 'ANN'] },
      { name: 'Id', values: ['1', undefined] },
      { name: 'crm_id', values: [undefined, '1'] },
    ]);
  });

  test('without a mapping each field is its own', () => {
    expect(fieldsOfBoth({ a: 1 }, { a: 2, b: 3 }, null)).toEqual([
      { name: 'a', values: [1, 2] },
      { name: 'b', values: [undefined, 3] },
    ]);
  });
});

test('durations are told in the two units that matter', () => {
  expect([0, 999, 1_400, 59_999, 60_000, 200_000, 3_600_000, 90_000_000].map(durationText)).toEqual([
    '0 ms',
    '999 ms',
    '1.4 s',
    '59 s',
    '1 min',
    '3 min 20 s',
    '1 h',
    '1 d 1 h',
  ]);
  expect([counted(1, 'record'), counted(1_200, 'record')]).toEqual(['1 record', '1,200 records']);
});
