import { CheckpointExpiredError } from '@tidemark/core';

/**
 * How far a log has been read.
 *
 * A transaction draws its id when it first writes and its rows become visible when it commits, in another order. So a position is
 * no place in the log but a snapshot: what was visible in it has been read. What a later snapshot sees and this one does not is
 * exactly what is new, however long its transaction took (P1).
 */
export interface Position {
  /** The capture that it was made from: one that was made anew has another log. */
  readonly capture: string;
  /** Names the row by which the log keeps what this reader has not read yet. */
  readonly reader: string;
  /** History of the server: a standby that took over may have lost transactions, and gives their ids to others. */
  readonly timeline: string | null;
  /** `xmin:xmax:running,…`, see pg_snapshot. */
  readonly snapshot: string;
  /** Of what lies between `snapshot` and a later one, that much has been read as well. */
  readonly part?: { readonly snapshot: string; readonly xid: string; readonly seq: string };
}

export function encodePosition(position: Position): string {
  return JSON.stringify({ log: 1, ...position });
}

/** @throws {CheckpointExpiredError} it is none of a captured table. */
export function decodePosition(text: string): Position {
  try {
    const { log, ...position } = JSON.parse(text) as Position & { log?: number };
    if (log === 1 && typeof position.snapshot === 'string') return position;
  } catch {
    // Not JSON.
  }
  throw new CheckpointExpiredError('The checkpoint is none of a captured table');
}
