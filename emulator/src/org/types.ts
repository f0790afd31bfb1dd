import type { Schema } from '../schema/types.ts';
import type { StoredRow } from './table.ts';

/** A stored value as REST writes it: datetimes `2024-05-22T13:05:09.000+0000`, dates `2024-05-22`, ids 18 characters. */
export type Value = string | number | boolean | null;
export type Values = Record<string, Value>;

/** The org's own time. Tests move it; `now` is epoch ms UTC. */
export interface OrgClock {
  now(): number;
  /** Moves time forward (or back) by this much. */
  advance(ms: number): void;
  /** Stops the clock at this instant, or lets it run again with `null`. */
  freeze(atMs: number | null): void;
  /** What the `Date` header and `now()` are off by for clients: a clock skew fault. */
  skewMs: number;
}

/** An error as data APIs report it. `httpStatus` is the one of a single-record request. */
export class SalesforceError extends Error {
  readonly errorCode: string;
  readonly httpStatus: number;
  readonly fields: readonly string[];
  constructor(errorCode: string, message: string, options: { httpStatus?: number; fields?: readonly string[] } = {}) {
    super(message);
    this.name = 'SalesforceError';
    this.errorCode = errorCode;
    this.httpStatus = options.httpStatus ?? 400;
    this.fields = options.fields ?? [];
  }
}

export interface QueryOptions {
  all?: boolean;
  userId?: string;
}

/** A query's answer. Ids are fixed when it starts; values are read when a page is taken, as a query locator behaves. */
export interface QueryResult {
  /** How many records match, whatever the paging. */
  readonly totalSize: number;
  /** Records in REST form (with `attributes`, nested parents and child results), `version` as in `v62.0`. */
  page(offset: number, limit: number, version: string): unknown[];
  /** The page size this query gets at most: 2,000, or 200 when it selects two or more long texts. */
  readonly pageSizeMax: number;
}

/** A flat read for the Bulk API: columns as selected, every value as its CSV text, `''` for null. */
export interface TableResult {
  readonly columns: readonly string[];
  rows(): Iterable<readonly string[]>;
}

export type WriteKind = 'insert' | 'update' | 'upsert' | 'delete' | 'undelete';
export interface WriteOutcome {
  id: string;
  created: boolean;
}

/**
 * One database transaction. Writes are checked and stamped (`SystemModstamp`, whole seconds of the org's clock) as they
 * are made, and seen by nobody until `commit`: an open transaction is how a late commit comes about.
 */
export interface Transaction {
  readonly id: string;
  readonly startedAtMs: number;
  insert(object: string, values: Values): WriteOutcome;
  update(object: string, id: string, values: Values): WriteOutcome;
  /** @throws {SalesforceError} `MULTIPLE_CHOICES` (300) when several records match. */
  upsert(object: string, externalIdField: string, externalId: string, values: Values): WriteOutcome;
  /** Soft: the record stays with `IsDeleted`; children of a cascading lookup follow. */
  delete(object: string, id: string): WriteOutcome;
  undelete(object: string, id: string): WriteOutcome;
  /** Removes records for good, from the recycle bin or from life. */
  purge(object: string, ids: readonly string[]): void;
  commit(): void;
  rollback(): void;
}

/** What one transaction did to one record, from its start to its commit: several writes of a record are one change. */
export interface RecordChange {
  readonly object: string;
  readonly id: string;
  /** `purge` is for good: no event tells of it unless the record was alive. */
  readonly kind: 'create' | 'update' | 'delete' | 'undelete' | 'purge';
  /** Stored form, by field name; absent for a created record. */
  readonly before: StoredRow | undefined;
  /** For a delete the record as it was last. */
  readonly after: StoredRow;
}

/** A commit, told to listeners after the database holds it. */
export interface CommittedTransaction {
  /** UUID-like, unique. */
  readonly key: string;
  /** Ascends, beyond 2^53 as in recordings. */
  readonly commitNumber: bigint;
  readonly committedAtMs: number;
  readonly userId: string;
  /** `com/salesforce/api/rest/62.0;client=x`; empty for what the server itself did. */
  readonly origin: string;
  /** In the order of the records' first writes. */
  readonly changes: readonly RecordChange[];
}

/** Who writes, and how. */
export interface WriteOptions {
  userId?: string;
  /** What change events show as `changeOrigin`; empty when absent. */
  origin?: string;
  /** `Sforce-Duplicate-Rule-Header: allowSave=true`. */
  allowDuplicates?: boolean;
}

export interface UpdatedIds {
  ids: string[];
  latestDateCovered: string;
}
export interface DeletedIds {
  deletedRecords: { id: string; deletedDate: string }[];
  earliestDateAvailable: string;
  latestDateCovered: string;
}

/** A Salesforce org: schema, records, time. Knows nothing of HTTP. */
export interface Org {
  /** 18 characters, prefix 00D. */
  readonly id: string;
  readonly schema: Schema;
  readonly clock: OrgClock;
  /** The user as whom everything runs unless said otherwise. */
  readonly adminUserId: string;
  query(soql: string, options?: QueryOptions): QueryResult;
  table(soql: string, options?: QueryOptions): TableResult;
  /** One record in REST form, or `undefined` when absent or deleted. `fields` absent: all of them. */
  retrieve(object: string, id: string, version: string, fields?: readonly string[]): Record<string, unknown> | undefined;
  begin(options?: WriteOptions): Transaction;
  /** `begin`, `work`, `commit`; rolled back when `work` throws. */
  write<T>(work: (transaction: Transaction) => T, options?: WriteOptions): T;
  /** Told of every commit, in order; rows that `load` brings are not commits. Returns how to stop. */
  onCommit(listener: (committed: CommittedTransaction) => void): () => void;
  updated(object: string, startMs: number, endMs: number): UpdatedIds;
  deleted(object: string, startMs: number, endMs: number): DeletedIds;
  /** Loads rows without checks, for filling an org quickly. Ids are made when absent; audit fields too. */
  load(object: string, rows: Iterable<Values>): number;
  close(): void;
}
