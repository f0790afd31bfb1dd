import type { Rejection } from './change.ts';
import type { DatasetSchema } from './schema.ts';
import type { FieldValue, Row } from './value.ts';

/** What a write would do with one record. `send` says that nobody knows whether it makes or changes one. */
export type Effect = 'create' | 'update' | 'send' | 'delete' | 'unchanged' | 'refused';

/** A field that would be sent. Without `before` there is no record yet, or nobody knows what it holds. */
export interface FieldPreview {
  readonly field: string;
  readonly before?: FieldValue;
  readonly after: FieldValue;
}

export interface RecordPreview {
  readonly effect: Effect;
  /** Fields that would become others; of a record that is made or only sent, those that it would have. */
  readonly fields: readonly FieldPreview[];
  /** Fields that would be sent though the record holds just that. */
  readonly resent: number;
  /** Why it would be refused, as far as that is known without asking for it. */
  readonly reason?: Rejection;
}

/** A record that goes out whole, to a system that nobody asks what it has. */
export function sendPreview(row: Row, { fields }: Pick<DatasetSchema, 'fields'>): RecordPreview {
  const sent = fields.filter(({ name }) => Object.hasOwn(row, name)).map(({ name }) => ({ field: name, after: row[name]! }));
  return { effect: 'send', fields: sent, resent: 0 };
}

export const unchangedPreview: RecordPreview = { effect: 'unchanged', fields: [], resent: 0 };
export const deletePreview: RecordPreview = { effect: 'delete', fields: [], resent: 0 };

export function refusedPreview(reason: Rejection): RecordPreview {
  return { effect: 'refused', fields: [], resent: 0, reason };
}

/** Requests that a write would cost its system when nothing goes wrong, by kind. A Bulk job takes several of them. */
export interface WriteCalls {
  reads: number;
  collections: number;
  bulkJobs: number;
  bulkRequests: number;
  requests: number;
}

export function noCalls(): WriteCalls {
  return { reads: 0, collections: 0, bulkJobs: 0, bulkRequests: 0, requests: 0 };
}

export function sumOfCalls({ reads, collections, bulkRequests, requests }: WriteCalls): number {
  return reads + collections + bulkRequests + requests;
}

export function addCalls(to: WriteCalls, more: WriteCalls): void {
  for (const kind of Object.keys(to) as (keyof WriteCalls)[]) to[kind] += more[kind];
}
