import type { Column, FieldSchema, FieldType } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BinaryEncoder } from './binary-encoder.ts';
import { ChunkPool } from './copy-output.ts';
import { copyIn } from './driver.ts';
import { database } from './table-fixture.ts';

let tables = 0;

const digits = (max: number) => fc.stringMatching(new RegExp(`^-?(0|[1-9][0-9]{0,${max - 1}})$`));
const fraction = fc.stringMatching(/^[0-9]{1,12}$/);
const decimal = fc.tuple(digits(20), fc.option(fraction)).map(([whole, part]) => (part === null ? whole : `${whole}.${part}`));
const instant = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});
const string = fc.string({ unit: 'binary', maxLength: 200 }).map((text) => text.replaceAll('\0', '0').toWellFormed());

/** What a source may deliver in canonical form, for the type of a field and of its column. */
const kinds: readonly [FieldType, string, string, fc.Arbitrary<string>][] = [
  ['text', 'text', 'text', string],
  ['text', 'character varying', 'varchar(200)', string],
  ['boolean', 'boolean', 'boolean', fc.constantFrom('true', 'false')],
  ['integer', 'integer', 'integer', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String)],
  ['integer', 'bigint', 'bigint', digits(15)],
  ['decimal', 'numeric', 'numeric', decimal],
  ['decimal', 'numeric', 'numeric(30,3)', decimal],
  ['decimal', 'double precision', 'double precision', decimal],
  [
    'double',
    'double precision',
    'double precision',
    fc
      .double({ min: -1e15, max: 1e15, noNaN: true })
      .map(String)
      .filter((text) => !text.includes('e')),
  ],
  ['date', 'date', 'date', instant.map((date) => date.toISOString().slice(0, 10))],
  ['datetime', 'timestamp with time zone', 'timestamptz', instant.map((date) => date.toISOString())],
  ['datetime', 'timestamp without time zone', 'timestamp', instant.map((date) => date.toISOString())],
  ['time', 'time without time zone', 'time', instant.map((date) => date.toISOString().slice(11, 23))],
  ['json', 'jsonb', 'jsonb', fc.json().map((text) => text.replaceAll('\\u0000', '').toWellFormed())],
];
/** Texts that stand near a canonical one. */
const odd = fc.constantFrom(
  ...[
    '',
    '-',
    '.',
    '1.',
    '.5',
    '-0',
    '+1',
    '1e3',
    'NaN',
    'Infinity',
    '00012',
    ' 1',
    '99999999999999999999',
    '2147483648',
    'True',
    't',
  ],
  ...['2023-02-29', '2024-02-29', '1900-02-29', '2000-02-29', '0000-01-01', '2024-13-01', '2024-1-1', '10000-01-01'],
  ...['2024-02-30T00:00:00.000Z', '2024-02-29T24:00:00.000Z', '2024-02-29T23:59:60.000Z', '2024-02-29T00:00:00.000z'],
  ...['2024-02-29T12:00:00.123+02', '24:00:00.000', '12:60:00.000', '12:00:00', '{', '"\\ud800"', 'null'],
);

async function copied(
  type: FieldType,
  baseType: string,
  column: string,
  texts: readonly (string | null)[],
  style: Column['kind'],
) {
  const field: FieldSchema = { name: 'V', type, nullable: true };
  const id: FieldSchema = { name: 'Id', type: 'integer', nullable: false };
  const columns = [
    { field: id, binary: false, isKey: true },
    { field, binary: false, isKey: false },
  ];
  const encoder = BinaryEncoder.of(columns, ['bigint', baseType])!(0, new ChunkPool());
  const bytes = Buffer.from(texts.join(''));
  const spans = new Int32Array(texts.length * 2);
  let at = 0;
  texts.forEach((text, i) => {
    spans[i * 2] = text === null ? -1 : at;
    at += Buffer.byteLength(text ?? '');
    spans[i * 2 + 1] = at;
  });
  const cells: Column =
    style === 'text' ? { kind: 'text', bytes, spans, offset: 0, stride: 2 } : { kind: 'values', values: texts };
  const block = { rowCount: texts.length, columns: [{ kind: 'values', values: texts.map((_, i) => i) } as Column, cells] };
  if (!encoder.addBlock(block, () => expect.unreachable())) return null;
  const table = `binary_${++tables}`;
  const client = await database.pool.connect();
  try {
    await client.query(`CREATE TABLE ${table} (place bigint, id bigint, v ${column})`);
    await copyIn(client, `COPY ${table} FROM STDIN (FORMAT binary)`, encoder.takeAll());
  } finally {
    client.release();
  }
  const rows = await database.sql(`SELECT v::text FROM ${table} WHERE id = place ORDER BY id`);
  await database.script(`DROP TABLE ${table}`);
  return rows.map(([text]) => text);
}

// Binary is only quicker: it must never mean anything else than the text that was read.                              (P12)
test.each(kinds)('%s in a column of %s (%s) is stored as the server reads its text', (type, baseType, column, canonical) =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.option(canonical), { minLength: 1, maxLength: 30 }), fc.boolean(), async (texts, asText) => {
      // A JSON value that is a string is not its own text.
      const style = asText || type === 'json' ? 'text' : 'values';
      const stored = await copied(type, baseType, column, texts, style);
      expect(stored).not.toBeNull();
      const expected = await database.sql(
        `SELECT t::${column}::text FROM unnest($1::text[]) WITH ORDINALITY AS i (t, n) ORDER BY n`,
        [texts],
      );
      expect(stored).toEqual(expected.map(([text]) => text));
    }),
    { numRuns: 25 },
  ),
);

test.each(kinds)('%s in a column of %s (%s): what is not plain is left to the server', (type, baseType, column, canonical) =>
  fc.assert(
    fc.asyncProperty(fc.oneof(odd, canonical), async (text) => {
      const theirs = await database.sql(`SELECT $1::text::${column}::text`, [text]).then(
        ([row]) => row![0],
        () => 'refused',
      );
      const ours = await copied(type, baseType, column, [text], 'text').then(
        (stored) => stored?.[0],
        () => 'refused',
      );
      if (ours !== undefined) expect(ours).toBe(theirs);
    }),
    { numRuns: 60 },
  ),
);
