import type { Change, Rejection } from '@tidemark/core';
import type { WriteColumn } from './write-plan.ts';

/** One record on its way to the org. */
export interface Outgoing {
  readonly change: Change;
  /** What identifies it in the call: the external id's value, or the record's Id. Null for inserts and what is new. */
  readonly key: unknown;
  /** Of the plan's columns, in their order and in their written form; what is undefined is left alone. */
  readonly values: readonly unknown[];
}

/** The columns that a record sets, and to what. */
export function* valuesOf(
  { values }: Pick<Outgoing, 'values'>,
  columns: readonly WriteColumn[],
): Generator<[WriteColumn, unknown]> {
  for (const [i, column] of columns.entries()) if (values[i] !== undefined) yield [column, values[i]];
}

/** What the org did with one record. */
export type Outcome =
  | { readonly ok: true; readonly created: boolean /** Where the org told it. */; readonly id?: string }
  | { readonly ok: false; readonly reason: Rejection; readonly fields: readonly string[] };

export function refusedWith(code: string, message: string, fields: readonly string[] = []): Outcome {
  // Messages of the org mostly name a field by its label: its API name is what the mapping spells.
  const unnamed = fields.filter((field) => !message.includes(field));
  return { ok: false, reason: { code, message: unnamed.length === 0 ? message : `${message} (${unnamed.join(', ')})` }, fields };
}

/** Somebody else holds the record, or its parent, at this moment. */
const locks = new Set(['UNABLE_TO_LOCK_ROW', 'ENTITY_IS_LOCKED_BY_ANOTHER_PROCESS']);

/** The org's own automation did too much work for so many records at once. */
const overwork = /Too many (SOQL|DML|query|queueable|future)|Apex CPU time limit|Apex heap size|LimitException/i;

/** Whether fewer records at once may succeed where these did not. */
export function isWorthFewer(outcome: Outcome): boolean {
  return !outcome.ok && (locks.has(outcome.reason.code) || overwork.test(outcome.reason.message));
}

/** Names a parent that is not there: it may be in the same batch and come to be with it. */
export function lacksParent(outcome: Outcome): boolean {
  return !outcome.ok && /^Foreign key external ID: .* not found/is.test(outcome.reason.message);
}
