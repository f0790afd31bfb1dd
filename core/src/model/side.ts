import type { Problem } from '../base/errors.ts';
import type { Rejection } from './change.ts';
import type { Source } from './connector.ts';
import type { WriteCalls } from './preview.ts';
import type { Row } from './value.ts';

export interface SideSpec<Spec = unknown> {
  /** What `between:` says of this side, as the connector's schema parsed it. */
  readonly side: Spec;
  /** The field that keeps the other side's key; null when the user named none. */
  readonly link: string | null;
  /** Fields that take part, in this side's spelling. */
  readonly fields: readonly string[];
  /** Those of them that may be set here; the others only flow away. */
  readonly writes: readonly string[];
  /** Whether records are deleted here because they are gone on the other side. Absent: they are not. */
  readonly deletes?: boolean;
  /** Names the sync, for what the connector itself has to remember. */
  readonly unit: string;
}

/** One side of a two-way sync: a dataset whose records are read and written by key. */
export interface Side extends AsyncDisposable {
  /** Reads it: what changed, everything, and single records. Its schema names the fields that take part, and the key. */
  readonly source: Source;
  /** The field in which this side keeps the other side's key; null when it has none. Unique: what finds a record again after a crash. */
  readonly link: string | null;
  /** Whether records can be made here: a link field, or a key that the other side can fill. Otherwise why not, with the remedy. */
  readonly creates: { readonly ok: true } | { readonly ok: false; readonly message: string; readonly hint: string };
  /**
   * Rights that the sync may come to need here and the user lacks, each with the statement that gives it; for `check`. What no change
   * could do without is refused when the side is opened.
   */
  lackingRights?(signal: AbortSignal): Promise<readonly Pick<Problem, 'message' | 'hint'>[]>;
  /**
   * Has these records decided upon and writes what was decided. Where the system has locks, they are held from the reading to the
   * commit, so that nobody changes a record in between; `rows` lacks what is not there. Result i is about write i.
   * Nothing is written when `decide` throws.
   */
  merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]>;
  /** The system's own clock, epoch ms, so that both sides' times can be compared; absent when it has none to ask. */
  now?(signal: AbortSignal): Promise<number>;
  /** What writes would cost, and which of them would be refused unsent. Absent: requests are not counted here. */
  openPreview?(): SidePreview;
  /** Fields of which the system takes two values for one that differ in capitals alone. */
  readonly caseless?: ReadonlySet<string>;
  /**
   * Records whose fields hold these values, in any order, with others that are alike; a wanted row's nulls match nothing. For links and
   * for first meetings.
   * @param caseless  fields in whose values capitals tell nothing apart; otherwise they do as the system has it
   */
  find(wanted: readonly Row[], signal: AbortSignal, caseless?: ReadonlySet<string>): Promise<readonly SideRow[]>;
}

/** Writes that are only thought of. */
export interface SidePreview {
  /** Why write i would be refused, as far as that is known without sending it. */
  write(writes: readonly SideWrite[], signal: AbortSignal): Promise<readonly (Rejection | null)[]>;
  /** A run would read so many records that it has made itself. */
  readMade(records: number): void;
  /** Of the writes so far, and of what this side has read since. */
  readonly calls: WriteCalls;
}

export interface SideRow {
  readonly key: string;
  readonly row: Row;
  /** When it was last modified by its own system's clock, epoch ms; null when it does not tell. */
  readonly atMs: number | null;
}

/** An update holds the fields to set and no other, and never makes a record: what is gone stays gone. */
export type SideWrite =
  | { readonly op: 'create'; readonly row: Row }
  | { readonly op: 'update'; readonly key: string; readonly row: Row }
  | { readonly op: 'delete'; readonly key: string };

export type SideResult =
  /** `key` is what the system gave a record that was made. */
  | { readonly status: 'written'; readonly key: string }
  /** To be updated or deleted, and not there. */
  | { readonly status: 'gone' }
  /** It is not as `decide` was shown it any more, and nothing was written: from a system that has conditions in the place of locks. */
  | { readonly status: 'moved' }
  | { readonly status: 'rejected'; readonly reason: Rejection };
