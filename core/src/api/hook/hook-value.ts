import type { FieldType, FieldValue } from '../../model/value.ts';

/** A number with more digits than a double holds, as it was written. */
export class LongNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Deeper than any document that somebody means to send. */
const DEPTH_MAX = 64;

const words: Readonly<Record<FieldType, string>> = {
  text: 'text',
  boolean: 'true or false',
  integer: 'a whole number',
  decimal: 'a number, or text such as "12.50" when it has many digits',
  double: 'a number',
  date: 'a date such as "2026-05-22"',
  datetime: 'an instant with its zone, such as "2026-05-22T13:05:09Z"',
  time: 'a time such as "13:05:09"',
  json: 'any JSON',
  bytes: 'base64',
};

/** A value of JSON in the canonical form of its type, or what it should have been. */
export function readValue(value: unknown, type: FieldType): { readonly value: FieldValue } | { readonly wants: string } {
  const read = readers[type](value);
  return read === undefined ? { wants: words[type] } : { value: read };
}

const readers: Readonly<Record<FieldType, (value: unknown) => FieldValue | undefined>> = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  integer: (value) => (Number.isSafeInteger(value) ? (value as number) : undefined),
  decimal: (value) => {
    if (typeof value === 'number') return value;
    const text = value instanceof LongNumber ? value.text : value;
    return typeof text === 'string' && /^-?\d{1,60}(?:\.\d{1,60})?$/.test(text) ? shortest(text) : undefined;
  },
  double: (value) => {
    const number = value instanceof LongNumber ? Number(value.text) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
  },
  date: (value) => (typeof value === 'string' && isDate(value) ? value : undefined),
  datetime: (value) => (typeof value === 'string' ? instantOf(value) : undefined),
  time: (value) => {
    const [, hours, minutes, seconds = '00', fraction = ''] =
      /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?$/.exec(typeof value === 'string' ? value : '') ?? [];
    return hours === undefined ? undefined : `${hours}:${minutes}:${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}`;
  },
  json: (value) => jsonOf(value, DEPTH_MAX),
  bytes: (value) =>
    typeof value === 'string' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
      ? value
      : undefined,
};

/** As a number where that says the same. */
function shortest(text: string): FieldValue {
  return String(Number(text)) === text ? Number(text) : text;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

function instantOf(text: string): string | undefined {
  const [, date] = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)$/.exec(text) ?? [];
  if (date === undefined || !isDate(date)) return undefined;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

function jsonOf(value: unknown, depth: number): FieldValue | undefined {
  if (value instanceof LongNumber) return Number(value.text);
  if (typeof value !== 'object' || value === null) return value as FieldValue;
  if (depth === 0) return undefined;
  if (Array.isArray(value)) {
    const items = value.map((item) => jsonOf(item, depth - 1));
    return items.includes(undefined) ? undefined : (items as FieldValue[]);
  }
  const entries = Object.entries(value).map(([name, member]) => [name, jsonOf(member, depth - 1)] as const);
  return entries.some(([, member]) => member === undefined) ? undefined : (Object.fromEntries(entries) as FieldValue);
}
