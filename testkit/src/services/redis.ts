import { join } from 'node:path';
import { bringPackages, librariesOf, programOf } from './bring.ts';
import { type RunningServer, startServer } from './server.ts';

/** The server, what it is linked with, and what of it Debian keeps in another package. */
const PACKAGES = [
  'redis-server',
  'redis-tools',
  'libjemalloc2',
  'liblua5.1-0',
  'liblzf1',
  'libhiredis0.14',
  'lua-bitop',
  'lua-cjson',
];

/** Starts a Redis: this machine's own, else Debian's package, unpacked into the cache and not installed. */
export async function startRedis(): Promise<RunningServer> {
  const { command, env } = await redisServer();
  return startServer({
    name: 'redis',
    startMs: 20_000,
    url: (port) => `redis://127.0.0.1:${port}`,
    prepare: async (home, port) => ({
      command,
      env,
      // What is acknowledged is on disk, as a queue wants it.
      args: [
        '--port',
        `${port}`,
        '--bind',
        '127.0.0.1',
        '--dir',
        home,
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
        '--save',
        '',
      ],
    }),
  });
}

async function redisServer(): Promise<{ command: string; env: NodeJS.ProcessEnv }> {
  const own = await programOf('redis-server');
  if (own !== null) return { command: own, env: {} };
  const folder = await bringPackages('redis', PACKAGES, 'Redis for tests, where there is no redis-server,');
  return { command: join(folder, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: librariesOf(folder) } };
}
