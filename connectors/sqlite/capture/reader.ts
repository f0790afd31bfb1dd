import { randomUUID } from 'node:crypto';
import {
  type Batch,
  type Change,
  CheckpointExpiredError,
  type Clock,
  type LogEntry,
  RequestRefusedError,
  TransientError,
  touchedRecords,
  withLogFacts,
} from '@tidemark/core';
import type { SqliteClient } from '../client.ts';
import { quoted } from '../identifiers.ts';
import type { SqlValue } from '../values.ts';
import { CAPTURES, CONSUMERS, logOf } from './definition.ts';
import type { CaptureFacts } from './describe.ts';
import { lookup } from './lookup.ts';
import { isOutdated, whatIsMissing } from './schema.ts';

const PAGE_ROWS = 5000;
/** How often the log is looked at by who waits for a change. */
const LOOK_MS = 50;
/** A reader that has not been seen for so long does not keep the log any more; when it comes back it reads in full. */
const KEEP_DAYS = 15;
/** From when on it is worth a word that a reader does not come. */
const ABSENT_DAYS = 2;
/** A reader says so often that it still reads, though there was nothing to read. */
const SEEN_DAYS = 1 / 24;

type Key = readonly SqlValue[];

/** How far a log has been read: one writes at a time in SQLite, so that its numbers come in the order of commits. */
interface Position {
  /** The capture that it was made from: one that was made anew has another log. */
  readonly capture: string;
  /** Names the row by which the log keeps what this reader has not read yet. */
  readonly reader: string;
  readonly seq: number;
}

export interface CaptureReaderOptions {
  readonly client: SqliteClient;
  readonly facts: CaptureFacts;
  /** Names who reads, among the readers of this log. */
  readonly unit: string;
  /** Leaves out what only syncs have written. */
  readonly ignoreOwn: boolean;
  readonly clock: Clock;
  /** Rows of the log in one batch. */
  readonly pageRows?: number;
  /** The rows with these keys as they are now: an upsert or a delete for each, in the same order. */
  readCurrent(keys: readonly Key[]): Promise<readonly Change[]>;
  /** Rows whose key is null are not followed. */
  refuseNullKeys(): Promise<void>;
}

/** @throws {RequestRefusedError} the table is not captured, or not throughout. */
export async function openCapture(
  client: SqliteClient,
  table: string,
): Promise<{ facts: CaptureFacts; warnings: readonly Warning[] }> {
  const facts = await client.call('describeCapture', table);
  const missing = whatIsMissing(facts);
  if (missing !== null)
    throw notCaptured(table, missing, '`tidemark schema diff` prints the statements, for whoever has the rights.');
  const absent = await lookup(
    client,
    `SELECT unit, strftime('%Y-%m-%d %H:%M', min(seen_at)) FROM ${CONSUMERS}
     WHERE capture = ? AND seen_at < julianday('now') - ${ABSENT_DAYS} GROUP BY unit ORDER BY unit`,
    [facts.captured.table],
  );
  const kept = absent.map(([unit, since]) => ({
    message: `the change log grows, because it is kept for ${unit}, which has not read it since ${since} UTC`,
    hint: `Run that sync; after ${KEEP_DAYS} days without it the log is put away, and its next run is full.`,
  }));
  return { facts, warnings: [...warningsOf(facts), ...kept] };
}

interface Warning {
  readonly message: string;
  readonly hint: string;
}

function warningsOf(facts: CaptureFacts): Warning[] {
  const { captured, blind } = facts;
  const warnings: Warning[] = [];
  if (isOutdated(facts)) {
    warnings.push({
      message: `${captured.table} has other columns or indexes than when its capture was made, or the capture is of another version`,
      hint: 'Which columns change is not told until `tidemark schema apply` renews the capture.',
    });
  }
  if (blind.length > 0) {
    warnings.push({
      message: `rows that REPLACE deletes for the sake of the index ${blind.join(', ')} are not seen before a full run`,
      hint: 'Triggers cannot look into an index on an expression or on a part of the table: use ON CONFLICT … DO UPDATE there, or set recursive_triggers.',
    });
  }
  return warnings;
}

function notCaptured(table: string, why: string, more: string): RequestRefusedError {
  return new RequestRefusedError(`${table} ${why}`, { hint: `tidemark schema apply makes its change log and triggers. ${more}` });
}

/**
 * Reads the change log of one table. Several readers each have a row that says how far they have come; a row of the log goes when
 * the last of them has read it, which each says with its next read: by then its checkpoint is durable (P1).
 */
export class CaptureReader {
  readonly #options: CaptureReaderOptions;
  readonly #log: string;

  constructor(options: CaptureReaderOptions) {
    this.#options = options;
    this.#log = quoted(logOf(options.facts.captured.table));
  }

  /** From here on the log keeps everything for who reads from this mark. */
  async mark(): Promise<string> {
    const { unit } = this.#options;
    const table = this.#table;
    const reader = randomUUID();
    const [, made] = await this.#write([
      // A mark that nobody has read from belongs to a full read that is begun anew: its rows need not be kept.
      { sql: `DELETE FROM ${CONSUMERS} WHERE capture = ? AND unit = ? AND in_use = 0`, parameters: [table, unit] },
      {
        sql: `INSERT INTO ${CONSUMERS} (id, capture, unit, seq) SELECT ?, table_name, ?, (SELECT max(seq) FROM ${this.#log})
              FROM ${CAPTURES} WHERE table_name = ? RETURNING seq, (SELECT id FROM ${CAPTURES} WHERE table_name = capture)`,
        parameters: [reader, unit, table],
      },
      // What nobody waited for until now, and what only those waited for that have been forgotten.
      this.#putAway(),
    ]);
    const [seq, capture] = made?.[0] ?? [];
    if (seq === undefined) throw notCaptured(table, 'is not captured any more', '');
    return encode({ capture: String(capture), reader, seq: Number(seq) });
  }

  async *readDelta(from: string, signal: AbortSignal): AsyncGenerator<Batch> {
    const { pageRows = PAGE_ROWS } = this.#options;
    const position = decode(from);
    const { head, facts } = await this.#head(position);
    const told = !isOutdated(facts);
    let { seq } = position;
    while (seq < head) {
      signal.throwIfAborted();
      const entries = await this.#entries(seq, head, pageRows);
      seq = entries.length < pageRows ? head : entries.at(-1)!.seq;
      yield { changes: await this.#changes(entries, told), checkpoint: encode({ ...position, seq }) };
    }
  }

  /** Until there is something behind `from`. */
  async waitForChange(from: string, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const { seq } = decode(from);
    while (!signal.aborted) {
      if ((await lookup(client, `SELECT 1 FROM ${this.#log} WHERE seq > ? LIMIT 1`, [seq])).length > 0) return;
      await clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  get #table(): string {
    return this.#options.facts.captured.table;
  }

  /** How far the log goes; says before that everything up to the position is applied for good. */
  async #head(position: Position): Promise<{ head: number; facts: CaptureFacts }> {
    const { client } = this.#options;
    const rows = await lookup(
      client,
      `SELECT c.id, (SELECT max(seq) FROM ${this.#log}), r.seq, r.in_use = 0 OR r.seen_at < julianday('now') - ${SEEN_DAYS}
       FROM ${CAPTURES} c LEFT JOIN ${CONSUMERS} r ON r.id = ? AND r.capture = c.table_name WHERE c.table_name = ?`,
      [position.reader, this.#table],
    ).catch(async (error) => {
      await this.#refuseGaps();
      throw error;
    });
    // After the head, so that it tells of all columns that entries before it can have had.
    const facts = await this.#refuseGaps();
    const [capture, head, acknowledged, silent] = rows[0] ?? [];
    if (capture !== position.capture) throw new CheckpointExpiredError('The change log was made anew');
    if (acknowledged === null) {
      throw new CheckpointExpiredError(
        `The change log does not keep anything for this checkpoint any more: it was not read for ${KEEP_DAYS} days, or another sync reads as ${this.#options.unit}`,
        { hint: 'Two installations that read one table need a `watermarkKey` each.' },
      );
    }
    if (Number(acknowledged) > position.seq || Number(head) < position.seq) {
      throw new CheckpointExpiredError('The change log was read to another place than this checkpoint says', {
        hint: 'Was the file or the target restored from a backup, or does another installation read as the same sync?',
      });
    }
    if (Number(acknowledged) < position.seq || Number(silent) === 1) {
      // Another program may write for long: what can be put away can be put away later.
      await this.#acknowledge(position).catch((error) => {
        if (!(error instanceof TransientError)) throw error;
      });
    }
    return { head: Number(head), facts };
  }

  /** Triggers go with the table that they were on, e.g. in a migration that builds it anew. */
  async #refuseGaps(): Promise<CaptureFacts> {
    const facts = await this.#options.client.call('describeCapture', this.#table);
    const missing = whatIsMissing(facts);
    if (missing !== null) throw notCaptured(this.#table, missing, 'The next run is then a full one.');
    return facts;
  }

  async #acknowledge({ reader, seq }: Position): Promise<void> {
    const table = this.#table;
    await this.#write([
      { sql: `UPDATE ${CONSUMERS} SET seq = ?, in_use = 1, seen_at = julianday('now') WHERE id = ?`, parameters: [seq, reader] },
      {
        // Earlier checkpoints of the same sync have been followed by this one; others have not come for too long.
        sql: `DELETE FROM ${CONSUMERS} WHERE capture = ?1 AND (seen_at < julianday('now') - ${KEEP_DAYS}
                OR unit = ?2 AND in_use = 1 AND rowid < (SELECT rowid FROM ${CONSUMERS} WHERE id = ?3))`,
        parameters: [table, this.#options.unit, reader],
      },
      this.#putAway(),
    ]);
  }

  /** The last one stays: the next number follows it. */
  #putAway() {
    const everybodyHas = `seq <= (SELECT min(seq) FROM ${CONSUMERS} WHERE capture = ?)`;
    return {
      sql: `DELETE FROM ${this.#log} WHERE ${everybodyHas} AND seq < (SELECT max(seq) FROM ${this.#log})`,
      parameters: [this.#table],
    };
  }

  #write(statements: readonly { readonly sql: string; readonly parameters: readonly SqlValue[] }[]): Promise<SqlValue[][][]> {
    const { client } = this.#options;
    return client.queued(() => client.call('inOneTransaction', statements));
  }

  async #entries(after: number, until: number, limit: number): Promise<(LogEntry<Key> & { readonly seq: number })[]> {
    const { captured } = this.#options.facts;
    const keys = captured.key.map((_, i) => `k${i}`).join(', ');
    const rows = await lookup(
      this.#options.client,
      `SELECT seq, op, changed, writer, at_ms, ${keys} FROM ${this.#log} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
      [after, until, limit],
    );
    return rows.map(([seq, op, changed, writer, atMs, ...key]) => ({
      seq: Number(seq),
      op: String(op),
      changed: changed === null ? null : (JSON.parse(String(changed)) as string[]),
      writer: writer === null ? null : String(writer),
      atMs: Number(atMs),
      key,
    }));
  }

  /** @param isTold  Whether the triggers know all columns: what changed is then told, and that nothing did. */
  async #changes(entries: readonly LogEntry<Key>[], isTold: boolean): Promise<readonly Change[]> {
    const { ignoreOwn, readCurrent, refuseNullKeys } = this.#options;
    const ofRecords = entries.filter(({ op, key }) => op !== '-' && !key.includes(null));
    // SQLite lets a primary key be null. Such a row can be followed nowhere; one that has gone by now did no harm.
    if (ofRecords.length < entries.filter(({ op }) => op === 'I' || op === 'U').length) await refuseNullKeys();
    const wanted = touchedRecords(
      ofRecords.map((entry) => (isTold ? entry : { ...entry, changed: null })),
      nameOf,
    ).filter(({ changed, writers }) => changed?.size !== 0 && (!ignoreOwn || writers === null));
    if (wanted.length === 0) return [];
    const changes = await readCurrent(wanted.map(({ key }) => key));
    return changes.map((change, i) => withLogFacts(change, wanted[i]!));
  }
}

function nameOf(key: Key): string {
  return JSON.stringify(
    key.map((part) =>
      part instanceof Uint8Array
        ? ['b', Buffer.from(part).toString('base64')]
        : [typeof part === 'string' ? 's' : 'n', String(part)],
    ),
  );
}

function encode(position: Position): string {
  return JSON.stringify({ log: 1, ...position });
}

/** @throws {CheckpointExpiredError} it is none of a captured table. */
function decode(text: string): Position {
  try {
    const { log, ...position } = JSON.parse(text) as Position & { log?: number };
    if (log === 1 && typeof position.seq === 'number') return position;
  } catch {
    // Not JSON.
  }
  throw new CheckpointExpiredError('The checkpoint is none of a captured table');
}
