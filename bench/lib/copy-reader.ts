import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { TargetConnection } from './org.ts';

/** A connection of somebody else's to the database that is written. */
export interface CopyReader extends AsyncDisposable {
  /** Every value as text. A table that is not there has no rows. */
  rows(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
}

export async function openCopyReader(target: TargetConnection): Promise<CopyReader> {
  if (target.type === 'sqlite') return new SqliteReader(target.path);
  const client = new pg.Client({
    connectionString: target.url,
    types: { getTypeParser: () => (value: string) => value } as never,
  });
  await client.connect();
  return {
    async rows(sql) {
      try {
        return (await client.query(sql)).rows;
      } catch (error) {
        if ((error as { code?: string }).code === '42P01') return [];
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

class SqliteReader implements CopyReader {
  readonly #path: string;
  #database: DatabaseSync | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async rows(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]> {
    if (this.#database === null && !existsSync(this.#path)) return [];
    this.#database ??= new DatabaseSync(this.#path, { timeout: 10_000 });
    try {
      return this.#database.prepare(sql).all() as unknown as Record<string, string | null>[];
    } catch (error) {
      if (/no such table/.test((error as Error).message)) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database?.close();
  }
}
