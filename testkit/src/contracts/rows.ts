import {
  type Block,
  type Change,
  type Column,
  type DatasetSchema,
  type FieldSchema,
  type FieldValue,
  keyOf,
  NO_STAMP,
  newRow,
  type Row,
  textOf,
} from '@tidemark/core';

/** The dataset of the contracts: one field of each type. */
export const contactSchema: DatasetSchema = {
  name: 'Contact',
  key: ['Id'],
  fields: [
    { name: 'Id', type: 'text', length: 18, nullable: false },
    { name: 'Name', type: 'text', nullable: true },
    { name: 'Active', type: 'boolean', nullable: true },
    { name: 'Count', type: 'integer', nullable: true },
    { name: 'Amount', type: 'decimal', nullable: true },
    { name: 'Ratio', type: 'double', nullable: true },
    { name: 'Day', type: 'date', nullable: true },
    { name: 'At', type: 'datetime', nullable: true },
    { name: 'Clock', type: 'time', nullable: true },
    { name: 'Data', type: 'json', nullable: true },
    { name: 'Blob', type: 'bytes', nullable: true },
    { name: 'ParentId', type: 'text', length: 18, nullable: true, reference: true },
  ],
};

/** What a text may contain that has broken somebody's pipeline. All of it has to come back as it went in. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\t\r\n',
  "it's",
  '"quoted"',
  '""',
  "'; drop table contacts; --",
  '\\',
  '\\.',
  '\\N',
  '\\n',
  'NULL',
  'null',
  '#N/A',
  'true',
  '007',
  '1e5',
  ' padded ',
  'a,b;c|d\te',
  'first\nsecond\r\nthird',
  '你好 Ω é é',
  '👩‍👩‍👧‍👦 𝒳',
  '\u{10ffff}\uffff\ufeff',
  '\u2028\u2029\u0001\u007f',
  '%s $1 ?1 :name @name #{x}',
];

/** Every value here travels through a target and back unchanged. */
export const valuesByField: { readonly [field: string]: readonly FieldValue[] } = {
  Name: [...hostileTexts, null, 'x'.repeat(200_000)],
  Active: [true, false, null],
  Count: [0, 1, -1, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null],
  Amount: [0, 1.5, -0.01, 1234.56, 99999999.99, '12345678901234567890.123456789', '-0.1234567890123456789', null],
  Ratio: [0, 1.5, -1.5e-7, 1e300, 5e-324, 0.1, null],
  Day: ['2024-02-29', '1700-01-01', '9999-12-31', null],
  At: ['2024-05-22T13:05:09.000Z', '1969-12-31T23:59:59.999Z', '1700-01-01T00:00:00.000Z', null],
  Clock: ['00:00:00.000', '23:59:59.999', null],
  Data: [{ a: [1, 'x', null, { b: true }] }, [], {}, 'text', 12.5, true, { 'a"b\\c': 'é👍\n' }, null],
  Blob: ['', 'AA==', '/+8=', 'AP8Q', null],
  ParentId: ['001000000000001AAA', null],
};

export function contact(id: string, values: { readonly [field: string]: FieldValue } = {}): Row {
  return row(contactSchema, { Id: id, ...values });
}

/** A whole row of a schema: what is not given is null. */
export function row(schema: DatasetSchema, values: { readonly [field: string]: FieldValue }): Row {
  const whole = newRow();
  for (const { name } of schema.fields) whole[name] = Object.hasOwn(values, name) ? values[name]! : null;
  return whole;
}

export function upsert(row: Row, stampMs: number = NO_STAMP, keyFields: readonly string[] = contactSchema.key): Change {
  return { op: 'upsert', key: keyOf(row, keyFields)!, row, stampMs };
}

export function remove(key: string, stampMs: number = NO_STAMP): Change {
  return { op: 'delete', key, row: null, stampMs };
}

/** A row on its way into a load. */
export interface StampedRow {
  readonly row: Row;
  readonly stampMs: number;
}

export type BlockStyle = 'text' | 'values';

/** The block of a load: the schema's fields, then the stamp. `style` is asked for each column. */
export function loadBlock(rows: readonly StampedRow[], schema: DatasetSchema, style: (column: number) => BlockStyle): Block {
  const stampField: FieldSchema = { name: '(stamp)', type: 'datetime', nullable: true };
  const cells = [...schema.fields, stampField].map((field) => ({
    field,
    values: rows.map(({ row, stampMs }) => (field === stampField ? stampText(stampMs) : (row[field.name] ?? null))),
  }));
  const text = textColumns(cells.map(({ field, values }) => values.map((value) => canonicalText(value, field))));
  return {
    rowCount: rows.length,
    columns: cells.map(({ values }, c): Column => (style(c) === 'text' ? text[c]! : { kind: 'values', values })),
  };
}

/** A JSON text of its own where the value is a string: `textOf` cannot know that the field is JSON. */
function canonicalText(value: FieldValue, field: FieldSchema): string | null {
  return field.type === 'json' && value !== null ? JSON.stringify(value) : textOf(value);
}

/** Null where a source keeps no stamps. */
function stampText(stampMs: number): string | null {
  return stampMs === NO_STAMP ? null : new Date(stampMs).toISOString();
}

/** Cells lie row by row in one buffer with bytes between them, as in a scanned reply. */
function textColumns(columns: readonly (readonly (string | null)[])[]): Column[] {
  const stride = columns.length * 2;
  const rowCount = columns[0]?.length ?? 0;
  const spans = new Int32Array(stride * rowCount).fill(-1);
  const parts: Buffer[] = [];
  let at = 0;
  for (let r = 0; r < rowCount; r++) {
    for (let c = 0; c < columns.length; c++) {
      const cell = columns[c]![r]!;
      if (cell === null) continue;
      const bytes = Buffer.from(`,${cell}`, 'utf8');
      spans[r * stride + c * 2] = at + 1;
      spans[r * stride + c * 2 + 1] = at + bytes.length;
      parts.push(bytes);
      at += bytes.length;
    }
  }
  const bytes = Buffer.concat(parts);
  return columns.map((_, c) => ({ kind: 'text', bytes, spans, offset: c * 2, stride }));
}
