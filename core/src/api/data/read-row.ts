import type { Rows } from '../../model/rows.ts';
import type { Row } from '../../model/value.ts';
import { asking } from './bad-request.ts';
import { UNTIL_DONE } from './find-table.ts';
import { readKey } from './read-key.ts';

/** One row as it is, with all its fields; null when it is not there. */
export async function rowWithKey(rows: Rows, text: string): Promise<Row | null> {
  const { key, fields } = rows.schema;
  const { where } = readKey(text, rows);
  const sort = key.map((field) => ({ field, descending: false }));
  const query = { where, sort, fields: fields.map(({ name }) => name), after: null, limit: 1 };
  const { rows: found } = await asking(() => rows.page(query, UNTIL_DONE));
  return found[0] ?? null;
}
