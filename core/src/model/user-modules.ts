import type { Log } from './log.ts';
import type { FieldType, FieldValue, Row } from './value.ts';

/** What a `run:` step's module exports: records in, records out. A record left out goes no further. */
export interface StepModule {
  default(records: readonly Row[], context: StepContext): readonly Row[] | Promise<readonly Row[]>;
  /** Types of fields that the function adds; without it they are text. */
  fields?: Readonly<Record<string, FieldType>>;
}

export interface StepContext {
  /** `options:` of the step, as they stand in the configuration. */
  readonly options: unknown;
  readonly log: Log;
  readonly signal: AbortSignal;
  now(): Date;
  /**
   * A value made once for a key of yours and the same ever after, in retries and after crashes: a code that you make up, an id.
   * Kept as JSON beside the sync's state; each step has its own keys.
   */
  readonly once: Once;
}

/**
 * A value that is made once for a key and is the same ever after: for a retry, after a crash, and for whoever asks at the same time.
 * What `make` throws is kept by nobody.
 */
export type Once = <T extends FieldValue>(key: string, make: () => T | Promise<T>) => Promise<T>;

/** What a custom source's module exports: a generator that yields records and, as it goes, its cursor. */
export interface SourceModule {
  default(context: SourceContext): AsyncIterable<SourceBatch> | Iterable<SourceBatch>;
  /** Names and types of what it yields; the configuration may say so instead. Without either the first batch tells. */
  fields?: Readonly<Record<string, FieldType>>;
}

export interface SourceContext {
  /** The cursor of the last run that succeeded; null on the first and on a full run. Any string. */
  readonly cursor: string | null;
  /** When the last successful run began; null when there was none, and on a full run. */
  readonly lastSuccess: Date | null;
  readonly full: boolean;
  /** `options:` of the source, as they stand in the configuration. */
  readonly options: unknown;
  readonly signal: AbortSignal;
  readonly fetch: typeof globalThis.fetch;
  readonly log: Log;
}

export interface SourceBatch {
  /** Each an object of field values; dates as `Date` or as text. */
  readonly records: readonly object[];
  /** Keys of records that are gone. */
  readonly deleted?: readonly (string | number)[];
  /** Where to go on after the records yielded so far. Kept when the run succeeds, and only then. */
  readonly cursor?: string;
}

/** What a `conflicts:` module exports: the value that both sides get. What it throws leaves the conflict open. */
export interface PolicyModule {
  default(conflict: FieldClash): FieldValue;
}

/** Both sides' values of a field, and what they once agreed on (absent on a first meeting). */
export interface FieldClash {
  readonly field: string;
  readonly base?: FieldValue;
  readonly left: FieldValue;
  readonly right: FieldValue;
  readonly leftAtMs: number | null;
  readonly rightAtMs: number | null;
}
