import type { Database } from './database.ts';
import { DELETED_AT, inScope, quoted, STAMP } from './identifiers.ts';
import type { TableLayout } from './layout.ts';
import { type LoadIdentity, sameKey } from './staging.ts';
import { formOf, type SqlValue } from './values.ts';

/** Rows that a sweep may touch: written by a sync, and not marked as deleted. */
const ours = (layout: TableLayout) => `t.${STAMP} IS NOT NULL AND t.${DELETED_AT} IS NULL${inScope(layout, 't')}`;

export function countMissing(database: Database, { layout, staging }: LoadIdentity): { missing: number; total: number } {
  const row = database.reader
    .prepare(
      `SELECT count(*) AS total, count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM ${quoted(staging)} s WHERE ${sameKey(layout, 's', 't')}))
       AS missing FROM ${quoted(layout.table)} t WHERE ${ours(layout)}`,
    )
    .get()!;
  return { missing: row.missing as number, total: row.total as number };
}

/** One part of a listing in key order, and where the next part begins; `next` null: that was all. */
export interface Part<T> {
  readonly items: readonly T[];
  readonly next: readonly SqlValue[] | null;
}

export type ListDifference = { readonly key: string; readonly kind: 'missing' | 'extra' | 'different' };

/** Keys of ours that the load does not hold. By keyset: no snapshot is held while the caller asks the source about them. */
export function missingPart(
  database: Database,
  { layout, staging }: LoadIdentity,
  after: readonly SqlValue[] | null,
): Part<string> {
  const rows = keyed(
    database,
    layout,
    `${quoted(layout.table)} t WHERE ${ours(layout)} AND NOT EXISTS (SELECT 1 FROM ${quoted(staging)} s WHERE ${sameKey(layout, 's', 't')})`,
    't',
    after,
  );
  return { items: rows.map((row) => keyOfRow(layout, row)), next: nextOf(rows, layout) };
}

/** Staged keys whose rows are lacking in the table or differ from it. */
export function differentPart(
  database: Database,
  { layout, staging }: LoadIdentity,
  after: readonly SqlValue[] | null,
): Part<ListDifference> {
  const values = layout.columns.filter((_, i) => !layout.key.includes(i)).map(({ column }) => quoted(column));
  const lacking = `(t.${quoted(layout.columns[layout.key[0]!]!.column)} IS NULL OR t.${DELETED_AT} IS NOT NULL)`;
  const differs = [lacking, ...values.map((column) => `t.${column} COLLATE BINARY IS NOT s.${column}`)].join(' OR ');
  const rows = keyed(
    database,
    layout,
    `${quoted(staging)} s LEFT JOIN ${quoted(layout.table)} t ON ${sameKey(layout, 't', 's')}${inScope(layout, 't')} WHERE (${differs})`,
    's',
    after,
    lacking,
  );
  return {
    items: rows.map((row) => ({ key: keyOfRow(layout, row), kind: row.at(-1) ? 'missing' : 'different' })),
    next: nextOf(rows, layout),
  };
}

const partSize = 1000;

function keyed(
  database: Database,
  layout: TableLayout,
  from: string,
  alias: string,
  after: readonly SqlValue[] | null,
  extra = '0',
): SqlValue[][] {
  const key = layout.key.map((index) => `${alias}.${quoted(layout.columns[index]!.column)}`).join(', ');
  const beyond = after === null ? '' : ` AND (${key}) > (${after.map(() => '?').join(', ')})`;
  const statement = database.reader.prepare(`SELECT ${key}, ${extra} FROM ${from}${beyond} ORDER BY ${key} LIMIT ${partSize}`);
  statement.setReturnArrays(true);
  return statement.all(...(after ?? [])) as unknown as SqlValue[][];
}

function nextOf(rows: readonly SqlValue[][], layout: TableLayout): readonly SqlValue[] | null {
  return rows.length < partSize ? null : rows.at(-1)!.slice(0, layout.key.length);
}

function keyOfRow(layout: TableLayout, row: readonly SqlValue[]): string {
  const parts = layout.key.map((index, i) => {
    const { type, affinity } = layout.columns[index]!;
    return String(formOf(type, affinity).read(row[i]!));
  });
  return parts.length === 1 ? parts[0]! : JSON.stringify(parts);
}
