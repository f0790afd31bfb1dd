// A subscriber applies exactly the fields that the bitmaps name: one wrong bit overwrites a value that did not change, or
// leaves a stale one behind.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { decodeBitmaps, encodeBitmaps, type FieldBit } from './bitmap.ts';

const top = (...indexes: number[]): FieldBit[] => indexes.map((index) => ({ index }));
const nested = (index: number, ...parts: number[]): FieldBit[] => parts.map((part) => ({ index, part }));

test.each<[what: string, bitmaps: string[], bits: FieldBit[]]>([
  ['a field and a part of an address', ['0x400000', '4-0x01'], [...top(22), ...nested(4, 0)]],
  ['two fields', ['0x400800'], top(11, 22)],
  ['a long text and its date', ['0x410000'], top(16, 22)],
  ['a bit in the last but one byte, a leading zero digit', ['0x010000'], top(16)],
  ['the conversion of a lead', ['0x08F81000'], top(12, 19, 20, 21, 22, 23, 27)],
])(`%s ${evidence('documented', 'Pub/Sub API guide, Event Deserialization Considerations')}`, (_what, bitmaps, bits) => {
  expect(decodeBitmaps(bitmaps)).toEqual(bits);
  expect(encodeBitmaps(bits)).toEqual(bitmaps);
});

test.each<[what: string, bitmaps: string[], bits: FieldBit[]]>([
  ['a date and a street', ['0x800000', '6-0x01'], [...top(23), ...nested(6, 0)]],
  ['geocoding in the background: parts alone, no map of the event itself', ['6-0x0180'], nested(6, 7, 8)],
  ['a field beyond the 64th', ['0x100000000000800000'], top(23, 68)],
  ['a field of a later byte alone', ['0x0400000000000000'], top(58)],
])(`%s ${evidence('recorded', 'change events of an Account')}`, (_what, bitmaps, bits) => {
  expect(decodeBitmaps(bitmaps)).toEqual(bits);
  expect(encodeBitmaps(bits)).toEqual(bitmaps);
});

test('nothing changed is no map at all', () => {
  expect(encodeBitmaps([])).toEqual([]);
});

/** The guide's words, with numbers of any size: bit i of the unsigned value is the field at index i. */
function readByTheGuide(bitmaps: readonly string[]): string[] {
  return bitmaps.flatMap((bitmap) => {
    const [hex = '', parent] = bitmap.split('-').reverse();
    const digits = BigInt(hex).toString(2);
    const indexes = [...digits].reverse().flatMap((digit, i) => (digit === '1' ? [i] : []));
    return indexes.map((i) => (parent === undefined ? `${i}` : `${parent}.${i}`));
  });
}

const bit = fc.record(
  { index: fc.integer({ min: 1, max: 300 }), part: fc.integer({ min: 0, max: 12 }) },
  { requiredKeys: ['index'] },
) as fc.Arbitrary<FieldBit>;

test('any set of fields and parts reads as the same set', () =>
  fc.assert(
    fc.property(fc.uniqueArray(bit, { selector: ({ index, part }) => `${index}.${part}`, maxLength: 40 }), (bits) => {
      const bitmaps = encodeBitmaps(bits);
      const wanted = bits.map(({ index, part }) => (part === undefined ? `${index}` : `${index}.${part}`));
      expect(readByTheGuide(bitmaps).sort()).toEqual(wanted.sort());
      expect(encodeBitmaps(decodeBitmaps(bitmaps))).toEqual(bitmaps);
      for (const bitmap of bitmaps) expect(bitmap).toMatch(/^(\d+-)?0x(?!00)([0-9A-F]{2})+$/);
    }),
  ));
