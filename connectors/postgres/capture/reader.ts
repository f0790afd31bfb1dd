import { randomUUID } from 'node:crypto';
import {
  type Batch,
  type Change,
  CheckpointExpiredError,
  type Clock,
  type LogEntry,
  RequestRefusedError,
  touchedRecords,
  withLogFacts,
} from '@tidemark/core';
import { type Client, type Pool, query, transaction } from '../driver.ts';
import { type CapturedTable, captureNames, triggersOf } from './definition.ts';
import { decodePosition, encodePosition, type Position } from './position.ts';
import { refuseWithoutReading } from './rights.ts';
import { describeCaptured, isOutdated, readState, whatIsMissing } from './state.ts';

const PAGE_ROWS = 5000;
/** How often the log is looked at by who waits for a change. */
const LOOK_MS = 50;
/** A reader that has not been seen for so long does not keep the log any more; when it comes back it reads in full. */
const KEEP_DAYS = 15;
/** From when on it is worth a word that a reader does not come. */
const ABSENT_DAYS = 2;
/** A reader says so often that it still reads, though there was nothing to read. */
const SEEN_HOURS = 1;

export interface CaptureReaderOptions {
  readonly pool: Pool;
  readonly table: CapturedTable;
  /** Names who reads, among the readers of this log. */
  readonly unit: string;
  /** Leaves out what only syncs have written. */
  readonly ignoreOwn: boolean;
  readonly clock: Clock;
  /** Rows of the log in one batch. */
  readonly pageRows?: number;
  /** The rows with these keys as they are now: an upsert or a delete for each, in the same order. */
  readCurrent(client: Client, keys: readonly (readonly string[])[]): Promise<readonly Change[]>;
}

interface Opened {
  readonly table: CapturedTable;
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
}

/** @throws {RequestRefusedError} the table is not captured, or not throughout. */
export async function openCapture(client: Client, schema: string, table: string): Promise<Opened> {
  const captured = await describeCaptured(client, schema, table);
  await refuseWithoutReading(client, captured);
  const state = await readState(client, captured);
  const missing = whatIsMissing(state, captured);
  if (missing !== null) throw notCaptured(captured, missing, BY_HAND);
  const absent = await query(
    client,
    `SELECT unit, to_char(min(seen_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM ${captureNames(captured).consumers}
     WHERE capture = $1 AND seen_at < now() - interval '${ABSENT_DAYS} days' GROUP BY unit ORDER BY unit`,
    [table],
  );
  return {
    table: captured,
    warnings: [
      ...(isOutdated(state, captured) ? [OUTDATED] : []),
      ...absent.rows.map(([unit, since]) => ({
        message: `the change log grows, because it is kept for ${unit}, which has not read it since ${since} UTC`,
        hint: `Run that sync; after ${KEEP_DAYS} days without it the log is put away, and its next run is full.`,
      })),
    ],
  };
}

const OUTDATED = {
  message: 'the table has other columns than when its capture was made, or the capture is of another version',
  hint: 'No change is missed; it is noted more slowly. `tidemark schema apply` renews the capture.',
};

const BY_HAND = '`tidemark schema diff` prints the statements, for whoever has the rights.';

function notCaptured({ schema, table }: CapturedTable, why: string, statements: string): RequestRefusedError {
  return new RequestRefusedError(`${schema}.${table} ${why}`, {
    hint: `tidemark schema apply makes its change log and triggers. ${statements}`,
  });
}

/** What the database says before a log is read. */
interface Now {
  readonly capture: string | null;
  readonly snapshot: string;
  readonly timeline: string | null;
  readonly triggers: number;
  /** How far this reader had come when it last said so, and whether it should say once more that it is there. */
  readonly acknowledged: string | null;
  readonly silent: boolean;
  /** The position is older than that: what lies between is gone. */
  readonly isBehind: boolean;
}

/**
 * Reads the change log of one table. Several readers each have a row that says how far they have come; a row of the log goes when
 * the last of them has read it, which each says with its next read: by then its checkpoint is durable (P1).
 */
export class CaptureReader {
  readonly #options: CaptureReaderOptions;
  readonly #names: ReturnType<typeof captureNames>;

  constructor(options: CaptureReaderOptions) {
    this.#options = options;
    this.#names = captureNames(options.table);
  }

  /** From here on the log keeps everything for who reads from this mark. */
  async mark(signal: AbortSignal): Promise<string> {
    const { pool, table, unit } = this.#options;
    const { captures, consumers, log } = this.#names;
    const reader = randomUUID();
    return transaction(pool, { signal }, async (client) => {
      await this.#refuseStandby(client);
      const capture = await this.#lock(client);
      // A mark that nobody has read from belongs to a full read that is begun anew: its rows need not be kept.
      await query(client, `DELETE FROM ${consumers} WHERE capture = $1 AND unit = $2 AND NOT in_use`, [table.table, unit]);
      const { rows } = await query(
        client,
        `INSERT INTO ${consumers} (id, capture, unit, snapshot) SELECT $1, c.table_name, $2, pg_current_snapshot()
         FROM ${captures} c WHERE c.table_name = $3 RETURNING snapshot::text`,
        [reader, unit, table.table],
      );
      // What nobody waited for until now, and what only those waited for that have been forgotten.
      await query(
        client,
        `DELETE FROM ${log} l WHERE NOT EXISTS
           (SELECT FROM ${consumers} r WHERE r.capture = $1 AND NOT pg_visible_in_snapshot(l.xid, r.snapshot))`,
        [table.table],
      );
      const snapshot = rows[0]![0]!;
      return encodePosition({ capture, reader, timeline: await timelineOf(client), snapshot });
    });
  }

  async *readDelta(from: string, signal: AbortSignal): AsyncGenerator<Batch> {
    const { pool } = this.#options;
    let position = decodePosition(from);
    const now = await transaction(pool, { readOnly: true, signal }, async (client) => {
      await this.#refuseStandby(client);
      return this.#now(client, position);
    });
    this.#refuseGaps(position, now);
    if (now.silent || now.acknowledged !== position.snapshot) await this.#acknowledge(position, now.acknowledged!, signal);
    // What an earlier read did not finish, then everything that has become visible since.
    if (position.part !== undefined) {
      yield* this.#window(position, position.part.snapshot, signal);
      position = whole(position, position.part.snapshot);
    }
    yield* this.#window(position, now.snapshot, signal);
  }

  /** Until there is something behind `from`. Asks often, because to be told (NOTIFY) makes all commits of a server queue up. */
  async waitForChange(from: string, signal: AbortSignal): Promise<void> {
    const { pool, clock } = this.#options;
    const position = decodePosition(from);
    if (position.part !== undefined) return;
    const isThere = async (client: Client) => {
      const { rows } = await query(
        client,
        `SELECT EXISTS (SELECT FROM ${this.#names.log} WHERE xid >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(xid, $1))`,
        [position.snapshot],
      );
      return rows[0]![0] === 't';
    };
    try {
      while (!(await transaction(pool, { readOnly: true, signal }, isThere))) await clock.sleep(LOOK_MS, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Pages of what `until` sees and the position does not. */
  async *#window(from: Position, until: string, signal: AbortSignal): AsyncGenerator<Batch> {
    const { pool, pageRows = PAGE_ROWS } = this.#options;
    // One bound where the index begins: beside a second one it would be read from its start, through all that has been deleted.
    let after = from.part ?? { xid: from.snapshot.split(':')[0]!, seq: '0' };
    for (;;) {
      const page = await transaction(pool, { readOnly: true, signal }, async (client) => {
        const { rows } = await query(
          client,
          `SELECT xid, seq, op, to_json(key), to_json(changed), writer, extract(epoch FROM at) * 1000 FROM ${this.#names.log}
           WHERE (xid, seq) > ($3::xid8, $4::bigint) AND xid < pg_snapshot_xmax($2)
             AND NOT pg_visible_in_snapshot(xid, $1) AND pg_visible_in_snapshot(xid, $2)
           ORDER BY xid, seq LIMIT ${pageRows + 1}`,
          [from.snapshot, until, after.xid, after.seq],
        );
        if (rows.some(([, , op]) => op === 'T')) throw this.#readAll();
        const page = rows.slice(0, pageRows);
        return { rows: page, isLast: rows.length <= pageRows, changes: await this.#changes(client, page.map(logRow)) };
      });
      const last = page.rows.at(-1);
      // Nothing was written: the checkpoint stays, and so a quiet table costs no write anywhere.
      if (last === undefined) return;
      after = { xid: last[0]!, seq: last[1]! };
      const reached = page.isLast ? whole(from, until) : { ...whole(from, from.snapshot), part: { snapshot: until, ...after } };
      yield { changes: page.changes, checkpoint: encodePosition(reached) };
      if (page.isLast) return;
    }
  }

  async #changes(client: Client, rows: readonly LogEntry<readonly string[]>[]): Promise<readonly Change[]> {
    const wanted = touchedRecords(rows, (key) => JSON.stringify(key)).filter(
      ({ writers }) => !this.#options.ignoreOwn || writers === null,
    );
    if (wanted.length === 0) return [];
    const changes = await this.#options.readCurrent(
      client,
      wanted.map(({ key }) => key),
    );
    return changes.map((change, i) => withLogFacts(change, wanted[i]!));
  }

  #readAll(): CheckpointExpiredError {
    const { schema, table } = this.#options.table;
    return new CheckpointExpiredError(`${schema}.${table} was truncated, or its key was altered, so that it is read in full`);
  }

  async #now(client: Client, { reader, snapshot }: Position): Promise<Now> {
    const { captures, consumers, table } = this.#names;
    const triggers = triggersOf(this.#options.table).map(({ name }) => name);
    const { rows } = await query(
      client,
      `SELECT c.id, pg_current_snapshot()::text,
              (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = to_regclass($2) AND t.tgname = ANY ($3) AND t.tgenabled IN ('O', 'A')),
              r.snapshot::text, NOT r.in_use OR r.seen_at < now() - interval '${SEEN_HOURS} hours',
              pg_snapshot_xmax($5) > pg_snapshot_xmax(pg_current_snapshot()),
              (pg_snapshot_xmax($5), -(SELECT count(*) FROM pg_snapshot_xip($5)))
                < (pg_snapshot_xmax(r.snapshot), -(SELECT count(*) FROM pg_snapshot_xip(r.snapshot)))
       FROM (SELECT) AS it LEFT JOIN ${captures} c ON c.table_name = $1 LEFT JOIN ${consumers} r ON r.id = $4 AND r.capture = $1`,
      [this.#options.table.table, table, triggers, reader, snapshot],
    );
    const [capture, current, standing, acknowledged, silent, isAhead, isBehind] = rows[0]!;
    if (isAhead === 't') throw new CheckpointExpiredError('The checkpoint is from a time that this database has not seen');
    return {
      capture: capture!,
      snapshot: current!,
      timeline: await timelineOf(client),
      triggers: Number(standing),
      acknowledged: acknowledged!,
      silent: silent === 't',
      isBehind: isBehind === 't',
    };
  }

  #refuseGaps(position: Position, now: Now): void {
    const { table } = this.#options;
    if (now.capture === null || now.triggers < triggersOf(table).length) {
      throw notCaptured(table, 'has lost its capture, or its triggers are disabled', 'The next run is then a full one.');
    }
    if (now.capture !== position.capture) throw new CheckpointExpiredError('The change log was made anew');
    if (now.acknowledged === null) {
      throw new CheckpointExpiredError(
        `The change log does not keep anything for this checkpoint any more: it was not read for ${KEEP_DAYS} days, or another sync reads as ${this.#options.unit}`,
        { hint: 'Two installations that read one table need a `watermarkKey` each.' },
      );
    }
    if (now.isBehind) {
      throw new CheckpointExpiredError(
        'The change log was read further than to this checkpoint, and holds nothing of what lies between',
        {
          hint: 'Was the target restored from a backup, or does another installation read as the same sync? Give each a `watermarkKey`.',
        },
      );
    }
    if (position.timeline !== null && now.timeline !== null && position.timeline !== now.timeline) {
      throw new CheckpointExpiredError('Another server has taken over since, which may have lost transactions');
    }
  }

  /** Says that everything before the position is applied for good, and puts away what nobody has still to read. */
  async #acknowledge({ reader, snapshot }: Position, before: string, signal: AbortSignal): Promise<void> {
    const { pool, table, unit } = this.#options;
    const { consumers, log } = this.#names;
    await transaction(pool, { signal }, async (client) => {
      await this.#lock(client);
      await query(client, `UPDATE ${consumers} SET snapshot = $2, in_use = true, seen_at = now() WHERE id = $1`, [
        reader,
        snapshot,
      ]);
      // Earlier checkpoints of the same sync have been followed by this one; others have not come for too long.
      const { rowCount } = await query(
        client,
        `DELETE FROM ${consumers} r WHERE r.capture = $1 AND (r.seen_at < now() - interval '${KEEP_DAYS} days'
           OR r.unit = $2 AND r.in_use AND r.made_at < (SELECT made_at FROM ${consumers} WHERE id = $3))`,
        [table.table, unit, reader],
      );
      // Usually only what this reader has read since it last said so can go now. Its own former snapshot spares a look at the rest.
      const since =
        rowCount === 0
          ? 'l.xid >= pg_snapshot_xmin($2) AND NOT pg_visible_in_snapshot(l.xid, $2) AND'
          : '$2::pg_snapshot IS NOT NULL AND';
      await query(
        client,
        `DELETE FROM ${log} l WHERE ${since} l.xid < pg_snapshot_xmax($3) AND pg_visible_in_snapshot(l.xid, $3)
           AND NOT EXISTS (SELECT FROM ${consumers} r WHERE r.capture = $1 AND NOT pg_visible_in_snapshot(l.xid, r.snapshot))`,
        [table.table, before, snapshot],
      );
    });
  }

  /** One at a time marks or puts away: otherwise each could leave a row to the other, or take one from under it. */
  async #lock(client: Client): Promise<string> {
    const { table } = this.#options;
    const { rows } = await query(client, `SELECT id FROM ${this.#names.captures} WHERE table_name = $1 FOR UPDATE`, [
      table.table,
    ]);
    const id = rows[0]?.[0];
    if (id == null) throw notCaptured(table, 'is not captured any more', '');
    return id;
  }

  /** A standby's snapshots tell nothing of what runs on the primary. */
  async #refuseStandby(client: Client): Promise<void> {
    const { rows } = await query(client, 'SELECT pg_is_in_recovery()');
    if (rows[0]![0] !== 't') return;
    throw new RequestRefusedError('A captured table cannot be read from a standby', {
      hint: 'Let the connection lead to the primary.',
    });
  }
}

/** Null where the server does not tell. */
async function timelineOf(client: Client): Promise<string | null> {
  const { rows } = await query(
    client,
    `SELECT CASE WHEN has_function_privilege('pg_walfile_name(pg_lsn)', 'EXECUTE') AND has_function_privilege('pg_current_wal_lsn()', 'EXECUTE')
       THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END`,
  );
  return rows[0]![0]!;
}

function whole({ capture, reader, timeline }: Position, snapshot: string): Position {
  return { capture, reader, timeline, snapshot };
}

function logRow([, , op, key, changed, writer, atMs]: readonly (string | null)[]): LogEntry<readonly string[]> {
  return {
    op: op!,
    key: JSON.parse(key!) as string[],
    changed: changed === null ? null : (JSON.parse(changed!) as string[]),
    writer: writer!,
    atMs: Math.round(Number(atMs)),
  };
}
