import type { Rows, RowsField } from '../../model/rows.ts';
import { newRow, type Row } from '../../model/value.ts';
import { parseBody } from '../hook/parse-body.ts';
import { badRequest, fieldNamed } from './bad-request.ts';
import { valueOfJson } from './field-value.ts';

/** What is sent of a row, held against the table's own fields. @throws {StatedError} with the field and what it takes */
export function readBody(body: unknown, rows: Rows): Row {
  const parsed = parseBody(Buffer.isBuffer(body) ? body : Buffer.alloc(0));
  if ('wrong' in parsed)
    throw badRequest('body', parsed.wrong.replace('the body ', ''), 'send a JSON object with fields of this table');
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.getPrototypeOf(value) !== Object.prototype) {
    throw badRequest('body', 'is no object with fields', 'send one row, {"field": value}');
  }
  const row = newRow();
  for (const [name, given] of Object.entries(value)) {
    const field = fieldNamed(name, 'body', rows);
    if (!field.writable) throw badRequest(`body.${name}`, 'is set by the database', 'leave it out');
    row[name] = given === null ? nullFor(field) : valueFor(field, given);
  }
  return row;
}

/** A row that is to be made has to say what nothing else does. */
export function refuseMissing(row: Row, { schema }: Rows): void {
  const missing = schema.fields.filter(({ name, required }) => required && !Object.hasOwn(row, name));
  if (missing.length === 0) return;
  throw badRequest('body', `lacks ${missing.map(({ name }) => name).join(', ')}`, 'a row cannot be without');
}

export function refuseEmpty(row: Row): void {
  if (Object.keys(row).length === 0) throw badRequest('body', 'names no field', 'send one at least');
}

/** The path has said the key: a body may repeat it, and not change it. */
export function withoutKey(row: Row, named: Row, { schema }: Rows): Row {
  const rest = Object.assign(newRow(), row);
  for (const field of schema.key) {
    if (Object.hasOwn(rest, field) && rest[field] !== named[field]) {
      throw badRequest(`body.${field}`, 'is another key than the path says', 'leave it out: a row keeps its key');
    }
    delete rest[field];
  }
  return rest;
}

function nullFor({ name, nullable }: RowsField): null {
  if (nullable) return null;
  throw badRequest(`body.${name}`, 'may not be null', 'give it a value, or leave it out');
}

function valueFor({ name, type, length }: RowsField, given: unknown): Row[string] {
  const read = valueOfJson(given, type);
  if ('wants' in read) throw badRequest(`body.${name}`, `takes ${read.wants}`, `${name} is of type ${type}`);
  const tooLong = length !== undefined && typeof read.value === 'string' && [...read.value].length > length;
  if (tooLong && type === 'text') throw badRequest(`body.${name}`, `has more than ${length} characters`, 'send less of it');
  return read.value;
}
