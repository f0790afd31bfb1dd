import { type DeleteRule, NO_STAMP, type Row, type StreamChange } from '@tidemark/core';

/** A row as the model of the stream contract holds it. */
export interface ModelRow {
  readonly row: Row;
  readonly stampMs: number;
  readonly deleted: boolean;
}

/** What one change does to one row by the words of the contract: P3, `deletes`, and what an update may do. Answers its status. */
export function modelOf(rows: Map<string, ModelRow>, change: StreamChange, rule: DeleteRule): string {
  const stored = rows.get(change.key);
  const { stampMs } = change;
  const isOld = stored !== undefined && stampMs !== NO_STAMP && stampMs < stored.stampMs;
  const newest = Math.max(stored?.stampMs ?? NO_STAMP, stampMs);
  if (change.op === 'delete') {
    if (stored === undefined || rule === 'ignore' || isOld) return 'unchanged';
    if (rule === 'mirror') rows.delete(change.key);
    else rows.set(change.key, { ...stored, stampMs: newest, deleted: true });
    return stored.deleted ? 'unchanged' : 'deleted';
  }
  if (Object.values(change.row!).includes('x')) return 'rejected';
  if (stored === undefined) {
    if (change.op === 'update') return 'absent';
    rows.set(change.key, { row: change.row!, stampMs, deleted: false });
    return 'created';
  }
  if (change.op === 'update' && stored.deleted) return 'absent';
  if (isOld) return 'unchanged';
  const row = { ...stored.row, ...change.row };
  const differs = stored.deleted || Object.keys(row).some((field) => row[field] !== stored.row[field]);
  rows.set(change.key, { row: differs ? row : stored.row, stampMs: newest, deleted: false });
  return differs ? 'updated' : 'unchanged';
}
