import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { fileError } from './errors.ts';
import type { Place } from './place.ts';

/** A row of a load, found by its key. */
export interface StagedRow {
  /** From 1, in the order in which keys first came, without holes. */
  readonly id: number;
  readonly texts: string;
}

/** Pages in memory, in KiB. */
const CACHE_KIB = 32 * 1024;

/**
 * The rows of an unfinished load, in a SQLite file beside the one that they are for. A page and its position are one transaction,
 * a key that comes again takes the place of the earlier one, and what is in memory does not grow with the load.
 */
export class Staging {
  readonly #name: string;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #find: StatementSync;
  position: string | null = null;
  /** Rows of all pages; a key that came twice counts twice. */
  rows = 0;

  /** Goes on with the load of this id, or begins it: what another one has left is thrown away. */
  static async open(place: Place, id: string): Promise<Staging> {
    const path = join(dirname(place.path), `.${basename(place.path)}.load`);
    try {
      await mkdir(dirname(path), { recursive: true });
      const known = Staging.#resume(place, path, id);
      if (known !== null) return known;
      await removeFiles(path);
      return new Staging(place, path, id);
    } catch (error) {
      throw fileError(error, place.name);
    }
  }

  static #resume(place: Place, path: string, id: string): Staging | null {
    let staging: Staging | undefined;
    try {
      staging = new Staging(place, path, id);
      if (staging.#isOf(id)) return staging;
    } catch (error) {
      // A file that a broken disk or another program has spoilt holds nothing that cannot be read again.
      if (!isSpoilt(error)) throw error;
    }
    staging?.close();
    return null;
  }

  private constructor(place: Place, path: string, id: string) {
    this.#name = place.name;
    this.#path = path;
    this.#database = new DatabaseSync(path, { timeout: 5_000 });
    try {
      this.#database.exec(`
        PRAGMA cache_size = -${CACHE_KIB};
        CREATE TABLE IF NOT EXISTS load (id TEXT NOT NULL, position TEXT, rows INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, texts TEXT NOT NULL);
        CREATE TEMP TABLE difference (key TEXT PRIMARY KEY, kind TEXT NOT NULL)`);
      this.#database.prepare('INSERT INTO load SELECT ?, NULL, 0 WHERE NOT EXISTS (SELECT 1 FROM load)').run(id);
      this.#put = this.#database.prepare(
        'INSERT INTO row (key, texts) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET texts = excluded.texts',
      );
      this.#find = this.#database.prepare('SELECT id, texts FROM row WHERE key = ?');
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Stages what `fill` puts, all of it with the position or nothing.
   * @param fill  answers how many rows it has put
   */
  async page(position: string, fill: (put: (key: string, texts: string) => void) => Promise<number>): Promise<void> {
    this.#attempt(() => this.#database.exec('BEGIN IMMEDIATE'));
    try {
      const put = (key: string, texts: string) => void this.#attempt(() => this.#put.run(key, texts));
      const rows = this.rows + (await fill(put));
      this.#attempt(() => {
        this.#database.prepare('UPDATE load SET position = ?, rows = ?').run(position, rows);
        this.#database.exec('COMMIT');
      });
      this.position = position;
      this.rows = rows;
    } catch (error) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** How many keys there are. */
  count(): number {
    return this.#attempt(() => this.#database.prepare('SELECT count(*) AS n FROM row').get()!.n as number);
  }

  find(key: string): StagedRow | undefined {
    return this.#attempt(() => this.#find.get(key) as unknown as StagedRow | undefined);
  }

  /** Every row, in the order of the ids. */
  *all(): Generator<StagedRow & { readonly key: string }> {
    yield* this.#list<StagedRow & { key: string }>('SELECT id, key, texts FROM row ORDER BY id');
  }

  /** Differences live as long as the connection: who comes later compares anew. */
  noteDifferences(differences: readonly { readonly key: string; readonly kind: string }[]): void {
    const note = this.#database.prepare('INSERT OR REPLACE INTO difference VALUES (?, ?)');
    this.#attempt(() => {
      for (const { key, kind } of differences) note.run(key, kind);
    });
  }

  forgetDifferences(): void {
    this.#attempt(() => this.#database.exec('DELETE FROM difference'));
  }

  *differences(): Generator<{ readonly key: string; readonly kind: 'missing' | 'extra' | 'different' }> {
    yield* this.#list<{ key: string; kind: 'missing' | 'extra' | 'different' }>('SELECT key, kind FROM difference');
  }

  async discard(): Promise<void> {
    this.close();
    await removeFiles(this.#path);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #isOf(id: string): boolean {
    const known = this.#database.prepare('SELECT id, position, rows FROM load').get() as
      | { id: string; position: string | null; rows: number }
      | undefined;
    if (known?.id !== id) return false;
    this.position = known.position;
    this.rows = known.rows;
    return true;
  }

  *#list<T>(sql: string): Generator<T> {
    try {
      yield* this.#database.prepare(sql).iterate() as unknown as Iterable<T>;
    } catch (error) {
      throw fileError(error, this.#name);
    }
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fileError(error, this.#name);
    }
  }
}

async function removeFiles(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}-journal`, { force: true });
}

/** SQLITE_ERROR (tables that are not ours), SQLITE_CORRUPT, SQLITE_NOTADB. */
function isSpoilt(error: unknown): boolean {
  return [1, 11, 26].includes(Number((error as { errcode?: unknown }).errcode) & 0xff);
}
