import { DatabaseSync } from 'node:sqlite';
import type { Row } from '@tidemark/core';
import type { CsvTable, Texts } from './csv-table.ts';

/**
 * Finds lines by key. The file is read through once for each content that it has, into a temporary database (a path of '' is one
 * that SQLite keeps on the disk and takes away by itself), so that neither time nor memory grow with the number of questions.
 */
export class CsvIndex {
  readonly #table: CsvTable;
  #database: DatabaseSync | null = null;
  #edition: string | null = null;

  constructor(table: CsvTable) {
    this.#table = table;
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const found = new Map<string, Row>();
    const find = (await this.#current()).prepare('SELECT texts FROM line WHERE key = ?');
    const names = this.#table.spec.schema.fields.map(({ name }) => name);
    for (const key of keys) {
      const texts = find.get(key)?.texts as string | undefined;
      if (texts === undefined) continue;
      const values = JSON.parse(texts) as Texts;
      found.set(key, this.#table.rowOf(new Map(names.map((name, i) => [name, values[i]!]))));
    }
    return found;
  }

  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  async #current(): Promise<DatabaseSync> {
    const edition = await this.#table.edition();
    if (this.#database !== null && edition === this.#edition) return this.#database;
    this.close();
    const database = new DatabaseSync('');
    try {
      database.exec('PRAGMA journal_mode = OFF; CREATE TABLE line (key TEXT PRIMARY KEY, texts TEXT NOT NULL); BEGIN');
      const put = database.prepare('INSERT OR REPLACE INTO line VALUES (?, ?)');
      for await (const line of this.#table.lines()) {
        const key = this.#table.keyOf(line);
        if (key !== null && !this.#table.isMarked(line)) put.run(key, JSON.stringify(this.#table.textsIn(line)));
      }
      database.exec('COMMIT');
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    this.#edition = edition;
    return database;
  }
}
