import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { TargetConnection } from './org.ts';

/** The database of an application that writes its table itself. */
export interface AppTable extends AsyncDisposable {
  readonly connection: TargetConnection;
  /** One transaction. */
  setPhone(id: number, phone: string): Promise<void>;
  /** Ids of the org's records, by the table's own. */
  partners(): Promise<Map<number, string>>;
  /** What was written by anybody since `atMs`. */
  writtenSince(atMs: number): Promise<{ readonly id: number; readonly phone: string; readonly atMs: number }[]>;
}

const columns = (key: string, time: string) =>
  `id ${key}, name TEXT NOT NULL, phone TEXT, crm_id TEXT UNIQUE, updated_at_ms ${time} NOT NULL DEFAULT 0`;

export async function postgresTable(url: string, table: string, rows: number): Promise<AppTable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE TABLE ${table} (${columns('INTEGER PRIMARY KEY', 'DOUBLE PRECISION')})`);
  await client.query(
    `INSERT INTO ${table} (id, name, phone) SELECT n, 'Company ' || n, '' || n FROM generate_series(1, $1::int) n`,
    [rows],
  );
  await client.query(`CREATE INDEX ON ${table} (updated_at_ms)`);
  const set = { name: `set-${table}`, text: `UPDATE ${table} SET phone = $2, updated_at_ms = $3 WHERE id = $1` };
  return {
    connection: { type: 'postgres', url },
    async setPhone(id, phone) {
      await client.query({ ...set, values: [id, phone, Date.now()] });
    },
    async partners() {
      const { rows } = await client.query<{ id: number; crm_id: string }>(
        `SELECT id, crm_id FROM ${table} WHERE crm_id IS NOT NULL`,
      );
      return new Map(rows.map(({ id, crm_id }) => [id, crm_id]));
    },
    async writtenSince(atMs) {
      const text = `SELECT id, phone, updated_at_ms AS "atMs" FROM ${table} WHERE updated_at_ms > $1 ORDER BY updated_at_ms`;
      return (await client.query(text, [atMs])).rows;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

export async function sqliteTable(path: string, table: string, rows: number): Promise<AppTable> {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(`CREATE TABLE ${table} (${columns('INTEGER PRIMARY KEY AUTOINCREMENT', 'REAL')})`);
  const insert = database.prepare(`INSERT INTO ${table} (id, name, phone) VALUES (?, ?, ?)`);
  database.exec('BEGIN');
  for (let n = 1; n <= rows; n++) insert.run(n, `Company ${n}`, String(n));
  database.exec('COMMIT');
  const set = database.prepare(`UPDATE ${table} SET phone = ?, updated_at_ms = ? WHERE id = ?`);
  const since = database.prepare(
    `SELECT id, phone, updated_at_ms AS atMs FROM ${table} WHERE updated_at_ms > ? ORDER BY updated_at_ms`,
  );
  return {
    connection: { type: 'sqlite', path },
    async setPhone(id, phone) {
      set.run(phone, Date.now(), id);
    },
    async partners() {
      const found = database.prepare(`SELECT id, crm_id FROM ${table} WHERE crm_id IS NOT NULL`).all();
      return new Map(found.map(({ id, crm_id }) => [Number(id), String(crm_id)]));
    },
    async writtenSince(atMs) {
      return since.all(atMs) as unknown as { id: number; phone: string; atMs: number }[];
    },
    async [Symbol.asyncDispose]() {
      database.close();
    },
  };
}
