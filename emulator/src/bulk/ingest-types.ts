import type { WriteOptions } from '../org/types.ts';
import type { LineEnding } from './csv-format.ts';

export type IngestOperation = 'insert' | 'update' | 'upsert' | 'delete' | 'hardDelete';

/** Bulk API 2.0 Developer Guide, "Get Information About an Ingest Job", `state`. */
export type IngestState = 'Open' | 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Failed' | 'Aborted';

/** What a client asks for. */
export interface NewIngestJob {
  operation: IngestOperation;
  /** API name, spelt as the schema does. */
  object: string;
  /** Spelt as the client did; only upserts have one. */
  externalIdFieldName: string | undefined;
  columnDelimiter: string;
  lineEnding: LineEnding;
  assignmentRuleId: string | undefined;
  apiVersion: number;
  userId: string;
  /** Who writes, and what change events show as `changeOrigin`. */
  writes: WriteOptions;
}

/** A job as anybody may look at it: over HTTP, by the backdoor, in process. */
export interface IngestJob extends Readonly<NewIngestJob> {
  readonly id: string;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  readonly state: IngestState;
  readonly errorMessage: string | undefined;
  /** Failed ones included. */
  readonly recordsProcessed: number;
  readonly recordsFailed: number;
  readonly retries: number;
  /** From the end of the upload to the end of the job, by the org's clock. */
  readonly processingMs: number;
  /** What was uploaded; undefined before that. */
  readonly upload: { readonly bytes: number; readonly records: number } | undefined;
}

/** Who moves a job on once its upload is complete. */
export type IngestPace =
  /** The server, in slices, while it answers other requests. */
  | 'background'
  /** The server, before it answers the request that completed the upload. */
  | 'immediate'
  /** Whoever asks for the job's state: the first time it begins, each further time one batch of 10,000 records is done. */
  | 'poll'
  /** Nobody but `step`. */
  | 'manual';

export const ingestPaces: readonly IngestPace[] = ['background', 'immediate', 'poll', 'manual'];

/** What is to go wrong with a job: see the faults of the same names. */
export interface IngestTrouble {
  /** The job ends so, once this many records are processed. */
  end?: { state: 'Failed' | 'Aborted'; afterRecords: number; errorMessage: string; retries: number };
  /** A share of the rows fails. */
  rows?: { share: number; seed: number; code: string; message: string; fields: string };
  /** The job waits this long by the org's clock. */
  delayMs?: number;
}

export const isFinalState = (state: IngestState): boolean => state === 'JobComplete' || state === 'Failed' || state === 'Aborted';

/** Why a job ends before its rows are done: its error message, code first. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  /** Rows that were not reached are in no result: the org's batches ran out. */
  readonly withoutRest: boolean;
  constructor(message: string, withoutRest = false) {
    super(message);
    this.withoutRest = withoutRest;
  }
}
