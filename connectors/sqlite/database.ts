import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { FaultError } from './fault.ts';
import { addFolded } from './folded.ts';

/**
 * The worker's two connections to one file. `writer` holds transactions open while the main thread settles results; `reader`
 * sees committed rows only, and meanwhile answers.
 *
 * WAL with `synchronous = NORMAL`: what was committed survives the death of the process. When the machine itself dies the last
 * commits may be undone, data and checkpoint together, so that a change is repeated and never skipped (P1).
 */
export class Database {
  readonly path: string;
  readonly #busyTimeoutMs: number;
  #writer: DatabaseSync | null = null;
  #reader: DatabaseSync | null = null;
  #hasOwnTables = false;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, busyTimeoutMs: number) {
    this.path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** The one that writes, of a file that holds the tables of a target. */
  get writer(): DatabaseSync {
    const { bareWriter } = this;
    if (!this.#hasOwnTables) {
      bareWriter.exec('PRAGMA journal_mode = WAL');
      bareWriter.exec('PRAGMA synchronous = NORMAL');
      createOwnTables(bareWriter);
    }
    this.#hasOwnTables = true;
    return bareWriter;
  }

  /** The one that writes, of a file that may be nothing but a source: how it keeps its journal is for its owner to say. */
  get bareWriter(): DatabaseSync {
    if (this.#writer === null) {
      const database = new DatabaseSync(this.path, { timeout: this.#busyTimeoutMs });
      try {
        // A load commits often; moving its pages into the file each time would write and sync them twice.
        database.exec('PRAGMA wal_autocheckpoint = 16000');
        // 8 MB: enough for the inner pages of a key's index, and the same for small and large tables (P9).
        database.exec('PRAGMA cache_size = -8000');
        database.exec('PRAGMA temp_store = FILE');
        // The WAL grows with a large merge; afterwards it gives the space back.
        database.exec('PRAGMA journal_size_limit = 67108864');
        // Views that mention a table stay as they are while the table is swapped.
        database.exec('PRAGMA legacy_alter_table = ON');
      } catch (error) {
        database.close();
        throw error;
      }
      this.#writer = database;
    }
    return this.#writer;
  }

  get reader(): DatabaseSync {
    if (this.#reader === null) {
      this.#reader = new DatabaseSync(this.path, { timeout: this.#busyTimeoutMs, readOnly: true });
      addFolded(this.#reader);
    }
    return this.#reader;
  }

  /** A prepared statement of the writer, kept for the next time. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // Few per table, and one for each set of columns that updates of a stream have set; more means that tables come and go.
      if (this.#statements.size > 1000) this.#statements.clear();
      statement = this.writer.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** One transaction that takes the write lock at once, so that it cannot fail half way for want of it. */
  transaction<T>(work: () => T, writer = this.writer): T {
    writer.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      writer.exec('COMMIT');
      return result;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  /** Some errors, a full disk among them, have rolled back already. */
  rollback(): void {
    if (this.#writer?.isTransaction) this.#writer.exec('ROLLBACK');
  }

  close(): void {
    this.rollback();
    this.#statements.clear();
    this.#writer?.close();
    this.#reader?.close();
    this.#writer = null;
    this.#hasOwnTables = false;
    this.#reader = null;
  }
}

function createOwnTables(database: DatabaseSync): void {
  const has = database.prepare(
    "SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('_tidemark_checkpoints','_tidemark_loads','_tidemark_columns')",
  );
  if (has.get()!.n === 3) return;
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS _tidemark_checkpoints (unit TEXT PRIMARY KEY, epoch INT NOT NULL, checkpoint TEXT) STRICT;
    CREATE TABLE IF NOT EXISTS _tidemark_loads (
      unit TEXT PRIMARY KEY, load_id TEXT NOT NULL, staging TEXT NOT NULL, position TEXT, row_count INT NOT NULL, kept_rowid INT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS _tidemark_columns (
      table_name TEXT NOT NULL, field TEXT NOT NULL, column_name TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (table_name, field)
    ) STRICT;
    COMMIT;`);
}

/** @throws {FaultError} ownership_lost: another worker has raised the epoch (P11). To be called inside a transaction. */
export function checkEpoch(database: Database, unit: string, epoch: number): void {
  const known = database.prepare('SELECT epoch FROM _tidemark_checkpoints WHERE unit = ?').get(unit)?.epoch;
  if (known !== epoch) {
    throw new FaultError({ code: 'ownership_lost', message: `${unit}: epoch ${epoch} is not the latest (${known ?? 'none'})` });
  }
}

export function keepCheckpoint(database: Database, unit: string, checkpoint: string | null): void {
  database.prepare('UPDATE _tidemark_checkpoints SET checkpoint = ? WHERE unit = ?').run(checkpoint, unit);
}
