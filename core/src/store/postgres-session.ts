import pg from 'pg';
import { postgresSettings } from '../base/postgres-settings.ts';

/** One connection of its own to the server, whose session is what counts: nobody else's statements run in it. */
export interface PostgresSession {
  query<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** Aborts when the connection is gone. */
  readonly lost: AbortSignal;
  /** At once, whether or not the server can be told. */
  destroy(): void;
}

const CONNECT_MS = 5000;
/** A statement of a session is a matter of milliseconds; a server that takes longer is as good as gone. */
const STATEMENT_MS = 5000;

/** The store holds records that were refused: it is spoken to as safely as the databases that hold the others. */
export function storeServer(url: string, application: string) {
  return postgresSettings(url, { place: 'store', application, baseDir: '.' });
}

/** @throws what the driver throws */
export async function openPostgresSession(url: string, name: string): Promise<PostgresSession> {
  const client = new pg.Client({
    ...storeServer(url, name),
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    keepAlive: true,
  });
  const lost = new AbortController();
  const isLost = () => lost.abort();
  client.on('error', isLost).on('end', isLost);
  await client.connect();
  return {
    query: async <R extends object>(text: string, values: readonly unknown[] = []) =>
      (await client.query<R & pg.QueryResultRow>(text, [...values])).rows,
    lost: lost.signal,
    destroy() {
      lost.abort();
      const { stream } = (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection;
      stream.destroy();
    },
  };
}
