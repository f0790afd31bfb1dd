import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RunningPostgres, startPostgres } from './postgres.ts';

/**
 * One PostgreSQL for a whole run of vitest, started by the first test that asks for a database: a run without such a test pays
 * nothing. Workers are processes of their own, so they ask over a loopback port that is told to them in the environment.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env.TIDEMARK_TEST_POSTGRES_URL) return async () => {};
  let starting: Promise<RunningPostgres> | undefined;
  const starter = createServer((request, reply) => {
    if (request.method !== 'POST') return void reply.writeHead(405).end();
    starting ??= startPostgres({ tuning: 'fast', settings: { max_connections: '200' } });
    starting.then(
      (server) => reply.end(server.url),
      (error: unknown) => reply.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve) => starter.listen(0, '127.0.0.1', resolve));
  process.env.TIDEMARK_TEST_POSTGRES_STARTER = `http://127.0.0.1:${(starter.address() as AddressInfo).port}`;
  return async () => {
    await new Promise((resolve) => {
      starter.close(resolve);
      starter.closeAllConnections();
    });
    const server = await starting?.catch(() => undefined);
    await server?.stop();
  };
}
