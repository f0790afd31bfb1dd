import type { Schema } from '../schema/types.ts';
import type { WantedRow } from './locks.ts';
import type { Column, Stored, StoredRow } from './table.ts';
import type { Viewer } from './view-org.ts';

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
  /** Told after each `advance` and `freeze`: who waits by this clock looks again. Returns how to stop. */
  onMove(listener: () => void): () => void;
  /** What the `Date` header and `now()` are off by for clients: a clock skew fault. */
  skewMs: number;
}

/** An error as data APIs report it. `httpStatus` is the one of a single-record request. */
export class SalesforceError extends Error {
  readonly errorCode: string;
  readonly httpStatus: number;
  readonly fields: readonly string[];
  /** Which records a duplicate rule found; only with `DUPLICATES_DETECTED`. */
  readonly duplicates: DuplicatesFound | undefined;
  constructor(errorCode: string, message: string, options: SalesforceErrorOptions = {}) {
    super(message);
    this.name = 'SalesforceError';
    this.errorCode = errorCode;
    this.httpStatus = options.httpStatus ?? 400;
    this.fields = options.fields ?? [];
    this.duplicates = options.duplicates;
  }
}

/** What the API says when it does not know what happened. */
export const unexpectedError = {
  errorCode: 'UNKNOWN_EXCEPTION',
  message: 'An unexpected error occurred. Please include this ErrorId if you contact support',
} as const;

export interface SalesforceErrorOptions {
  httpStatus?: number;
  fields?: readonly string[];
  duplicates?: DuplicatesFound;
}

/** What a duplicate rule is violated by. */
export interface DuplicatesFound {
  /** The rule's name. */
  readonly rule: string;
  readonly object: string;
  readonly message: string;
  /** Whether `allowDuplicates` would let the record be saved. */
  readonly allowSave: boolean;
  readonly ids: readonly string[];
}

export interface QueryOptions {
  all?: boolean;
  userId?: string;
  /** Sees what this open transaction wrote as well; pages taken after its end see what became of it. */
  transaction?: Transaction | undefined;
}

/** A query's answer. Ids are fixed when it starts; values are read when a page is taken, as a query locator behaves. */
export interface QueryResult {
  /** How many records match, whatever the paging. */
  readonly totalSize: number;
  /** Records in REST form (with `attributes`, nested parents and child results), `version` as in `v62.0`. */
  page(offset: number, limit: number, version: string): unknown[];
  /** The page size this query gets at most: 2,000, or 200 when it selects two or more long texts. */
  readonly pageSizeMax: number;
  /** Whether records hold results of child queries, whole whatever their number. */
  readonly hasChildren?: boolean;
}

/** A flat read for the Bulk API: columns as selected, every value as its CSV text, `''` for null. */
export interface TableResult {
  readonly columns: readonly string[];
  rows(): Iterable<readonly string[]>;
}

export type WriteKind = 'insert' | 'update' | 'upsert' | 'delete' | 'undelete' | 'merge';
export interface WriteOutcome {
  id: string;
  created: boolean;
  /** Of a platform event: by what its subscribers know it. */
  eventUuid?: string;
}
export interface MergeOutcome extends WriteOutcome {
  /** The losers, now in the recycle bin. */
  merged: string[];
  /** Records that belonged to a loser and now belong to the master. */
  related: string[];
}

/** A point in a transaction to which it can return. */
export interface Savepoint {
  readonly transactionId: string;
  readonly writes: number;
  readonly locks: number;
}

/**
 * One database transaction. Writes are checked and stamped (`SystemModstamp`, whole seconds of the org's clock) as they
 * are made, and seen by nobody until `commit`: an open transaction is how a late commit comes about.
 *
 * Each write is whole or nothing: what a refused one had already done, its automation's writes included, is undone, and
 * the transaction goes on. Two hundred records of which some fail are therefore two hundred writes in one transaction.
 */
export interface Transaction {
  readonly id: string;
  readonly startedAtMs: number;
  readonly userId: string;
  readonly origin: string;
  insert(object: string, values: Values): WriteOutcome;
  update(object: string, id: string, values: Values): WriteOutcome;
  /** @throws {SalesforceError} `MULTIPLE_CHOICES` (300) when several records match. */
  upsert(object: string, externalIdField: string, externalId: string, values: Values): WriteOutcome;
  /** Soft: the record stays with `IsDeleted`; children of a cascading lookup follow. */
  delete(object: string, id: string): WriteOutcome;
  undelete(object: string, id: string): WriteOutcome;
  /** One or two losers go to the recycle bin, what belonged to them goes to the master, and the master gets `values`. */
  merge(object: string, masterId: string, loserIds: readonly string[], values?: Values): MergeOutcome;
  /** A lead becomes an account, a contact and an opportunity. @throws {SalesforceError} it was converted already. */
  convertLead(id: string, conversion?: LeadConversion): ConversionOutcome;
  /** Removes records for good, from the recycle bin or from life. */
  purge(object: string, ids: readonly string[]): void;
  /** The record as this transaction sees it, in stored form, deleted or not; not to be changed. */
  row(object: string, id: string): Readonly<StoredRow> | undefined;
  /** Records whose reference `field` is `id`, in the same form, deleted ones too. */
  rows(object: string, field: string, id: string): Readonly<StoredRow>[];
  /**
   * Runs a read of the org that sees what this transaction wrote: puts all of it into the database, reads, and takes it
   * out again, so its price grows with what was written. `row` and `rows` cost next to nothing.
   */
  see<T>(read: () => T): T;
  /** For undoing several writes together. */
  savepoint(): Savepoint;
  rollbackTo(savepoint: Savepoint): void;
  commit(): void;
  rollback(): void;
}

/**
 * What an org does by itself when records are saved: validation rules, triggers, flows, formulas, roll-ups. The hooks run
 * in the order of "Triggers and Order of Execution" (Apex Developer Guide); a hook that throws a `SalesforceError`
 * refuses the write, and all that was done for it is undone.
 *
 * Records that go along with a cascading delete, come back with an undelete or change parents in a merge run no
 * `beforeSave`, `validate` or `afterSave` ("Operations That Don't Invoke Triggers"); `recalculate` is told of them.
 */
export interface Automation {
  /** Only saves of these objects' records; absent: of all. `recalculate` is told of every record all the same. */
  readonly objects?: readonly string[];
  /** Before-save flows and before triggers (steps 3 and 4): before required fields, references and uniqueness are checked. */
  beforeSave?(save: RecordSave): void;
  /** Custom validation rules (step 5): after the system's own checks, before duplicate rules. Not for deletes. */
  validate?(save: RecordSave): void;
  /** After triggers, workflow rules and after-save flows (steps 8 to 15): may write through `save.transaction`. */
  afterSave?(save: RecordSave): void;
  /**
   * Roll-ups and other values that follow from records (steps 16 and 17): at the end of each write that a client made,
   * with all records that it touched in any way; then again with those that the recalculation itself touched, until it
   * touches none.
   */
  recalculate?(touched: readonly TouchedRecord[], recalculation: Recalculation): void;
}

/** One record on its way through a save. */
export interface RecordSave {
  readonly object: string;
  /** As triggers know it: a record that is being created has none before it is saved. */
  readonly id: string | undefined;
  readonly kind: 'create' | 'update' | 'delete' | 'undelete';
  /** Stored form; absent for a created record. */
  readonly before: Readonly<StoredRow> | undefined;
  /** As it will be stored, or for a delete as it was last. Stamps are made after `validate`. */
  readonly row: Readonly<StoredRow>;
  readonly transaction: Transaction;
  /** Gives a field another value, checked like one that a client writes but without regard to its permissions: in `beforeSave` only. */
  set(field: string, value: Value): void;
}

/** What one write did to one record; records that it left as they were are not told. */
export interface TouchedRecord {
  readonly object: string;
  readonly id: string;
  /** Before the write; absent for a created record. */
  readonly before: Readonly<StoredRow> | undefined;
  readonly after: Readonly<StoredRow>;
  readonly purged: boolean;
}

export interface Recalculation {
  readonly transaction: Transaction;
  /** Holds a record still until the transaction ends, before a value is taken from it. @throws {SalesforceError} `UNABLE_TO_LOCK_ROW` */
  lock(object: string, id: string): void;
  /** Stores calculated values, if any of them differs. */
  store(object: string, id: string, values: Values, options?: RecalculationOptions): void;
}

export interface RecalculationOptions {
  /** `none` (the default) for formulas, which leave no trace; `system` moves `SystemModstamp` alone; `user` all of them. */
  stamps?: 'none' | 'system' | 'user';
  /** The record goes through the save procedure (`beforeSave`, `validate`, `afterSave`), as a parent with a roll-up does. */
  save?: boolean;
}

/** A record by its id, in stored form. */
export type RowLookup = (object: string, id: string) => Readonly<StoredRow> | undefined;

/** A field whose value is nowhere stored: it follows from others whenever it is read, as formulas do. */
export interface CalculatedField {
  /** Fields of the record and of its parents: `Amount`, `Account.Owner.Name`; where a reference has several targets `Owner:User.Name`. */
  readonly inputs: readonly string[];
  /** @param inputs  Their stored values, in order. Called for every row that a query looks at. */
  compute(inputs: readonly Stored[]): Stored;
}

/** A field that can be read of a row: stored, calculated, or a parent's. */
export interface ReadableField {
  readonly column: Column;
  /** The object that has it: the parent's at the end of a path. */
  readonly object: string;
  /** Of a calculated field what it follows from. */
  readonly inputs: readonly string[] | undefined;
  read(row: Readonly<StoredRow>, look: RowLookup): Stored;
}

/** What a lead is to become. */
export interface LeadConversion {
  /** Records that are there; made from the lead when absent. */
  accountId?: string;
  contactId?: string;
  /** `null`: none is made. Absent: it is called after the company. */
  opportunityName?: string | null;
  /** One that counts as converted. */
  status?: string;
}

export interface ConversionOutcome extends WriteOutcome {
  accountId: string;
  contactId: string;
  opportunityId: string | null;
}

/** What the calculated fields of an org are made with. */
export interface Calculations {
  /** One that is there is replaced. Returns how to remove it. @throws {TypeError} for unknown fields, and for fields that follow from themselves. */
  define(object: string, field: string, calculated: CalculatedField): () => void;
  /** A field of an object, or of its parents, as it is now: not to be kept. Undefined when there is none. */
  field(object: string, path: string): ReadableField | undefined;
  /** All records of the database in stored form, deleted ones too. */
  rows(object: string): Iterable<Readonly<StoredRow>>;
  /** Stores values of many records as if they had always been there: no commit, no stamps. */
  fill(object: string, field: string, values: Iterable<readonly [id: string, value: Stored]>): void;
  /** Told after `load` filled an object. Returns how to stop. */
  onLoad(listener: (object: string) => void): () => void;
}

/** When a record is saved that equals another in these fields; a record that lacks one of them equals none. */
export interface DuplicateRule {
  /** `Standard_Account_Duplicate_Rule` by default. */
  name?: string;
  object: string;
  fields: readonly string[];
  /** `block` refuses always; `allow` refuses unless the client insists (`allowSave`). */
  action: 'block' | 'allow';
  message?: string;
}

export interface DuplicateRules {
  /** @returns the rule's name. A rule of that name is replaced. @throws {TypeError} for unknown objects and fields. */
  define(rule: DuplicateRule): string;
  remove(name: string): boolean;
  list(): Required<DuplicateRule>[];
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

/** A platform event that an `insert` made, before anybody knows whether its transaction commits. */
export interface InsertedEvent {
  readonly object: string;
  readonly id: string;
  readonly row: Readonly<StoredRow>;
  readonly userId: string;
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
  /** In the order of the records' first writes; a platform event that was inserted is a `create` among them. */
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
  retrieve(
    object: string,
    id: string,
    version: string,
    fields?: readonly string[],
    options?: { transaction?: Transaction | undefined },
  ): Record<string, unknown> | undefined;
  begin(options?: WriteOptions): Transaction;
  /** `begin`, `work`, `commit`; rolled back when `work` throws. */
  write<T>(work: (transaction: Transaction) => T, options?: WriteOptions): T;
  /** Told of every commit, in order; rows that `load` brings are not commits. Returns how to stop. */
  onCommit(listener: (committed: CommittedTransaction) => void): () => void;
  /** Told of each platform event as it is inserted, whatever becomes of its transaction. Returns how to stop. */
  onInsertedEvent(listener: (event: InsertedEvent) => void): () => void;
  /** Adds what the org does by itself, after what was added before. Returns how to remove it. */
  automate(automation: Automation): () => void;
  readonly duplicateRules: DuplicateRules;
  readonly calculations: Calculations;
  /**
   * Asked for each row that is to be locked: whether to act as if another transaction held it, or the error to refuse it
   * with. Returns how to stop.
   */
  contend(contends: (wanted: WantedRow) => boolean | SalesforceError): () => void;
  updated(object: string, startMs: number, endMs: number): UpdatedIds;
  deleted(object: string, startMs: number, endMs: number): DeletedIds;
  /** The same org as somebody sees it who may not see or write everything. */
  as(viewer: Viewer): Org;
  /** Loads rows without checks, for filling an org quickly. Ids are made when absent; audit fields too. */
  load(object: string, rows: Iterable<Values>): number;
  close(): void;
}
