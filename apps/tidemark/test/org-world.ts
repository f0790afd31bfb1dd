import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Clock,
  Engine,
  openStore,
  parseConfig,
  type RunOptions,
  type RunReport,
  type Store,
  seededRandom,
  type Verdict,
} from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import { loadConnectors } from '../src/connectors.ts';

export type TargetKind = 'postgres' | 'sqlite';

export interface WorldOptions {
  readonly target: TargetKind;
  /** Further keys of the sync, as in the file. */
  readonly sync?: object;
  readonly from?: object;
  readonly seed?: number;
  readonly records?: number;
  /** Our clock is this much ahead of the org's. */
  readonly skewMs?: number;
}

/** Whatever waits longer than this is a deadline. */
const DEADLINE_MS = 30_000;
const START = Date.UTC(2026, 2, 4, 5, 6, 7);

/** An org, an engine and a SQL target in one process. Nothing waits for real time: a sleep moves the org's clock. */
export class OrgWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder: string;
  /** Null: the copy is `copy.db` in the folder. */
  readonly databaseUrl: string | null;
  readonly #options: WorldOptions;
  readonly #yaml: string;
  readonly #store: Store;
  readonly #drop: () => Promise<void>;

  private constructor(
    options: WorldOptions,
    emulator: Emulator,
    store: Store,
    yaml: string,
    folder: string,
    database: { readonly url: string; drop(): Promise<void> } | null,
  ) {
    this.#options = options;
    this.emulator = emulator;
    this.#store = store;
    this.#yaml = yaml;
    this.folder = folder;
    this.databaseUrl = database?.url ?? null;
    this.#drop = async () => database?.drop();
  }

  static async open(options: WorldOptions): Promise<OrgWorld> {
    const clock = createClock();
    clock.freeze(START);
    const emulator = await startEmulator({
      listen: false,
      publicUrl: 'http://localhost',
      clock,
      seed: options.seed ?? 1,
      records: options.records ?? 0,
    });
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-world-'));
    const database = options.target === 'postgres' ? await createTestDatabase() : null;
    const { loginUrl, clientId, clientSecret } = emulator.credentials;
    const yaml = JSON.stringify({
      connections: {
        org: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
        db: database === null ? { type: 'sqlite', path: join(folder, 'copy.db') } : { type: 'postgres', url: database.url },
      },
      syncs: {
        s: {
          from: { connection: 'org', object: 'Contact', ...options.from },
          to: { connection: 'db', table: 'copy' },
          retry: { attempts: 12, delay: '100ms', delayMax: '1s' },
          ...options.sync,
        },
      },
    });
    const store = await openStore(':memory:');
    return new OrgWorld(options, emulator, store, yaml, folder, database);
  }

  get org() {
    return this.emulator.org;
  }

  /** Our clock: the org's, and as wrong as the world wants it. */
  readonly clock: Clock = {
    now: () => this.org.clock.now() + (this.#options.skewMs ?? 0),
    sleep: (ms, signal) => (ms < DEADLINE_MS ? this.#pass(ms, signal) : this.#wait(ms, signal)),
  };

  /** A wait between attempts or polls passes at once, and the org's clock with it. */
  async #pass(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.org.clock.advance(ms);
    await new Promise(setImmediate);
  }

  /** A deadline of a request: it never comes, because replies take no time here; the request's end takes it back. */
  #wait(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** A new life of the process, on the same store and the same target. */
  async engine(): Promise<Engine> {
    const { connectors } = await loadConnectors();
    const config = parseConfig(this.#yaml, { file: join(this.folder, 'tidemark.yaml'), env: {}, connectors });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    return new Engine({
      config,
      store: this.#store,
      clock: this.clock,
      random: seededRandom(1),
      log,
      fetch: this.emulator.fetch,
    });
  }

  async run(options: Partial<RunOptions> = {}): Promise<RunReport> {
    await using engine = await this.engine();
    return engine.run('s', { signal: new AbortController().signal, ...options });
  }

  async verify(options: { repair?: boolean } = {}): Promise<Verdict> {
    await using engine = await this.engine();
    return engine.verify('s', { signal: new AbortController().signal, repair: options.repair ?? false });
  }

  insert(values: Record<string, string | number | boolean | null>, object = 'Contact'): string {
    return this.org.write((transaction) => transaction.insert(object, values)).id;
  }

  update(id: string, values: Record<string, string | number | boolean | null>, object = 'Contact'): void {
    this.org.write((transaction) => transaction.update(object, id, values));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    await this.emulator.close();
    await this.#drop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
