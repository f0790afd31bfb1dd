import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { AccessDeniedError, type Clock, type Random, RequestRefusedError, SyncError, TransientError } from '@tidemark/core';
import { createStatements, type Session, type SqlValue, type Store, type TableName } from './store.ts';

/** How long another process's lock is waited for, without blocking this one. */
const BUSY_MS = 5000;

const table = (name: TableName) => `_tidemark_queue_${name}`;

/** Queues in a file. Transactions of this process follow each other, those of others are waited for. */
export class SqliteStore implements Store {
  readonly description: string;
  readonly table = table;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #random: Random;
  #database: DatabaseSync | null = null;
  #ensured = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, clock: Clock, random: Random) {
    this.#path = path;
    this.description = path;
    this.#clock = clock;
    this.#random = random;
  }

  async exists(): Promise<boolean> {
    if (this.#ensured) return true;
    if (!existsSync(this.#path)) return false;
    return this.read(async (session) => {
      const rows = await session.query(`SELECT count(*) FROM sqlite_schema WHERE name = $1`, [table('checkpoints')]);
      return rows[0]![0] === 1;
    });
  }

  async ensure(): Promise<void> {
    if (this.#ensured) return;
    await this.write(async (session) => {
      for (const statement of createStatements(table)) await session.query(statement);
    });
    this.#ensured = true;
  }

  read<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#transaction('BEGIN', work, signal);
  }

  write<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#transaction('BEGIN IMMEDIATE', work, signal);
  }

  async close(): Promise<void> {
    await this.#last;
    this.#database?.close();
    this.#database = null;
    this.#ensured = false;
  }

  /** One after the other: statements of two would mix in one connection. */
  #transaction<T>(begin: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => this.#attempts(begin, work, signal));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #attempts<T>(begin: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const giveUpAtMs = this.#clock.now() + BUSY_MS;
    for (;;) {
      // Statements here wait for nothing: without this a long read would let nothing else in the process have its turn.
      await setImmediate();
      signal?.throwIfAborted();
      try {
        return await this.#once(begin, work);
      } catch (error) {
        if (primaryCode(error) !== 5 || this.#clock.now() >= giveUpAtMs) throw toSyncError(error, this.#path);
        await this.#clock.sleep(2 + this.#random() * 20, signal);
      }
    }
  }

  async #once<T>(begin: string, work: (session: Session) => Promise<T>): Promise<T> {
    const database = this.#open();
    database.exec(begin);
    try {
      const result = await work(sessionOf(database));
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  #open(): DatabaseSync {
    if (this.#database !== null) return this.#database;
    const database = new DatabaseSync(this.#path, { timeout: 0 });
    try {
      // A message that was acknowledged to its producer must outlive a power failure.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    return database;
  }
}

function sessionOf(database: DatabaseSync): Session {
  return {
    async query(sql, parameters = []) {
      const statement = database.prepare(sql.replace(/\$(\d+)/g, '?$1'));
      statement.setReturnArrays(true);
      return statement.all(...(parameters as SQLInputValue[])) as unknown as SqlValue[][];
    },
  };
}

function primaryCode(error: unknown): number | null {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : null;
}

/** SQLite's result codes: what the engine does next, and what the user can do. */
function toSyncError(error: unknown, path: string): unknown {
  const code = primaryCode(error);
  if (code === null || error instanceof SyncError) return error;
  const message = `${path}: ${(error as Error).message}`;
  const hint = (text: string) => ({ hint: text, cause: error });
  if (code === 5 || code === 6) return new TransientError(message, hint('Another program holds a lock on the file: close it.'));
  if (code === 10) return new TransientError(message, hint('The disk reported an error; look at the system log.'));
  if (code === 13) return new TransientError(message, hint('The disk is full: make room. Nothing was lost.'));
  if (code === 8 || code === 14 || code === 23)
    return new AccessDeniedError(message, hint('The folder has to exist, and the user of this process may write in it.'));
  if (code === 26) return new RequestRefusedError(message, hint('The path names a file that is no SQLite database.'));
  return new RequestRefusedError(message, { cause: error });
}
