import type { Rejection } from './change.ts';
import type { FieldType, FieldValue, Row } from './value.ts';

export interface LookupSpec<Spec = unknown> {
  /** What the step says of where to look, as the connector's `lookup` schema parsed it. */
  readonly lookup: Spec;
  /** The field by whose values records are found, in the system's own spelling. */
  readonly key: string;
  /** Fields of what is found that are wanted, as the user spells them: what `find` answers names them just so. */
  readonly fields: readonly string[];
}

/**
 * Finds records of another system by the value of one field, many at once. It is asked for distinct values, and remembers nothing:
 * caching, batches and what becomes of a record that is not found are the engine's.
 */
export interface Lookup extends AsyncDisposable {
  /** Most values in one call of `find`. */
  readonly valuesMax: number;
  /** Types of the wanted fields, as far as they are known; others are text. */
  readonly types: ReadonlyMap<string, FieldType>;
  /**
   * What is found, by the text (`textOf`) of the value as it was asked, in an order that is the same each time. A value that no record
   * has, or that its field cannot hold, is left out. One that the system refuses, though it takes others, is answered with why:
   * only the records with that value fail (P2).
   * @throws {SyncError} the system cannot be asked at all, now or ever: nothing goes past it.
   */
  find(values: readonly FieldValue[], signal: AbortSignal): Promise<ReadonlyMap<string, Found>>;
}

export type Found = readonly Row[] | { readonly refused: Rejection };
