import { isAscii } from 'node:buffer';
import type { Get } from '../expression/fast.ts';
import { type Block, type Column, cellValue, parseText } from '../model/block.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { type FieldValue, newRow, type Row } from '../model/value.ts';

/** Reads a block as a record at a time, decoding only the cells that are asked for. */
export interface BlockReader {
  row: number;
  readonly get: Get;
  readonly all: () => Row;
}

export function blockReader(block: Block, schema: DatasetSchema): BlockReader {
  const index = new Map(schema.fields.map((field, c) => [field.name, c]));
  const decoded = new Map<Buffer, Decoded>();
  const decodersOf = (column: Column): Decoded | null => {
    if (column.kind !== 'text') return null;
    const known = decoded.get(column.bytes) ?? new Decoded(column.bytes);
    decoded.set(column.bytes, known);
    return known;
  };
  // Only what is asked for is decoded: most expressions read few of the columns.
  const decoders: (Decoded | null | undefined)[] = [];
  const value = (c: number): FieldValue => {
    const column = block.columns[c]!;
    const field = schema.fields[c]!;
    decoders[c] ??= decodersOf(column);
    const decoder = decoders[c];
    if (decoder == null || column.kind !== 'text') return cellValue(column, reader.row, field);
    const at = column.offset + reader.row * column.stride;
    const from = column.spans[at]!;
    if (from < 0) return null;
    const text = decoder.text(from, column.spans[at + 1]!);
    return field.type === 'text' ? text : parseText(text, field);
  };
  const reader: BlockReader = {
    row: 0,
    get: (name) => {
      const c = index.get(name);
      return c === undefined ? undefined : value(c);
    },
    all: () => {
      const row = newRow();
      schema.fields.forEach((field, c) => {
        row[field.name] = value(c);
      });
      return row;
    },
  };
  return reader;
}

/**
 * Bytes that are made strings a window at a time, of which cells are cut: a call to the decoder costs more than a short cell. A
 * window is small enough to live and die among the young objects; one string for the whole block outlived its use.
 */
class Decoded {
  readonly #bytes: Buffer;
  readonly #isAscii: boolean;
  /** One character for each byte: right for ASCII, which most cells are. */
  readonly #windows: string[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#isAscii = isAscii(bytes);
  }

  text(from: number, to: number): string {
    const bytes = this.#bytes;
    if (!this.#isAscii) {
      for (let i = from; i < to; i++) if (bytes[i]! > 127) return bytes.toString('utf8', from, to);
    }
    const window = from >> WINDOW_BITS;
    const begin = window << WINDOW_BITS;
    if (to > begin + WINDOW_BYTES) return bytes.toString('latin1', from, to);
    this.#windows[window] ??= bytes.toString('latin1', begin, begin + WINDOW_BYTES);
    return this.#windows[window].slice(from - begin, to - begin);
  }
}

const WINDOW_BITS = 15;
const WINDOW_BYTES = 1 << WINDOW_BITS;
