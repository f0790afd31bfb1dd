import type { ZodType } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Problem } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Block } from './block.ts';
import type { BudgetRules, CallBudget } from './call-budget.ts';
import type { Batch, Change, WriteResult } from './change.ts';
import type { FieldDetails } from './field-details.ts';
import type { Inbox, InboxSpec } from './inbox.ts';
import type { Log } from './log.ts';
import type { Lookup, LookupSpec } from './lookup.ts';
import type { DescribedObject } from './object-definition.ts';
import type { Credential, OrgKind } from './org-kind.ts';
import type { RecordPreview, WriteCalls } from './preview.ts';
import type { Rows, RowsKind, RowsSpec } from './rows.ts';
import type { DatasetSchema } from './schema.ts';
import type { Side, SideSpec } from './side.ts';
import type { EventReader, EventStream, StreamSpec, StreamStart, StreamWriter } from './stream.ts';
import type { Row } from './value.ts';

/** One type of external system. A connector folder default-exports exactly one of these. */
export interface Connector<Config = never, From = never, To = never> {
  /** Folder name, config `type` and metrics label: a lowercase noun, e.g. `postgres`. */
  readonly name: string;
  readonly summary: string;
  /** What a connection of this type is configured with, besides `type`. Secrets carry `.meta({ secret: true })`. */
  readonly config: ZodType<Config>;
  /** What `from:` takes besides `connection`; absent when it is no source. */
  readonly from?: ZodType<From>;
  /** What `to:` takes besides `connection`; absent when it is no target. */
  readonly to?: ZodType<To>;
  /** What a side of a two-way sync takes besides `connection` and `link`; absent when it cannot be one. */
  readonly side?: ZodType;
  /** What a `lookup:` step takes to say where to look, e.g. a table; absent when nothing can be looked up here. */
  readonly lookup?: ZodType;
  /**
   * The channel of a source that is nothing but events: what it tells is read nowhere, so that a sync of it is always live. Null for
   * any other. Told offline, by what `from:` says.
   */
  eventChannel?(from: From): string | null;
  /** How a connection stands for many orgs; absent when each is one of its own. */
  readonly orgs?: OrgKind<Config>;
  /** Its targets can share a dataset, each with the records of its own `TargetSpec.scope`. */
  readonly sharesDatasets?: true;
  /** Its targets can keep every version of a record (`TargetSpec.history`). */
  readonly keepsHistory?: true;
  /** Its sources tell when there is something to read (`Source.waitForChange`): a sync with `live: true` is run at once, as often as there is. */
  readonly tellsChanges?: true;
  /**
   * Its sources can be read in parts (`SourceSpec.part`), by several workers at once: all changes of a record are in the same one,
   * in their order.
   */
  readonly readsInParts?: true;
  /** A dataset here is written by one sync at a time, as a whole: a file. */
  readonly hasOneWriter?: true;
  /** How it keeps what is handed over to a sync of ours; absent when it cannot. */
  readonly inbox?: InboxKind<Config, From>;
  /** Its tables can be looked into and changed row by row; absent when they cannot. */
  readonly rows?: RowsKind<Config>;
  /** Cheap and offline: nothing is contacted before the connection is used. */
  open(config: Config, context: ConnectorContext): Connection<From, To>;
}

export interface InboxKind<Config = never, From = never> {
  /** A connection beside the state store, for users who name none; null where there is no such place. */
  beside(
    store: { readonly kind: 'sqlite'; readonly file: string } | { readonly kind: 'postgres'; readonly url: string },
  ): Config | null;
  /** What `from:` would say to read this inbox. */
  from(spec: InboxSpec): From;
}

/** The only way in which a connector touches the world besides its own driver. */
export interface ConnectorContext {
  /** The connection's name in the configuration, for messages. */
  readonly connection: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Honours HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS. */
  readonly fetch: typeof globalThis.fetch;
  /** Relative paths in the configuration start here. */
  readonly baseDir: string;
  /** Of one of the many orgs that a connection stands for: what lets us in. */
  readonly credential?: Credential;
  /** For a system that counts the calls of its clients: asked before each, under the connection's own rules. Absent: nobody counts. */
  openBudget?(rules: BudgetRules): CallBudget;
}

export interface Connection<From = never, To = never> extends AsyncDisposable {
  /** Read-only and quick (under 5 s). One problem per missing right; empty means ready. Never throws for a bad login. */
  check(): Promise<readonly Problem[]>;
  /** Names of the datasets that the user may read or write. */
  discover?(): Promise<readonly string[]>;
  /** How an object was made, for whoever makes the like; null when there is none that the user sees. */
  describeObject?(name: string, signal: AbortSignal): Promise<DescribedObject | null>;
  openSource?(spec: SourceSpec<From>, signal: AbortSignal): Promise<Source>;
  /** What has to be made in the source's own system before this can be read, e.g. a change log and its triggers. Writes nothing. */
  planSource?(from: From): Promise<readonly SchemaChange[]>;
  /**
   * Makes it; answers what it did. Idempotent. Only when the user asked for it.
   * @throws {AccessDeniedError} a right is missing; its hint holds the statements for whoever has it.
   */
  prepareSource?(from: From, signal: AbortSignal): Promise<readonly SchemaChange[]>;
  /** Takes all of it away again; answers what it did. */
  removeSource?(from: From, signal: AbortSignal): Promise<readonly SchemaChange[]>;
  openTarget?(spec: TargetSpec<To>, signal: AbortSignal): Promise<Target>;
  openSide?(spec: SideSpec, signal: AbortSignal): Promise<Side>;
  /** @throws {RequestRefusedError} there is no such table, or nothing identifies its rows. */
  openRows?(spec: RowsSpec, signal: AbortSignal): Promise<Rows>;
  /** Makes it when it is not there. Closed with the connection. */
  openInbox?(spec: InboxSpec): Promise<Inbox>;
  /** @throws {RequestRefusedError} there is no such dataset or field: names it. */
  openLookup?(spec: LookupSpec, signal: AbortSignal): Promise<Lookup>;
  /** Listens to changes as they are committed. Absent: this system has no streams. */
  openStream?(spec: StreamSpec, signal: AbortSignal): Promise<EventStream>;
  /** What keeps such a stream from telling everything: datasets that are not captured, an allowance nearly used up. Read-only. */
  checkStream?(spec: Pick<StreamSpec, 'channel' | 'datasets'>): Promise<readonly StreamProblem[]>;
  /**
   * Has the system tell changes of these datasets, where it was not; answers which. Only when the user asked for it.
   * @throws {RequestRefusedError} the system captures no more than it does: names what it captures and what was done before.
   * @throws {AccessDeniedError} somebody else has to do it.
   */
  captureDatasets?(datasets: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** The same as files, by their paths within a project, for the tool with which settings of the system are deployed. */
  captureFiles?(datasets: readonly string[]): ReadonlyMap<string, string>;
  /** What the system lets its clients use, and what is used of it, whoever used it. Costs a request. */
  allowances?(signal: AbortSignal): Promise<readonly Allowance[]>;
  /** The same as far as replies have told it lately, for nothing. */
  knownAllowances?(): readonly Allowance[];
  /**
   * Reads events that were kept of this source, without asking the system for anything.
   * @param schemas  what `EventStream.keepSchema` told, by schema id
   * @throws {RequestRefusedError} nothing was kept by which they could be read
   */
  openEvents?(spec: SourceSpec<From>, schemas: ReadonlyMap<string, string>, signal: AbortSignal): Promise<EventReader>;
  /** Writes several of this connection's targets in one transaction. Absent: each write is one of its own, and P6 is not claimed. */
  openStreamWriter?(targets: readonly Target[]): Promise<StreamWriter>;
}

/** One that keeps the changes of a dataset from being told names it. */
export interface StreamProblem extends Problem {
  readonly dataset?: string;
}

/** So much may be used within any stretch of `windowMs`: what was used frees up when it is that long ago. */
export interface Allowance {
  readonly name: 'requests' | 'event deliveries';
  readonly used: number;
  readonly max: number;
  readonly windowMs: number;
}

export interface SourceSpec<From = unknown> {
  readonly from: From;
  /** Names who reads, where the source keeps something for each of its readers: the sync. */
  readonly unit?: string;
  /** What of it is to be read, where others read the rest (`Connector.readsInParts`). */
  readonly part?: SourcePart;
  /** A filter in the source's own language. */
  readonly where: string | undefined;
  /** Fields to read, in the source's spelling; `null` for all of them but `exclude`. Key and stamp come along anyway. */
  readonly fields: readonly string[] | null;
  readonly exclude: readonly string[];
  /** Nothing older than this, epoch ms; null for everything. */
  readonly startAtMs: number | null;
  /** Look back beyond the newest watermark; null leaves it to the source. */
  readonly overlapMs?: number | null;
}

/** One of several parts that are a source together. */
export interface SourcePart {
  /** From 0. */
  readonly index: number;
  readonly of: number;
  /** Who reads each of them, by `SourceSpec.unit`: what one has read is kept for the others. */
  readonly units: readonly string[];
}

/** One dataset being read. All positions and checkpoints are strings that only the source understands. */
export interface Source extends AsyncDisposable {
  /** What a record read here holds: the fields asked for, key and stamp included. */
  readonly schema: DatasetSchema;
  /** Fields that the filter looks at; null when that is not known, absent without a filter. For live runs: what touches none of them moves no record in or out. */
  readonly filterFields?: readonly string[] | null;
  /**
   * Fields of `schema` that events do not carry, or not reliably: formulas, roll-ups, fields of parents, what the system derives.
   * Each with the fields of the same record from which it follows, so that it is read when one of them changes; null when that is
   * not known: deltas bring it.
   */
  readonly derivedFields?: ReadonlyMap<string, readonly string[] | null>;
  /** Those whose values may change though nothing of their record tells so, neither an event nor its stamp: a full run brings them. */
  readonly driftingFields?: readonly string[];
  /** Name of the dataset in a stream of this connection (an object's name); absent when no stream tells of it. */
  readonly streamDataset?: string;
  /** It is nothing but events (`Connector.eventChannel`): `mark` and every read refuse. Says where its stream begins when no position is kept. */
  readonly eventsOnly?: { readonly start: StreamStart };
  /** Field with the modification stamp (P3), a datetime of the schema; absent when the system keeps none. */
  readonly stampField?: string;
  /**
   * It holds changes and no state, so that nothing can be read in full: `mark` is then before the oldest change that is kept. A full
   * run brings all of them once more and sweeps nothing, since what is not among them may well exist.
   */
  readonly changesOnly?: true;
  /** Which system this is, e.g. an org id. A checkpoint of another origin is refused until the user confirms. */
  readonly origin: string;
  /** What may go wrong with this dataset though it can be read, for `check`. */
  readonly warnings?: readonly Pick<Problem, 'message' | 'hint'>[];
  /** Roughly how many records a full read yields; null when that is not cheap to say. */
  estimate(signal: AbortSignal): Promise<number | null>;
  /** API calls that a run costs the system when nothing goes wrong, roughly; null when that is not cheap to say. For `plan`. */
  cost?(kind: 'delta' | 'full', signal: AbortSignal): Promise<number | null>;
  /** `mark` is no mere look: from then on the system keeps what this reader has still to read. Not for runs that are only thought of. */
  readonly markKeeps?: true;
  /**
   * The checkpoint from which a delta continues after a full read that begins now. Asked before the read.
   * Null when this source cannot tell what changed: then every run reads everything.
   */
  mark(signal: AbortSignal): Promise<string | null>;
  /**
   * Every record once, in no promised order, page by page. `resume` is the position of the last page that was kept.
   * Counts what it yields against what the system announced (P13).
   * @throws {CheckpointExpiredError} `resume` is too old: begin again with null.
   * @throws {TruncatedReplyError} a page's rows do not add up, while its blocks are read.
   */
  readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page>;
  /** Changes after `from` until caught up. Absent where `mark` is null.
   * @throws {CheckpointExpiredError} history is gone: a full run is needed. */
  readDelta?(from: string, signal: AbortSignal): AsyncIterable<Batch>;
  /** The checkpoint from which a delta brings what was committed since then, by the source's clock, once more, and what comes after
   * `from`. For sources with a stream: what that could not tell, deltas may have passed. */
  rewind?(from: string, committedSinceMs: number): string;
  /** Returns once there is something to read after `from`, or the signal aborts: a sync need not ask again and again. */
  waitForChange?(from: string, signal: AbortSignal): Promise<void>;
  /** These records as they are now: an upsert for each that matches the filter, a delete for each that is gone. */
  readKeys?(keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]>;
  /** What the system tells of the fields of `schema`, by their names there. Asked anew, for whoever wants to program against them. */
  describeFields?(signal: AbortSignal): Promise<ReadonlyMap<string, FieldDetails>>;
  /** How far behind the newest readable change the settled bound is, for `status`; null when it has none. */
  describeCheckpoint?(checkpoint: string): Facts | Promise<Facts>;
}

/** What a checkpoint means, in words. */
export interface Facts {
  readonly [fact: string]: string;
}

/** One page of a full read. Its blocks are read once, before the next page is asked for. */
export interface Page {
  /** Where to resume once this page is kept. */
  readonly position: string;
  /** Rows that the system announced for this page; null when it does not say. */
  readonly announced: number | null;
  /**
   * A checkpoint that covers everything up to and with this page, from a source that makes it as it reads (a cursor).
   * It takes the place of `mark`.
   */
  readonly checkpoint?: string;
  /** Columns as in `schema.fields`. A block's bytes are the consumer's to keep: no buffer is used twice. */
  readonly blocks: AsyncIterable<Block>;
}

export interface TargetSpec<To = unknown> {
  readonly to: To;
  /** Names the unit of work whose checkpoint the target keeps: the sync. */
  readonly unit: string;
  /** What arrives here: mapped fields and the key. */
  readonly schema: DatasetSchema;
  readonly deletes: DeleteRule;
  /** It shares the dataset with others, of which each has the rows with its own value here: no other row is read, written or swept. */
  readonly scope?: TargetScope | undefined;
  /**
   * Every version of a record is kept beside the dataset, with the time for which it held, in the transaction that makes it. False
   * ends that and leaves what was kept; absent leaves both as they are.
   */
  readonly history?: boolean | undefined;
  /** A small durable value of this unit, for what the target must know of itself after a crash: a job that it has begun. */
  readonly memory?: TargetMemory;
}

/** A column that is part of the key, and its value in every row of ours. */
export interface TargetScope {
  readonly column: string;
  readonly value: string;
}

/** Read and written by the owner of the unit only. */
export interface TargetMemory {
  get(): Promise<string | null>;
  set(value: string | null): Promise<void>;
}

/** `mirror` removes the row, `mark` keeps it and says when it went, `ignore` leaves it alone. */
export type DeleteRule = 'mirror' | 'mark' | 'ignore';

/** A change of the target's schema that a sync needs, in words and, where there is one, as a statement. */
export interface SchemaChange {
  readonly summary: string;
  readonly statement?: string;
  /** Of the statement, when that is not SQL. */
  readonly language?: 'mongosh';
  /** A column that did not exist before: its values have to be filled for old rows. */
  readonly newField?: string;
  /** The table itself is made: nothing that was ever written is in it. */
  readonly isNew?: true;
  /** Reported and left as it is, e.g. a column whose field has disappeared. */
  readonly informational?: boolean;
}

/** What a target knows of a write beside the values. */
export interface LastWrite {
  /** The source's own stamp of what was written, and not the time of the write; `NO_STAMP` where the source keeps none. */
  readonly stampMs: number;
  /** When the record went, where `deletes: mark` has kept it; when it was marked, where the source did not tell when it went. */
  readonly deletedAtMs: number | null;
}

export interface Target extends AsyncDisposable {
  /** Most changes in one call of `write`. */
  readonly batchSizeMax: number;
  /** Whether it recognises unchanged records by itself. Otherwise the engine remembers the overlap's hashes. */
  readonly compares: boolean;
  /** What may go wrong though it can be written, for `check`. */
  readonly warnings?: readonly Pick<Problem, 'message' | 'hint'>[];
  /**
   * Rights that this sync needs here and the user lacks, each with the statement that gives it; for `check`. Writes nothing. While some
   * are lacking, `plan` may fail.
   *
   * @param loads  whether it is loaded, by full runs and comparisons, and not only written
   */
  lackingRights?(loads: boolean): Promise<readonly Pick<Problem, 'message' | 'hint'>[]>;
  /** What `prepare` would change. Writes nothing. */
  plan(): Promise<readonly SchemaChange[]>;
  /** Where each field of the schema lies, or will: its column. Absent: under its own name. Writes nothing. */
  places?(): Promise<ReadonlyMap<string, string>>;
  /** Creates or widens what is needed; answers what it did. Idempotent.
   * @throws {RequestRefusedError} an incompatible column, naming it and the remedy. */
  prepare(): Promise<readonly SchemaChange[]>;
  /**
   * Applies changes idempotently by key; result i is about change i. Keys in one call are distinct.
   * Old never overwrites new: a change with an older stamp than the row's is `unchanged`; equal stamps compare values (P3).
   * Where the target has transactions, data, checkpoint and the check of the epoch commit together.
   * @throws {OwnershipLostError} the epoch is not the latest; nothing was written.
   */
  write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]>;
  /** What writes would do, without doing it. Absent: the engine compares with what `read` answers, or says what would be sent. */
  openPreview?(): TargetPreview;
  /** A load beside the dataset, merged in at its end. Absent: the engine writes batches. */
  beginLoad?(commit: LoadCommit, signal: AbortSignal): Promise<Load>;
  /** Rows by key as they stand, for `verify`; those that are absent or marked deleted are left out. */
  read?(keys: readonly string[]): Promise<ReadonlyMap<string, Row>>;
  /** The last that a sync wrote of a record; null where none has, or nothing is left of it. Absent: it does not tell. */
  lastWrite?(key: string): Promise<LastWrite | null>;
  /**
   * Fields in which a row that was read back is not what this one would have become here: a system that trims, rounds or spells in a
   * way of its own holds what was sent all the same. Absent: values are compared as they are.
   */
  differing?(row: Row, held: Row): readonly string[];
  /** Checkpoints and epochs kept in the same transactions as the data. Absent: the store keeps them. */
  readonly checkpoints?: Checkpoints;
}

/** Writes that are only thought of, one after the other: each knows what the ones before it would have left. Writes nothing. */
export interface TargetPreview {
  /** Answer i is about change i. What the real write would be refused by the system itself does not show. */
  write(changes: readonly Change[], signal: AbortSignal): Promise<readonly RecordPreview[]>;
  /** What the writes so far would have cost. */
  readonly calls: WriteCalls;
}

/** What a target's transaction does besides its data. */
export interface Commit {
  readonly epoch: number;
  /**
   * Called with the results before the transaction commits, so that failures are durable first (P2).
   * Answers the checkpoint to keep with the data, or null to leave the last one.
   */
  settle(results: readonly WriteResult[]): Promise<string | null>;
}

export interface Checkpoints {
  /**
   * Takes the unit over: raises its epoch, so that every later transaction of a former owner is refused (P11).
   *
   * @param signal  who has to end meanwhile takes nothing from whoever has it then, however long this had to wait for its turn
   */
  acquire(unit: string, signal?: AbortSignal): Promise<{ readonly epoch: number; readonly checkpoint: string | null }>;
  read(unit: string): Promise<string | null>;
  /** @throws {OwnershipLostError} */
  write(unit: string, epoch: number, checkpoint: string | null): Promise<void>;
}

export interface LoadCommit {
  readonly epoch: number;
  /** Names what is being loaded: a staged load under another id is thrown away, the same id is resumed. */
  readonly loadId: string;
  /** Index of the column in each block that holds the modification stamp, after the schema's fields. */
  readonly stampColumn: number;
}

/** A row of a load that the target refused: which one, and why. `row` is by the schema's fields. */
export interface RejectedRow {
  readonly key: string;
  readonly row: Row;
  readonly stampMs: number;
  readonly reason: { readonly code: string; readonly message: string };
}

export interface LoadCounts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
}

/** A full load in the making. Readers of the dataset see nothing of it before `finish`. */
export interface Load extends AsyncDisposable {
  /** The position of the last page that an interrupted load had kept; null when this one begins. */
  readonly position: string | null;
  /** Rows staged so far. */
  readonly rows: number;
  /**
   * Stages one page in one transaction together with its position. Columns of a block: the schema's fields, then the stamp.
   * A key that comes twice in a load counts once, the later one. Rejected rows are handed over before the commit.
   * When `blocks` throws, nothing of the page is kept.
   */
  writePage(
    blocks: AsyncIterable<Block>,
    position: string,
    reject: (rows: readonly RejectedRow[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly rows: number; readonly rejected: number }>;
  /** Rows of ours in the target that the load does not hold: how many, of how many; then their keys. */
  countMissing(): Promise<{ readonly missing: number; readonly total: number }>;
  missingKeys(): AsyncIterable<readonly string[]>;
  /** For `verify`: keys whose rows differ, are lacking in the target, or are there too much. Changes nothing. */
  differences(): AsyncIterable<{ readonly key: string; readonly kind: 'missing' | 'extra' | 'different' }>;
  /**
   * Merges the load in, removes `gone` by the delete rule, keeps the checkpoint: one transaction. Rows that are equal are not written.
   * A target without `checkpoints` leaves the checkpoint to the engine, and may be asked to finish the same load again after a crash.
   */
  finish(end: {
    readonly gone: readonly string[];
    readonly checkpoint: string | null;
    /** Takes rows that only the merge finds to be refused (a constraint of the table), before the commit. Without it such a row fails the load. */
    readonly reject?: (rows: readonly RejectedRow[]) => Promise<void>;
    readonly signal: AbortSignal;
  }): Promise<LoadCounts>;
  /**
   * After `finish`: what makes the data quicker to use and no righter, e.g. indexes. What a crash keeps from being done is done by
   * the next `prepare`.
   */
  settle?(signal: AbortSignal): Promise<void>;
  /** Throws the staged rows away. */
  discard(): Promise<void>;
}
