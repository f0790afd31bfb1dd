import { DatabaseSync } from 'node:sqlite';
import { type FieldType, type FieldValue, textOf } from '@tidemark/core';
import { valuesByField } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { affinityOf, declaredType, holds } from './layout.ts';
import { formOf, MismatchError, type SqlValue } from './values.ts';

// Every value that a column is said to hold comes back as it was, from a real column of that type, by value and by text; and
// both ways store the same, otherwise a load and a delta would see a difference where there is none.

const samples: Readonly<Record<FieldType, readonly FieldValue[]>> = {
  text: valuesByField.Name!,
  boolean: valuesByField.Active!,
  integer: [...valuesByField.Count!, '9223372036854775807', '-9223372036854775808'],
  decimal: valuesByField.Amount!,
  double: valuesByField.Ratio!,
  date: valuesByField.Day!,
  datetime: valuesByField.At!,
  time: valuesByField.Clock!,
  json: valuesByField.Data!,
  bytes: valuesByField.Blob!,
};
const types = Object.keys(samples) as FieldType[];

function store(declared: string, strict: boolean): (value: SqlValue) => SqlValue {
  const database = new DatabaseSync(':memory:');
  database.exec(`CREATE TABLE t (a ${declared}) ${strict ? 'STRICT' : ''}`);
  const insert = database.prepare('INSERT INTO t VALUES (?) RETURNING a');
  insert.setReadBigInts(true);
  return (value) => insert.get(value)!.a as SqlValue;
}

for (const strict of [true, false]) {
  const declarations = strict
    ? ['INT', 'REAL', 'TEXT', 'BLOB', 'ANY']
    : ['INTEGER', 'DOUBLE', 'VARCHAR(9)', 'BLOB', '', 'DECIMAL(9,2)'];
  for (const declared of declarations) {
    test(`columns of ${strict ? 'STRICT' : 'ordinary'} tables declared ${declared || 'without a type'} give back what they hold`, () => {
      const affinity = affinityOf(declared, strict);
      const through = store(declared, strict);
      for (const type of types.filter((each) => holds(affinity, each))) {
        const form = formOf(type, affinity);
        for (const value of samples[type]) {
          if (value === null) continue;
          const text = type === 'json' ? JSON.stringify(value) : textOf(value)!;
          // A REAL or NUMERIC column refuses the digits that it would lose.
          if (type === 'decimal' && typeof value === 'string' && (affinity === 'real' || affinity === 'numeric')) {
            expect(() => form.bind(value)).toThrow(MismatchError);
            expect(() => form.bindText(text)).toThrow(MismatchError);
            continue;
          }
          const stored = through(form.bind(value));
          expect(form.read(stored), `${type} ${text.slice(0, 50)}`).toEqual(value);
          expect(through(form.bindText(text)), `${type} ${text.slice(0, 50)} by text`).toEqual(stored);
        }
      }
    });
  }
}

test('every type fits into the column that is made for it', () => {
  for (const type of types) {
    for (const strict of [true, false]) expect(holds(affinityOf(declaredType(type, strict), strict), type)).toBe(true);
  }
});

test('what is no value of its type is refused, never stored as something else', () => {
  const refused: readonly (readonly [FieldType, readonly FieldValue[]])[] = [
    ['boolean', ['yes', '', 1, 'TRUE']],
    ['integer', [1.5, 'x', '', ' 1', '1e3', Number.NaN]],
    ['decimal', ['', 'x', '1,5', '0x10', Number.NaN, Number.POSITIVE_INFINITY]],
    ['double', ['', ' ', 'x', Number.NaN]],
  ];
  for (const [type, values] of refused) {
    for (const affinity of ['any', 'text'] as const) {
      const form = formOf(type, affinity);
      for (const value of values) {
        expect(() => form.bind(value), `${type} ${value}`).toThrow(MismatchError);
        expect(() => form.bindText(String(value)), `${type} ${value} by text`).toThrow(MismatchError);
      }
    }
  }
  // One more than 64 bits hold; as text it would do no harm.
  expect(() => formOf('integer', 'integer').bindText('9223372036854775808')).toThrow(MismatchError);
  expect(() => formOf('json', 'text').bindText('{')).toThrow(MismatchError);
});

// A full read brings digits and a delta a number: stored differently, each would rewrite what the other has written.     (P8)
test('a decimal is stored alike, whether it comes as digits or as a number', () => {
  const { bind, bindText } = formOf('decimal', 'any');
  for (const text of ['0.00000012345678', '-0.000000000123456', '123456789012.3456', '12345678901234.1', '5']) {
    expect(bindText(text)).toBe(bind(Number(text)));
  }
  expect(bindText('12345678901234567.8')).toBe('12345678901234567.8');
});
