import { CheckpointExpiredError } from '@tidemark/core';
import { type Client, query } from './driver.ts';

/**
 * How far a polled table has been read, when rows become visible later than their watermark says.
 *
 * A row carries the time at which its transaction *began* (`now()`), or a number drawn before it committed. A transaction that
 * commits late puts a row behind what has been read. So there are two bounds, as for Salesforce: *seen*, the newest that was
 * read, and *settled*, behind which nothing can appear any more. A delta reads again from the settled bound on.
 *
 * Whatever may still appear at or before a watermark belongs to a transaction that was running when that watermark was the
 * newest. So the newest is noted first, then who is running; once all of those have ended, it is settled. Transactions are told
 * by the lock that each holds on its virtual id, which everybody may see in `pg_locks`, unlike the times in `pg_stat_activity`,
 * and which also one has that has not written yet; prepared ones by their transaction ids.
 *
 * Not bounded by this: times that an application sets by its own clock, sequences with `CACHE`, and standby servers, which
 * know nothing of transactions that have not written yet (`check` says so).
 */
export type WatermarkKind = 'time' | 'number';

/** What the database says before a read. Watermarks are the database's own text. */
export interface Bound {
  /** Newest watermark that is visible; null in an empty table. */
  readonly newest: string | null;
  /** What will be settled once everything that runs now has ended. */
  readonly settling: string | null;
  readonly nextId: string;
  /** The oldest transaction id that is running. */
  readonly oldestId: string;
  readonly running: readonly string[];
}

export interface Position {
  /** From here on everything is read again; null is from the beginning. */
  readonly settled: string | null;
  readonly seen: string | null;
  /** Becomes `settled` when all transactions below `nextId`, and all of `running`, have ended. */
  readonly pending?: { readonly value: string; readonly nextId: string; readonly running: readonly string[] };
}

/** A transaction takes its time when its first message arrives, and its lock a moment later. */
const RACE_MS = 1000;

export async function boundNow(client: Client, kind: WatermarkKind, relation: string, column: string): Promise<Bound> {
  const newest = `max(s.${column})`;
  // Not past the newest row: where an application sets the times and its clock is behind, the next row may tie with it.
  const settling =
    kind === 'number' ? newest : `least(${newest}::timestamptz, clock_timestamp() - interval '${RACE_MS} milliseconds')`;
  const watermarks = await query(
    client,
    `SELECT ${newest}::text, CASE WHEN ${newest} IS NOT NULL THEN ${settling}::text END FROM ${relation}`,
  );
  // A statement of its own, and after the other: see above.
  const running = await query(
    client,
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text, pg_snapshot_xmin(pg_current_snapshot())::text,
       (SELECT coalesce(json_agg(virtualxid), '[]') FROM pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock'
        AND virtualtransaction = virtualxid AND pid <> pg_backend_pid()
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))`,
  );
  const [nextId, oldestId, ids] = running.rows[0] as [string, string, string];
  const [value, toSettle] = watermarks.rows[0]!;
  return { newest: value!, settling: toSettle!, nextId, oldestId, running: JSON.parse(ids) as string[] };
}

/** The position after everything up to `bound` has been read. Never goes back. */
export function advance(kind: WatermarkKind, from: Position | null, bound: Bound): Position {
  const over = ({ nextId, running }: NonNullable<Position['pending']>) =>
    BigInt(bound.oldestId) >= BigInt(nextId) && !running.some((id) => bound.running.includes(id));
  const newer = (a: string, b: string | null) =>
    b === null || (kind === 'number' ? BigInt(a) > BigInt(b) : Date.parse(a) > Date.parse(b));
  let settled = from?.settled ?? null;
  let pending = from?.pending;
  if (pending !== undefined && over(pending)) {
    if (newer(pending.value, settled)) settled = pending.value;
    pending = undefined;
  }
  if (pending === undefined && bound.settling !== null) {
    const fresh = { value: bound.settling, nextId: bound.nextId, running: bound.running };
    if (!over(fresh)) pending = fresh;
    else if (newer(fresh.value, settled)) settled = fresh.value;
  }
  return { settled, seen: bound.newest ?? from?.seen ?? null, ...(pending === undefined ? {} : { pending }) };
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
