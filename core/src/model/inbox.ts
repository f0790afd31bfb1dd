import type { Change } from './change.ts';
import type { DatasetSchema } from './schema.ts';

/** What a sync reads that others hand over, instead of being read themselves: a hook's requests. */
export interface InboxSpec {
  /** Of this sync, and of no other. */
  readonly name: string;
  readonly schema: DatasetSchema;
}

/** What somebody handed over at once, in order. */
export interface Post {
  /** Each of them stands for this post: whoever comes with one of them again has sent the same once more. */
  readonly tokens: readonly string[];
  /** Of what was sent: another content under a known token is told from the same one. */
  readonly digest: string;
  readonly changes: readonly Change[];
}

/** Proof that a post was taken in, and what became of it. */
export interface Receipt {
  /** Not to be guessed. */
  readonly id: string;
  readonly digest: string;
  /** Of its records, in order. */
  readonly keys: readonly string[];
  readonly atMs: number;
  /** By `keys`; null before all of them have been tried. */
  readonly outcomes: readonly RecordOutcome[] | null;
}

/** What became of one record. `dropped`: a step let it go; `unknown`: it was brought on, and what it met was not noted before a crash. */
export interface RecordOutcome {
  readonly status: 'created' | 'updated' | 'deleted' | 'unchanged' | 'dropped' | 'refused' | 'unknown';
  /** Its id in the target, where the target told. */
  readonly id?: string;
  /** Why it was refused, in the target's own words. */
  readonly code?: string;
  readonly message?: string;
}

/** Takes posts in. The sync reads them as any source (`InboxKind.from`). */
export interface Inbox {
  /**
   * Keeps a post, or finds it kept: durable when it answers. Posts are read in the order in which they were taken in.
   * @throws {SyncError} it is not kept
   */
  take(post: Post): Promise<{ readonly receipt: Receipt; readonly isNew: boolean }>;
  receipt(id: string): Promise<Receipt | null>;
  /** Posts without outcomes of which everything is read by who has come to this position; and whether of another one some has been. */
  read(position: string): Promise<{ readonly receipts: readonly Receipt[]; readonly isInside: boolean }>;
  /** What became of posts, by the ids of their receipts. */
  settle(outcomes: ReadonlyMap<string, readonly RecordOutcome[]>): Promise<void>;
}
