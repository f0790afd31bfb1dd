import type { EventEmitter } from 'node:events';
import type { AnyConnector } from '@tidemark/core';
import { type RunningPostgres, startPostgres } from '@tidemark/testkit';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import pg from 'pg';
import type { CopyStreamQuery } from 'pg-copy-streams';
import { createConnector } from '../../connectors/postgres/connector.ts';
import { type Client, openPool, type Pool } from '../../connectors/postgres/driver.ts';
import type { Mapped, Values } from './mapping.ts';
import type { Copy, SimulatedTarget } from './simulated-target.ts';

/** One server for all worlds of a process. */
let server: Promise<RunningPostgres> | undefined;
let databases = 0;

export async function stopServer(): Promise<void> {
  await (await server)?.stop();
  server = undefined;
}

/**
 * A database of a real server. Its statements are begun in turn and take as long as they take, because one may wait for another: a
 * world on it is not the same twice.
 */
export class TargetPostgres implements SimulatedTarget {
  readonly readsAtOnce = false;
  readonly #url: string;
  readonly #admin: pg.Client;

  private constructor(url: string, admin: pg.Client) {
    this.#url = url;
    this.#admin = admin;
  }

  static async create(): Promise<TargetPostgres> {
    server ??= startPostgres();
    const { url } = await server;
    const root = new pg.Client({ connectionString: url });
    await root.connect();
    const name = `world_${databases++}`;
    await root.query(`CREATE DATABASE ${name}`);
    await root.end();
    const own = new URL(url);
    own.pathname = `/${name}`;
    const admin = new pg.Client({ connectionString: own.href });
    await admin.connect();
    return new TargetPostgres(own.href, admin);
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

  /** Writers of other rows wait for nobody. */
  lock(): boolean {
    return false;
  }

  unlock(): void {}

  async close(): Promise<void> {
    await this.#admin.end();
  }
}

class SimulatedPool implements Pool {
  readonly options: Pool['options'];
  readonly #pool: Pool;
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #clients = new Set<Client>();
  #ended: Promise<void> | undefined;

  constructor(pool: Pool, scheduler: Scheduler, life: Life) {
    this.options = pool.options;
    this.#pool = pool;
    this.#scheduler = scheduler;
    this.#life = life;
    // What was open is rolled back by the server.
    life.onAbandoned(() => {
      for (const client of this.#clients) client.release(true);
      void this.#endPool();
    });
  }

  async connect(): Promise<Client> {
    const client = await this.#scheduler.beside(this.#life, 'postgres connect', () => this.#pool.connect());
    this.#clients.add(client);
    const query = (statement: string | { readonly text: string } | CopyStreamQuery) => {
      if (typeof statement === 'object' && 'submit' in statement) {
        const stream = client.query(statement as never) as unknown as EventEmitter;
        // Of a life that was abandoned nobody listens any more.
        return stream.on('error', () => {});
      }
      const text = typeof statement === 'string' ? statement : statement.text;
      return this.#scheduler.beside(this.#life, `postgres ${text.slice(0, 40)}`, async () => client.query(statement as never));
    };
    return {
      query: query as unknown as Client['query'],
      on: (event, listener) => client.on(event, listener),
      release: (destroy) => {
        this.#clients.delete(client);
        client.release(destroy);
      },
      processID: client.processID,
    };
  }

  end(): Promise<void> {
    return this.#scheduler.beside(this.#life, 'postgres end', () => this.#endPool());
  }

  on(event: 'error' | 'connect', listener: (subject: never) => void): void {
    this.#pool.on(event, listener);
  }

  /** A life can be abandoned while it ends its pool; a pool refuses to be ended twice. */
  #endPool(): Promise<void> {
    this.#ended ??= this.#pool.end();
    return this.#ended;
  }
}
