import type { FieldValue, Row } from '@tidemark/core';
import { DELETED_AT, inScope, quoted, STAMP, scopeOfInsert } from './identifiers.ts';
import type { TableLayout } from './layout.ts';
import { type Form, formOf, MismatchError, type SqlValue } from './values.ts';

/** `NO_STAMP` as it is stored. */
export const noStamp = '1970-01-01T00:00:00.000Z';

/** A table's statements as text, and the forms of its values. */
export interface TableStatements {
  readonly layout: TableLayout;
  readonly forms: readonly Form[];
  /** Values for `insert` and `update`: the columns in order, then the stamp. */
  readonly insert: string;
  /** Changes a row whose values differ or that is marked; needs the values, then the key. */
  readonly update: string;
  readonly find: string;
  readonly move: string;
  readonly remove: string;
  readonly mark: string;
  readonly read: string;
}

export function statementsOf(layout: TableLayout): TableStatements {
  const table = quoted(layout.table);
  const columns = layout.columns.map(({ column }) => quoted(column));
  const names = [...columns, STAMP];
  const stampAt = names.length;
  const whereKey = (from: number) =>
    layout.key.map((index, i) => `${columns[index]} = ?${from + i}`).join(' AND ') + inScope(layout);
  const scope = scopeOfInsert(layout);
  const values = columns.map((column, i) => ({ column, at: i + 1 })).filter((_, i) => !layout.key.includes(i));
  // COLLATE BINARY: a user's column that ignores case must not hide a change of case.
  const differs = [`${DELETED_AT} IS NOT NULL`, ...values.map(({ column, at }) => `${column} COLLATE BINARY IS NOT ?${at}`)];
  const assign = [...values.map(({ column, at }) => `${column} = ?${at}`), `${STAMP} = ?${stampAt}`, `${DELETED_AT} = NULL`];
  return {
    layout,
    forms: layout.columns.map(({ type, affinity }) => formOf(type, affinity)),
    insert: `INSERT INTO ${table} (${names.join(', ')}${scope.column}) VALUES (${names.map((_, i) => `?${i + 1}`).join(', ')}${scope.value})`,
    update: `UPDATE ${table} SET ${assign.join(', ')} WHERE ${ownKey(layout, columns)} AND (${differs.join(' OR ')})`,
    find: `SELECT ${STAMP}, ${DELETED_AT} FROM ${table} WHERE ${whereKey(1)}`,
    move: `UPDATE ${table} SET ${STAMP} = ?1 WHERE ${whereKey(2)}`,
    remove: `DELETE FROM ${table} WHERE ${whereKey(1)}`,
    mark: `UPDATE ${table} SET ${STAMP} = ?1, ${DELETED_AT} = ?2 WHERE ${whereKey(3)}`,
    read: `SELECT ${columns.join(', ')} FROM ${table} WHERE ${whereKey(1)} AND ${DELETED_AT} IS NULL`,
  };
}

function ownKey(layout: TableLayout, columns: readonly string[]): string {
  return layout.key.map((index) => `${columns[index]} = ?${index + 1}`).join(' AND ') + inScope(layout);
}

/** The parts of a key (see `keyParts` of the core), bound as its columns want them. Null: no row can have such a key. */
export function boundKey(statements: TableStatements, key: string): SqlValue[] | null {
  const { layout, forms } = statements;
  const parts = layout.key.length === 1 ? [key] : (JSON.parse(key) as string[]);
  try {
    return layout.key.map((index, i) => forms[index]!.bindText(parts[i]!));
  } catch (error) {
    if (error instanceof MismatchError) return null;
    throw error;
  }
}

/** @throws {MismatchError} naming the field, never the value. */
export function boundRow(statements: TableStatements, row: Row): SqlValue[] {
  return statements.layout.columns.map(({ field, type }, i) => {
    const value = row[field];
    return value === null || value === undefined ? null : named(field, type, () => statements.forms[i]!.bind(value));
  });
}

export function named<T>(field: string, type: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MismatchError) throw new MismatchError(`${field} takes ${type}`);
    throw error;
  }
}

/** What was stored as the values of the layout's fields. */
export function valuesOf(forms: readonly Form[], stored: readonly SqlValue[]): FieldValue[] {
  return forms.map((form, i) => {
    const value = stored[i]!;
    return value === null ? null : form.read(value);
  });
}
