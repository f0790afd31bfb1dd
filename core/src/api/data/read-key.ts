import type { Comparison, Rows } from '../../model/rows.ts';
import { keyOf, keyParts, newRow, type Row } from '../../model/value.ts';
import { badRequest, fieldNamed } from './bad-request.ts';
import { valueOfText } from './field-value.ts';

/** The key of a row, as it stands in a path: its only value, or a JSON array of texts. */
export interface AskedKey {
  /** In its canonical form. */
  readonly key: string;
  readonly row: Row;
  readonly where: readonly Comparison[];
}

/** @throws {StatedError} no row of this table can have such a key */
export function readKey(text: string, rows: Rows): AskedKey {
  const { key: fields } = rows.schema;
  const parts = partsOf(text, fields);
  if (parts === null) {
    throw badRequest(
      'key',
      `is made of ${fields.join(' and ')}`,
      `write a JSON array of ${fields.length} texts, percent-encoded`,
    );
  }
  const row = newRow();
  fields.forEach((name, i) => {
    const read = valueOfText(parts[i]!, fieldNamed(name, 'key', rows).type);
    if ('wants' in read) throw badRequest('key', `${name} takes ${read.wants}`, 'see /api-docs for the fields of this table');
    row[name] = read.value;
  });
  const where = fields.map((field): Comparison => ({ field, is: 'eq', value: row[field]! }));
  return { key: keyOf(row, fields)!, row, where };
}

function partsOf(text: string, fields: readonly string[]): readonly string[] | null {
  try {
    const parts: unknown = keyParts(text, fields);
    const fits = Array.isArray(parts) && parts.length === fields.length && parts.every((part) => typeof part === 'string');
    return fits ? parts : null;
  } catch {
    return null;
  }
}
