import { type Block, type Column, cellText, type FieldSchema, type TextColumn } from '@tidemark/core';
import { type ChunkPool, CopyOutput } from './copy-output.ts';
import { needsConversion, toPostgresText } from './values.ts';

const TAB = 9;
const NEWLINE = 10;
const BACKSLASH = 92;
const LETTER_N = 78;
/** The last of the control characters that COPY escapes. */
const LAST_CONTROL = 13;

/**
 * What follows the backslash for bytes that COPY's text format gives a meaning; 0 for all others. NUL has 1: no text of
 * PostgreSQL can hold it, so its row is refused before it is sent.
 */
const escapes = new Uint8Array(256);
escapes[0] = 1;
escapes[8] = 98;
escapes[9] = 116;
escapes[10] = 110;
escapes[11] = 118;
escapes[12] = 102;
escapes[13] = 114;
escapes[92] = 92;

/** One column of a block as the encoder wants it: UTF-8 cells, whatever they came as. */
export interface Cells {
  readonly bytes: Uint8Array;
  readonly spans: Int32Array;
  readonly offset: number;
  readonly stride: number;
}

export interface EncodedColumn {
  readonly field: FieldSchema;
  /** The column is `bytea`, so that base64 becomes hex. */
  readonly binary: boolean;
  /** Part of the key: a row without it is refused. */
  readonly isKey: boolean;
  /** What stands for null instead, e.g. for a row's own stamp. */
  readonly instead?: string;
}

export type Refusal = 'nul' | 'key';

/**
 * Rows of blocks → bytes of COPY's text format, each row led by its place in the load. This is the hottest loop of a full load:
 * one pass over the bytes, no strings for what came as bytes.
 */
export class CopyEncoder extends CopyOutput {
  readonly #columns: readonly EncodedColumn[];
  readonly #keys: readonly number[];

  constructor(columns: readonly EncodedColumn[], place: number, pool: ChunkPool) {
    super(place, pool);
    this.#columns = columns;
    this.#keys = columns.flatMap((column, i) => (column.isKey ? [i] : []));
  }

  /** Adds the rows of a block but those that it refuses. */
  addBlock(block: Block, refuse: (row: number, refusal: Refusal) => void): boolean {
    const cells = this.cellsOf(block);
    for (let row = 0; row < block.rowCount; row++) {
      const refusal = this.add(cells, row);
      if (refusal !== null) refuse(row, refusal);
    }
    return true;
  }

  /** The cells of a block, ready to be copied. */
  cellsOf(block: Block): readonly Cells[] {
    return this.#columns.map((column, i) => cellsOf(block.columns[i]!, column, block.rowCount));
  }

  /** Adds one row; answers why it cannot be sent, when it cannot. */
  add(cells: readonly Cells[], row: number): Refusal | null {
    for (const key of this.#keys) {
      const { spans, offset, stride } = cells[key]!;
      if (spans[offset + row * stride]! < 0) return 'key';
    }
    let start = this.length;
    if (this.out.length - start < 32) {
      this.makeRoom(start, start, 32);
      start = 0;
    }
    let out = this.out;
    let at = this.#writePlace(start);
    for (let c = 0; c < cells.length; c++) {
      const { bytes, spans, offset, stride } = cells[c]!;
      const span = offset + row * stride;
      const from = spans[span]!;
      const to = spans[span + 1]!;
      // Every byte may need an escape; two more for the separator or `\\N`.
      const needed = from < 0 ? 4 : (to - from) * 2 + 4;
      if (out.length - at < needed) {
        this.makeRoom(start, at, needed);
        out = this.out;
        at -= start;
        start = 0;
      }
      if (from < 0) {
        out[at++] = BACKSLASH;
        out[at++] = LETTER_N;
      } else {
        // Measured: with the place written to derived from the place read, twice as fast as with a counter of its own.
        let shift = at - from;
        for (let i = from; ; i++) {
          for (; i < to; i++) {
            const byte = bytes[i]!;
            out[i + shift] = byte;
            if (byte <= LAST_CONTROL || byte === BACKSLASH) break;
          }
          if (i === to) break;
          const letter = escapes[bytes[i]!]!;
          if (letter === 1) {
            this.length = start;
            return 'nul';
          }
          if (letter !== 0) {
            out[i + shift] = BACKSLASH;
            shift++;
            out[i + shift] = letter;
          }
        }
        at = to + shift;
      }
      out[at++] = TAB;
    }
    out[at - 1] = NEWLINE;
    this.length = at;
    this.place++;
    return null;
  }

  #writePlace(at: number): number {
    const digits = String(this.place);
    for (let i = 0; i < digits.length; i++) this.out[at++] = digits.charCodeAt(i);
    this.out[at++] = TAB;
    return at;
  }
}

export function cellsOf(column: Column, { field, binary, instead }: EncodedColumn, rowCount: number): Cells {
  if (column.kind === 'text' && !needsConversion(field.type) && instead === undefined) return column;
  if (column.kind === 'constant') {
    const text = toPostgresText(column.value, field, binary) ?? instead;
    const bytes = Buffer.from(text ?? '');
    return { bytes, spans: Int32Array.of(text === undefined ? -1 : 0, bytes.length), offset: 0, stride: 0 };
  }
  if (column.kind === 'text' && !needsConversion(field.type)) return withoutNulls(column, instead!, rowCount);
  const texts = Array.from({ length: rowCount }, (_, r) => {
    const value = column.kind === 'values' ? column.values[r] : cellText(column, r);
    return toPostgresText(value, field, binary) ?? instead ?? null;
  });
  return cellsOfTexts(texts);
}

/** The bytes stay where they are when no cell is null, which is the rule. */
function withoutNulls(column: TextColumn, instead: string, rowCount: number): Cells {
  for (let r = 0; r < rowCount; r++) {
    if (column.spans[column.offset + r * column.stride]! < 0) {
      return cellsOfTexts(Array.from({ length: rowCount }, (_, row) => cellText(column, row) ?? instead));
    }
  }
  return column;
}

/** One string for the whole column is turned into bytes at once: far quicker than cell by cell. */
function cellsOfTexts(texts: readonly (string | null)[]): Cells {
  const joined = texts.join('');
  const bytes = Buffer.from(joined);
  const ascii = bytes.length === joined.length;
  const spans = new Int32Array(texts.length * 2);
  let at = 0;
  for (let r = 0; r < texts.length; r++) {
    const text = texts[r]!;
    spans[r * 2] = text === null ? -1 : at;
    // Two halves of a pair in neighbouring cells would join into one character: cells are well-formed or refused (see below).
    if (text !== null) at += ascii ? text.length : Buffer.byteLength(text);
    spans[r * 2 + 1] = at;
  }
  if (at !== bytes.length) return cellsOneByOne(texts);
  return { bytes, spans, offset: 0, stride: 2 };
}

/** For texts with lone surrogates at their ends, which join across cells. */
function cellsOneByOne(texts: readonly (string | null)[]): Cells {
  return cellsOfTexts(texts.map((text) => text?.toWellFormed() ?? null));
}

/** Rows of texts → COPY's text format, for small batches: one string that grows, since most of these processes have just begun. */
export class CopyText {
  #text = '';

  add(row: readonly (string | null)[]): void {
    let line = '';
    for (let c = 0; c < row.length; c++) {
      const text = row[c]!;
      if (c > 0) line += '\t';
      line += text === null ? '\\N' : SPECIAL.test(text) ? escapeText(text) : text;
    }
    this.#text += `${line}\n`;
  }

  /** All rows so far. */
  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    return bytes;
  }
}

const SPECIAL = /[\\\b\t\n\v\f\r]/;

function escapeText(text: string): string {
  return text.replace(/[\\\b\t\n\v\f\r]/g, (character) => `\\${String.fromCharCode(escapes[character.charCodeAt(0)]!)}`);
}
