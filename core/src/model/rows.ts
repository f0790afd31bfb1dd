import type { DatasetSchema, FieldSchema } from './schema.ts';
import type { Side } from './side.ts';
import type { FieldValue, Row } from './value.ts';

/** What a sync says of a table: a `from:`, a `to:` or a side, as the connector's schema parsed it. */
export interface TableUse {
  readonly as: 'from' | 'to' | 'side';
  readonly spec: unknown;
}

/** Where a configuration stands: what its paths start from, and where Tidemark keeps its own state. */
export interface TableSurroundings {
  readonly baseDir: string;
  readonly store: { readonly kind: 'sqlite'; readonly file: string } | { readonly kind: 'postgres'; readonly url: string };
}

/** The tables of this type of connection can be looked into and changed row by row, by whoever asks over HTTP. */
export interface RowsKind<Config = never> {
  /**
   * The table that a sync means. Null for what is no table, a query say, and for Tidemark's own: nobody gets there. Offline.
   */
  place(config: Config, use: TableUse, surroundings: TableSurroundings): Omit<RowsSpec, 'mentions'> | null;
}

/** One table. */
export interface RowsSpec {
  /** As it is called in paths: `contacts`, or with a schema that is not the connection's, `sales.contacts`. */
  readonly name: string;
  /** As the connector understands it. */
  readonly at: unknown;
  /** The field that programs set to the time of a change, where deltas go by that. */
  readonly watermark: string | null;
  /** Fields that syncs speak of: they are there, though no row may show them yet. For systems without a schema. */
  readonly mentions: readonly string[];
}

export interface RowsField extends FieldSchema {
  /** False of what the system computes. */
  readonly writable: boolean;
  /** A new row has to say it: it may not be null, and nothing else gives it a value. */
  readonly required: boolean;
}

/** One comparison of a field. Values are canonical, and of the field's type. */
export type Comparison =
  | {
      readonly field: string;
      readonly is: 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'starts' | 'contains';
      readonly value: NonNullable<FieldValue>;
    }
  | { readonly field: string; readonly is: 'in'; readonly values: readonly NonNullable<FieldValue>[] }
  | { readonly field: string; readonly is: 'null' | 'notNull' };

export interface SortField {
  readonly field: string;
  readonly descending: boolean;
}

export interface RowsQuery {
  /** All of them hold. A row whose field is null is `ne` to every value, and nothing else but `null`. */
  readonly where: readonly Comparison[];
  /** Ends with the key's fields, so that no two rows are equal in it. Null comes before every value, as the smallest. */
  readonly sort: readonly SortField[];
  /** Fields that are wanted. */
  readonly fields: readonly string[];
  /** Goes on behind the row with this position. */
  readonly after: string | null;
  readonly limit: number;
}

export interface RowsPage {
  readonly rows: readonly Row[];
  /** Of the last row, when there are more behind it. */
  readonly next: string | null;
}

/** A table, row by row. Rows that a sync has marked as deleted are not there, and neither are columns of Tidemark's own. */
export interface Rows {
  readonly schema: Omit<DatasetSchema, 'fields'> & { readonly fields: readonly RowsField[] };
  /**
   * Pages neither repeat a row nor leave one out that is there all the time, whatever is written between them.
   * @throws {RequestRefusedError} a value that the system cannot compare with this field, a position that is none
   */
  page(query: RowsQuery, signal: AbortSignal): Promise<RowsPage>;
  /** As of a two-way sync's side, but written as by any program: a capture tells of it. Absent where nothing can be written. */
  readonly merge?: Side['merge'];
}

/** What a row holds in a field by which rows are sorted. */
export interface SortedAt<Value> extends SortField {
  readonly value: Value;
}

/**
 * The ways in which a row can come behind one that holds these values, in an order by several fields: equal in the first ones, past
 * it in the next.
 */
export function waysBehind<Value>(
  sort: readonly SortField[],
  values: readonly Value[],
): { readonly equal: readonly SortedAt<Value>[]; readonly past: SortedAt<Value> }[] {
  const placed = sort.map((field, i) => ({ ...field, value: values[i]! }));
  return placed.map((past, i) => ({ equal: placed.slice(0, i), past }));
}
