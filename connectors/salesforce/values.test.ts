import { cellText, type FieldSchema, textOf } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scanCsv } from './csv-scanner.ts';
import { blockOfScanned } from './csv-values.ts';
import { parseJson } from './exact-json.ts';
import { decimalText, fromRest } from './values.ts';

// REST and Bulk must spell a value alike: a full run by one and a delta by the other would otherwise rewrite every row.  (P12)
const field = (type: FieldSchema['type']): FieldSchema => ({ name: 'F', type, nullable: true });

async function fromBulk(texts: readonly string[], type: FieldSchema['type']): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  const csv = Buffer.from(`"F"\n${texts.map((text) => `"${text}"\n`).join('')}`);
  for await (const scanned of scanCsv(
    (async function* () {
      yield csv;
    })(),
    ['F'],
  )) {
    const block = blockOfScanned(scanned, [field(type)]);
    for (let row = 0; row < block.rowCount; row++) found.push(cellText(block.columns[0]!, row));
  }
  return found;
}

test.each<[FieldSchema['type'], string, string, string | null]>([
  ['datetime', '"2024-05-22T13:05:09.000+0000"', '2024-05-22T13:05:09.000Z', '2024-05-22T13:05:09.000Z'],
  ['datetime', '"2024-05-22T13:05:09.000+0000"', '2024-05-22T13:05:09.000+0000', '2024-05-22T13:05:09.000Z'],
  ['date', '"2024-05-22"', '2024-05-22', '2024-05-22'],
  ['time', '"13:05:09.000Z"', '13:05:09.000Z', '13:05:09.000'],
  ['boolean', 'true', 'true', 'true'],
  ['integer', '12', '12.0', '12'],
  ['integer', '0', '-0.0', '0'],
  ['integer', '100', '100', '100'],
  ['decimal', '10.0', '10.0', '10'],
  ['decimal', '1234.5', '1234.50', '1234.5'],
  ['decimal', '123456789.0', '1.23456789E8', '123456789'],
  ['decimal', '0.00012', '1.2E-4', '0.00012'],
  ['decimal', '123456789012345678.25', '123456789012345678.25', '123456789012345678.25'],
  ['double', '1.5e-7', '1.5E-7', '1.5e-7'],
  ['double', '3.0', '3.0', '3'],
  ['text', '"a"', 'a', 'a'],
  ['text', '12.50', '12.5', '12.5'],
  ['text', 'null', '', null],
])('%s: REST %s and Bulk %s are both %s', async (type, json, csv, expected) => {
  const rest = fromRest((parseJson(`{"F":${json}}`) as { F: unknown }).F, field(type));
  expect(textOf(rest)).toBe(expected);
  // A neighbour with an exponent takes the whole column another way, to the same end.
  expect((await fromBulk([csv], type))[0]).toBe(expected);
  if (type === 'decimal') expect((await fromBulk(['1E2', csv], type))[1]).toBe(expected);
});

test('a decimal keeps its value however it is spelled', () =>
  fc.assert(
    fc.property(fc.integer(), fc.nat(6), fc.integer({ min: -8, max: 8 }), (whole, places, exponent) => {
      const text = `${(whole / 10 ** places).toFixed(places)}E${exponent}`;
      expect(decimalText(text)).not.toMatch(/[eE]|\.$|\.\d*0$|^-?0\d/);
      expect(Number(decimalText(text))).toBe(Number(text) === 0 ? 0 : Number(text));
    }),
  ));

test('numbers that no double holds keep their digits', () => {
  expect(parseJson('{"a":12345678901234567890,"b":[1.50],"c":"12345678901234567890"}')).toEqual({
    a: '12345678901234567890',
    b: [1.5],
    c: '12345678901234567890',
  });
  expect(parseJson('{"a":9007199254740993}')).toEqual({ a: '9007199254740993' });
  expect(parseJson('{"a":1000000000000000}')).toEqual({ a: 1e15 });
});
