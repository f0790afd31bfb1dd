import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

const BUSY_WAIT_MS_MAX = 10_000;
const BUSY_PAUSE_MS = 10;
export const SQLITE_BUSY = 5;

/**
 * Kysely over one node:sqlite handle (made with `timeout: 0`). Kysely's own SQLite driver leaves waiting for another process's
 * write to SQLite, which blocks the thread; this one waits between tries. Kysely gives the connection to one user at a time.
 */
export function nodeSqliteDialect(handle: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createDriver: () => sqliteDriver(handle),
  };
}

function sqliteDriver(handle: DatabaseSync): Driver {
  const prepared = new Map<string, StatementSync>();
  function prepare(text: string): StatementSync {
    let statement = prepared.get(text);
    if (statement === undefined) {
      if (prepared.size >= 100) prepared.clear();
      statement = handle.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  }
  const connection: DatabaseConnection = {
    executeQuery: <Row>({ sql, parameters }: CompiledQuery) =>
      whenFree((): QueryResult<Row> => {
        const statement = prepare(sql);
        const values = parameters as SQLInputValue[];
        if (statement.columns().length > 0) return { rows: statement.all(...values) as Row[] };
        const { changes } = statement.run(...values);
        return { rows: [], numAffectedRows: BigInt(changes) };
      }),
    // biome-ignore lint/correctness/useYield: nothing here streams
    async *streamQuery() {
      throw new Error('the store does not stream');
    },
  };
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    // A transaction that begins by reading and finds at its first write that another process wrote has to fail; one that begins
    // with the write lock in hand waits before it has read anything.
    beginTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('begin immediate'))),
    commitTransaction: async () => void (await connection.executeQuery(CompiledQuery.raw('commit'))),
    // On a full disk SQLite has rolled back by itself, and a second rollback's error would hide the first.
    rollbackTransaction: async () => {
      if (handle.isTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'));
    },
    destroy: async () => handle.close(),
  };
}

/** Tries again while another connection has the database for itself. A statement that was refused so has done nothing. */
export async function whenFree<T>(work: () => T): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += BUSY_PAUSE_MS) {
    try {
      return work();
    } catch (error) {
      if (errcodeOf(error) !== SQLITE_BUSY || waitedMs >= BUSY_WAIT_MS_MAX) throw error;
      await sleep(BUSY_PAUSE_MS);
    }
  }
}

/** SQLite's primary result code; the extended ones keep it in the low byte. */
export function errcodeOf(error: unknown): number | undefined {
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}
