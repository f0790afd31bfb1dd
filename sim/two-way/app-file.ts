import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import { createConnector } from '../../connectors/sqlite/connector.ts';
import { type App, columns, type Row, type RowChange, type RowEdit, recordOf, statementOf } from './app.ts';
import type { SideRecord } from './fields.ts';

const json = (row: string) => `json_object(${columns.map((name) => `'${name}', ${row}.${name}`).join(', ')})`;
const julianEpochDays = 2440587.5;

/** In a SQLite file. */
export class AppFile implements App {
  readonly path: string;
  readonly #app: DatabaseSync;
  readonly #watcher: DatabaseSync;
  readonly #changes: ReturnType<DatabaseSync['prepare']>;
  #seen = 0;
  /** Nothing was written since somebody looked. */
  #looked = false;

  /** @param now  the time on this machine */
  constructor(path: string, now: () => number) {
    this.path = path;
    removeFile(path);
    const app = new DatabaseSync(path, { timeout: 0 });
    app.exec('PRAGMA journal_mode = WAL');
    app.exec(`CREATE TABLE customers (
      id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, phone TEXT, revenue REAL, notes TEXT, site TEXT, crm_id TEXT UNIQUE)`);
    app.exec('CREATE TABLE written (seq INTEGER PRIMARY KEY, id INTEGER, was TEXT, became TEXT, writer TEXT)');
    // The triggers of the capture ask for the time of the true clock.
    app.function('julianday', { varargs: true }, () => julianEpochDays + now() / 86_400_000);
    this.#app = app;
    this.#watcher = new DatabaseSync(path, { timeout: 0 });
    this.#changes = this.#watcher.prepare('SELECT seq, id, was, became, writer FROM written WHERE seq > ? ORDER BY seq');
  }

  get connection(): object {
    return { type: 'sqlite', path: this.path, busyTimeoutMs: 0 };
  }

  connector(scheduler: Scheduler, life: Life, delay: () => number, beforeMerge: () => Promise<void>): AnyConnector {
    const files = new Set<object>();
    const sqlite = createConnector({
      runInProcess: (op, work, file) => {
        if (!files.has(file)) {
          files.add(file);
          life.onAbandoned(() => file.close());
        }
        const call = async () => {
          if (op === 'beginMerge') await beforeMerge();
          this.#looked = false;
          return work();
        };
        return scheduler.outside(life, `sqlite ${op}`, call, { beforeMs: delay(), afterMs: delay() });
      },
    });
    return sqlite as AnyConnector;
  }

  async watch(spells: boolean): Promise<void> {
    if (spells) {
      for (const on of ['INSERT', 'UPDATE OF site']) {
        this.#app.exec(`CREATE TRIGGER spell_${on.slice(0, 6)} AFTER ${on} ON customers WHEN NEW.site IS NOT upper(NEW.site) BEGIN
          UPDATE customers SET site = upper(site) WHERE id = NEW.id; END`);
      }
    }
    const written = (on: string, id: string, was: string, became: string) =>
      this.#app.exec(`CREATE TRIGGER watch_${on} AFTER ${on} ON customers BEGIN
        INSERT INTO written (id, was, became, writer) VALUES (${id}, ${was}, ${became}, (SELECT units FROM _tidemark_writer)); END`);
    written('INSERT', 'NEW.id', 'NULL', json('NEW'));
    written('UPDATE', 'NEW.id', json('OLD'), json('NEW'));
    written('DELETE', 'OLD.id', json('OLD'), 'NULL');
  }

  changes(): RowChange[] {
    if (this.#looked) return [];
    this.#looked = true;
    const rows = this.#changes.all(this.#seen) as unknown as Written[];
    if (rows.length > 0) this.#seen = rows.at(-1)!.seq;
    return rows.map(({ id, was, became, writer }) => ({
      key: String(id),
      before: was === null ? null : recordOf(JSON.parse(was) as Row),
      after: became === null ? null : recordOf(JSON.parse(became) as Row),
      ours: writer !== null,
    }));
  }

  async read(): Promise<Map<string, SideRecord>> {
    const rows = this.#watcher.prepare(`SELECT id, ${json('customers')} AS row FROM customers`).all();
    return new Map(rows.map(({ id, row }) => [String(id), recordOf(JSON.parse(String(row)) as Row)]));
  }

  keys(): string[] {
    return this.#app
      .prepare('SELECT id FROM customers ORDER BY id')
      .all()
      .map(({ id }) => String(id));
  }

  async begin(edits: readonly RowEdit[]): Promise<boolean> {
    if (this.#app.isTransaction) return false;
    try {
      this.#app.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if ((error as { errcode?: number }).errcode === 5) return false;
      throw error;
    }
    for (const { sql, values } of edits.map(statementOf)) this.#app.prepare(sql).run(...values);
    return true;
  }

  async commit(): Promise<void> {
    this.#looked = false;
    if (this.#app.isTransaction) this.#app.exec('COMMIT');
  }

  async close(): Promise<void> {
    if (this.#app.isTransaction) this.#app.exec('ROLLBACK');
    this.#app.close();
    this.#watcher.close();
    removeFile(this.path);
  }
}

interface Written {
  readonly seq: number;
  readonly id: number;
  readonly was: string | null;
  readonly became: string | null;
  readonly writer: string | null;
}

function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
