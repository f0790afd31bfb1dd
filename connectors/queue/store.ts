/** One value as both databases hold it. */
export type SqlValue = string | number | null;

/** Statements of one transaction. Parameters are written `$1`, `$2` in either database. */
export interface Session {
  query(sql: string, parameters?: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]>;
}

/** The database that keeps the queues: SQLite and PostgreSQL behind one interface, so that a queue is one thing in both. */
export interface Store {
  /** Whether anything of ours is there yet. Never makes a file. */
  exists(signal?: AbortSignal): Promise<boolean>;
  /** Makes what is not there. Idempotent, whoever does it at the same time. */
  ensure(): Promise<void>;
  /** One view of what is committed, or at least never less than an earlier statement saw. */
  read<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** A transaction: all of it or nothing. Calls `work` again when the database wants it so. */
  write<T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** As statements use a table of ours. */
  table(name: TableName): string;
  /** For messages; no password. */
  readonly description: string;
  close(): Promise<void>;
}

export type TableName = 'queues' | 'messages' | 'consumers' | 'checkpoints' | 'posts' | 'post_tokens';

/**
 * `queues.last_seq` is the counter of a queue and its lock at once: who appends raises it first and holds the row until the commit.
 * So messages become visible in the order of their numbers, and who has read one has passed none that is still to come (P1).
 * `slot` spreads keys over 256 slots, for readers that one day share a queue. `posts` tell what was handed over at once.
 */
export function createStatements(table: (name: TableName) => string): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${table('queues')} (name text PRIMARY KEY, id text NOT NULL, schema_json text NOT NULL,
       last_seq bigint NOT NULL DEFAULT 0, gone_seq bigint NOT NULL DEFAULT 0)`,
    `CREATE TABLE IF NOT EXISTS ${table('messages')} (queue text NOT NULL, seq bigint NOT NULL, slot integer NOT NULL, op text NOT NULL,
       record_key text NOT NULL, record_json text, stamp_ms bigint NOT NULL, at_ms bigint NOT NULL, PRIMARY KEY (queue, seq))`,
    `CREATE TABLE IF NOT EXISTS ${table('consumers')} (queue text NOT NULL, consumer text NOT NULL, seq bigint NOT NULL,
       seen_ms bigint NOT NULL, PRIMARY KEY (queue, consumer))`,
    `CREATE TABLE IF NOT EXISTS ${table('checkpoints')} (unit text PRIMARY KEY, epoch bigint NOT NULL, checkpoint text)`,
    `CREATE TABLE IF NOT EXISTS ${table('posts')} (id text PRIMARY KEY, queue text NOT NULL, first_seq bigint NOT NULL,
       last_seq bigint NOT NULL, digest text NOT NULL, keys_json text NOT NULL, outcomes_json text, at_ms bigint NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS _tidemark_queue_posts_waiting ON ${table('posts')} (queue, first_seq) WHERE outcomes_json IS NULL`,
    `CREATE INDEX IF NOT EXISTS _tidemark_queue_posts_by_age ON ${table('posts')} (queue, at_ms)`,
    `CREATE TABLE IF NOT EXISTS ${table('post_tokens')} (queue text NOT NULL, token text NOT NULL, post text NOT NULL,
       at_ms bigint NOT NULL, PRIMARY KEY (queue, token))`,
    `CREATE INDEX IF NOT EXISTS _tidemark_queue_post_tokens_by_age ON ${table('post_tokens')} (queue, at_ms)`,
  ];
}
