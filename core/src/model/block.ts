import type { Change } from './change.ts';
import { NO_STAMP } from './change.ts';
import type { FieldSchema } from './schema.ts';
import { type FieldValue, keyOf, newRow, type Row, textOf } from './value.ts';

/**
 * A run of rows, column by column: the currency of full loads. Text columns point into the bytes of the reply from which they
 * were scanned, so that a value that nobody looks at is copied once, from the network's buffer into the loader's.
 */
export interface Block {
  readonly rowCount: number;
  /** One for each field of the schema that goes with the block, in its order. */
  readonly columns: readonly Column[];
  /**
   * Says that nobody will look at the block's bytes again: they may be overwritten. A loader that does so as it goes spares the
   * collector most of a full load's garbage; a block of which nobody says it is left to the collector.
   */
  readonly release?: () => void;
}

export type Column = TextColumn | ValueColumn | ConstantColumn;

/** Cells as UTF-8 text in canonical form (see `FieldValue`), lying anywhere in `bytes`. */
export interface TextColumn {
  readonly kind: 'text';
  readonly bytes: Buffer;
  /** Cell of row r: from `spans[offset + r * stride]` to `spans[offset + r * stride + 1]`, exclusive; -1 as start is null. */
  readonly spans: Int32Array;
  readonly offset: number;
  readonly stride: number;
}

export interface ValueColumn {
  readonly kind: 'values';
  readonly values: readonly FieldValue[];
}

/** The same value in every row. */
export interface ConstantColumn {
  readonly kind: 'constant';
  readonly value: FieldValue;
}

/** A cell's canonical text, or null. */
export function cellText(column: Column, row: number): string | null {
  if (column.kind === 'constant') return textOf(column.value);
  if (column.kind === 'values') return textOf(column.values[row]);
  const at = column.offset + row * column.stride;
  const start = column.spans[at]!;
  return start < 0 ? null : column.bytes.toString('utf8', start, column.spans[at + 1]!);
}

/** A cell's value, typed as the field says. */
export function cellValue(column: Column, row: number, field: FieldSchema): FieldValue {
  if (column.kind === 'constant') return column.value;
  if (column.kind === 'values') return column.values[row] ?? null;
  const text = cellText(column, row);
  return text === null ? null : parseText(text, field);
}

/** The value that a canonical text stands for. */
export function parseText(text: string, field: Pick<FieldSchema, 'type'>): FieldValue {
  switch (field.type) {
    case 'boolean':
      return text === 'true';
    case 'integer':
    case 'double':
      return Number(text);
    case 'decimal': {
      // A decimal of more digits than a double holds stays text, so that no digit is lost.
      return text.length <= 15 ? Number(text) : exactNumber(text);
    }
    case 'json':
      return JSON.parse(text) as FieldValue;
    default:
      return text;
  }
}

/** Fifteen significant digits survive as a double, wherever the point stands; of more, those that it gives back just so. */
function exactNumber(text: string): FieldValue {
  const significant = text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '');
  const number = Number(text);
  return significant.length <= 15 || String(number) === text ? number : text;
}

export function blockOfRows(rows: readonly Row[], fields: readonly FieldSchema[]): Block {
  return {
    rowCount: rows.length,
    columns: fields.map((field) => ({ kind: 'values', values: rows.map((row) => row[field.name] ?? null) })),
  };
}

export function rowsOfBlock(block: Block, fields: readonly FieldSchema[]): Row[] {
  return Array.from({ length: block.rowCount }, (_, r) => {
    const row = newRow();
    fields.forEach((field, c) => {
      row[field.name] = cellValue(block.columns[c]!, r, field);
    });
    return row;
  });
}

/** The rows of a block as upserts. `stampField` names the column with the modification stamp, a datetime. */
export function changesOfBlock(
  block: Block,
  fields: readonly FieldSchema[],
  keyFields: readonly string[],
  stampField: string | undefined,
): Change[] {
  return rowsOfBlock(block, fields).map((row) => ({
    op: 'upsert',
    key: keyOf(row, keyFields) ?? '',
    row,
    stampMs: stampField === undefined ? NO_STAMP : Date.parse(String(row[stampField])),
  }));
}

/** The rows with these indices, in this order. Bytes are shared with the block they come from. */
export function takeRows(block: Block, rows: readonly number[]): Block {
  // The columns of one scan share one array of spans: it is thinned once. Its first row need not lie at its beginning.
  const thinned = new Map<Int32Array, Map<number, Int32Array>>();
  const columns = block.columns.map((column): Column => {
    if (column.kind === 'constant') return column;
    if (column.kind === 'values') return { kind: 'values', values: rows.map((r) => column.values[r] ?? null) };
    const { stride } = column;
    const offset = column.offset % stride;
    const begin = column.offset - offset;
    const known = thinned.get(column.spans) ?? new Map<number, Int32Array>();
    thinned.set(column.spans, known);
    let spans = known.get(begin);
    if (spans === undefined) {
      spans = new Int32Array(rows.length * stride);
      rows.forEach((r, i) => {
        spans!.set(column.spans.subarray(begin + r * stride, begin + (r + 1) * stride), i * stride);
      });
      known.set(begin, spans);
    }
    return { ...column, spans, offset };
  });
  return { rowCount: rows.length, columns };
}
