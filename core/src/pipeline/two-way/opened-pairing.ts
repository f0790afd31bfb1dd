import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../model/connector.ts';
import type { Side, SideResult, SideRow } from '../../model/side.ts';
import { newRow, type Row } from '../../model/value.ts';
import type { LinkStore } from '../../store/links.ts';
import type { Store } from '../../store/store.ts';
import type { Action, PairDeletes } from './decide-pair.ts';
import type { FieldRule, SideName } from './merge-record.ts';

/** A field of a two-way sync: its rule, under the name that both sides share, and what each side calls it. */
export interface PairField extends FieldRule {
  readonly left: string;
  readonly right: string;
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
  /** Added to the right side's times, so that they compare with the left's. */
  readonly rightClockAheadMs: number;
  readonly links: LinkStore;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** A side's record in the shared names. */
export function shared(pairing: OpenedPairing, side: SideName, { key, row, atMs }: SideRow): SideRow {
  const named = newRow();
  for (const field of pairing.fields) named[field.field.name] = row[field[side]] ?? null;
  return { key, row: named, atMs: atMs === null || side === 'left' ? atMs : atMs - pairing.rightClockAheadMs };
}

/** Values in the shared names as a side's own. */
export function sideRow(pairing: OpenedPairing, side: SideName, row: Row): Row {
  const named = newRow();
  for (const field of pairing.fields) {
    if (Object.hasOwn(row, field.field.name)) named[field[side]] = row[field.field.name]!;
  }
  return named;
}

/** What a run did, or would do, by side. */
export class PairingTally {
  read = 0;
  readonly left = { created: 0, updated: 0, deleted: 0 };
  readonly right = { created: 0, updated: 0, deleted: 0 };
  linked = 0;
  conflicts = 0;
  failed = 0;

  count(side: SideName, action: Action, result: SideResult): void {
    if (result.status === 'rejected') this.failed++;
    if (result.status !== 'written') return;
    this.#effect(side, action);
  }

  /** What would be written for this pair if it were. */
  expect(action: Action): void {
    if (action.kind !== 'merge') {
      if (action.kind === 'create' || action.kind === 'delete') this.#effect(action.on, action);
      return;
    }
    for (const side of ['left', 'right'] as const) {
      if (Object.keys(action.merge[side]).length > 0) this.#effect(side, action);
    }
  }

  #effect(side: SideName, { kind }: Action): void {
    if (kind === 'create') this[side].created++;
    else if (kind === 'delete') this[side].deleted++;
    else this[side].updated++;
  }
}
