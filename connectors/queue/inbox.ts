import { randomUUID } from 'node:crypto';
import type { Clock, Inbox, InboxSpec, Post, Receipt, RecordOutcome } from '@tidemark/core';
import { decodePosition } from './position.ts';
import type { SqlQueues } from './sql-queues.ts';
import type { Session, SqlValue } from './store.ts';

/** Receipts and tokens are known for so long. */
const KNOWN_MS = 7 * 24 * 3_600_000;
/** What is older is looked for this often. */
const FORGET_MS = 60_000;
/** Receipts in one look; the others come with the next. */
const RECEIPTS = 1000;

const COLUMNS = 'id, digest, keys_json, at_ms, outcomes_json, last_seq';

/** A queue that others fill, post by post. A post, its messages and its tokens are one transaction. */
export class QueueInbox implements Inbox {
  readonly #queues: SqlQueues;
  readonly #name: string;
  readonly #clock: Clock;
  #forgottenAtMs = 0;

  private constructor(queues: SqlQueues, name: string, clock: Clock) {
    this.#queues = queues;
    this.#name = name;
    this.#clock = clock;
  }

  static async open(queues: SqlQueues, { name, schema }: InboxSpec, clock: Clock): Promise<QueueInbox> {
    await queues.prepare(name, schema);
    return new QueueInbox(queues, name, clock);
  }

  async take({ tokens, digest, changes }: Post): Promise<{ receipt: Receipt; isNew: boolean }> {
    const queue = this.#name;
    const { store } = this.#queues;
    const now = this.#clock.now();
    const keys = changes.map(({ key }) => key);
    const receipt: Receipt = { id: randomUUID(), digest, keys, atMs: now, outcomes: null };
    const known = await store.write(async (session) => {
      // Locks the queue: of two posts with one token the later one has to find the earlier.
      await session.query(`UPDATE ${store.table('queues')} SET name = name WHERE name = $1`, [queue]);
      const found = await this.#byToken(session, tokens);
      if (found !== null) return found;
      const last = await this.#queues.appendTo(session, queue, changes, now);
      await session.query(
        `INSERT INTO ${store.table('posts')} (id, queue, first_seq, last_seq, digest, keys_json, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [receipt.id, queue, last - changes.length + 1, last, digest, JSON.stringify(keys), now],
      );
      for (const token of tokens) {
        await session.query(
          `INSERT INTO ${store.table('post_tokens')} (queue, token, post, at_ms) VALUES ($1, $2, $3, $4)
           ON CONFLICT (queue, token) DO UPDATE SET post = excluded.post, at_ms = excluded.at_ms`,
          [queue, token, receipt.id, now],
        );
      }
      await this.#forget(session, now);
      return null;
    });
    if (known === null) this.#queues.announce();
    return known === null ? { receipt, isNew: true } : { receipt: known, isNew: false };
  }

  async receipt(id: string): Promise<Receipt | null> {
    const sql = `SELECT ${COLUMNS} FROM ${this.#queues.store.table('posts')} WHERE id = $1 AND queue = $2`;
    const rows = await this.#queues.store.read((session) => session.query(sql, [id, this.#name]));
    return rows[0] === undefined ? null : receiptOf(rows[0]);
  }

  async read(position: string): Promise<{ receipts: readonly Receipt[]; isInside: boolean }> {
    const { seq } = decodePosition(position);
    const sql = `SELECT ${COLUMNS} FROM ${this.#queues.store.table('posts')}
      WHERE queue = $1 AND outcomes_json IS NULL AND first_seq <= $2 ORDER BY first_seq LIMIT ${RECEIPTS}`;
    const rows = await this.#queues.store.read((session) => session.query(sql, [this.#name, seq]));
    const [whole, parts] = [rows.filter((row) => (row[5] as number) <= seq), rows.some((row) => (row[5] as number) > seq)];
    return { receipts: whole.map(receiptOf), isInside: parts || rows.length === RECEIPTS };
  }

  async settle(outcomes: ReadonlyMap<string, readonly RecordOutcome[]>): Promise<void> {
    const sql = `UPDATE ${this.#queues.store.table('posts')} SET outcomes_json = $2 WHERE id = $1`;
    await this.#queues.store.write(async (session) => {
      for (const [id, of] of outcomes) await session.query(sql, [id, JSON.stringify(of)]);
    });
  }

  async #byToken(session: Session, tokens: readonly string[]): Promise<Receipt | null> {
    const { store } = this.#queues;
    for (const token of tokens) {
      const [row] = await session.query(
        `SELECT ${COLUMNS} FROM ${store.table('posts')}
         WHERE id = (SELECT post FROM ${store.table('post_tokens')} WHERE queue = $1 AND token = $2)`,
        [this.#name, token],
      );
      if (row !== undefined) return receiptOf(row);
    }
    return null;
  }

  async #forget(session: Session, now: number): Promise<void> {
    if (now - this.#forgottenAtMs < FORGET_MS) return;
    this.#forgottenAtMs = now;
    const before = [this.#name, now - KNOWN_MS];
    const { store } = this.#queues;
    await session.query(`DELETE FROM ${store.table('post_tokens')} WHERE queue = $1 AND at_ms < $2`, before);
    // One that still waits is told of for as long as it does.
    await session.query(
      `DELETE FROM ${store.table('posts')} WHERE queue = $1 AND at_ms < $2 AND outcomes_json IS NOT NULL`,
      before,
    );
  }
}

function receiptOf([id, digest, keys, atMs, outcomes]: readonly SqlValue[]): Receipt {
  return {
    id: id as string,
    digest: digest as string,
    keys: JSON.parse(keys as string) as string[],
    atMs: atMs as number,
    outcomes: outcomes === null ? null : (JSON.parse(outcomes as string) as RecordOutcome[]),
  };
}
