import type { FieldType, FieldValue } from '@tidemark/core';
import type { Database } from './database.ts';
import type { Affinity } from './layout.ts';
import { type Form, formOf, type SqlValue } from './values.ts';

/** A query whose first columns are fields and whose last ones say where the next page begins. */
export interface ReadRequest {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  readonly fields: readonly { readonly type: FieldType; readonly affinity: Affinity }[];
}

export interface RowsRead {
  readonly rowCount: number;
  /** Values of each field, column by column. */
  readonly columns: readonly FieldValue[][];
  /** What follows the fields in each row, as SQLite gave it. */
  readonly tails: readonly SqlValue[][];
}

export function readRows(database: Pick<Database, 'reader'>, { sql, parameters, fields }: ReadRequest): RowsRead {
  const statement = database.reader.prepare(sql);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  const forms = fields.map(({ type, affinity }) => sourceForm(type, affinity));
  const columns = fields.map((): FieldValue[] => []);
  const tails: SqlValue[][] = [];
  for (const row of statement.iterate(...parameters) as unknown as Iterable<SqlValue[]>) {
    for (let c = 0; c < forms.length; c++) {
      const stored = row[c]!;
      columns[c]!.push(stored === null ? null : forms[c]!(stored));
    }
    tails.push(row.slice(forms.length));
  }
  return { rowCount: tails.length, columns, tails };
}

/** How a value of the source's is told. */
export function sourceForm(type: FieldType, affinity: Affinity): Form['read'] {
  const { read } = formOf(type, affinity);
  if (type === 'datetime') return (stored) => canonicalDatetime(String(read(stored)));
  if (type === 'time') return (stored) => canonicalTime(String(read(stored)));
  return read;
}

/** SQLite's own functions write `2024-05-22 13:05:09`, in UTC. What is no datetime stays as it is. */
export function canonicalDatetime(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|[-+]\d\d:?\d\d)?)?$/.exec(text);
  if (parts === null) return text;
  const [, date, time = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = parts;
  const ms = Date.parse(`${date}T${time}${seconds}${fraction.slice(0, 4)}${zone}`);
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
}

function canonicalTime(text: string): string {
  const parts = /^(\d\d:\d\d)(:\d\d)?(?:\.(\d+))?$/.exec(text);
  return parts === null ? text : `${parts[1]}${parts[2] ?? ':00'}.${(parts[3] ?? '').slice(0, 3).padEnd(3, '0')}`;
}
