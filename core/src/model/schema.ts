import type { FieldType } from './value.ts';

export interface FieldSchema {
  readonly name: string;
  readonly type: FieldType;
  /** Characters at most, for text; absent when unbounded or unknown. */
  readonly length?: number;
  /** Digits in all and after the point, for decimals. */
  readonly precision?: number;
  readonly scale?: number;
  readonly nullable: boolean;
  /** Holds the key of another dataset: worth an index. */
  readonly reference?: boolean;
  /** Whoever lacks a right reads a mask in the place of the value: what is read need not be what is there. */
  readonly masked?: boolean;
  /** The user wrote this name in a mapping: SQL targets keep its spelling. Otherwise they fold it (see `columnNames`). */
  readonly spelled?: boolean;
}

/** What a source yields or a target holds: its fields, and which of them identify a record. */
export interface DatasetSchema {
  /** `Contact`, `public.orders`, a file name. */
  readonly name: string;
  readonly fields: readonly FieldSchema[];
  /** Names of the key fields, in order; at least one. */
  readonly key: readonly string[];
}
