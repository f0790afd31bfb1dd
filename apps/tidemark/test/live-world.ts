import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Engine, openStore, parseConfig, type Store, seededRandom, systemClock } from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { expect, vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

export const contactFields = {
  id: 'Id',
  last: 'LastName',
  first: 'FirstName',
  city: 'MailingCity',
  notes: 'Description',
  parent: 'AccountId',
};

/** A life of the process. */
export interface Life {
  readonly engine: Engine;
  /** As SIGTERM. */
  stop(): Promise<void>;
  /** In the middle of whatever it does: what is not committed is gone. */
  kill(): Promise<void>;
}

/**
 * An org with streams on real sockets, an engine, and a copy in SQLite or PostgreSQL. Time is real, and waits between attempts are short. Deltas
 * are an hour apart, so that nothing but the stream can bring what changes.
 */
export class LiveWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly warnings: object[] = [];
  readonly store: Store;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidemark-live-'));
  readonly #postgres: { readonly url: string; drop(): Promise<void> } | null;
  #database: DatabaseSync | null = null;
  #aheadMs = 0;
  #lives = 0;
  #isClosed = false;

  private constructor(emulator: Emulator, store: Store, postgres: { readonly url: string; drop(): Promise<void> } | null) {
    this.emulator = emulator;
    this.store = store;
    this.#postgres = postgres;
  }

  /** @param deliveries  how many events the org delivers in a day */
  static async open(target = 'sqlite', deliveries = 1_000_000): Promise<LiveWorld> {
    const clock = createClock(Date.UTC(2026, 2, 4, 5, 6, 7));
    const limits = { DailyDeliveredPlatformEvents: deliveries };
    const emulator = await startEmulator({ clock, limits, changeEvents: ['Account', 'Contact'] });
    return new LiveWorld(emulator, await openStore(':memory:'), target === 'postgres' ? await createTestDatabase() : null);
  }

  /** Time passes, in the org and here. */
  advance(ms: number): void {
    this.org.clock.advance(ms);
    this.#aheadMs += ms;
  }

  get org() {
    return this.emulator.org;
  }

  /** The copy as a reader of it sees it. */
  get database(): DatabaseSync {
    this.#database ??= new DatabaseSync(join(this.#folder, 'copy.db'));
    return this.#database;
  }

  insert(object: string, values: Record<string, string | null>): string {
    return this.org.write((transaction) => transaction.insert(object, values)).id;
  }

  /** A process that does nothing yet. */
  async engine(stream = 'pubsub', contacts: object = {}): Promise<Engine> {
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = this.emulator.credentials;
    const { connectors } = await loadConnectors();
    const sync = (object: string, table: string, fields: object, more: object = {}) => ({
      from: { connection: 'org', object },
      to: { connection: 'db', table },
      fields,
      every: '1h',
      live: true,
      ...more,
    });
    const yaml = JSON.stringify({
      connections: {
        org: {
          type: 'salesforce',
          loginUrl,
          stream,
          ...(stream === 'pubsub' ? { pubsubEndpoint: `http://${pubsubEndpoint}` } : {}),
          auth: { flow: 'client-credentials', clientId, clientSecret },
        },
        db:
          this.#postgres === null
            ? { type: 'sqlite', path: join(this.#folder, 'copy.db') }
            : { type: 'postgres', url: this.#postgres.url },
      },
      syncs: {
        contacts: sync('Contact', 'contacts', contactFields, contacts),
        accounts: sync('Account', 'accounts', { id: 'Id', name: 'Name', shout: "= $uppercase(Name) & '!'" }),
      },
    });
    const config = parseConfig(yaml, { file: join(this.#folder, 'tidemark.yaml'), env: {}, connectors });
    const warn = (data: object) => void this.warnings.push(data);
    const log = { debug() {}, info() {}, warn, error: warn };
    const now = () => Date.now() + this.#aheadMs;
    const sleep = async (ms: number, signal?: AbortSignal) => {
      if (ms < 30_000) return systemClock.sleep(Math.min(ms, 20), signal);
      for (const due = now() + ms; now() < due; ) await systemClock.sleep(Math.min(due - now(), 20), signal);
    };
    const clock = { now, sleep };
    return new Engine({ config, store: this.store, clock, random: seededRandom(++this.#lives), log, fetch });
  }

  async start(stream = 'pubsub', contacts: object = {}): Promise<Life> {
    const engine = await this.engine(stream, contacts);
    const stopping = new AbortController();
    const killing = new AbortController();
    const ended = engine.start({ stop: stopping.signal, signal: killing.signal });
    const end = async () => {
      stopping.abort();
      await ended;
      await engine[Symbol.asyncDispose]();
    };
    return {
      engine,
      stop: end,
      kill: () => {
        killing.abort();
        return end();
      },
    };
  }

  /**
   * Waits until every stream has caught up. In the beginning there is none: a process first has to own what it follows. The wait
   * before a next try passes at once, however long; no time passes while one is made, since its limits are of the same clock.
   */
  async live({ engine }: Life): Promise<void> {
    const isLive = () => {
      const streams = engine.liveStatus();
      const tries = streams.flatMap(({ nextTryMs }) => nextTryMs ?? []);
      if (tries.length > 0) this.advance(Math.max(0, Math.min(...tries) - Date.now() - this.#aheadMs));
      return streams.length > 0 && streams.every(({ state }) => state === 'live');
    };
    await vi.waitUntil(isLive, { timeout: 15_000, interval: 20 });
  }

  copied(table: string): Record<string, unknown>[] {
    const rows = this.database.prepare(selected(table)).all();
    return rows.map((row) => ({ ...row }));
  }

  async #copied(table: string): Promise<Record<string, unknown>[]> {
    if (this.#postgres === null) return this.copied(table);
    const client = new pg.Client({ connectionString: this.#postgres.url });
    await client.connect();
    try {
      return (await client.query(selected(table))).rows;
    } finally {
      await client.end();
    }
  }

  truth(table: string): Record<string, unknown>[] {
    const contacts = table === 'contacts';
    const fields: Record<string, string> = contacts ? contactFields : { id: 'Id', name: 'Name' };
    const soql = `SELECT ${Object.values(fields).join(', ')} FROM ${contacts ? 'Contact' : 'Account'} ORDER BY Id`;
    const rows = this.org.query(soql).page(0, 2000, 'v62.0') as Record<string, unknown>[];
    return rows.map((row) => {
      const mapped = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, row[field] ?? null]));
      return contacts ? mapped : { ...mapped, shout: `${String(mapped.name).toUpperCase()}!` };
    });
  }

  /** Waits until the copy is what the org is. */
  async equal(): Promise<void> {
    const compare = async () => {
      expect(await this.#copied('contacts')).toEqual(this.truth('contacts'));
      expect(await this.#copied('accounts')).toEqual(this.truth('accounts'));
    };
    await vi.waitFor(compare, { timeout: 20_000, interval: 20 });
  }

  /** From here on there is no org to ask. */
  async closeOrg(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.emulator.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database?.close();
    await this.store[Symbol.asyncDispose]();
    await this.closeOrg();
    await this.#postgres?.drop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function selected(table: string): string {
  const columns = table === 'contacts' ? Object.keys(contactFields) : ['id', 'name', 'shout'];
  return `SELECT ${columns.join(', ')} FROM ${table} ORDER BY id`;
}
