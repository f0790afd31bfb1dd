import type { Clock } from '../../base/clock.ts';
import { InvariantError } from '../../base/errors.ts';
import type { Log } from '../../model/log.ts';
import type { Side, SideResult, SideRow } from '../../model/side.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { LinkOwner, NewConflict } from '../../store/links.ts';
import type { Store } from '../../store/store.ts';
import type { Action, PairDeletes } from './decide-pair.ts';
import type { FieldRule, SideName } from './merge-record.ts';

/** A field of a two-way sync: its rule, under the name that both sides share, and what each side calls it. */
export interface PairField extends FieldRule {
  readonly left: string;
  readonly right: string;
}

export interface Ownership {
  /** Null as long as this process has never owned the sync. */
  epoch: number | null;
}

/** A two-way sync with its two sides open. */
export interface OpenedPairing {
  readonly name: string;
  /** What people call the sides: names of their connections. */
  readonly names: Readonly<Record<SideName, string>>;
  readonly left: Side;
  readonly right: Side;
  readonly fields: readonly PairField[];
  /** Shared names of the fields by which records that were never linked are found to be the same. */
  readonly match: readonly string[];
  readonly deletes: PairDeletes;
  /** How far the right side's clock is ahead of the left's. */
  readonly rightAheadMs: number;
  readonly store: Store;
  /** By which this process owns the sync; whoever takes it over raises it, and is told of by every later write to the store (P11). */
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly log: Log;
}

/** As whom this process writes to the store. */
export function ownerOf({ name, ownership }: OpenedPairing): LinkOwner {
  if (ownership.epoch === null) throw new InvariantError(`${name} was never taken over`);
  return { sync: name, epoch: ownership.epoch };
}

/**
 * Takes the sync over from whoever owned it.
 *
 * @param from  from the owner by this epoch alone, or from this process
 * @throws {OwnershipLostError} it is somebody else's
 */
export async function takeOver({ name, store, ownership }: OpenedPairing, from?: number): Promise<string | null> {
  // Between two attempts at one run it is this process that owned it last.
  const last = from === undefined ? undefined : Math.max(from, ownership.epoch ?? 0);
  const { epoch, checkpoint } = await store.checkpoints.acquire(name, undefined, last);
  ownership.epoch = epoch;
  return checkpoint;
}

/** A side's record in the shared names. */
export function shared(pairing: OpenedPairing, side: SideName, { key, row, atMs }: SideRow): SideRow {
  const named = newRow();
  for (const field of pairing.fields) named[field.field.name] = row[field[side]] ?? null;
  return { key, row: named, atMs: atMs === null || side === 'left' ? atMs : atMs - pairing.rightAheadMs };
}

/** Values in the shared names as a side's own. */
export function sideRow(pairing: OpenedPairing, side: SideName, row: Row): Row {
  const named = newRow();
  for (const field of pairing.fields) {
    if (Object.hasOwn(row, field.field.name)) named[field[side]] = row[field.field.name]!;
  }
  return named;
}

/** Conflicts that a look before the first run shows. */
const SHOWN_MAX = 20;

/** Records that belong together, by their keys. */
export type FoundPair = Readonly<Record<SideName, string>>;

/** What a run did, or would do, by side. */
export class PairingTally {
  read = 0;
  /** Records that were found to be the same. */
  linked = 0;
  failed = 0;
  conflicts = 0;
  readonly left = { created: 0, updated: 0, deleted: 0 };
  readonly right = { created: 0, updated: 0, deleted: 0 };
  /** The first ones. */
  readonly shown: NewConflict[] = [];
  readonly #onLink: (found: FoundPair) => void;

  /** @param onLink  takes each pair of records that were found to be the same */
  constructor(onLink: (found: FoundPair) => void = () => {}) {
    this.#onLink = onLink;
  }

  link(found: FoundPair): void {
    this.linked++;
    this.#onLink(found);
  }

  /** A write that came back. */
  count(side: SideName, action: Action, { status }: SideResult): void {
    if (status === 'rejected') this.failed++;
    if (status === 'written') this.#effect(side, action);
  }

  tell(conflicts: readonly NewConflict[]): void {
    this.conflicts += conflicts.length;
    this.shown.push(...conflicts.slice(0, SHOWN_MAX - this.shown.length));
  }

  #effect(side: SideName, { kind }: Action): void {
    if (kind === 'create') this[side].created++;
    else if (kind === 'delete') this[side].deleted++;
    else this[side].updated++;
  }
}
