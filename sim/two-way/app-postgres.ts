import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import pg from 'pg';
import { createConnector } from '../../connectors/postgres/connector.ts';
import { openPool } from '../../connectors/postgres/driver.ts';
import { createDatabase, SimulatedPool } from '../lib/postgres.ts';
import { type App, columns, type Row, type RowChange, type RowEdit, recordOf, statementOf } from './app.ts';
import type { SideRecord } from './fields.ts';

/** Somebody holds a lock for longer than the application waits. */
const busy = new Set(['55P03', '40P01']);

/** On a real server, whose statements may wait for each other: people's, too, so that such a world is not the same twice. */
export class AppPostgres implements App {
  readonly #url: string;
  readonly #app: pg.Client;
  readonly #watcher: pg.Client;
  readonly #rows = new Map<string, SideRecord>();
  #changes: RowChange[] = [];
  #isOpen = false;

  private constructor(url: string, app: pg.Client, watcher: pg.Client) {
    this.#url = url;
    this.#app = app;
    this.#watcher = watcher;
  }

  static async create(): Promise<AppPostgres> {
    const { url, session } = await createDatabase();
    await session.query(`CREATE TABLE customers (
      id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL, phone TEXT, revenue DOUBLE PRECISION, notes TEXT,
      site TEXT, crm_id TEXT UNIQUE)`);
    await session.query(
      "CREATE TABLE written (seq BIGSERIAL PRIMARY KEY, id INTEGER, was JSON, became JSON, writer TEXT); SET lock_timeout = '100ms'",
    );
    const watcher = new pg.Client({ connectionString: url });
    await watcher.connect();
    return new AppPostgres(url, session, watcher);
  }

  get connection(): object {
    return { type: 'postgres', url: this.#url };
  }

  connector(scheduler: Scheduler, life: Life, _delay: () => number, beforeMerge: () => Promise<void>): AnyConnector {
    const hooks = {
      before: async (text: string) => {
        if (/ FOR (NO KEY )?UPDATE/.test(text)) await beforeMerge();
      },
      after: async (text: string) => {
        if (/^COMMIT/.test(text)) await this.#fetch();
      },
    };
    const open: typeof openPool = (config) => new SimulatedPool(openPool(config), scheduler, life, hooks);
    return createConnector({ openPool: open }) as AnyConnector;
  }

  async watch(spells: boolean): Promise<void> {
    const json = (row: string) => `json_build_object(${columns.map((name) => `'${name}', ${row}.${name}`).join(', ')})`;
    const writer = "nullif(current_setting('tidemark.writer', true), '')";
    await this.#app.query(`CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO written (id, was, became, writer) VALUES (coalesce(NEW.id, OLD.id),
        CASE WHEN OLD IS NOT NULL OR TG_OP <> 'INSERT' THEN ${json('OLD')} END,
        CASE WHEN TG_OP <> 'DELETE' THEN ${json('NEW')} END, ${writer});
      RETURN NULL; END $$`);
    await this.#app.query(
      'CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION watch()',
    );
    if (!spells) return;
    await this.#app.query(`CREATE FUNCTION spell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      NEW.site := upper(NEW.site); RETURN NEW; END $$`);
    await this.#app.query('CREATE TRIGGER spell BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION spell()');
  }

  changes(): RowChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  async read(): Promise<ReadonlyMap<string, SideRecord>> {
    await this.#fetch();
    return this.#rows;
  }

  keys(): string[] {
    return [...this.#rows.keys()];
  }

  async begin(edits: readonly RowEdit[]): Promise<boolean> {
    if (this.#isOpen) return false;
    this.#isOpen = true;
    await this.#app.query('BEGIN');
    try {
      for (const { sql, values } of edits.map(statementOf)) {
        let n = 0;
        await this.#app.query(
          sql.replaceAll('?', () => `$${++n}`),
          [...values],
        );
      }
      return true;
    } catch (error) {
      await this.#app.query('ROLLBACK');
      this.#isOpen = false;
      if (busy.has((error as { code?: string }).code ?? '')) return false;
      throw error;
    }
  }

  async commit(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#app.query('COMMIT');
    this.#isOpen = false;
    await this.#fetch();
  }

  async close(): Promise<void> {
    await this.#app.end();
    await this.#watcher.end();
  }

  /** What has been committed since. Who wrote a row later is behind: each waited for the one before. */
  async #fetch(): Promise<void> {
    const { rows } = await this.#watcher.query<Written>(
      'WITH taken AS (DELETE FROM written RETURNING *) SELECT * FROM taken ORDER BY seq',
    );
    for (const { id, was, became, writer } of rows) {
      const key = String(id);
      const after = became === null ? null : recordOf(became);
      if (after === null) this.#rows.delete(key);
      else this.#rows.set(key, after);
      this.#changes.push({ key, before: was === null ? null : recordOf(was), after, ours: writer !== null });
    }
  }
}

interface Written {
  readonly id: number;
  readonly was: Row | null;
  readonly became: Row | null;
  readonly writer: string | null;
}
