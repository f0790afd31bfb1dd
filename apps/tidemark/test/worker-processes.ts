import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TcpProxy, WatchedDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { expect, vi } from 'vitest';
import { Workplace } from '../src/testing.ts';

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
/** A machine that does much else at the same time may take so long for anything. */
export const patient = { timeout: 90_000, interval: 250 };

export interface RunningWorker {
  readonly child: ChildProcess;
  /** As the state store names it. */
  readonly name: string;
}

/** Real processes that share the syncs of one configuration by one Postgres, which is their target as well. */
export class WorkerProcesses implements AsyncDisposable {
  readonly place: Workplace;
  readonly database: Awaited<ReturnType<typeof createTestDatabase>>;
  readonly session: pg.Client;
  readonly eye: WatchedDatabase;
  readonly #running = new Set<ChildProcess>();
  /** For whoever wants to know why. */
  readonly #said = new Map<string, string[]>();

  private constructor(database: Awaited<ReturnType<typeof createTestDatabase>>, session: pg.Client, env: object) {
    this.database = database;
    this.session = session;
    this.eye = new WatchedDatabase(session);
    this.place = new Workplace({ ...env, STATE_URL: database.url, TARGET_URL: database.url });
  }

  /** @param config  with `app` for the database */
  static async open(
    config: { readonly connections: object; readonly syncs: object },
    env: object = {},
  ): Promise<WorkerProcesses> {
    const database = await createTestDatabase();
    const session = new pg.Client({ connectionString: database.url });
    await session.connect();
    const opened = new WorkerProcesses(database, session, env);
    const app = { type: 'postgres', url: '$' + '{TARGET_URL}' };
    const written = { ...config, connections: { ...config.connections, app }, store: { url: '$' + '{STATE_URL}' } };
    opened.place.write('tidemark.yaml', JSON.stringify(written));
    return opened;
  }

  /** Each as a user of its own, so that the database knows who writes. */
  async start(options: { readonly through?: TcpProxy } = {}): Promise<RunningWorker> {
    const own = await this.eye.user(this.database.url);
    const state = options.through?.through(own.href) ?? own.href;
    const env = {
      ...{ PATH: process.env.PATH ?? '', TIDEMARK_CONFIG: this.place.path('tidemark.yaml') },
      ...{ ...this.place.env, STATE_URL: state, TARGET_URL: own.href },
    };
    const child = spawn(process.execPath, [bin, 'start', '--port', 'off'], { env });
    this.#running.add(child);
    child.on('close', () => this.#running.delete(child));
    const said: string[] = [];
    child.stderr.on('data', (data) => said.push(String(data)));
    this.#said.set(own.username, said);
    await vi.waitFor(() => expect(said.join('')).toContain('this worker takes over'), patient);
    return { child, name: expect.stringMatching(new RegExp(`:${child.pid}$`)) };
  }

  /** Who runs everything, and nobody more than a fair part of it. */
  async sharedBy(units: number, ...expected: readonly RunningWorker[]): Promise<void> {
    await vi.waitFor(async () => {
      const { out } = await this.place.call('status', '--json');
      const { workers } = JSON.parse(out) as { workers: { name: string; owns: string[] }[] };
      const found = workers.filter(({ owns }) => owns.length > 0);
      expect(found).toHaveLength(expected.length);
      for (const { name } of expected) expect(found).toContainEqual(expect.objectContaining({ name }));
      expect(found.flatMap(({ owns }) => owns)).toHaveLength(units);
      for (const { owns } of found) expect(owns.length).toBeLessThanOrEqual(Math.ceil(units / expected.length));
    }, patient);
  }

  /** What each of them has said last. */
  tell(): void {
    for (const [role, said] of this.#said) console.error(`${role}:\n${said.join('').slice(-4000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    this.place[Symbol.dispose]();
    await this.session.end();
    await this.database.drop();
  }
}
