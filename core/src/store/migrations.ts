import { type Kysely, sql } from 'kysely';
import type { Database, Tables } from './tables.ts';

export interface Migration {
  readonly version: number;
  up(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void>;
}

/** Forward only, and each stays as it was released: a database may come from any of them. */
export const migrations: readonly Migration[] = [
  { version: 1, up: createTables },
  { version: 2, up: createJournal },
  { version: 3, up: createLinks },
  { version: 4, up: createCalls },
  { version: 5, up: createAccess },
  { version: 6, up: createWorkers },
  { version: 7, up: createOrgs },
  { version: 8, up: createNotifications },
  { version: 9, up: indexRuns },
];

async function createTables(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void> {
  const { schema } = transaction;
  const id = autoId(dialect);

  await sql`create table ${sql.table('runs')} (
    id ${id}, sync text not null, kind text not null, state text not null,
    started_at_ms bigint not null, finished_at_ms bigint, window_from_ms bigint, window_to_ms bigint,
    counts text not null, error text, held_by text)`.execute(transaction);
  await schema.createIndex('runs_by_sync').on('runs').columns(['sync', 'state', 'id']).execute();

  await sql`create table ${sql.table('failures')} (
    id ${id}, sync text not null, key text not null, op text not null, row text, stamp_ms bigint not null,
    code text not null, message text not null, place text not null, attempts integer not null,
    first_at_ms bigint not null, last_at_ms bigint not null, next_attempt_at_ms bigint not null,
    unique (sync, key))`.execute(transaction);
  await schema.createIndex('failures_by_due').on('failures').columns(['sync', 'next_attempt_at_ms']).execute();

  await sql`create table ${sql.table('checkpoints')} (
    unit text primary key, epoch bigint not null, checkpoint text)`.execute(transaction);
  await sql`create table ${sql.table('paused_syncs')} (sync text primary key)`.execute(transaction);
  await sql`create table ${sql.table('seen')} (
    sync text not null, key text not null, stamp_ms bigint not null, hash text not null,
    primary key (sync, key))`.execute(transaction);
  await schema.createIndex('seen_by_stamp').on('seen').columns(['sync', 'stamp_ms']).execute();
  await sql`create table ${sql.table('named_values')} (name text primary key, value text not null)`.execute(transaction);
}

async function createJournal(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void> {
  const seq = autoId(dialect);
  const bytes = sql.raw(dialect === 'sqlite' ? 'blob' : 'bytea');
  // An event that comes again is the one that is there: of one replay id there may be several, each with an id of its own.
  await sql`create table ${sql.table('events')} (
    seq ${seq}, stream text not null, replay_id text not null, id text not null, schema_id text not null,
    dataset text not null, transaction_key text not null, committed_at_ms bigint not null, received_at_ms bigint not null,
    format text not null, payload ${bytes} not null, unique (stream, replay_id, id))`.execute(transaction);
  await transaction.schema.createIndex('events_by_dataset').on('events').columns(['stream', 'dataset', 'seq']).execute();
  await sql`create table ${sql.table('event_schemas')} (
    stream text not null, id text not null, schema text not null, primary key (stream, id))`.execute(transaction);
  await sql`create table ${sql.table('journals')} (
    stream text not null, dataset text not null, stretch text not null, since_seq bigint not null,
    retention_ms bigint not null, primary key (stream, dataset))`.execute(transaction);
}

async function createLinks(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void> {
  const id = autoId(dialect);
  await sql`create table ${sql.table('links')} (
    sync text not null, left_key text not null, right_key text not null, base text not null, gone text,
    changed_at_ms bigint not null, primary key (sync, left_key), unique (sync, right_key))`.execute(transaction);
  await sql`create table ${sql.table('conflicts')} (
    id ${id}, sync text not null, left_key text not null, right_key text not null, field text,
    base_value text not null, left_value text not null, right_value text not null,
    state text not null, outcome text not null, why text not null, at_ms bigint not null)`.execute(transaction);
  await transaction.schema.createIndex('conflicts_by_record').on('conflicts').columns(['sync', 'left_key', 'field']).execute();
  await sql`create table ${sql.table('made_values')} (
    scope text not null, key text not null, value text not null, primary key (scope, key))`.execute(transaction);
}

async function createCalls(transaction: Kysely<Tables>): Promise<void> {
  await sql`create table ${sql.table('api_calls')} (
    connection text not null, from_ms bigint not null, priority text not null, calls bigint not null,
    primary key (connection, from_ms, priority))`.execute(transaction);
}

async function createAccess(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void> {
  await sql`create table ${sql.table('access_tokens')} (
    id text primary key, name text not null, role text not null, digest text not null,
    created_at_ms bigint not null, used_at_ms bigint)`.execute(transaction);
  await sql`create table ${sql.table('audit')} (
    id ${autoId(dialect)}, at_ms bigint not null, who text not null, what text not null, status integer not null,
    came_from text not null)`.execute(transaction);
  await transaction.schema.createIndex('audit_by_time').on('audit').columns(['at_ms']).execute();
}

async function createWorkers(transaction: Kysely<Tables>): Promise<void> {
  await sql`create table ${sql.table('workers')} (
    id text primary key, name text not null, version text not null, config text not null,
    started_at_ms bigint not null, beat_at_ms bigint not null, pid integer not null)`.execute(transaction);
  await sql`create table ${sql.table('worker_configs')} (
    config text primary key, configured text not null, since_ms bigint not null)`.execute(transaction);
  await sql`create table ${sql.table('owned_units')} (unit text primary key, worker text not null)`.execute(transaction);
  await transaction.schema.createIndex('owned_units_by_worker').on('owned_units').columns(['worker']).execute();
}

async function createOrgs(transaction: Kysely<Tables>): Promise<void> {
  await sql`create table ${sql.table('orgs')} (
    connection text not null, name text not null, org_id text not null, url text not null, login_url text,
    state text not null, reason text, overrides text not null,
    sealed text not null, key_id text not null, version bigint not null, holder text, held_until_ms bigint,
    created_at_ms bigint not null, updated_at_ms bigint not null,
    primary key (connection, name), unique (connection, org_id))`.execute(transaction);
  await sql`create table ${sql.table('sign_ins')} (
    digest text primary key, connection text not null, org text not null, sealed text not null,
    expires_at_ms bigint not null)`.execute(transaction);
}

async function createNotifications(transaction: Kysely<Tables>, dialect: Database['dialect']): Promise<void> {
  await sql`create table ${sql.table('troubles')} (
    kind text not null, subject text not null, since_ms bigint not null, clear_since_ms bigint,
    primary key (kind, subject))`.execute(transaction);
  await sql`create table ${sql.table('notifications')} (
    id ${autoId(dialect)}, receiver text not null, body text not null, created_at_ms bigint not null)`.execute(transaction);
  await transaction.schema.createIndex('notifications_by_receiver').on('notifications').columns(['receiver', 'id']).execute();
  await sql`create table ${sql.table('notification_turns')} (
    receiver text primary key, next_at_ms bigint not null, attempts integer not null)`.execute(transaction);
}

/** The newest run of each sync is looked for every few seconds, by whoever watches. */
async function indexRuns(transaction: Kysely<Tables>): Promise<void> {
  await transaction.schema.createIndex('runs_by_age').on('runs').columns(['sync', 'id']).execute();
}

/** Never given out twice, even after the newest row is gone. */
function autoId(dialect: Database['dialect']) {
  return sql.raw(dialect === 'sqlite' ? 'integer primary key autoincrement' : 'bigint generated always as identity primary key');
}
