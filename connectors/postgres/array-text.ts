import { writeInt32, writeInt64, writeString } from './binary-cells.ts';

/**
 * A one-dimensional array in PostgreSQL's text form. The driver's own makes the same of an array, by way of two regular expressions
 * a value.
 * @see PostgreSQL documentation, "Arrays", Array Input and Output Syntax
 */
export function arrayText(values: readonly (string | null)[]): string {
  const parts = new Array<string>(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    parts[i] = value === null ? 'NULL' : quoted(value);
  }
  return `{${parts.join(',')}}`;
}

/** Types whose binary form is their text (PostgreSQL source, textrecv and varcharrecv), by the name that a parameter is cast to. */
const TEXTS: ReadonlyMap<string, number> = new Map([
  ['text', 25],
  ['character varying', 1043],
]);
const INTEGER = 23;
const TIMESTAMPTZ = 1184;
/** 2000-01-01, where PostgreSQL's clock begins. */
const EPOCH_MS = 946_684_800_000;

/** Dimensions, whether there are nulls, the element's type; the size of the dimension, and where it begins. */
const HEAD_BYTES = 20;

/**
 * Of texts, as an array of this type: in binary form where that is the texts themselves. The server then takes them as they are,
 * and looks at no quotes.
 * @see PostgreSQL source, array_recv
 */
export function textArray(values: readonly (string | null)[], type: string): string | Buffer {
  const element = TEXTS.get(type);
  return element === undefined ? arrayText(values) : textsBinary(values, element);
}

function textsBinary(values: readonly (string | null)[], element: number): Buffer {
  let length = 0;
  let longest = 0;
  for (const value of values) {
    if (value === null) continue;
    length += value.length;
    if (value.length > longest) longest = value.length;
  }
  // A character has up to three bytes; where all of them have one, this is room to the end.
  let out = arrayBinary(element, values.length, values.length * 4 + length + longest * 2);
  let at = HEAD_BYTES;
  for (const value of values) {
    const needed = at + 4 + (value === null ? 0 : value.length * 3);
    if (needed > out.length) out = Buffer.concat([out], out.length + needed);
    if (value === null) {
      at = writeInt32(out, at, -1);
      continue;
    }
    const end = writeString(out, at + 4, value);
    writeInt32(out, at, end - at - 4);
    at = end;
  }
  return out.subarray(0, at);
}

/** Of numbers, as an `integer[]`. */
export function integersBinary(values: Int32Array): Buffer {
  const out = arrayBinary(INTEGER, values.length, values.length * 8);
  let at = HEAD_BYTES;
  for (const value of values) at = writeInt32(out, writeInt32(out, at, 4), value);
  return out;
}

/** Of times, epoch ms, as a `timestamptz[]`: the server would spend as much on their text as on all else of a row. */
export function timesBinary(values: readonly number[]): Buffer {
  const out = arrayBinary(TIMESTAMPTZ, values.length, values.length * 12);
  let at = HEAD_BYTES;
  for (const value of values) at = writeInt64(out, at, (value - EPOCH_MS) * 1000);
  return out;
}

function arrayBinary(element: number, size: number, bytes: number): Buffer {
  const out = Buffer.allocUnsafe(HEAD_BYTES + bytes);
  for (const [i, head] of [1, 1, element, size, 1].entries()) writeInt32(out, i * 4, head);
  return out;
}

function quoted(text: string): string {
  return text.includes('"') || text.includes('\\') ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
