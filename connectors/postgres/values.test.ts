import type { FieldType, FieldValue } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { fromPostgres, toPostgresText } from './values.ts';

// Two systems compare by canonical values: one that comes back otherwise than it went in is written again at every delta.
const both: readonly [FieldType, FieldValue, string][] = [
  ['text', 'a\tb', 'a\tb'],
  ['boolean', true, 'true'],
  ['integer', -12, '-12'],
  ['integer', Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ['decimal', 1234.56, '1234.56'],
  ['decimal', '12345678901234567890.123456789', '12345678901234567890.123456789'],
  ['double', 1.5e-7, '1.5e-7'],
  ['date', '2024-02-29', '2024-02-29'],
  ['datetime', '2024-05-22T13:05:09.000Z', '2024-05-22T13:05:09.000Z'],
  ['time', '13:05:09.000', '13:05:09.000'],
  ['json', { a: [1, null] }, '{"a":[1,null]}'],
  ['json', 'text', '"text"'],
  ['bytes', '/+8=', '\\xffef'],
  ['bytes', '', '\\x'],
];

describe('values', () => {
  test.each(both)('%s %j is %s to PostgreSQL, and back', (type, value, text) => {
    expect(toPostgresText(value, { type }, type === 'bytes')).toBe(text);
    expect(fromPostgres(text, { type })).toEqual(value);
  });

  const answers: readonly [FieldType, string, FieldValue][] = [
    ['boolean', 't', true],
    ['boolean', 'f', false],
    ['decimal', '12.50', 12.5],
    ['decimal', '100', 100],
    ['decimal', '0.00', 0],
    ['decimal', 'NaN', 'NaN'],
    ['double', 'Infinity', 'Infinity'],
    ['integer', '9223372036854775807', '9223372036854775807'],
    ['datetime', '2024-05-22 13:05:09+00', '2024-05-22T13:05:09.000Z'],
    ['datetime', '2024-05-22 13:05:09.123456+00', '2024-05-22T13:05:09.123Z'],
    ['datetime', '2024-05-22 13:05:09.1', '2024-05-22T13:05:09.100Z'],
    ['datetime', 'infinity', 'infinity'],
    ['datetime', '0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00+00 BC'],
    ['date', '2024-05-22 00:00:00+00', '2024-05-22'],
    ['date', '-infinity', '-infinity'],
    ['time', '13:05:09.5', '13:05:09.500'],
    ['json', '{"a": 1}', { a: 1 }],
  ];
  test.each(answers)('%s that PostgreSQL writes %s is %j', (type, text, value) => {
    expect(fromPostgres(text, { type })).toEqual(value);
  });

  test('null is null in every type, and binary stays base64 in a column of text', () => {
    expect(fromPostgres(null, { type: 'json' })).toBeNull();
    expect(toPostgresText(null, { type: 'bytes' }, true)).toBeNull();
    expect(toPostgresText('/+8=', { type: 'bytes' }, false)).toBe('/+8=');
  });
});
