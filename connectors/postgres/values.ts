import { type FieldSchema, type FieldType, type FieldValue, parseText, textOf } from '@tidemark/core';

/**
 * Canonical text (see `FieldValue`) ↔ PostgreSQL's text form, in one table. Sessions speak UTC, ISO dates and hex bytes
 * (`transaction` sees to that). A type that is not listed has one text on both sides.
 */
interface Form {
  toPostgres?(text: string): string;
  fromPostgres?(text: string): string;
}

const forms: Readonly<Partial<Record<FieldType, Form>>> = {
  boolean: { fromPostgres: (text) => (text === 't' || text === 'true' ? 'true' : 'false') },
  datetime: { fromPostgres: canonicalDatetime },
  date: { fromPostgres: (text) => text.slice(0, text.endsWith('BC') ? undefined : dateEnd(text)) },
  time: { fromPostgres: canonicalTime },
  decimal: { fromPostgres: canonicalDecimal },
  double: { fromPostgres: (text) => (text === 'NaN' || text.endsWith('Infinity') ? text : String(Number(text))) },
  bytes: {
    toPostgres: (text) => `\\x${Buffer.from(text, 'base64').toString('hex')}`,
    fromPostgres: (text) => (text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex').toString('base64') : text),
  },
};

/** What to send for a value of `type` into a column that is (`bytea`) or is not binary. */
export function toPostgresText(value: FieldValue | undefined, field: Pick<FieldSchema, 'type'>, binary: boolean): string | null {
  // A string is a JSON value too: its text in a json column has quotes.
  const text = field.type === 'json' && typeof value === 'string' ? JSON.stringify(value) : textOf(value);
  if (text === null || (field.type === 'bytes' && !binary)) return text;
  return forms[field.type]?.toPostgres?.(text) ?? text;
}

/** Whether the canonical text of such cells has to be changed on the way in. */
export function needsConversion(type: FieldType): boolean {
  return forms[type]?.toPostgres !== undefined;
}

/** The canonical text of what the server sent. */
export function canonicalText(text: string, type: FieldType): string {
  return forms[type]?.fromPostgres?.(text) ?? text;
}

/**
 * The value of what the server sent. `NaN`, `infinity` and years before Christ have no canonical form: they stay the server's
 * text, so that they survive a round trip between databases and are refused, one record at a time, by systems without them.
 */
export function fromPostgres(text: string | null, field: Pick<FieldSchema, 'type'>): FieldValue {
  if (text === null) return null;
  const canonical = canonicalText(text, field.type);
  if ((field.type === 'double' || field.type === 'decimal') && !Number.isFinite(Number(canonical))) return canonical;
  if (field.type === 'integer' && !Number.isSafeInteger(Number(canonical))) return canonical;
  return parseText(canonical, field);
}

/** `2024-05-22 13:05:09.123456+00` → `2024-05-22T13:05:09.123Z`. Digits after the millisecond are cut, as `Date` has none. */
function canonicalDatetime(text: string): string {
  const parts = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|\+00(?::?00)?)?$/.exec(text);
  if (parts !== null) {
    const ms = (parts[7] ?? '').slice(0, 3).padEnd(3, '0');
    return `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}.${ms}Z`;
  }
  return /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00.000Z` : text;
}

/** A date column gives the date; a timestamp column that holds a date gives a time too. */
function dateEnd(text: string): number | undefined {
  return /^\d+-\d\d-\d\d[ T]/.test(text) ? text.search(/[ T]/) : undefined;
}

/** `13:05:09` → `13:05:09.000`, as canonical times have milliseconds. */
function canonicalTime(text: string): string {
  const parts = /^(\d\d:\d\d:\d\d)(?:\.(\d+))?$/.exec(text);
  return parts === null ? text : `${parts[1]}.${(parts[2] ?? '').slice(0, 3).padEnd(3, '0')}`;
}

/** `12.50` → `12.5`: a numeric keeps the zeros of its scale, other systems do not. */
function canonicalDecimal(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}
