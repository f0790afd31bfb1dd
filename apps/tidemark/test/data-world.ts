import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Configuration,
  Engine,
  type HttpServer,
  Operations,
  openStore,
  parseConfig,
  type Store,
  seededRandom,
  startHttpServer,
  systemClock,
} from '@tidemark/core';
import { apiV1 } from '@tidemark/core/api-v1';
import { loadConnectors } from '../src/connectors.ts';

// biome-ignore lint/suspicious/noExplicitAny: what an answer looks like is what tests find out.
type Json = any;

/** What was answered. */
interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

/** A process that serves the tables of a configuration, and an operator who asks it. */
export class DataWorld implements AsyncDisposable {
  readonly engine: Engine;
  readonly operations: Operations;
  /** What it warned of, or was at a loss about. */
  readonly told: readonly object[];
  readonly #server: HttpServer;
  readonly #store: Store;
  readonly #token: string;
  readonly #folder: string;

  private constructor(parts: {
    engine: Engine;
    operations: Operations;
    told: object[];
    server: HttpServer;
    store: Store;
    token: string;
    folder: string;
  }) {
    this.engine = parts.engine;
    this.operations = parts.operations;
    this.told = parts.told;
    this.#server = parts.server;
    this.#store = parts.store;
    this.#token = parts.token;
    this.#folder = parts.folder;
  }

  static async open(config: object): Promise<DataWorld> {
    const { connectors } = await loadConnectors();
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-data-api-'));
    const parsed = parseConfig(JSON.stringify(config), { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
    const told: object[] = [];
    const tell = (data: object) => void told.push(data);
    const log = { debug() {}, info() {}, warn: tell, error: tell };
    const store = await openStore(join(folder, 'state.db'));
    const engine = new Engine({ config: parsed, store, clock: systemClock, random: seededRandom(1), log, fetch });
    const stop = new AbortController().signal;
    const operations = new Operations({ clock: systemClock, log, stop });
    const configuration = new Configuration({ config: parsed, env: {}, connectors, reload: () => {} });
    const api = apiV1({ engine, operations, configuration, now: systemClock.now, log, version: '0.0.0', stop });
    const server = await startHttpServer({ host: null, port: 0, log, endpoints: [api] });
    const { token } = await engine.tokens.issue('an operator', 'operate');
    return new DataWorld({ engine, operations, told, server, store, token, folder });
  }

  async ask(
    method: string,
    path: string,
    { as, body, headers }: { readonly as?: null; readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#server.url}${path}`, {
      method,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text), headers: response.headers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operations.idle();
    await this.#server[Symbol.asyncDispose]();
    await this.engine[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}
