import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { RequestRefusedError, TransientError } from '../base/errors.ts';
import { errcodeOf, nodeSqliteDialect, SQLITE_BUSY, whenFree } from './sqlite-dialect.ts';
import type { Database, Tables } from './tables.ts';

/** `path` is a file, `:memory:`, or a `file:` URI. A file is made for its owner only: failures hold whole records. */
export async function openSqliteDatabase(path: string): Promise<Database> {
  const handle = openFile(path);
  try {
    // Readers and the writer do not block each other, and FULL keeps a failure through a power cut (P2).
    await whenFree(() => handle.exec('pragma journal_mode = wal; pragma synchronous = full'));
  } catch (error) {
    handle.close();
    throw translateSqlite(error, path);
  }
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(handle) });
  return {
    db,
    dialect: 'sqlite',
    among: (column, values) => sql`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values)}))`,
    runEach(statement, rows) {
      const prepared = handle.prepare(statement);
      for (const row of rows) prepared.run(...(row as SQLInputValue[]));
    },
    unflushed: (write) =>
      db.connection().execute(async (connection) => {
        await sql`pragma synchronous = normal`.execute(connection);
        try {
          return await write(connection);
        } finally {
          await sql`pragma synchronous = full`.execute(connection);
        }
      }),
    // `begin immediate` has taken the one write lock already.
    lockForMigration: async () => {},
    translate: (error) => translateSqlite(error, path),
  };
}

function openFile(path: string): DatabaseSync {
  try {
    if (path !== ':memory:' && !path.startsWith('file:')) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, 'a', 0o600));
    }
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw new RequestRefusedError(`the state store ${path} cannot be opened: ${(error as Error).message}`, {
      cause: error,
      hint: 'name a file in a folder that this user may write',
    });
  }
}

function translateSqlite(error: unknown, path: string): unknown {
  const message = `the state store ${path} refuses: ${(error as Error).message}`;
  switch (errcodeOf(error)) {
    case SQLITE_BUSY:
    case 6: // locked
      return new TransientError(message, { cause: error, hint: 'another process keeps the state store locked' });
    case 10: // I/O error
    case 13: // full
      return new TransientError(message, { cause: error, hint: 'look at the disk of the state store: is it full?' });
    case 8: // read-only
    case 14: // cannot open
      return new RequestRefusedError(message, { cause: error, hint: 'give this user the right to write the state store' });
    case 11: // corrupt
    case 26: // not a database
      return new RequestRefusedError(message, {
        cause: error,
        hint: 'restore the state store from a backup, or name another file',
      });
    default:
      return error;
  }
}
