import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Engine, type EngineOptions, openStore, parseConfig, type Store, systemClock } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { loadConnectors } from '../src/connectors.ts';
import { Workplace } from '../src/testing.ts';

export const clientId = 'vendor-app';
export const clientSecret = 'canary-client-secret-of-the-vendor';

/** A vendor with one connection for all customers, and the customers' orgs, each an emulator. */
export class ManyOrgsWorld implements AsyncDisposable {
  readonly place: Workplace;
  readonly orgs = new Map<string, Emulator>();
  readonly key = randomBytes(32).toString('base64');

  /** @param more.db  where their records go; a file unless told otherwise */
  constructor(syncs: object, more: { readonly auth?: object; readonly db?: object } = {}) {
    this.place = new Workplace({ TIDEMARK_KEY: this.key });
    this.place.write('tidemark.yaml', this.#yaml(syncs, more));
  }

  #yaml(syncs: object, { auth = {}, db = { type: 'sqlite', path: './copy.db' } }: { auth?: object; db?: object }): string {
    return JSON.stringify({
      connections: {
        customers: {
          type: 'salesforce',
          orgs: true,
          auth: { flow: 'web-server', clientId, clientSecret, ...auth },
        },
        db,
      },
      syncs,
      store: { url: './state.db' },
    });
  }

  /** A customer's org, not connected yet. */
  async open(name: string, contacts: readonly string[] = [], rotateRefreshTokens = false): Promise<Emulator> {
    const emulator = await startEmulator({
      seed: this.orgs.size + 1,
      pubsub: false,
      credentials: { clientId, clientSecret, rotateRefreshTokens },
    });
    for (const LastName of contacts) insert(emulator, LastName);
    this.orgs.set(name, emulator);
    return emulator;
  }

  /** And connected by its refresh token, as the command line does it. */
  async connect(name: string, contacts: readonly string[] = [], rotate = false): Promise<Emulator> {
    const emulator = await this.open(name, contacts, rotate);
    const answer = await this.add(name, emulator);
    if (answer.exitCode !== 0) throw new Error(answer.err);
    return emulator;
  }

  async add(name: string, emulator: Emulator) {
    this.place.env.TIDEMARK_REFRESH_TOKEN = emulator.credentials.refreshToken;
    const { loginUrl } = emulator.credentials;
    return this.place.call('org', 'add', 'customers', name, '--login-url', loginUrl, '--json');
  }

  openStore(): Promise<Store> {
    return openStore(this.place.path('state.db'));
  }

  /** A process of its own, which does nothing yet. */
  async engine(store: Store, ports: Partial<Pick<EngineOptions, 'fetch' | 'log' | 'clock'>> = {}): Promise<Engine> {
    const { connectors } = await loadConnectors();
    const file = this.place.path('tidemark.yaml');
    const env = { TIDEMARK_KEY: this.place.env.TIDEMARK_KEY };
    const config = parseConfig(readFileSync(file, 'utf8'), { file, env, connectors });
    const options = { clock: systemClock, random: Math.random, log: quiet, fetch: globalThis.fetch, ...ports };
    const engine = new Engine({ config, store, ...options });
    await engine.refreshOrgs();
    return engine;
  }

  rows<Row = Record<string, unknown>>(sql: string): Row[] {
    using database = new DatabaseSync(this.place.path('copy.db'));
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row })) as Row[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const emulator of this.orgs.values()) await emulator.close();
    this.place[Symbol.dispose]();
  }
}

export function insert(emulator: Emulator, LastName: string): string {
  return emulator.org.write((transaction) => transaction.insert('Contact', { LastName })).id;
}

export const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export const contacts = {
  forEach: 'org',
  from: { connection: 'customers', object: 'Contact' },
  to: { connection: 'db', table: 'contacts', orgColumn: 'org_id' },
  fields: { id: 'Id', last: 'LastName' },
  every: '1s',
};
