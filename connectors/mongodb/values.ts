import { type FieldSchema, type FieldValue, textOf } from '@tidemark/core';
import { Binary, Decimal128, Double, Long, ObjectId } from 'mongodb';

export type Decimals = 'decimal128' | 'double';

/** A value that its field, or MongoDB, cannot hold. */
export class ValueError extends Error {}

/**
 * A canonical value as BSON keeps it:
 *
 * | type | stored |
 * |---|---|
 * | text, date, time | string |
 * | boolean | bool |
 * | integer | int or long |
 * | decimal | decimal128, or double |
 * | double | double |
 * | datetime | date |
 * | json | what it is |
 * | bytes | binary |
 *
 * @throws {ValueError}
 */
export function toStored(field: FieldSchema, value: FieldValue | undefined, decimals: Decimals): unknown {
  if (value === null || value === undefined) return null;
  const refuse = () => new ValueError(`${field.name} takes ${field.type}`);
  switch (field.type) {
    case 'boolean':
      if (typeof value !== 'boolean') throw refuse();
      return value;
    case 'integer':
      return integerOf(value) ?? fail(refuse());
    case 'double':
      if (!isNumeric(value)) throw refuse();
      return new Double(Number(value));
    case 'decimal':
      if (!isNumeric(value)) throw refuse();
      return decimals === 'decimal128' ? exactly(String(value), field) : typeof value === 'number' ? new Double(value) : value;
    case 'datetime': {
      const atMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      if (Number.isNaN(atMs)) throw refuse();
      return new Date(atMs);
    }
    case 'bytes':
      if (typeof value !== 'string') throw refuse();
      return new Binary(Buffer.from(value, 'base64'));
    case 'json':
      return toBson(value, field);
    default:
      if (typeof value !== 'string') throw refuse();
      return value.toWellFormed();
  }
}

/** The canonical value of what a document holds, whoever has written it. */
export function fromStored(field: FieldSchema, stored: unknown): FieldValue {
  if (stored === null || stored === undefined) return null;
  if (stored instanceof Date) return stored.toISOString();
  if (stored instanceof Binary) return Buffer.from(stored.value()).toString('base64');
  if (stored instanceof Decimal128) return numberOrDigits(plainDigits(stored.toString()));
  if (stored instanceof Double) return stored.value;
  if (Long.isLong(stored)) return numberOrDigits(stored.toString());
  if (field.type !== 'json' && typeof stored === 'object') return JSON.stringify(stored);
  return stored as FieldValue;
}

/** The same of documents that others have written: ids are texts, and so is whatever stands where a text is expected. */
export function canonicalOf(field: FieldSchema, stored: unknown): FieldValue {
  const value = stored instanceof ObjectId ? stored.toHexString() : fromStored(field, stored);
  return field.type === 'text' ? textOf(value) : value;
}

function integerOf(value: FieldValue): number | Long | null {
  if (typeof value === 'number' && Number.isInteger(value)) return Math.abs(value) < 2 ** 31 ? value : Long.fromNumber(value);
  if (typeof value !== 'string' || !/^[-+]?\d+$/.test(value)) return null;
  const exact = BigInt(value);
  return BigInt.asIntN(64, exact) === exact ? Long.fromBigInt(exact) : null;
}

function isNumeric(value: FieldValue): value is number | string {
  return (
    (typeof value === 'number' && Number.isFinite(value)) ||
    (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
  );
}

function exactly(digits: string, field: FieldSchema): Decimal128 {
  try {
    return Decimal128.fromString(digits);
  } catch {
    throw new ValueError(`${field.name} has more digits than a decimal128 holds (34)`);
  }
}

/** Server and driver refuse such names inside of documents, and other programs trip over them. */
function toBson(value: FieldValue, field: FieldSchema): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((each: FieldValue) => toBson(each, field));
  return Object.fromEntries(
    Object.entries(value as { [name: string]: FieldValue }).map(([name, each]) => {
      if (name.startsWith('$') || name.includes('.') || name.includes('\0'))
        throw new ValueError(`${field.name} holds the name ${JSON.stringify(name)}, which no document can have`);
      return [name.toWellFormed(), toBson(each, field)];
    }),
  );
}

/** `1.5E+3` as `1500`. */
function plainDigits(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text) ?? [];
  const point = whole.length + Number(exponent);
  const digits = (whole + fraction).padEnd(point, '0');
  const padded = point <= 0 ? `${'0'.repeat(1 - point)}${digits}` : digits;
  const at = Math.max(point, 1);
  const rest = padded.slice(at);
  return `${sign}${padded.slice(0, at).replace(/^0+(?=\d)/, '')}${rest === '' ? '' : `.${rest}`}`;
}

/** A number where a double holds it exactly. */
function numberOrDigits(digits: string): number | string {
  const number = Number(digits);
  return plainDigits(String(number).toUpperCase()) === digits.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '') ? number : digits;
}

function fail(error: Error): never {
  throw error;
}
