import type { Change, DeleteRule, StreamChange, StreamWriteResult, WriteResult } from '@tidemark/core';
import { applyUpdate } from './apply-update.ts';
import type { Database } from './database.ts';
import { rejectionOf } from './fault.ts';
import { boundKey, boundRow, noStamp, type TableStatements } from './statements.ts';
import { MismatchError, type SqlValue } from './values.ts';

/**
 * Applies changes one row at a time inside the transaction that the caller holds open; one statement a row is as fast in SQLite
 * as many rows a statement, and a row that the table refuses takes no other with it (P2).
 *
 * The rule (P3): an older stamp changes nothing, an equal or newer one compares values, and a change without a stamp cannot be
 * called old. A newer stamp is kept even where the values are equal: otherwise a delayed change from between the two would win.
 */
export function applyChanges(
  database: Database,
  statements: TableStatements,
  changes: readonly Change[],
  deletes: DeleteRule,
  now: string,
): WriteResult[];
export function applyChanges(
  database: Database,
  statements: TableStatements,
  changes: readonly StreamChange[],
  deletes: DeleteRule,
  now: string,
): StreamWriteResult[];
export function applyChanges(
  database: Database,
  statements: TableStatements,
  changes: readonly StreamChange[],
  deletes: DeleteRule,
  now: string,
): StreamWriteResult[] {
  return changes.map((change): StreamWriteResult => {
    try {
      if (change.op === 'update') return { status: applyUpdate(database, statements, change) };
      return { status: applyChange(database, statements, change, deletes, now) };
    } catch (error) {
      if (error instanceof MismatchError) {
        return { status: 'rejected', reason: { code: 'datatype_mismatch', message: error.message } };
      }
      const reason = rejectionOf(error);
      // A trigger may have rolled back everything, not just its row.
      if (reason === null || !database.writer.isTransaction) throw error;
      return { status: 'rejected', reason };
    }
  });
}

type Status = Exclude<WriteResult['status'], 'rejected'>;

function applyChange(database: Database, statements: TableStatements, change: Change, deletes: DeleteRule, now: string): Status {
  const key = boundKey(statements, change.key);
  const found = key === null ? undefined : database.prepare(statements.find).get(...key);
  const stored = found === undefined ? undefined : (Object.values(found) as [string | null, string | null]);
  const stamp = new Date(change.stampMs).toISOString();
  if (change.row === null) {
    return key === null || stored === undefined
      ? 'unchanged'
      : applyDelete(database, statements, key, stored, stamp, deletes, now);
  }
  const values = boundRow(statements, change.row);
  if (stored === undefined) {
    database.prepare(statements.insert).run(...values, stamp);
    return 'created';
  }
  const [storedStamp] = stored;
  if (isOlder(stamp, storedStamp)) return 'unchanged';
  const kept = latest(stamp, storedStamp);
  if (database.prepare(statements.update).run(...values, kept).changes === 1) return 'updated';
  if (kept !== storedStamp) database.prepare(statements.move).run(kept, ...key!);
  return 'unchanged';
}

/** Removes or marks a row of ours. A row without a stamp is the user's own: it is not ours to delete (P4). */
export function applyDelete(
  database: Database,
  statements: TableStatements,
  key: readonly SqlValue[],
  [storedStamp, deletedAt]: readonly [string | null, string | null],
  stamp: string,
  deletes: DeleteRule,
  now: string,
): Status {
  if (deletes === 'ignore' || storedStamp === null || isOlder(stamp, storedStamp)) return 'unchanged';
  if (deletes === 'mirror') {
    database.prepare(statements.remove).run(...key);
    return 'deleted';
  }
  const kept = latest(stamp, storedStamp);
  if (deletedAt !== null) {
    if (kept !== storedStamp) database.prepare(statements.move).run(kept, ...key);
    return 'unchanged';
  }
  database.prepare(statements.mark).run(kept, stamp === noStamp ? now : stamp, ...key);
  return 'deleted';
}

function isOlder(stamp: string, stored: string | null): boolean {
  return stored !== null && stamp !== noStamp && stamp < stored;
}

function latest(stamp: string, stored: string | null): string {
  return stored === null || stamp > stored ? stamp : stored;
}
