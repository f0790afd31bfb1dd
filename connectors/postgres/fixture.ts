import { newRow, type Row, systemClock } from '@tidemark/core';
import { createTestDatabase } from '@tidemark/testkit';
import { type PostgresConfig, postgresConfig } from './config.ts';
import { driverConfig } from './connect.ts';
import connector from './connector.ts';
import { openPool, type Pool, type QueryResult, query } from './driver.ts';

export const context = {
  connection: 'trial',
  clock: systemClock,
  random: Math.random,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  fetch,
  baseDir: '.',
};

/** A database of a test file's own, with a connection that is not the connector's to look at it. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  sql(text: string, values?: readonly unknown[]): Promise<QueryResult['rows']>;
  /** Any number of statements without parameters. */
  script(text: string): Promise<void>;
  /** Further sessions, which whoever opens them ends. */
  open(max: number): Pool;
  connect(config?: Partial<PostgresConfig>): ReturnType<typeof connector.open>;
  drop(): Promise<void>;
}

export async function testDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  const config = (given: Partial<PostgresConfig> = {}) => postgresConfig.parse({ url: database.url, poolMax: 4, ...given });
  const open = (max: number) =>
    openPool({ ...driverConfig(config(), context), max, options: '-c TimeZone=UTC -c DateStyle=ISO' });
  const pool = open(2);
  const connections: ReturnType<typeof connector.open>[] = [];
  const using = async <T>(work: (client: Awaited<ReturnType<Pool['connect']>>) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  };
  return {
    url: database.url,
    pool,
    sql: (text, values = []) => using(async (client) => (await query(client, text, values)).rows),
    script: (text) => using(async (client) => void (await client.query(text))),
    open,
    connect(given) {
      const connection = connector.open(config(given), context);
      connections.push(connection);
      return connection;
    },
    async drop() {
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await pool.end();
      await database.drop();
    },
  };
}

export function row(values: { readonly [field: string]: Row[string] }): Row {
  return Object.assign(newRow(), values);
}
