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

/** Of numbers. */
export function numbersText(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

const TIMESTAMPTZ = 1184;
/** 2000-01-01, where PostgreSQL's clock begins. */
const EPOCH_MS = 946_684_800_000;

/**
 * Of times, epoch ms, as the binary form of a `timestamptz[]`: the server would spend as much on their text as on all else of a row.
 * @see PostgreSQL source, array_recv and timestamptz_recv
 */
export function timesBinary(values: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(20 + values.length * 12);
  // Dimensions, whether there are nulls, the element's type; the size of the dimension, and where it begins.
  for (const [i, head] of [1, 0, TIMESTAMPTZ, values.length, 1].entries()) out.writeInt32BE(head, i * 4);
  for (let i = 0; i < values.length; i++) {
    const micros = (values[i]! - EPOCH_MS) * 1000;
    const high = Math.floor(micros / 2 ** 32);
    const at = 20 + i * 12;
    out.writeInt32BE(8, at);
    out.writeInt32BE(high, at + 4);
    out.writeUInt32BE(micros - high * 2 ** 32, at + 8);
  }
  return out;
}

function quoted(text: string): string {
  return text.includes('"') || text.includes('\\') ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
