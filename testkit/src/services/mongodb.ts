import { createHash } from 'node:crypto';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringOnce, needProgram, runProgram } from './bring.ts';
import { type RunningServer, startServer } from './server.ts';

const MODULE = fileURLToPath(new URL('./ferretdb', import.meta.url));

/**
 * Starts a server that speaks MongoDB's protocol: FerretDB over SQLite, built once from the Go modules that `ferretdb/go.sum` pins,
 * which takes a few minutes. It has no transactions, change streams or validators: `TIDEMARK_TEST_MONGODB_URL` names a server that has.
 */
export async function startMongodb(): Promise<RunningServer> {
  const command = await ferretdb();
  return startServer({
    name: 'mongodb',
    startMs: 30_000,
    url: (port) => `mongodb://127.0.0.1:${port}/`,
    prepare: async (home, port) => {
      const data = join(home, 'data');
      await mkdir(data);
      return { command, args: [`127.0.0.1:${port}`, data] };
    },
  });
}

async function ferretdb(): Promise<string> {
  const go = await needProgram('go', 'A MongoDB server for tests');
  const sources = await Promise.all(['go.sum', 'main.go'].map((name) => readFile(join(MODULE, name))));
  const digest = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12);
  const folder = await bringOnce(`ferretdb-${digest}`, async (beside) => {
    const module = join(beside, 'module');
    await cp(MODULE, module, { recursive: true });
    await runProgram(go, ['build', '-buildvcs=false', '-o', join(beside, 'ferretdb'), '.'], { cwd: module });
  });
  return join(folder, 'ferretdb');
}
