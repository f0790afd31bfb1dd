import type { FieldSchema, FieldType } from '@tidemark/core';
import { valuesByField } from '@tidemark/testkit';
import fc from 'fast-check';
import { BSON } from 'mongodb';
import { expect, test } from 'vitest';
import { fromStored, toStored, ValueError } from './values.ts';

const field = (type: FieldType): FieldSchema => ({ name: 'f', type, nullable: true });
/** Through the bytes of a document, as a server would give it back. */
const through = (type: FieldType, value: unknown) => {
  const bson = BSON.serialize({ v: toStored(field(type), value as never, 'decimal128') });
  return fromStored(field(type), BSON.deserialize(bson, { promoteBuffers: false }).v);
};

const digits = fc
  .tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 10n ** 12n }))
  .map(([sign, whole, fraction]) => `${sign}${whole}.${String(fraction).padStart(13, '0')}`);

test('a decimal comes back with the very value that it had', () =>
  fc.assert(
    fc.property(digits, (text) => {
      const back = through('decimal', text);
      const plain = (each: string) => each.replace(/\.?0+$/, '').replace(/^-0$/, '0');
      if (typeof back === 'string') expect(plain(back)).toBe(plain(text));
      else expect(Number(text)).toBe(back);
    }),
  ));

test('integers of 64 bits come back, as a number where that is exact', () =>
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (exact) => {
      const back = through('integer', String(exact));
      expect(BigInt(back as string)).toBe(exact);
      if (Number.isSafeInteger(Number(exact))) expect(back).toBe(Number(exact));
    }),
  ));

test('every amount of the contract comes back as it was', () => {
  for (const value of valuesByField.Amount!) expect(through('decimal', value)).toEqual(value);
});

test('what a field or a document cannot hold is refused by name', () => {
  for (const [type, value] of [
    ['integer', '9223372036854775808'],
    ['integer', 1.5],
    ['decimal', '1'.repeat(35)],
    ['decimal', 'much'],
    ['datetime', 'soon'],
    ['boolean', 'yes'],
    ['json', { a: { $where: 1 } }],
    ['json', { 'a.b': 1 }],
  ] as const) {
    expect(() => toStored(field(type), value as never, 'decimal128')).toThrow(ValueError);
  }
});
