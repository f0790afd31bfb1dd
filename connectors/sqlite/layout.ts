import type { FieldType, TargetScope } from '@tidemark/core';
import type { HistoryLayout } from './history-definition.ts';

/** How a column treats what is put into it: SQLite's affinities, `any` where it keeps everything as it comes. */
export type Affinity = 'text' | 'integer' | 'real' | 'numeric' | 'blob' | 'any';

/** Where a field lives. */
export interface ColumnLayout {
  readonly field: string;
  readonly column: string;
  readonly type: FieldType;
  readonly affinity: Affinity;
}

/** Where a dataset's records live: what the worker needs to know to write them. */
export interface TableLayout {
  readonly table: string;
  /** One for each field of the schema, in its order. */
  readonly columns: readonly ColumnLayout[];
  /** Indexes into `columns`. */
  readonly key: readonly number[];
  /** Others share the table: only rows with this value are ours. The column is the first of the table's key. */
  readonly scope?: TargetScope | undefined;
  /** Where versions of its rows are kept, as this sync wants it. */
  readonly history?: HistoryLayout | undefined;
}

/** What `sqlite_schema` and its pragmas say about a table. */
export interface TableFacts {
  readonly kind: 'table' | 'view' | null;
  readonly strict: boolean;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly key: number;
    readonly generated: boolean;
  }[];
  /** Columns of each unique index without conditions, the primary key included. */
  readonly uniques: readonly (readonly string[])[];
  /** First column of each index. */
  readonly indexed: readonly string[];
  readonly indexNames: readonly string[];
  readonly triggers: readonly { readonly name: string; readonly sql: string }[];
  /** Which field went where, as far as we made it. */
  readonly known: readonly { readonly field: string; readonly column: string; readonly type: FieldType }[];
}

/** @see SQLite documentation, "Datatypes In SQLite", Determination Of Column Affinity */
export function affinityOf(declared: string, strict: boolean): Affinity {
  const type = declared.toUpperCase();
  if (strict)
    return type === 'ANY' ? 'any' : type === 'BLOB' ? 'blob' : type === 'REAL' ? 'real' : type === 'TEXT' ? 'text' : 'integer';
  if (type.includes('INT')) return 'integer';
  if (/CHAR|CLOB|TEXT/.test(type)) return 'text';
  if (type === '' || type.includes('BLOB')) return 'any';
  return /REAL|FLOA|DOUB/.test(type) ? 'real' : 'numeric';
}

/**
 * The type of a column that we make. Tables are STRICT, so that nothing is converted behind our back.
 * A decimal is REAL while a double holds it exactly, otherwise TEXT with all its digits; only ANY keeps both apart, since NUMERIC
 * would cut such a text to 15 digits. INT and not INTEGER, because an INTEGER PRIMARY KEY would be the rowid itself.
 */
export function declaredType(type: FieldType, strict: boolean): string {
  switch (type) {
    case 'boolean':
    case 'integer':
      return 'INT';
    case 'double':
      return 'REAL';
    case 'decimal':
      return strict ? 'ANY' : '';
    case 'bytes':
      return 'BLOB';
    default:
      return 'TEXT';
  }
}

/** Whether a column of this affinity gives every value of the type back as it was. */
export function holds(affinity: Affinity, type: FieldType): boolean {
  switch (type) {
    case 'boolean':
    case 'integer':
      return affinity !== 'blob' && affinity !== 'real';
    case 'decimal':
    case 'double':
      return affinity !== 'blob' && affinity !== 'integer';
    case 'bytes':
      return affinity === 'blob' || affinity === 'any' || affinity === 'text';
    default:
      return affinity === 'text' || affinity === 'any';
  }
}
