import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Engine, openStore, parseConfig, type Store, seededRandom, systemClock } from '@tidemark/core';
import { createClock, type Emulator, type EmulatorOptions, startEmulator } from '@tidemark/emulator';
import { vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

export const orderUpdate = {
  name: 'Order_Update__e',
  fields: [
    { name: 'OrderId__c', type: 'text', length: 18, required: true },
    { name: 'Status__c', type: 'text', length: 20 },
    { name: 'Amount__c', type: 'number', precision: 12, scale: 2 },
    { name: 'Urgent__c', type: 'checkbox' },
    { name: 'At__c', type: 'datetime' },
    { name: 'Note__c', type: 'longtext' },
  ],
} as const;
export const orderShipped = { ...orderUpdate, name: 'Order_Shipped__e' } as const;

const topic = '/event/Order_Update__e';
/** Waits for longer are deadlines. */
const PATIENT_MS = 30_000;

/** A life of the process. */
export interface Life {
  readonly engine: Engine;
  /** As SIGTERM. */
  stop(): Promise<void>;
  /** In the middle of whatever it does: what is not committed is gone. */
  kill(): Promise<void>;
}

/** An org that publishes events on real sockets, and an engine whose clock is the org's. Waits between attempts are short. */
export class TopicWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-topic-'));
  /** Warnings and errors, with their words. */
  readonly told: { readonly level: string; readonly message: string; readonly data: Record<string, unknown> }[] = [];
  /** A wait of so many milliseconds passes at once, and so does the time. */
  passes: number | null = null;
  readonly store: Store;
  #database: DatabaseSync | null = null;

  private constructor(emulator: Emulator, store: Store) {
    this.emulator = emulator;
    this.store = store;
  }

  static async open(options: EmulatorOptions = {}): Promise<TopicWorld> {
    const clock = createClock(Date.UTC(2026, 2, 4, 5, 6, 7));
    const emulator = await startEmulator({ clock, platformEvents: [orderUpdate, orderShipped], ...options });
    return new TopicWorld(emulator, await openStore(':memory:'));
  }

  /** The copy as a reader of it sees it. */
  get database(): DatabaseSync {
    this.#database ??= new DatabaseSync(join(this.folder, 'copy.db'));
    return this.#database;
  }

  /** As another program. The engine lives in this process: a write that waited for its lock would wait for ever, so it is tried again. */
  sql(text: string): Promise<void> {
    return vi.waitFor(() => this.database.exec(text), { timeout: 90_000, interval: 20 });
  }

  publish(...events: Record<string, unknown>[]): string[] {
    const { events: bus, org } = this.emulator;
    return bus
      .publish(
        topic,
        events.map((fields) => ({ fields })),
        org.adminUserId,
      )
      .map((outcome) => ('uuid' in outcome ? outcome.uuid : outcome.error.code));
  }

  /** What others have published, as JSON. */
  published(event: string): Record<string, unknown>[] {
    const { events: bus, org } = this.emulator;
    const { events } = bus.channel(`/event/${event}`)!.read(0, 10_000, org.adminUserId);
    return events.map((each) => each.json());
  }

  /** @param sync  keys of the sync `orders`, over those of a copy of the topic into a table */
  async engine(sync: object = {}, stream = 'pubsub', more: object = {}): Promise<Engine> {
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = this.emulator.credentials;
    const { connectors } = await loadConnectors();
    const yaml = JSON.stringify({
      connections: {
        org: {
          type: 'salesforce',
          loginUrl,
          stream,
          ...(stream === 'pubsub' ? { pubsubEndpoint: `http://${pubsubEndpoint}` } : {}),
          auth: { flow: 'client-credentials', clientId, clientSecret: `\${SECRET}` },
        },
        db: { type: 'sqlite', path: join(this.folder, 'copy.db') },
        files: { type: 'file', folder: this.folder },
        ...more,
      },
      syncs: { orders: { from: { connection: 'org', topic }, to: { connection: 'db', table: 'orders' }, ...sync } },
    });
    const config = parseConfig(yaml, { file: join(this.folder, 'tidemark.yaml'), env: { SECRET: clientSecret }, connectors });
    const at = (level: string) => (data: object, message: string) =>
      void this.told.push({ level, message, data: data as Record<string, unknown> });
    const log = { debug() {}, info() {}, warn: at('warn'), error: at('error') };
    const { clock: orgClock } = this.emulator.org;
    const sleep = (ms: number, signal?: AbortSignal) => {
      if (ms < PATIENT_MS) return systemClock.sleep(Math.min(ms, 20), signal);
      if (ms !== this.passes) return systemClock.sleep(ms, signal);
      orgClock.advance(ms);
      return systemClock.sleep(0, signal);
    };
    const clock = { now: () => orgClock.now(), sleep };
    return new Engine({ config, store: this.store, clock, random: seededRandom(1), log, fetch });
  }

  async start(sync: object = {}, stream = 'pubsub', more: object = {}): Promise<Life> {
    const engine = await this.engine(sync, stream, more);
    const stopping = new AbortController();
    const killing = new AbortController();
    const ended = engine.start({ stop: stopping.signal, signal: killing.signal });
    const end = async () => {
      stopping.abort();
      await ended;
      await engine[Symbol.asyncDispose]();
    };
    const kill = () => {
      killing.abort();
      return end();
    };
    return { engine, stop: end, kill };
  }

  async live({ engine }: Life): Promise<void> {
    // None is told of before this process owns it.
    const isLive = () => engine.liveStatus().length > 0 && engine.liveStatus().every(({ state }) => state === 'live');
    await vi.waitUntil(isLive, { timeout: 15_000, interval: 20 });
  }

  rows(columns = 'OrderId__c, Status__c', table = 'orders'): Record<string, unknown>[] {
    return this.database
      .prepare(`SELECT ${columns} FROM ${table} ORDER BY rowid`)
      .all()
      .map((row) => ({ ...row }));
  }

  write(file: string, rows: readonly object[]): void {
    writeFileSync(join(this.folder, file), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }

  lines(file: string): { readonly op: string; readonly key: string; readonly row: Record<string, unknown> }[] {
    const path = join(this.folder, file);
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database?.close();
    await this.store[Symbol.asyncDispose]();
    await this.emulator.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
