import { checkServerIdentity } from 'node:tls';
import { AccessDeniedError, NotConnectedError, RequestRefusedError, SyncError, TransientError } from '@tidemark/core';
import pg from 'pg';
import { createStatements, type Session, type SqlValue, type Store, type TableName } from './store.ts';

/** A process that freezes between two statements of ours keeps nobody waiting for longer. */
const FROZEN_MS = 10_000;

/** Queues in a PostgreSQL database. */
export class PostgresStore implements Store {
  readonly description: string;
  readonly #schema: string;
  readonly #pool: pg.Pool;
  #ensured = false;

  constructor(url: string, schema: string, connection: string) {
    this.#schema = schema;
    this.#pool = new pg.Pool({ ...settingsOf(url, connection), max: 6 });
    // A connection that breaks is reported by the statement that meets it; without a listener it would end the process.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    const { host, database } = this.#pool.options;
    this.description = `${host}/${database}`;
  }

  table = (name: TableName): string => `${quoted(this.#schema)}.${quoted(`_tidemark_queue_${name}`)}`;

  exists(signal?: AbortSignal): Promise<boolean> {
    return this.#has('checkpoints', signal);
  }

  async ensure(): Promise<void> {
    // The latest of them: an earlier version of ours made fewer.
    if (await this.#has('post_tokens')) {
      this.#ensured = true;
      return;
    }
    await this.write(async (session) => {
      // `IF NOT EXISTS` alone fails when two sessions meet.
      await session.query(`SELECT pg_advisory_xact_lock(hashtextextended('tidemark queue', 0))`);
      for (const statement of createStatements(this.table)) await session.query(statement);
    });
    this.#ensured = true;
  }

  read<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#transaction('BEGIN READ ONLY', work, signal);
  }

  write<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#transaction(
      `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS}`,
      work,
      signal,
    );
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #has(table: TableName, signal?: AbortSignal): Promise<boolean> {
    if (this.#ensured) return true;
    return this.read(async (session) => {
      const rows = await session.query('SELECT to_regclass($1)::text', [this.table(table)]);
      return rows[0]![0] !== null;
    }, signal);
  }

  async #transaction<T>(begin: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const client = await this.#pool.connect().catch((error) => {
      throw toSyncError(error);
    });
    let broken = false;
    try {
      await client.query(begin);
      const result = await work(sessionOf(client));
      signal?.throwIfAborted();
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {
        broken = true;
      });
      throw toSyncError(error);
    } finally {
      client.release(broken);
    }
  }
}

/** bigint comes as text and holds counters and times here, all of them below 2^53. */
const types = { getTypeParser: (type: number) => (value: string) => (type === 20 || type === 23 ? Number(value) : value) };

function sessionOf(client: pg.PoolClient): Session {
  return {
    async query(text, values = []) {
      const { rows } = await client.query({
        text,
        values: values as SqlValue[],
        rowMode: 'array',
        types: types as pg.CustomTypesConfig,
      });
      return rows as SqlValue[][];
    },
  };
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** A host that is not this machine is spoken to by TLS and has to prove who it is, unless the url says otherwise. */
function settingsOf(url: string, connection: string): pg.PoolConfig {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    // The text itself is not repeated: it holds the password.
    throw new RequestRefusedError(`connections.${connection}.url is no URL`, {
      hint: 'postgres://user:password@host:5432/database, with characters like @ : / in the password percent-encoded',
    });
  }
  const host = parsed.searchParams.get('host') ?? decodeURIComponent(parsed.hostname.replace(/^\[|\]$/g, ''));
  const local = host === '' || host === 'localhost' || host === '::1' || host.startsWith('127.') || host.startsWith('/');
  const mode = parsed.searchParams.get('sslmode') ?? (local ? 'disable' : 'verify-full');
  const user = decodeURIComponent(parsed.username);
  return {
    host: host || 'localhost',
    port: Number(parsed.searchParams.get('port') ?? (parsed.port || 5432)),
    database: decodeURIComponent(parsed.pathname.slice(1)) || user || 'postgres',
    ...(user === '' ? {} : { user }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    application_name: 'tidemark',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ssl: tlsOf(mode, connection),
  };
}

function tlsOf(mode: string, connection: string): pg.PoolConfig['ssl'] {
  if (mode === 'disable') return false;
  if (mode === 'require' || mode === 'no-verify') return { rejectUnauthorized: false };
  if (mode === 'verify-ca') return { checkServerIdentity: () => undefined };
  if (mode === 'verify-full') return { checkServerIdentity };
  throw new RequestRefusedError(`connections.${connection}.url: sslmode ${JSON.stringify(mode)} is unknown`, {
    hint: 'disable, require, verify-ca or verify-full',
  });
}

/** SQLSTATE or a code of Node's sockets: what the engine does next. The message repeats no value of a record. */
function toSyncError(error: unknown): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') {
    return /timeout|terminated|ended/i.test(error.message) && error.name === 'Error'
      ? new NotConnectedError(error.message, { cause: error })
      : error;
  }
  const options = { cause: error };
  if (/^(08|57P|53300|25P03|E[A-Z_]{3,})/.test(code)) return new NotConnectedError(error.message, options);
  if (/^(53|58|40|55P03|57014)/.test(code)) return new TransientError(error.message, options);
  if (/^(28|42501|25006)/.test(code)) {
    return new AccessDeniedError(error.message, {
      ...options,
      hint: 'the user has to log in, and to create and write tables in the schema of the connection',
    });
  }
  return /^[0-9A-Z]{5}$/.test(code) ? new RequestRefusedError(error.message, options) : error;
}
