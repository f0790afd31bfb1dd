import type { Generated, Kysely, RawBuilder } from 'kysely';
import type { PostgresSession } from './postgres-session.ts';

/** The store's tables. Texts that come from outside go through `toStored`; times are epoch ms; rows and counts are JSON. */
export interface Tables {
  runs: {
    id: Generated<number>;
    sync: string;
    kind: string;
    state: string;
    started_at_ms: number;
    finished_at_ms: number | null;
    window_from_ms: number | null;
    window_to_ms: number | null;
    counts: string;
    error: string | null;
    held_by: string | null;
  };
  failures: {
    id: Generated<number>;
    sync: string;
    key: string;
    op: string;
    row: string | null;
    stamp_ms: number;
    code: string;
    message: string;
    place: string;
    attempts: number;
    first_at_ms: number;
    last_at_ms: number;
    next_attempt_at_ms: number;
  };
  /** One row for each unit of work; it is never deleted, so that an epoch is never given out twice (P11). */
  checkpoints: { unit: string; epoch: number; checkpoint: string | null };
  paused_syncs: { sync: string };
  seen: { sync: string; key: string; stamp_ms: number; hash: string };
  named_values: { name: string; value: string };
  /** What steps made once and never again. */
  made_values: { scope: string; key: string; value: string };
  links: {
    sync: string;
    left_key: string;
    right_key: string;
    base: string;
    gone: string | null;
    changed_at_ms: number;
  };
  /** Values are JSON. */
  conflicts: {
    id: Generated<number>;
    sync: string;
    left_key: string;
    right_key: string;
    field: string | null;
    base_value: string;
    left_value: string;
    right_value: string;
    state: string;
    outcome: string;
    why: string;
    at_ms: number;
  };
  /** The journal: events as they came. Bytes of the payload are the source's own. */
  events: {
    seq: Generated<number>;
    stream: string;
    replay_id: string;
    id: string;
    schema_id: string;
    dataset: string;
    transaction_key: string;
    committed_at_ms: number;
    received_at_ms: number;
    format: string;
    payload: Uint8Array;
  };
  event_schemas: { stream: string; id: string; schema: string };
  /** Calls made of a system, by stretches of time. */
  api_calls: { connection: string; from_ms: number; priority: string; calls: number };
  /** Workers that share the syncs, by the server's clock; who has not beaten for long is gone. */
  workers: {
    id: string;
    name: string;
    version: string;
    config: string;
    started_at_ms: number;
    beat_at_ms: number;
    /** Of its session, at the server. */
    pid: number;
  };
  /** What workers are configured to run, as JSON, and when the first of them came with it. */
  worker_configs: { config: string; configured: string; since_ms: number };
  /** Who says that he owns what. That he does is a matter of locks. */
  owned_units: { unit: string; worker: string };
  access_tokens: {
    id: string;
    name: string;
    role: string;
    digest: string;
    created_at_ms: number;
    used_at_ms: number | null;
  };
  audit: { id: Generated<number>; at_ms: number; who: string; what: string; status: number; came_from: string };
  /** What connections stand for that stand for many. `sealed` is encrypted; `holder` spends it at this time. */
  orgs: {
    connection: string;
    name: string;
    org_id: string;
    url: string;
    login_url: string | null;
    state: string;
    reason: string | null;
    overrides: string;
    sealed: string;
    key_id: string;
    version: number;
    holder: string | null;
    held_until_ms: number | null;
    created_at_ms: number;
    updated_at_ms: number;
  };
  sign_ins: { digest: string; connection: string; org: string; sealed: string; expires_at_ms: number };
  /** What is wrong and was told, and what is still to be told, each to one receiver. */
  troubles: { kind: string; subject: string; since_ms: number; clear_since_ms: number | null };
  notifications: { id: Generated<number>; receiver: string; body: string; created_at_ms: number };
  notification_turns: { receiver: string; next_at_ms: number; attempts: number };
  journals: { stream: string; dataset: string; stretch: string; since_seq: number; retention_ms: number };
}

/** An open database, and the few things in which SQLite and Postgres differ for us. */
export interface Database {
  readonly db: Kysely<Tables>;
  readonly dialect: 'sqlite' | 'postgres';
  /** Whether the column's value is one of these, as one bound parameter however many they are. */
  among(column: 'id' | 'key' | 'left_key' | 'right_key', values: readonly string[] | readonly number[]): RawBuilder<boolean>;
  /** Serializes migrations between processes, until the transaction ends. */
  lockForMigration(transaction: Kysely<Tables>): Promise<void>;
  /** A write that need not survive a power cut. SQLite would otherwise hold up the process until the disk has it. */
  unflushed<Result>(write: (db: Kysely<Tables>) => Promise<Result>): Promise<Result>;
  /** Runs one statement for each of these, within a transaction that is open; absent where a statement for all is quicker. */
  runEach?(statement: string, rows: readonly (readonly unknown[])[]): void;
  /** A connection of its own to the server; absent where there is none. */
  openSession?(name: string): Promise<PostgresSession>;
  /** A driver's error as one of ours; anything else comes back as it is. */
  translate(error: unknown): unknown;
}
