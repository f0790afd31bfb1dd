import { CheckpointExpiredError } from '@tidemark/core';
import { type Client, query } from './driver.ts';

/**
 * How far a polled table has been read, when rows become visible later than their watermark says.
 *
 * A row carries the time at which its transaction *began* (`now()`), or a number drawn before it committed. A transaction that
 * commits late puts a row behind what has been read. So there are two bounds, as for Salesforce: *seen*, the newest that was
 * read, and *settled*, behind which nothing can appear any more. A delta reads again from the settled bound on.
 *
 * - **time**: a transaction that is still running began at its `xact_start`, and every row it may yet bring was stamped then or
 *   later. So nothing new can appear before the oldest `xact_start` of this database. The list of transactions is read first and
 *   the rows in a later snapshot: what has left the list by then is visible. A transaction shows itself in the list a moment
 *   after it has taken its time; `RACE_MS` covers that. Times that the application sets by its own clock are not bounded by
 *   this, and `check` cannot see that: the README says so.
 * - **number**: once every transaction that ran when the newest number was *n* has ended, all numbers up to *n* are final. The
 *   snapshot's xmax is kept with *n*, and *n* is settled when the oldest running transaction is younger.
 */
export type WatermarkKind = 'time' | 'number';

/** What the database says before a read. */
export interface Bound {
  /** Newest watermark that is visible, as the database's text. */
  readonly newest: string | null;
  /** time: nothing appears before it any more. */
  readonly settledTime: string | null;
  /** number: first transaction id that has not been given out, and the oldest that is running. */
  readonly nextId: string;
  readonly oldestId: string;
}

export interface Position {
  /** From here on everything is read again; null is from the beginning. */
  readonly settled: string | null;
  readonly seen: string | null;
  /** number: becomes `settled` when all transactions below `nextId` have ended. */
  readonly pending?: { readonly value: string; readonly nextId: string };
}

const RACE_MS = 1000;

export async function boundNow(client: Client, kind: WatermarkKind, relation: string, column: string): Promise<Bound> {
  // One after the other, each with a snapshot of its own.
  const ids = await query(
    client,
    kind === 'number'
      ? 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text, pg_snapshot_xmin(pg_current_snapshot())::text, NULL'
      : `SELECT '0', '0', (least(clock_timestamp(),
           (SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
           (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))
         - interval '${RACE_MS} milliseconds')::text`,
  );
  const [nextId, oldestId, quiet] = ids.rows[0] as [string, string, string | null];
  // Not past the newest row either: where an application sets the times and its clock is behind, the next row may tie with it.
  const newest = await query(
    client,
    kind === 'number'
      ? `SELECT max(s.${column})::text, NULL FROM ${relation}`
      : `SELECT max(s.${column})::text, least('${quiet}'::timestamptz, max(s.${column})::timestamptz)::text FROM ${relation}`,
  );
  const [value, settled] = newest.rows[0]!;
  return { newest: value!, settledTime: value === null ? null : settled!, nextId, oldestId };
}

/** The position after everything up to `bound` has been read. Never goes back. */
export function advance(kind: WatermarkKind, from: Position | null, bound: Bound): Position {
  const before = from?.settled ?? null;
  if (bound.newest === null) return from ?? { settled: null, seen: null };
  if (kind === 'time') {
    const forward = before === null || Date.parse(before) < Date.parse(bound.settledTime!);
    return { settled: forward ? bound.settledTime : before, seen: bound.newest };
  }
  const fresh = { value: bound.newest, nextId: bound.nextId };
  if (from?.pending === undefined) return { settled: before, seen: bound.newest, pending: fresh };
  const ripe = BigInt(bound.oldestId) >= BigInt(from.pending.nextId);
  return ripe
    ? { settled: from.pending.value, seen: bound.newest, pending: fresh }
    : { settled: before, seen: bound.newest, pending: from.pending };
}

export function encodeCheckpoint(position: Position): string {
  return JSON.stringify(position);
}

export function decodeCheckpoint(text: string): Position {
  try {
    const position = JSON.parse(text) as Position;
    if (position.settled !== undefined) return position;
  } catch {
    // Not JSON.
  }
  throw new CheckpointExpiredError('The checkpoint is none of a PostgreSQL source with a watermark');
}
