import type { Row } from './value.ts';

/** The stamp of records from a source that keeps none: equal stamps compare values (P3), so the newest read wins. */
export const NO_STAMP = 0;

/** What became of one record, by key. */
export interface Change {
  readonly op: 'upsert' | 'delete';
  /** See `keyOf`. */
  readonly key: string;
  /** Its key in the source, where steps or `to.key` gave it another one. */
  readonly sourceKey?: string;
  /** All mapped fields for an upsert; for a delete null. */
  readonly row: Row | null;
  /** The source's own modification stamp, epoch ms; `NO_STAMP` when it keeps none. Never compared with another clock. */
  readonly stampMs: number;
  /** Source fields that are no longer what they were when this record was last read; absent when that is not told: any may be. */
  readonly changed?: readonly string[];
  /** Units of ours that made it, when nobody else did. Absent: somebody else did, or that is not told. */
  readonly writers?: readonly string[];
  /** When it was last written, epoch ms by the source's clock, where that is told and no order follows from it. */
  readonly changedAtMs?: number;
}

/** A run of changes, and the checkpoint that may be kept once all of them are applied. */
export interface Batch {
  readonly changes: readonly Change[];
  /** Opaque to the engine. Null: nothing new may be kept, because more of the same piece of work follows or nothing has changed. */
  readonly checkpoint: string | null;
  /** What the source met on the way and can make no change of. Kept as failures before the checkpoint passes them (P2). */
  readonly unread?: readonly UnreadRecord[];
  /** What stretch of the source's time this read covers, epoch ms, for the run's record. */
  readonly window?: { readonly fromMs: number; readonly toMs: number };
}

/** Something a source could not read: no JSON, without a key, gone before it was read. Nothing is tried again: somebody has to look. */
export interface UnreadRecord {
  /** Where it lies, e.g. topic, partition and offset: no record's key, so that later changes of a record do not wait for it. */
  readonly key: string;
  readonly reason: string;
  /** As it came: enough to find out what it was meant to be. */
  readonly raw: Row;
}

/** What a target did with one change. */
export type WriteResult =
  | {
      readonly status: 'created' | 'updated' | 'deleted' | 'unchanged';
      /** Its id in the target, where that has told another than the key. */
      readonly id?: string;
    }
  | { readonly status: 'rejected'; readonly reason: Rejection };

/** Why a target refused one record. Becomes a failure (P2). */
export interface Rejection {
  /** Short and stable, the system's own where it has one: `22001`, `STRING_TOO_LONG`. */
  readonly code: string;
  readonly message: string;
}
