import type { AnyConnector } from '@tidemark/core';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import type pg from 'pg';
import { createConnector } from '../../connectors/postgres/connector.ts';
import { openPool } from '../../connectors/postgres/driver.ts';
import { createDatabase, SimulatedPool } from '../lib/postgres.ts';
import type { Mapped, Values } from './mapping.ts';
import type { Copy, SimulatedTarget } from './simulated-target.ts';

/** A database of a real server. */
export class TargetPostgres implements SimulatedTarget {
  readonly readsAtOnce = false;
  readonly polls = 0;
  readonly #url: string;
  readonly #admin: pg.Client;

  private constructor(url: string, admin: pg.Client) {
    this.#url = url;
    this.#admin = admin;
  }

  static async create(): Promise<TargetPostgres> {
    const { url, session } = await createDatabase();
    return new TargetPostgres(url, session);
  }

  get connection(): object {
    return { type: 'postgres', url: this.#url };
  }

  connector(scheduler: Scheduler, life: Life): AnyConnector {
    return createConnector({ openPool: (config) => new SimulatedPool(openPool(config), scheduler, life) }) as AnyConnector;
  }

  async read(mappings: readonly Mapped[]): Promise<Copy | null> {
    const tables = new Map<string, ReadonlyMap<string, Values>>();
    await this.#admin.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    try {
      for (const { table, fields, computed, deletes } of mappings) {
        const found = await this.#admin.query('SELECT to_regclass($1) AS found', [table]);
        if (found.rows[0].found === null) return null;
        const columns = [...Object.keys(fields), ...Object.keys(computed)].map((name) => `"${name}"`).join(', ');
        const alive = deletes === 'mark' ? ' WHERE "_tidemark_deleted_at" IS NULL' : '';
        const { rows } = await this.#admin.query(`SELECT ${columns} FROM "${table}"${alive}`);
        tables.set(table, new Map((rows as Values[]).map((row) => [row.id!, row])));
      }
      return tables;
    } finally {
      await this.#admin.query('COMMIT');
    }
  }

  /** Asked by who reads at once. */
  position(): string | null {
    return null;
  }

  /** Writers of other rows wait for nobody. */
  lock(): boolean {
    return false;
  }

  unlock(): void {}

  async close(): Promise<void> {
    await this.#admin.end();
  }
}
