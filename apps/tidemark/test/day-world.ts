import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type Clock,
  Engine,
  openStore,
  parseConfig,
  type RunReport,
  type Store,
  seededRandom,
  systemClock,
} from '@tidemark/core';
import { createClock, type Emulator, type EmulatorOptions, startEmulator } from '@tidemark/emulator';
import { vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

/** Names the waits that end a request that gets no answer: while there is one, a request is under way. */
const DEADLINE_S = 149.123;
/** A transaction of the engine's is open. */
const SQLITE_BUSY = 5;
/** Shorter waits are between attempts, and pass by themselves. */
const SHORT_MS = 1000;

interface Sleeper {
  readonly dueMs: number;
  readonly isDeadline: boolean;
  wake(): void;
}

/** Time that passes in the steps in which it is told to, here and in an org. */
class SteppedClock implements Clock {
  #aheadMs: number;
  readonly #sleepers = new Set<Sleeper>();
  /** Replies that are being read. */
  bodies = 0;

  constructor(beginMs: number) {
    this.#aheadMs = beginMs - Date.now();
  }

  now = () => Date.now() + this.#aheadMs;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms < SHORT_MS) return systemClock.sleep(Math.min(ms, 2), signal);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => {
        this.#sleepers.delete(sleeper);
        reject(signal!.reason);
      };
      const sleeper: Sleeper = {
        dueMs: this.now() + ms,
        isDeadline: ms === DEADLINE_S * 1000,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#sleepers.add(sleeper);
    });
  };

  async pass(ms: number): Promise<void> {
    this.#aheadMs += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.dueMs <= this.now()) sleeper.wake();
    await this.quiet();
  }

  /** Until no request is under way: time stands still for those. */
  async quiet(): Promise<void> {
    for (let calm = 0; calm < 4; calm++) {
      await new Promise(setImmediate);
      if (this.bodies > 0 || [...this.#sleepers].some(({ isDeadline }) => isDeadline)) {
        calm = -1;
        await systemClock.sleep(1);
      }
    }
  }
}

/** An org with little to give, and an engine that copies it into SQLite, through a day that passes in minutes. */
export class DayWorld implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly clock: SteppedClock;
  readonly runs: RunReport[] = [];
  readonly warnings: { readonly data: object; readonly message: string }[] = [];
  /** The most that the org has counted within 24 hours, as each step found it. */
  usedMost = 0;
  /** Answers of the org that it has no calls left. */
  refused = 0;
  readonly #store: Store;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidemark-day-'));
  readonly #stop = new AbortController();
  #life: { readonly engine: Engine; readonly ended: Promise<void> } | null = null;
  #database: DatabaseSync | null = null;

  private constructor(emulator: Emulator, store: Store, beginMs: number) {
    this.emulator = emulator;
    this.#store = store;
    this.clock = new SteppedClock(beginMs);
  }

  static async open(calls: number, options: EmulatorOptions): Promise<DayWorld> {
    const beginMs = Date.UTC(2026, 2, 4, 5, 0, 0);
    const limits = { DailyApiRequests: calls, DailyDeliveredPlatformEvents: 1_000_000 };
    const emulator = await startEmulator({ clock: createClock(beginMs), limits, ...options });
    return new DayWorld(emulator, await openStore(':memory:'), beginMs);
  }

  get database(): DatabaseSync {
    this.#database ??= new DatabaseSync(join(this.#folder, 'copy.db'));
    return this.#database;
  }

  async start(syncs: object, budget?: object): Promise<Engine> {
    const { loginUrl, clientId, clientSecret, pubsubEndpoint } = this.emulator.credentials;
    const { connectors } = await loadConnectors();
    const auth = { flow: 'client-credentials', clientId, clientSecret };
    const org = { type: 'salesforce', loginUrl, auth, stream: 'pubsub', pubsubEndpoint: `http://${pubsubEndpoint}` };
    const yaml = JSON.stringify({
      connections: {
        org: { ...org, requestTimeoutSeconds: DEADLINE_S, ...(budget === undefined ? {} : { budget }) },
        db: { type: 'sqlite', path: join(this.#folder, 'copy.db') },
      },
      syncs,
    });
    const config = parseConfig(yaml, { file: join(this.#folder, 'tidemark.yaml'), env: {}, connectors });
    const warn = (data: object, message: string) => void this.warnings.push({ data, message });
    const log = { debug() {}, info() {}, warn, error: warn };
    const noting: typeof fetch = async (...request) => {
      const response = await fetch(...request);
      if (response.status === 403) this.refused++;
      return /\/results/.test(String(request[0])) ? this.#watched(response) : response;
    };
    const options = { config, store: this.#store, clock: this.clock, random: seededRandom(1), log, fetch: noting };
    const engine = new Engine(options);
    const { signal } = this.#stop;
    for (const name of config.pairings.keys()) await engine.applySchema(name, signal);
    const ended = engine.start({ stop: signal, signal: new AbortController().signal, onRun: (run) => void this.runs.push(run) });
    this.#life = { engine, ended };
    return engine;
  }

  /** A result that is longer than its headers. */
  #watched(response: Response): Response {
    if (response.body === null) return response;
    this.clock.bodies++;
    const watch = new TransformStream({ flush: () => void this.clock.bodies-- });
    return new Response(response.body.pipeThrough(watch), response);
  }

  async pass(ms: number): Promise<void> {
    this.emulator.org.clock.advance(ms);
    await this.clock.pass(ms);
    this.usedMost = Math.max(this.usedMost, this.used());
  }

  /** Time passes until it is so. */
  async passUntil(isSo: () => boolean | Promise<boolean>, stepMs = 5000): Promise<void> {
    await vi.waitUntil(
      async () => {
        if (await isSo()) return true;
        await this.pass(stepMs);
        return false;
      },
      { timeout: 120_000, interval: 1 },
    );
  }

  used(): number {
    return this.emulator.limits.DailyApiRequests.used();
  }

  /** Somebody writes to the copy, once the engine does not. */
  async edit(sql: string, ...values: readonly (string | number)[]): Promise<void> {
    await vi.waitUntil(
      () => {
        try {
          return this.database.prepare(sql).run(...values);
        } catch (error) {
          if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
          throw error;
        }
      },
      { timeout: 90_000, interval: 1 },
    );
  }

  update(object: string, id: string, values: Record<string, string>): void {
    this.emulator.org.write((transaction) => transaction.update(object, id, values));
  }

  ids(object: string): readonly string[] {
    return this.rows(`SELECT Id FROM ${object} ORDER BY Id`).map(({ Id }) => Id as string);
  }

  /** As the org holds them. */
  rows(soql: string): readonly Record<string, unknown>[] {
    return this.emulator.org.query(soql).page(0, 1_000_000, 'v62.0') as Record<string, unknown>[];
  }

  /** Of the copy: one column by key. */
  copied(table: string, column: string, id: string): unknown {
    return this.database.prepare(`SELECT "${column}" AS value FROM "${table}" WHERE id = ?`).get(id)?.value;
  }

  /** Records whose copy is not what the org holds, or is missing, or too much. */
  differences(object: string, table: string, fields: Readonly<Record<string, string>>): number {
    const columns = Object.keys(fields);
    const soql = `SELECT ${Object.values(fields).join(', ')} FROM ${object} ORDER BY Id`;
    const truth = this.rows(soql);
    const rows = this.database.prepare(`SELECT ${columns.join(', ')} FROM "${table}"`).all();
    const byId = new Map(rows.map((row) => [row.id, row]));
    const differing = truth.filter((row) => {
      const copy = byId.get(row.Id as string);
      return copy === undefined || columns.some((column) => (copy[column] ?? null) !== (row[fields[column]!] ?? null));
    });
    return differing.length + Math.abs(rows.length - truth.length);
  }

  async stop(): Promise<void> {
    if (this.#life === null) return;
    const { engine, ended } = this.#life;
    this.#life = null;
    this.#stop.abort();
    await ended;
    await engine[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#database?.close();
    await this.#store[Symbol.asyncDispose]();
    await this.emulator.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
