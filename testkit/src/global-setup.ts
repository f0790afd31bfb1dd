import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startService } from './services/start-service.ts';
import { SERVICES, type ServiceName, STARTER_VARIABLE } from './services/test-service.ts';

/**
 * One server of a kind for a whole run of vitest, started by the first test that asks for it: a run without such a test pays
 * nothing. Workers are processes of their own, so they ask over a loopback port that is told to them in the environment.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const starting = new Map<ServiceName, ReturnType<(typeof startService)[ServiceName]>>();
  const starter = createServer((request, reply) => {
    const name = SERVICES.find((each) => request.url === `/${each}`);
    if (request.method !== 'POST' || name === undefined) return void reply.writeHead(404).end();
    const server = starting.get(name) ?? startService[name]();
    starting.set(name, server);
    server.then(
      ({ url }) => reply.end(url),
      (error: unknown) => reply.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve) => starter.listen(0, '127.0.0.1', resolve));
  process.env[STARTER_VARIABLE] = `http://127.0.0.1:${(starter.address() as AddressInfo).port}`;
  return async () => {
    await new Promise((resolve) => {
      starter.close(resolve);
      starter.closeAllConnections();
    });
    for (const server of starting.values()) await (await server.catch(() => undefined))?.stop();
  };
}
