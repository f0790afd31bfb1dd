import type { EventEmitter } from 'node:events';
import { type RunningPostgres, startPostgres } from '@tidemark/testkit';
import type { Life, Scheduler } from '@tidemark/testkit/simulation';
import pg from 'pg';
import type { CopyStreamQuery } from 'pg-copy-streams';
import type { Client, Pool } from '../../connectors/postgres/driver.ts';

/** One server for all worlds of a process. */
let server: Promise<RunningPostgres> | undefined;
let databases = 0;

export async function stopServer(): Promise<void> {
  await (await server)?.stop();
  server = undefined;
}

/** A database of its own for a world, and a session in it that is not the engine's. */
export async function createDatabase(): Promise<{ readonly url: string; readonly session: pg.Client }> {
  server ??= startPostgres();
  const { url } = await server;
  const root = new pg.Client({ connectionString: url });
  await root.connect();
  const name = `world_${databases++}`;
  await root.query(`CREATE DATABASE ${name}`);
  await root.end();
  const own = new URL(url);
  own.pathname = `/${name}`;
  const session = new pg.Client({ connectionString: own.href });
  await session.connect();
  return { url: own.href, session };
}

/** What a world does around the statements of its engine. */
export interface StatementHooks {
  /** In its turn, right before it goes to the server. */
  before?(text: string): Promise<void>;
  /** Once the server has answered, and before the engine knows. */
  after?(text: string): Promise<void>;
}

/**
 * Connections of one life of the engine to a real server. Its statements are begun in turn and take as long as they take, because one
 * may wait for another: a world on it is not the same twice.
 */
export class SimulatedPool implements Pool {
  readonly options: Pool['options'];
  readonly #pool: Pool;
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #hooks: StatementHooks;
  readonly #clients = new Set<Client>();
  #ended: Promise<void> | undefined;

  constructor(pool: Pool, scheduler: Scheduler, life: Life, hooks: StatementHooks = {}) {
    this.#hooks = hooks;
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
      return this.#scheduler.beside(this.#life, `postgres ${text.slice(0, 40)}`, async () => {
        await this.#hooks.before?.(text);
        const result = await client.query(statement as never);
        await this.#hooks.after?.(text);
        return result;
      });
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
