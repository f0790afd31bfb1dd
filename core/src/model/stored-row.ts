import type { Change, WriteResult } from './change.ts';
import { NO_STAMP } from './change.ts';
import type { DeleteRule } from './connector.ts';
import type { FieldSchema } from './schema.ts';
import type { StreamChange, Update } from './stream.ts';
import { type Row, textOf } from './value.ts';

/** One record as a target holds it that is compared in our own process. */
export interface StoredRow {
  readonly row: Row;
  /** Null: not written by a sync, so no sync may sweep it. */
  readonly stampMs: number | null;
  readonly deletedAtMs: number | null;
}

export interface Decision {
  readonly status: Exclude<WriteResult['status'], 'rejected'>;
  /** What to store instead; null removes, undefined leaves everything as it is. */
  readonly next: StoredRow | null | undefined;
}

/**
 * What one change does to one stored record (P3). This is the rule that every comparing target follows:
 * an older stamp changes nothing; an equal or newer one compares values; a change without a stamp cannot be called old.
 * A newer stamp is kept even where the values are equal, otherwise a delayed change from between the two would win.
 */
export function decide(
  stored: StoredRow | undefined,
  change: Change,
  fields: readonly FieldSchema[],
  rule: DeleteRule,
  nowMs: number,
): Decision {
  const unchanged: Decision = { status: 'unchanged', next: undefined };
  if (change.row === null) {
    // A record that no sync has written is the user's own: it is not ours to delete.
    if (stored === undefined || stored.stampMs === null || rule === 'ignore' || isOlder(change, stored)) return unchanged;
    if (rule === 'mirror') return { status: 'deleted', next: null };
    const stampMs = Math.max(stored.stampMs, change.stampMs);
    if (stored.deletedAtMs !== null)
      return stampMs === stored.stampMs ? unchanged : { ...unchanged, next: { ...stored, stampMs } };
    const deletedAtMs = change.stampMs === NO_STAMP ? nowMs : change.stampMs;
    return { status: 'deleted', next: { ...stored, stampMs, deletedAtMs } };
  }
  if (stored === undefined) return { status: 'created', next: { row: change.row, stampMs: change.stampMs, deletedAtMs: null } };
  if (isOlder(change, stored)) return unchanged;
  const stampMs = Math.max(stored.stampMs ?? NO_STAMP, change.stampMs);
  if (stored.deletedAtMs === null && equalRows(stored.row, change.row, fields)) {
    return stampMs === stored.stampMs ? unchanged : { ...unchanged, next: { ...stored, stampMs } };
  }
  return { status: 'updated', next: { row: { ...stored.row, ...change.row }, stampMs, deletedAtMs: null } };
}

export interface StreamDecision {
  readonly status: Decision['status'] | 'absent';
  readonly next: StoredRow | null | undefined;
}

/** As `decide`, and an update of some fields. */
export function decideStreamed(
  stored: StoredRow | undefined,
  change: StreamChange,
  fields: readonly FieldSchema[],
  rule: DeleteRule,
  nowMs: number,
): StreamDecision {
  return change.op === 'update' ? decideUpdate(stored, change, fields) : decide(stored, change, fields, rule, nowMs);
}

/** What no sync has written is absent too: it is taken over whole, or not at all. */
function decideUpdate(stored: StoredRow | undefined, { row, stampMs }: Update, fields: readonly FieldSchema[]): StreamDecision {
  if (stored === undefined || stored.stampMs === null || stored.deletedAtMs !== null)
    return { status: 'absent', next: undefined };
  if (stampMs !== NO_STAMP && stampMs < stored.stampMs) return { status: 'unchanged', next: undefined };
  const kept = Math.max(stored.stampMs, stampMs);
  const set = fields.filter(({ name }) => Object.hasOwn(row, name));
  if (equalRows(stored.row, row, set)) {
    return { status: 'unchanged', next: kept === stored.stampMs ? undefined : { ...stored, stampMs: kept } };
  }
  return { status: 'updated', next: { row: { ...stored.row, ...row }, stampMs: kept, deletedAtMs: null } };
}

export function equalRows(a: Row, b: Row, fields: readonly FieldSchema[]): boolean {
  return fields.every((field) => textOf(a[field.name]) === textOf(b[field.name]));
}

function isOlder(change: Change, stored: StoredRow): boolean {
  return stored.stampMs !== null && change.stampMs !== NO_STAMP && change.stampMs < stored.stampMs;
}
