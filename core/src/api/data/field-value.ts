import type { FieldType } from '../../model/value.ts';
import { LongNumber, readValue } from '../hook/hook-value.ts';

type Read = ReturnType<typeof readValue>;

/** A value of JSON in the canonical form of its type, or what it should have been. What a database told is taken back as it was told. */
export function valueOfJson(value: unknown, type: FieldType): Read {
  const digits = value instanceof LongNumber ? value.text : value;
  if (type === 'integer' && typeof digits === 'string' && isLongInteger(digits)) return { value: digits };
  return readValue(value, type);
}

/** The same of a text that stands in a URL. */
export function valueOfText(text: string, type: FieldType): Read {
  if (type === 'boolean') return readValue(text === 'true' ? true : text === 'false' ? false : text, type);
  if (type === 'integer' && isLongInteger(text)) return { value: text };
  if (type === 'integer' || type === 'double') {
    const isNumber = /^-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?$/i.test(text);
    return readValue(isNumber ? Number(text) : text, type);
  }
  return readValue(text, type);
}

/** A text, because a double would round it. */
function isLongInteger(text: string): boolean {
  return /^-?\d{16,19}$/.test(text) && !Number.isSafeInteger(Number(text));
}
