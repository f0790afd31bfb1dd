import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server that runs for tests, on loopback, with data that go with it. */
export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  /** Path of what it says. */
  readonly log: string;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly name: string;
  /** Makes what it needs in `home`, and says how it is started. */
  prepare(home: string, port: number): Promise<{ command: string; args: readonly string[]; env?: NodeJS.ProcessEnv }>;
  readonly url: (port: number) => string;
  /** It has so long to answer on its port. */
  readonly startMs: number;
}

/** Starts a server on a free port, and ends it with this process at the latest. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { name, url, startMs } = options;
  const home = await mkdtemp(join(tmpdir(), `tidemark-${name}-`));
  const log = join(home, `${name}.log`);
  const port = await freePort();
  let child: ChildProcess;
  try {
    const { command, args, env } = await options.prepare(home, port);
    const out = openSync(log, 'a');
    child = spawn(command, args, { cwd: home, env: { ...process.env, ...env }, stdio: ['ignore', out, out] });
    await answers(child, port, startMs);
  } catch (error) {
    const said = readText(log).slice(-2000);
    await rm(home, { recursive: true, force: true });
    throw new Error(`${name} did not start: ${error instanceof Error ? error.message : error}\n${said}`, { cause: error });
  }
  const abandoned = () => {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  };
  process.once('exit', abandoned);
  return {
    url: url(port),
    pid: child.pid!,
    log,
    async stop() {
      process.off('exit', abandoned);
      await ended(child);
      await rm(home, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function answers(child: ChildProcess, port: number, startMs: number): Promise<void> {
  const gone = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
  });
  gone.catch(() => {});
  const until = Date.now() + startMs;
  while (!(await Promise.race([accepts(port), gone]))) {
    if (Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`it did not answer on port ${port} within ${startMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    // What has its data in a temporary folder has nothing to lose.
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.once('exit', () => {
      clearTimeout(late);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
