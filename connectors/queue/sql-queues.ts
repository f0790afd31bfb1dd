import { randomUUID } from 'node:crypto';
import {
  type Change,
  type Checkpoints,
  type DatasetSchema,
  OwnershipLostError,
  RequestRefusedError,
  type Row,
} from '@tidemark/core';
import {
  Announcements,
  type Append,
  type Commit,
  type Found,
  messageAt,
  type QueueFacts,
  type Queues,
  type Stretch,
  slotOf,
  widened,
} from './queue.ts';
import type { Session, SqlValue, Store } from './store.ts';

/** Rows of one INSERT: seven values each, and PostgreSQL takes 65,535. */
const ROWS_IN_A_STATEMENT = 500;

/** Queues in tables of SQLite or PostgreSQL. */
export class SqlQueues extends Announcements implements Queues {
  readonly store: Store;
  readonly checkpoints: Checkpoints;

  constructor(store: Store) {
    super();
    this.store = store;
    const table = store.table('checkpoints');
    this.checkpoints = {
      acquire: async (unit, signal) => {
        await store.ensure();
        return store.write(async (session) => {
          const rows = await session.query(
            `INSERT INTO ${table} AS c (unit, epoch) VALUES ($1, 1)
             ON CONFLICT (unit) DO UPDATE SET epoch = c.epoch + 1 RETURNING epoch, checkpoint`,
            [unit],
          );
          return { epoch: rows[0]![0] as number, checkpoint: rows[0]![1] as string | null };
        }, signal);
      },
      read: async (unit) => {
        if (!(await store.exists())) return null;
        return store.read(async (session) => {
          const rows = await session.query(`SELECT checkpoint FROM ${table} WHERE unit = $1`, [unit]);
          return (rows[0]?.[0] ?? null) as string | null;
        });
      },
      write: async (unit, epoch, checkpoint) => {
        await store.ensure();
        await store.write(async (session) => {
          await this.#checkEpoch(session, unit, epoch);
          await session.query(`UPDATE ${table} SET checkpoint = $2 WHERE unit = $1`, [unit, checkpoint]);
        });
      },
    };
  }

  get description(): string {
    return this.store.description;
  }

  howToForget(): string {
    return `delete its row of ${this.store.table('consumers')}`;
  }

  close(): Promise<void> {
    return this.store.close();
  }

  async names(): Promise<string[]> {
    if (!(await this.store.exists())) return [];
    const sql = `SELECT name FROM ${this.store.table('queues')} ORDER BY name`;
    return (await this.store.read((session) => session.query(sql))).map(([name]) => name as string);
  }

  async facts(queue: string, signal?: AbortSignal): Promise<QueueFacts | null> {
    if (!(await this.store.exists(signal))) return null;
    return this.store.read((session) => this.#facts(session, queue), signal);
  }

  async prepare(queue: string, arriving: DatasetSchema): Promise<void> {
    await this.store.ensure();
    await this.store.write(async (session) => {
      const table = this.store.table('queues');
      await session.query(`INSERT INTO ${table} (name, id, schema_json) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`, [
        queue,
        randomUUID(),
        JSON.stringify(widened(null, arriving, queue)),
      ]);
      // The row is locked before it is looked at: another sync may widen the same queue.
      await session.query(`UPDATE ${table} SET name = name WHERE name = $1`, [queue]);
      const { schema } = (await this.#facts(session, queue))!;
      const text = JSON.stringify(widened(schema, arriving, queue));
      await session.query(`UPDATE ${table} SET schema_json = $2 WHERE name = $1 AND schema_json <> $2`, [queue, text]);
    });
  }

  async append(appends: readonly Append[], commit: Commit, nowMs: number, signal?: AbortSignal): Promise<void> {
    await this.store.write(async (session) => {
      await this.#checkEpoch(session, commit.unit, commit.epoch);
      // In one order everywhere, so that two who append to the same queues never wait for each other.
      for (const { queue, changes } of appends.toSorted((a, b) => (a.queue < b.queue ? -1 : 1))) {
        if (changes.length > 0) await this.appendTo(session, queue, changes, nowMs);
      }
      if (commit.checkpoint === null) return;
      const sql = `UPDATE ${this.store.table('checkpoints')} SET checkpoint = $2 WHERE unit = $1`;
      await session.query(sql, [commit.unit, commit.checkpoint]);
    }, signal);
    this.announce();
  }

  /** As part of a transaction. Answers the number of the last one. */
  async appendTo(session: Session, queue: string, changes: readonly Change[], nowMs: number): Promise<number> {
    const counted = await session.query(
      `UPDATE ${this.store.table('queues')} SET last_seq = last_seq + $2 WHERE name = $1 RETURNING last_seq`,
      [queue, changes.length],
    );
    const last = counted[0]?.[0];
    if (last === undefined) throw new RequestRefusedError(`The queue ${queue} is not there any more`, { hint: 'Run again.' });
    let seq = (last as number) - changes.length;
    for (let at = 0; at < changes.length; at += ROWS_IN_A_STATEMENT) {
      const some = changes.slice(at, at + ROWS_IN_A_STATEMENT);
      const parameters: SqlValue[] = [queue, nowMs];
      const tuples = some.map(({ op, key, row, stampMs }) => {
        const first = parameters.length + 1;
        const record = row === null ? null : JSON.stringify(row);
        parameters.push(++seq, slotOf(key), op, JSON.stringify(key), record, stampMs);
        return `($1, ${[0, 1, 2, 3, 4, 5].map((i) => `$${first + i}`).join(', ')}, $2)`;
      });
      await session.query(
        `INSERT INTO ${this.store.table('messages')} (queue, seq, slot, op, record_key, record_json, stamp_ms, at_ms)
         VALUES ${tuples.join(', ')}`,
        parameters,
      );
    }
    return last as number;
  }

  async read(queue: string, { after, until, limit, part }: Stretch, signal?: AbortSignal): Promise<Found> {
    const ofPart = part === undefined ? '' : ' AND slot % $4 = $5';
    const sql = `SELECT seq, op, record_key, record_json, stamp_ms FROM ${this.store.table('messages')}
      WHERE queue = $1 AND seq > $2 AND seq <= $3${ofPart} ORDER BY seq LIMIT ${limit}`;
    const parameters = [queue, after, until, ...(part === undefined ? [] : [part.of, part.index])];
    const rows = await this.store.read((session) => session.query(sql, parameters), signal);
    const messages = rows.map(([seq, op, key, record, stampMs]) =>
      messageAt(queue, seq as number, { op, key, record, stampMs } as Row, () => ({
        op,
        key: JSON.parse(key as string),
        row: record === null ? null : JSON.parse(record as string),
        stampMs,
      })),
    );
    return { messages, upTo: rows.length < limit ? until : messages.at(-1)!.seq };
  }

  async oldestAfter(queue: string, after: number): Promise<number | null> {
    const sql = `SELECT at_ms FROM ${this.store.table('messages')} WHERE queue = $1 AND seq > $2 ORDER BY seq LIMIT 1`;
    const rows = await this.store.read((session) => session.query(sql, [queue, after]));
    return (rows[0]?.[0] ?? null) as number | null;
  }

  async lastBefore(queue: string, atMs: number): Promise<number | null> {
    const sql = `SELECT max(seq) FROM ${this.store.table('messages')} WHERE queue = $1 AND at_ms < $2`;
    const rows = await this.store.read((session) => session.query(sql, [queue, atMs]));
    return (rows[0]?.[0] ?? null) as number | null;
  }

  async consumer(queue: string, consumer: string): Promise<{ seq: number; seenMs: number } | null> {
    const sql = `SELECT seq, seen_ms FROM ${this.store.table('consumers')} WHERE queue = $1 AND consumer = $2`;
    const rows = await this.store.read((session) => session.query(sql, [queue, consumer]));
    return rows[0] === undefined ? null : { seq: rows[0][0] as number, seenMs: rows[0][1] as number };
  }

  async idleConsumers(queue: string, sinceMs: number): Promise<{ consumer: string; waiting: number }[]> {
    const rows = await this.store.read((session) =>
      session.query(
        `SELECT c.consumer, q.last_seq - c.seq FROM ${this.store.table('consumers')} c JOIN ${this.store.table('queues')} q ON q.name = c.queue
         WHERE c.queue = $1 AND c.seen_ms < $2 AND c.seq < q.last_seq ORDER BY c.consumer`,
        [queue, sinceMs],
      ),
    );
    return rows.map(([consumer, waiting]) => ({ consumer: consumer as string, waiting: waiting as number }));
  }

  async acknowledge(queue: string, consumer: string, seq: number, nowMs: number, keptSinceMs: number): Promise<void> {
    const [queues, messages, consumers] = [
      this.store.table('queues'),
      this.store.table('messages'),
      this.store.table('consumers'),
    ];
    await this.store.write(async (session) => {
      await session.query(
        `INSERT INTO ${consumers} (queue, consumer, seq, seen_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (queue, consumer) DO UPDATE SET seq = excluded.seq, seen_ms = excluded.seen_ms`,
        [queue, consumer, seq, nowMs],
      );
      const bounds = await session.query(
        `SELECT (SELECT min(seq) FROM ${consumers} WHERE queue = $1),
                (SELECT seq - 1 FROM ${messages} WHERE queue = $1 AND at_ms >= $2
                   AND seq <= (SELECT min(seq) FROM ${consumers} WHERE queue = $1) ORDER BY seq LIMIT 1)`,
        [queue, keptSinceMs],
      );
      const [acknowledged, old] = bounds[0]! as [number, number | null];
      const bound = old === null ? acknowledged : Math.min(acknowledged, old);
      const gone = await session.query(`DELETE FROM ${messages} WHERE queue = $1 AND seq <= $2 RETURNING seq`, [queue, bound]);
      if (gone.length === 0) return;
      // Last, because the row is also the lock of those who append.
      await session.query(`UPDATE ${queues} SET gone_seq = $2 WHERE name = $1 AND gone_seq < $2`, [queue, bound]);
    });
  }

  async #facts(session: Session, queue: string): Promise<QueueFacts | null> {
    const sql = `SELECT id, schema_json, last_seq, gone_seq FROM ${this.store.table('queues')} WHERE name = $1`;
    const [row] = await session.query(sql, [queue]);
    if (row === undefined) return null;
    const [id, schema, lastSeq, goneSeq] = row as [string, string, number, number];
    return { id, schema: JSON.parse(schema) as DatasetSchema, lastSeq, goneSeq };
  }

  /** Locks the unit's row until the commit: a new owner waits for what is under way, and then nothing of it comes any more. */
  async #checkEpoch(session: Session, unit: string, epoch: number): Promise<void> {
    const sql = `UPDATE ${this.store.table('checkpoints')} SET epoch = epoch WHERE unit = $1 AND epoch = $2 RETURNING epoch`;
    if ((await session.query(sql, [unit, epoch])).length > 0) return;
    throw new OwnershipLostError(`Another worker has taken over ${JSON.stringify(unit)} (its epoch is not ${epoch} any more)`);
  }
}
