import { InvariantError } from '@tidemark/core';
import pg from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import { toSyncError } from './errors.ts';

/** What we use of `pg`: every result as rows of text, so that nothing is converted that nobody asked for. */
export interface QueryResult {
  /** Every value as the server's text: `values.ts` knows what it means. */
  readonly rows: readonly (readonly (string | null)[])[];
  readonly rowCount: number | null;
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number; readonly dataTypeModifier: number }[];
}

export interface Client {
  query(config: {
    text: string;
    values?: readonly unknown[];
    name?: string;
    rowMode: 'array';
    types: typeof asText;
  }): Promise<QueryResult>;
  query(text: string): Promise<unknown>;
  query(stream: CopyStreamQuery): CopyStreamQuery;
  on(event: 'error', listener: (error: Error) => void): void;
  release(destroy?: boolean | Error): void;
  readonly processID: number | null;
}

export interface Pool {
  connect(): Promise<Client>;
  end(): Promise<void>;
  readonly options: { readonly host?: string; readonly port?: number; readonly database?: string };
  on(event: 'error' | 'connect', listener: (subject: never) => void): void;
}

const asText = { getTypeParser: () => (value: string) => value };

export function openPool(config: object): Pool {
  const pool = new pg.Pool({
    application_name: 'tidemark',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...config,
  }) as unknown as Pool;
  // A connection that breaks is reported by the statement that meets it; without a listener it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client: Client) => client.on('error', () => {}));
  return pool;
}

/** One statement with parameters. Rows come as arrays of text. */
export function query(client: Client, text: string, values: readonly unknown[] = []): Promise<QueryResult> {
  return client.query({ text, values, rowMode: 'array', types: asText });
}

/** As `query`, under a name, so that this session plans it once. */
export function queryPrepared(client: Client, text: string, values: readonly unknown[], name: string): Promise<QueryResult> {
  return client.query({ text, values, name, rowMode: 'array', types: asText });
}

export interface TransactionOptions {
  readonly readOnly?: boolean;
  readonly isolation?: 'repeatable read';
  /** Further `SET LOCAL`s, e.g. `work_mem = '64MB'`. */
  readonly settings?: readonly string[];
  /** Set at once, which saves a journey to the server. */
  readonly savepoint?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A transaction in the hands of its owner. Ends once: what is asked of it after that does nothing. */
export interface OpenTransaction {
  readonly client: Client;
  /**
   * Fails when the signal has aborted, and rolls back then.
   *
   * @param last  a statement that goes along, which saves a journey to the server; when it fails, nothing is committed
   */
  commit(last?: string): Promise<void>;
  /** Never fails: a connection that cannot even do this is given up, and the server rolls back. */
  rollback(): Promise<void>;
}

/** When `signal` aborts, the running statement is cancelled. */
export async function openTransaction(pool: Pool, options: TransactionOptions): Promise<OpenTransaction> {
  const { signal } = options;
  signal?.throwIfAborted();
  const client = await connected(pool);
  const cancel = () => void cancelStatement(pool, client);
  signal?.addEventListener('abort', cancel, { once: true });
  let isOpen = true;
  const end = (broken: boolean) => {
    signal?.removeEventListener('abort', cancel);
    client.release(broken);
  };
  const rollback = async () => {
    if (!isOpen) return;
    isOpen = false;
    end(
      await client.query('ROLLBACK').then(
        () => false,
        () => true,
      ),
    );
  };
  try {
    await begin(client, options);
  } catch (error) {
    await rollback();
    throw error;
  }
  return {
    client,
    rollback,
    async commit(last) {
      if (!isOpen) return;
      try {
        signal?.throwIfAborted();
        await client.query(last === undefined ? 'COMMIT' : `${last}; COMMIT`);
      } catch (error) {
        await rollback();
        throw error;
      }
      isOpen = false;
      end(false);
    },
  };
}

/**
 * Runs `work` in a transaction, so that everything we set holds in it only: behind a pooler in transaction mode the session
 * belongs to others. Errors come out as ours. When `signal` aborts, the running statement is cancelled.
 */
export async function transaction<T>(pool: Pool, options: TransactionOptions, work: (client: Client) => Promise<T>): Promise<T> {
  let opened: OpenTransaction | undefined;
  try {
    opened = await openTransaction(pool, options);
    const result = await work(opened.client);
    await opened.commit();
    return result;
  } catch (error) {
    await opened?.rollback();
    options.signal?.throwIfAborted();
    throw toSyncError(error);
  }
}

/** A result of any size, some rows at a time, over a cursor. Holds a connection until it is read to its end or left. */
export async function* portions(
  pool: Pool,
  sql: string,
  values: readonly unknown[],
  options: { readonly rows: number; readonly settings?: readonly string[] },
): AsyncGenerator<QueryResult['rows']> {
  const client = await connected(pool);
  let broken = false;
  try {
    await begin(client, { readOnly: true, ...(options.settings === undefined ? {} : { settings: options.settings }) });
    await query(client, `DECLARE portion NO SCROLL CURSOR FOR ${sql}`, values);
    for (;;) {
      const { rows } = await query(client, `FETCH ${options.rows} FROM portion`);
      if (rows.length === 0) return;
      yield rows;
    }
  } catch (error) {
    throw toSyncError(error);
  } finally {
    await client.query('ROLLBACK').catch(() => {
      broken = true;
    });
    client.release(broken);
  }
}

async function connected(pool: Pool): Promise<Client> {
  try {
    return await pool.connect();
  } catch (error) {
    const { host, port, database } = pool.options;
    throw toSyncError(error, ` at ${host}:${port}/${database}`);
  }
}

/**
 * A process that freezes within a transaction keeps its row locks, and whoever goes on in its place would wait for ever; shorter than
 * what a take-over may cost (P11). Waiting for the bytes of a COPY is not idle.
 */
const FROZEN_MS = 10_000;

async function begin(client: Client, options: TransactionOptions): Promise<void> {
  const frozen = options.readOnly ? [] : [`idle_in_transaction_session_timeout = ${FROZEN_MS}`];
  const settings = ["TimeZone = 'UTC'", "DateStyle = 'ISO, YMD'", "bytea_output = 'hex'", ...frozen, ...(options.settings ?? [])];
  const statement = `BEGIN ISOLATION LEVEL ${options.isolation ?? 'read committed'}${options.readOnly ? ' READ ONLY' : ''}`;
  // A constraint that waits for the commit would fail the whole transaction there, without a word about the record (P2).
  const immediate = options.readOnly ? [] : ['SET CONSTRAINTS ALL IMMEDIATE'];
  const savepoint = options.savepoint === undefined ? [] : [`SAVEPOINT ${options.savepoint}`];
  await client.query([statement, ...settings.map((setting) => `SET LOCAL ${setting}`), ...immediate, ...savepoint].join('; '));
}

async function cancelStatement(pool: Pool, client: Client): Promise<void> {
  if (client.processID === null) return;
  try {
    const other = await pool.connect();
    try {
      await query(other, 'SELECT pg_cancel_backend($1)', [client.processID]);
    } finally {
      other.release();
    }
  } catch {
    // Then the statement runs to its end and its transaction is rolled back all the same.
  }
}

/**
 * Sends `chunks` through a `COPY … FROM STDIN`. While one chunk is on its way the next is made; never more than that is queued,
 * because pg-copy-streams keeps the bytes of queued writes by reference, and because a queue that is still flushing when the
 * server refuses the COPY ends the process with a TypeError. `sent` hears when no chunk is left to be made; the server may be busy
 * with the last ones for a while.
 */
export async function copyIn(
  client: Client,
  sql: string,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  sent?: () => void,
): Promise<number> {
  const stream = client.query(copyFrom(sql));
  let refused = false;
  const finished = new Promise<void>((resolve, reject) => {
    stream.once('finish', resolve);
    stream.on('error', (error) => {
      refused = true;
      reject(error);
    });
  });
  finished.catch(() => {});
  try {
    let onItsWay: Promise<void> = Promise.resolve();
    for await (const chunk of chunks) {
      // What has failed comes first: a stream that has lost its connection must not be written to.
      await Promise.race([finished, onItsWay]);
      onItsWay = new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
    }
    sent?.();
    await Promise.race([finished, onItsWay]);
  } catch (error) {
    if (refused) await finished;
    // The chunks could not be made: take the statement back, so that the connection is free for the ROLLBACK.
    stream.destroy(new InvariantError('the rows could not be read to their end'));
    await finished.catch(() => {});
    throw error;
  }
  stream.end();
  await finished;
  return stream.rowCount;
}
