/**
 * Field values as they travel between connectors, in one canonical form per type, so that two systems' values compare:
 *
 * | type     | value                                   | as text                                  |
 * |----------|-----------------------------------------|------------------------------------------|
 * | text     | string                                  | itself                                   |
 * | boolean  | boolean                                 | `true`, `false`                          |
 * | integer  | number (safe integer)                   | `-12`                                    |
 * | decimal  | number, or string when a double cannot hold it | `1234.56`                         |
 * | double   | number                                  | `1.5e-7`                                 |
 * | date     | string                                  | `2024-05-22`                             |
 * | datetime | string, UTC, ms                         | `2024-05-22T13:05:09.000Z`               |
 * | time     | string                                  | `13:05:09.000`                           |
 * | json     | any JSON value                          | its JSON                                 |
 * | bytes    | string, base64                          | base64                                   |
 */
export type FieldValue = string | number | boolean | null | readonly FieldValue[] | { readonly [name: string]: FieldValue };

export const fieldTypes = [
  'text',
  'boolean',
  'integer',
  'decimal',
  'double',
  'date',
  'datetime',
  'time',
  'json',
  'bytes',
] as const;
export type FieldType = (typeof fieldTypes)[number];

/** One record's values by field name. Made without a prototype (`newRow`), so that a field may be called `constructor`. */
export type Row = { [field: string]: FieldValue };

export function newRow(): Row {
  return new BareRow() as Row;
}

/** What `Object.create(null)` makes is a hash table from the first. This inherits as little, and is as quick as any object. */
class BareRow {}
Object.setPrototypeOf(BareRow.prototype, null);
Reflect.deleteProperty(BareRow.prototype, 'constructor');

/** The canonical text of a value; `null` stays null. */
export function textOf(value: FieldValue | undefined): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/**
 * A record's identity as one string: the value of its key field, or a JSON array of them when the key has several.
 * Returns null when a part of the key is missing.
 */
export function keyOf(row: Row, keyFields: readonly string[]): string | null {
  if (keyFields.length === 1) return textOf(row[keyFields[0]!]);
  const parts = keyFields.map((field) => textOf(row[field]));
  return parts.includes(null) ? null : JSON.stringify(parts);
}

/** The parts of a key made by `keyOf`. */
export function keyParts(key: string, keyFields: readonly string[]): readonly string[] {
  return keyFields.length === 1 ? [key] : (JSON.parse(key) as string[]);
}
