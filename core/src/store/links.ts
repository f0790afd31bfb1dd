import type { FieldValue } from '../model/value.ts';

/** Two records, one on each side of a two-way sync, that are the same thing. */
export interface Link {
  readonly leftKey: string;
  readonly rightKey: string;
  /** What both sides agreed on last, as the merge keeps it. */
  readonly base: string;
  /** Where the record is gone; null while both sides have it. A link with a gone side makes sure that nothing revives it. */
  readonly gone: 'left' | 'right' | 'both' | null;
  readonly changedAtMs: number;
}

/** A disagreement of the two sides about one field, or, with `field` null, about whether the record exists. */
export interface Conflict {
  readonly id: string;
  readonly sync: string;
  readonly leftKey: string;
  readonly rightKey: string;
  readonly field: string | null;
  /** What was agreed before; null as well when nothing was. */
  readonly base: FieldValue;
  readonly left: FieldValue;
  readonly right: FieldValue;
  /**
   * `open` waits for somebody's decision; `settled` went by the policy or was decided. `writing` is an overwrite that is about to be
   * made: it becomes `settled` once its side has acknowledged it, and goes when it was not made.
   */
  readonly state: 'open' | 'writing' | 'settled';
  /** The value that stands; null while it is open. */
  readonly outcome: FieldValue;
  readonly why: string;
  readonly atMs: number;
}

export type NewConflict = Omit<Conflict, 'id'>;

/** Whoever writes owns the sync by this epoch of its checkpoint. */
export interface LinkOwner {
  readonly sync: string;
  readonly epoch: number;
}

/** Links, bases and conflicts of two-way syncs: they belong to neither side, so the store keeps them. Every method is atomic. */
export interface LinkStore {
  linksByLeft(sync: string, keys: readonly string[]): Promise<readonly Link[]>;
  linksByRight(sync: string, keys: readonly string[]): Promise<readonly Link[]>;
  /**
   * By both keys: a link to a record that had another one before, in the store or among these, takes its place. What is open about
   * two records that are parted so is settled.
   * @throws {OwnershipLostError} the epoch is not the latest, even when there is nothing to keep; nothing was written (P11).
   */
  putLinks(owner: LinkOwner, links: readonly Link[]): Promise<void>;
  /** All of them, by their left keys, some at a time. */
  linksAfter(sync: string, leftKey: string, limit: number): Promise<readonly Link[]>;
  countLinks(sync: string): Promise<number>;
  /** Forgets those that have been gone on both sides since before. */
  removeGoneLinks(sync: string, beforeMs: number): Promise<number>;
  /**
   * An open conflict of the same field takes the new values; a settled one that says the same is kept once. Answers their ids.
   * @throws {OwnershipLostError} the epoch is not the latest, even when there is nothing to keep (P11).
   */
  putConflicts(owner: LinkOwner, conflicts: readonly NewConflict[]): Promise<readonly string[]>;
  conflicts(filter: {
    sync?: string;
    state?: Conflict['state'] | readonly Conflict['state'][];
    ids?: readonly string[];
    keys?: readonly { leftKey: string; rightKey: string }[];
    /** Only those with a smaller id. */
    before?: string;
    limit?: number;
  }): Promise<readonly Conflict[]>;
  /** Open ones that have come to nothing. */
  settleConflicts(ids: readonly string[], outcome: { readonly why: string; readonly value: FieldValue }): Promise<void>;
  /**
   * What was being written has been acknowledged by its side. One that decides an open conflict of the same field takes its place,
   * under its id. It is told even when somebody has dropped it meanwhile, who saw the record before the write came through.
   */
  confirmConflicts(written: readonly Conflict[]): Promise<void>;
  /** What was being written is taken for written, by what its side holds; what was concluded otherwise stays so. */
  presumeConflicts(ids: readonly string[], note?: string): Promise<void>;
  /** What was being written has not been written. */
  dropConflicts(ids: readonly string[]): Promise<void>;
  /** All of a sync: it begins anew. */
  removeLinks(sync: string): Promise<void>;
}
