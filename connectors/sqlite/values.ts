import type { FieldType, FieldValue } from '@tidemark/core';
import type { Affinity } from './layout.ts';

/** What `node:sqlite` binds and gives. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** A value that its column cannot hold. The message carries no value. */
export class MismatchError extends Error {}

/** How values of one field travel into one column and back. */
export interface Form {
  /** From a value. */
  bind(value: FieldValue): SqlValue;
  /** From a cell's canonical text. */
  bindText(text: string): SqlValue;
  /** From what was stored. */
  read(stored: SqlValue): FieldValue;
}

/**
 * The values table, both ways:
 *
 * | type                       | stored as                                                    | in a TEXT column |
 * |----------------------------|--------------------------------------------------------------|------------------|
 * | text, date, datetime, time | TEXT                                                         | the same         |
 * | boolean                    | INTEGER 0 or 1                                               | `true`, `false`  |
 * | integer                    | INTEGER, exact to 64 bits                                    | its digits       |
 * | decimal                    | REAL where a double is exact, otherwise TEXT with its digits | its digits       |
 * | double                     | REAL                                                         | its digits       |
 * | json                       | TEXT                                                         | the same         |
 * | bytes                      | BLOB                                                         | base64           |
 */
export function formOf(type: FieldType, affinity: Affinity): Form {
  const asText = affinity === 'text';
  switch (type) {
    case 'boolean':
      return asText ? textForm(booleanText, (text) => text === 'true') : affinity === 'any' ? exactly(booleanForm) : booleanForm;
    case 'integer':
      return asText ? textForm(integerText, integerOf) : affinity === 'any' ? exactly(integerForm) : integerForm;
    case 'decimal':
      return asText ? textForm(decimalText, decimalOf) : affinity === 'any' ? decimalForm : approximateForm;
    case 'double':
      return asText ? textForm((text) => String(doubleOf(text)), Number) : doubleForm;
    case 'json':
      return jsonForm;
    case 'bytes':
      return asText
        ? textForm(
            (text) => text,
            (text) => text,
          )
        : bytesForm;
    default:
      return plainForm;
  }
}

function canonical(value: FieldValue): string {
  return typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What a text column binds for a cell's text: the hot loop of a load leaves the call out where it is this one. */
export const asItIs = (text: string): SqlValue => text;

const plainForm: Form = {
  bind: canonical,
  bindText: asItIs,
  read: (stored) => (stored instanceof Uint8Array ? Buffer.from(stored).toString('utf8') : String(stored)),
};

/** Text in its canonical form, checked on the way in. */
function textForm(check: (text: string) => string, parse: (text: string) => FieldValue): Form {
  return { bind: (value) => check(canonical(value)), bindText: check, read: (stored) => parse(String(stored)) };
}

const booleanForm: Form = {
  bind: (value) => (value === true ? 1 : value === false ? 0 : booleanForm.bindText(canonical(value))),
  bindText: (text) => (booleanText(text) === 'true' ? 1 : 0),
  read: (stored) => (typeof stored === 'string' ? /^(true|t|yes|y|1)$/i.test(stored) : Number(stored) !== 0),
};

function booleanText(text: string): string {
  if (text !== 'true' && text !== 'false') throw new MismatchError();
  return text;
}

const integerForm: Form = {
  // A number is bound as a double, which SQLite turns into an integer where that loses nothing: always, up to 2^53.
  bind: (value) => (Number.isSafeInteger(value) ? (value as number) : integerForm.bindText(canonical(value))),
  bindText(text) {
    const digits = integerText(text);
    return digits.length <= 15 ? Number(digits) : int64(digits);
  },
  read: (stored) => (typeof stored === 'number' ? stored : integerOf(String(stored))),
};

/** For columns that convert nothing: there, a number would stay the double as which it is bound, 12.0. */
function exactly(form: Form): Form {
  const exact = (value: SqlValue) => (typeof value === 'number' ? BigInt(value) : value);
  return { ...form, bind: (value) => exact(form.bind(value)), bindText: (text) => exact(form.bindText(text)) };
}

function integerText(text: string): string {
  if (!/^-?\d{1,19}$/.test(text)) throw new MismatchError();
  return text;
}

function int64(digits: string): bigint {
  const value = BigInt(digits);
  if (BigInt.asIntN(64, value) !== value) throw new MismatchError();
  return value;
}

/** Beyond 2^53 the digits themselves: other systems read them, a double would not hold them. */
function integerOf(text: string): FieldValue {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

const decimalForm: Form = {
  bind: (value) => (typeof value === 'number' && Number.isFinite(value) ? value : decimalForm.bindText(canonical(value))),
  bindText: (text) => decimalOf(decimalText(text)) as string | number,
  read: (stored) => (typeof stored === 'number' ? stored : decimalOf(String(stored))),
};

function decimalText(text: string): string {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) throw new MismatchError();
  return text;
}

/** A number where a double holds every digit, as the canonical form says; otherwise its text. As in `parseText` of the core. */
function decimalOf(text: string): FieldValue {
  const value = Number(text);
  if (text.length <= 15 || String(value) === text) return value;
  return /^[-.\d]+$/.test(text) && text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '').length <= 15 ? value : text;
}

/** A REAL or NUMERIC column of the user's: digits beyond a double would be lost without a word, so they are refused. */
const approximateForm: Form = {
  ...decimalForm,
  bind: (value) => approximate(decimalForm.bind(value)),
  bindText: (text) => approximate(decimalForm.bindText(text)),
};

function approximate(value: SqlValue): SqlValue {
  if (typeof value !== 'number') throw new MismatchError();
  return value;
}

const doubleForm: Form = {
  bind: (value) => (typeof value === 'number' && !Number.isNaN(value) ? value : doubleOf(canonical(value))),
  bindText: doubleOf,
  read: Number,
};

function doubleOf(text: string): number {
  const value = Number(text);
  // SQLite keeps no NaN: it would silently become NULL.
  if (Number.isNaN(value) || text.trim() === '') throw new MismatchError();
  return value;
}

const jsonForm: Form = {
  bind: (value) => JSON.stringify(value),
  bindText(text) {
    try {
      return JSON.stringify(JSON.parse(text));
    } catch {
      throw new MismatchError();
    }
  },
  read(stored) {
    if (typeof stored === 'number') return stored;
    if (typeof stored !== 'string') return typeof stored === 'bigint' ? integerOf(String(stored)) : plainForm.read(stored);
    try {
      return JSON.parse(stored) as FieldValue;
    } catch {
      return stored;
    }
  },
};

const bytesForm: Form = {
  bind: (value) => bytesForm.bindText(canonical(value)),
  bindText: (text) => Buffer.from(text, 'base64'),
  read: (stored) =>
    stored instanceof Uint8Array ? Buffer.from(stored).toString('base64') : Buffer.from(String(stored)).toString('base64'),
};
