import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '../testkit/src/services/bring.ts';
import { startService } from '../testkit/src/services/start-service.ts';
import { ownServerVariable, SERVICES, type ServiceName } from '../testkit/src/services/test-service.ts';

const USAGE = `Servers for developing: ${SERVICES.join(', ')}, on free ports of this machine, with data that go when they stop.

Usage: npm run services -- up [name...]    starts these, or all, and prints the lines that point the tests at them
       npm run services -- status          what runs
       npm run services -- down            ends what "up" started
`;

const folder = cacheFolder();
const state = join(folder, 'running.json');
const log = join(folder, 'services.log');

/** What a process that holds the servers has written about itself. `servers` grows as they come up. */
interface Running {
  readonly pid: number;
  readonly servers: { readonly [name: string]: { readonly url: string } | { readonly error: string } };
  readonly done: boolean;
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } });
const [command, ...names] = positionals;
const unknown = names.filter((name) => !(SERVICES as readonly string[]).includes(name));
const wanted = (names.length > 0 ? names : SERVICES) as readonly ServiceName[];

if (values.help || command === undefined) process.stdout.write(USAGE);
else if (unknown.length > 0) fail(`there is no server ${unknown.join(', ')}`);
else if (command === 'up') await up();
else if (command === 'status') status();
else if (command === 'down') await down();
else if (command === 'hold') await hold();
else fail(`there is no command ${command}`);

async function up(): Promise<void> {
  if (read() !== null) return fail('they run already: npm run services -- status, or down');
  mkdirSync(folder, { recursive: true });
  rmSync(state, { force: true });
  const out = openSync(log, 'w');
  const child = spawn(process.execPath, [import.meta.filename, 'hold', ...wanted], {
    detached: true,
    stdio: ['ignore', out, out],
  });
  closeSync(out);
  child.unref();
  process.stderr.write(`starting ${wanted.join(', ')}; what has to be brought first can take minutes (${log})\n`);
  let isGone = false;
  child.once('exit', () => {
    isGone = true;
  });
  while (!isGone && !read()?.done) await new Promise((resolve) => setTimeout(resolve, 200));
  const running = read();
  if (running === null) return fail(`nothing came up; ${log} says why`);
  tell(running);
}

function status(): void {
  const running = read();
  if (running === null) process.stdout.write('nothing runs\n');
  else tell(running);
}

async function down(): Promise<void> {
  const running = read();
  if (running === null) return void process.stdout.write('nothing runs\n');
  process.kill(running.pid, 'SIGTERM');
  while (isAlive(running.pid)) await new Promise((resolve) => setTimeout(resolve, 100));
  rmSync(state, { force: true });
}

/** The process that `up` leaves behind: its servers are its children and end with it. */
async function hold(): Promise<void> {
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const started: { stop(): Promise<void> }[] = [];
  const servers: Record<string, { url: string } | { error: string }> = {};
  const write = (done: boolean) => writeFileSync(state, JSON.stringify({ pid: process.pid, servers, done } satisfies Running));
  write(false);
  for (const name of wanted) {
    try {
      const server = await startService[name]();
      started.push(server);
      servers[name] = { url: server.url };
    } catch (error) {
      servers[name] = { error: error instanceof Error ? error.message : String(error) };
    }
    write(false);
  }
  write(true);
  // A signal alone does not keep a process alive.
  const alive = setInterval(() => {}, 60_000);
  await stop;
  for (const server of started.reverse()) await server.stop();
  clearInterval(alive);
  rmSync(state, { force: true });
}

/** Null when nothing runs: the file of a process that was killed says nothing. */
function read(): Running | null {
  if (!existsSync(state)) return null;
  try {
    const running = JSON.parse(readFileSync(state, 'utf8')) as Running;
    return isAlive(running.pid) ? running : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function tell({ servers }: Running): void {
  for (const [name, server] of Object.entries(servers)) {
    if ('url' in server) process.stdout.write(`export ${ownServerVariable(name as ServiceName)}='${server.url}'\n`);
    else process.stderr.write(`${name}: ${server.error}\n`);
    if ('error' in server) process.exitCode = 1;
  }
}

function fail(message: string): void {
  process.stderr.write(`${message}\n\n${USAGE}`);
  process.exitCode = 2;
}
