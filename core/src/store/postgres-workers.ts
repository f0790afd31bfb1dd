import { createHash, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { NotConnectedError, OwnershipLostError, RequestRefusedError, TransientError } from '../base/errors.ts';
import { poolerProblem } from './pooler-problem.ts';
import { STORE_SCHEMA } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database } from './tables.ts';
import {
  LATE_MS,
  type LiveWorker,
  type Peer,
  SILENT_MS_MAX,
  type Worker,
  type WorkerSession,
  type WorkerStore,
} from './workers.ts';

const NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint';
const WORKERS = `${STORE_SCHEMA}.workers`;
const CONFIGS = `${STORE_SCHEMA}.worker_configs`;
const UNITS = `${STORE_SCHEMA}.owned_units`;
/** Advisory locks share one space of numbers with every other program that uses this database. */
const KEY = `hashtextextended('tidemark unit ' || unit, 0)`;
/** A configuration is known for so long after the last worker that had it: one that is started anew is not a new one. */
const FORGOTTEN_MS = 300_000;
/** Who is gone is counted in for a moment longer than the server keeps his locks: whoever then looks for them finds them free. */
const GONE_MS = SILENT_MS_MAX + 500;

/** Who was heard of lately, and whose session is there: the server knows at once when a process is killed. */
const LIVES = `(w.beat_at_ms > ${NOW} - ${GONE_MS} and exists (select from pg_stat_activity a where a.pid = w.pid))`;

/** Opens a connection of its own to the store's server. */
export type OpenSession = (name: string) => Promise<PostgresSession>;

/**
 * Ownership by advisory locks of one session for each worker. The server lets go of them when the session ends, and it ends the
 * session of a process that is killed, frozen or cut off: `idle_session_timeout` is for the latter two.
 */
export function postgresWorkers(open: OpenSession, { db, translate }: Pick<Database, 'db' | 'translate'>): WorkerStore {
  return {
    isShared: true,
    async check() {
      return (await poolerProblem(() => open('tidemark check'))) ?? [];
    },
    async join(worker) {
      try {
        return await join(worker, await open(`tidemark worker ${worker.name}`), translate);
      } catch (error) {
        throw refusal(translate(error));
      }
    },
    async workers() {
      const { rows } = await sql<Omit<LiveWorker, 'startedAtMs'> & { readonly started: string }>`${sql.raw(LIVING)}`.execute(db);
      return rows.map(({ started, owns, ...worker }) => ({
        ...worker,
        startedAtMs: Number(started),
        owns: owns.map(fromStored),
      }));
    },
  };
}

const LIVING = `
  select w.id, w.name, w.version, w.started_at_ms::text as started,
         array(select u.unit from ${UNITS} u where u.worker = w.id order by u.unit) as owns
    from ${WORKERS} w where ${LIVES} order by w.started_at_ms, w.id`;

async function join(worker: Worker, session: PostgresSession, translate: (error: unknown) => unknown): Promise<WorkerSession> {
  const id = randomUUID();
  const { query } = session;
  try {
    await query(`set idle_session_timeout = ${SILENT_MS_MAX}`);
    const [own] = await query<{ pid: number }>('select pg_backend_pid() as pid');
    await enter(query, id, worker);
    return new Session(id, session, own!.pid, translate);
  } catch (error) {
    session.destroy();
    throw error;
  }
}

async function enter(query: PostgresSession['query'], id: string, worker: Worker): Promise<void> {
  const { name, version, startedAtMs, configured } = worker;
  await query(`delete from ${WORKERS} where beat_at_ms < ${NOW} - $1::bigint`, [FORGOTTEN_MS]);
  await query(`delete from ${UNITS} where worker not in (select id from ${WORKERS})`);
  await query(`delete from ${CONFIGS} where config not in (select config from ${WORKERS})`);
  // In one statement: what a worker has nobody throws away.
  await query(
    `with kept as (insert into ${CONFIGS} (config, configured, since_ms) values ($4, $6, ${NOW}) on conflict (config) do nothing)
     insert into ${WORKERS} (id, name, version, config, started_at_ms, beat_at_ms, pid)
     values ($1, $2, $3, $4, $5, ${NOW}, pg_backend_pid())`,
    [id, name, version, nameOf(configured), startedAtMs, JSON.stringify(configured)],
  );
}

function nameOf(configured: Worker['configured']): string {
  const text = JSON.stringify(Object.entries(configured).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(text).digest('hex');
}

class Session implements WorkerSession {
  readonly id: string;
  readonly #session: PostgresSession;
  readonly #pid: number;
  readonly #translate: (error: unknown) => unknown;
  /** Configurations, by their hash. */
  readonly #configs = new Map<string, Pick<Peer, 'configured' | 'configuredAtMs'>>();
  /** As they are stored. */
  readonly #held = new Set<string>();

  constructor(id: string, session: PostgresSession, pid: number, translate: (error: unknown) => unknown) {
    this.id = id;
    this.#session = session;
    this.#pid = pid;
    this.#translate = translate;
  }

  get lost(): AbortSignal {
    return this.#session.lost;
  }

  async announce(configured: Worker['configured']): Promise<void> {
    const config = nameOf(configured);
    // What has come to a configuration makes it no newer.
    await this.#ask(
      `with kept as (insert into ${CONFIGS} (config, configured, since_ms)
                     select $2, $3, c.since_ms from ${WORKERS} w join ${CONFIGS} c on c.config = w.config where w.id = $1
                         on conflict (config) do nothing)
       update ${WORKERS} set config = $2 where id = $1`,
      [this.id, config, JSON.stringify(configured)],
    );
  }

  async beat(): Promise<readonly Peer[]> {
    const rows = await this.#ask<{ id: string; config: string; silent: number; pid: number }>(
      `with own as (update ${WORKERS} set beat_at_ms = ${NOW} where id = $1 returning id)
       select w.id, w.config, (${NOW} - w.beat_at_ms)::int as silent, pg_backend_pid() as pid
         from ${WORKERS} w where w.id in (select id from own) or (w.id <> $1 and ${LIVES})`,
      [this.id],
    );
    const own = rows.find(({ id }) => id === this.id);
    if (own === undefined || own.pid !== this.#pid) {
      throw new OwnershipLostError(
        'the session at the state store is another one now, and what this worker owned is not locked',
        {
          hint: 'is there a pooler in front of Postgres? give the store a url that leads to the server itself',
        },
      );
    }
    await this.#learn(rows.map(({ config }) => config));
    return rows.flatMap(({ id, config, silent }) => {
      const known = this.#configs.get(config);
      return known === undefined ? [] : [{ id, ...known, isLate: id !== this.id && silent > LATE_MS }];
    });
  }

  async take(units: readonly string[], max: number): Promise<readonly string[]> {
    const wanted = units.map(toStored).filter((unit) => !this.#held.has(unit));
    if (wanted.length === 0 || max <= 0) return [];
    const locked: string[] = [];
    try {
      // First what nobody who lives has noted as his: to try locks one by one would be slow where there are many.
      const free = await this.#ask<{ unit: string }>(
        `select wanted.unit from unnest($1::text[]) with ordinality wanted (unit, at)
          where not exists (select from ${UNITS} u join ${WORKERS} w on w.id = u.worker
                             where u.unit = wanted.unit and ${LIVES})
          order by wanted.at limit $2`,
        [wanted, max],
      );
      const names = free.map(({ unit }) => unit);
      const got = await this.#ask<{ unit: string }>(
        `select unit from unnest($1::text[]) unit where pg_try_advisory_lock(${KEY})`,
        [names],
      );
      locked.push(...got.map(({ unit }) => unit));
      await this.#ask(
        `insert into ${UNITS} (unit, worker) select unit, $2 from unnest($1::text[]) unit
           on conflict (unit) do update set worker = excluded.worker`,
        [locked, this.id],
      );
    } catch (error) {
      // A statement that fails halfway keeps the locks that it has got so far.
      await this.#unlock(wanted).catch(() => this.#session.destroy());
      throw error;
    }
    for (const unit of locked) this.#held.add(unit);
    return locked.map(fromStored);
  }

  async give(units: readonly string[]): Promise<void> {
    const own = units.map(toStored).filter((unit) => this.#held.delete(unit));
    if (own.length === 0) return;
    await this.#ask(`delete from ${UNITS} where worker = $1 and unit = any($2::text[])`, [this.id, own]);
    await this.#unlock(own);
  }

  async leave(): Promise<void> {
    await this.#ask(`delete from ${UNITS} where worker = $1`, [this.id]);
    await this.#ask(`delete from ${WORKERS} where id = $1`, [this.id]);
    // The server ends a session when it notices that the connection is closed, which may be after another worker has looked.
    await this.#ask('select pg_advisory_unlock_all()', []);
    this.#session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
  }

  async #unlock(units: readonly string[]): Promise<void> {
    await this.#ask(`select pg_advisory_unlock(${KEY}) from unnest($1::text[]) unit`, [units]);
  }

  async #learn(configs: readonly string[]): Promise<void> {
    const unknown = [...new Set(configs)].filter((config) => !this.#configs.has(config));
    if (unknown.length === 0) return;
    const rows = await this.#ask<{ config: string; configured: string; since: string }>(
      `select config, configured, since_ms::text as since from ${CONFIGS} where config = any($1::text[])`,
      [unknown],
    );
    for (const { config, configured, since } of rows) {
      this.#configs.set(config, { configured: JSON.parse(configured), configuredAtMs: Number(since) });
    }
  }

  async #ask<R extends object>(text: string, values: readonly unknown[]): Promise<R[]> {
    try {
      return await this.#session.query<R>(text, values);
    } catch (error) {
      const known = this.#translate(error);
      if (this.lost.aborted) throw new NotConnectedError('the session at the state store has ended', { cause: error });
      if ((error as { code?: unknown }).code === '53200') {
        throw new TransientError('the server of the state store has no room for more locks', {
          cause: error,
          hint: 'raise max_locks_per_transaction in its settings: one lock for each sync and stream is kept',
        });
      }
      throw known;
    }
  }
}

function refusal(error: unknown): unknown {
  const { code, message } = ((error as { cause?: unknown }).cause ?? error) as { code?: unknown; message?: string };
  if (code !== '42704' || !/idle_session_timeout/.test(message ?? '')) return error;
  return new RequestRefusedError('the server of the state store cannot end the session of a process that hangs', {
    cause: error,
    hint: 'use PostgreSQL 14 or newer for the state store, or keep it in a file for one process',
  });
}
