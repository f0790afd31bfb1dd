import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { AccessDeniedError, NotConnectedError, TransientError } from '../base/errors.ts';
import { openPostgresSession, storeServer } from './postgres-session.ts';
import type { Database, Tables } from './tables.ts';

/** A schema of our own, so that the store may share a database with the tables it fills. */
export const STORE_SCHEMA = 'tidemark_store';

/** Any number, the same in every version: names the advisory lock under which migrations run. */
const MIGRATION_LOCK = 7_140_331_052;

const INT8 = 20;

/** The driver's words, which have no code. */
const NO_TLS = 'The server does not support SSL connections';

export async function openPostgresDatabase(url: string): Promise<Database> {
  const pool = new pg.Pool({
    ...storeServer(url, 'tidemark store'),
    max: 4,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    // Our integers are ids, counts and epoch ms: a double holds them.
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as never },
  });
  // A connection that breaks while idle is replaced by the next use, which reports what goes wrong then.
  pool.on('error', () => {});
  // One that breaks under a statement tells that statement; unheard, it would end the process as well.
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema(STORE_SCHEMA);
  return {
    db,
    dialect: 'postgres',
    among: (column, values) => {
      const type = sql.raw(column === 'id' ? 'bigint[]' : 'text[]');
      return sql`${sql.ref(column)} = any(${values}::${type})`;
    },
    unflushed: (write) => write(db),
    async lockForMigration(transaction) {
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction);
      // Asked first, because `if not exists` wants the right to create even when the schema is there.
      const found = await sql`select 1 from pg_namespace where nspname = ${STORE_SCHEMA}`.execute(transaction);
      if (found.rows.length === 0) await sql`create schema ${sql.id(STORE_SCHEMA)}`.execute(transaction);
      // Kysely adds the schema to its own statements, and not to those that a migration writes out.
      await sql`set local search_path to ${sql.id(STORE_SCHEMA)}`.execute(transaction);
    },
    openSession: (name) => openPostgresSession(url, name),
    translate: translatePostgres,
  };
}

function translatePostgres(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = String((error as { code?: unknown }).code ?? '');
  const message = `the state store refuses: ${error.message === '' ? code : error.message}`;
  // Wrong password, no such user or database, no right.
  if (['28P01', '28000', '3D000', '42501'].includes(code)) {
    return new AccessDeniedError(message, {
      cause: error,
      hint: 'look at the user, the password and the rights in the url of the store',
    });
  }
  if (/^(ERR_TLS_)?[A-Z_]*(CERT|UNABLE_TO_VERIFY)[A-Z_]*$/.test(code) || error.message === NO_TLS) {
    return new AccessDeniedError(message, {
      cause: error,
      hint: 'sslrootcert in the url of the store names the file with the certificate of its authority; sslmode=disable speaks plain text',
    });
  }
  // Connection failures, a server that stops or starts, too many clients, and what the socket says.
  if (
    /^(08|57P|53300)|^(ECONN|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOST|ENET)/.test(code) ||
    /timeout|terminated/i.test(error.message)
  ) {
    return new NotConnectedError(message, { cause: error, hint: 'is the database server of the state store running?' });
  }
  // Serialization, deadlock, lock not available; out of disk or memory.
  if (/^(40|55P03|53)/.test(code)) return new TransientError(message, { cause: error });
  return error;
}
