import { systemClock } from '../../base/clock.ts';
import type { AnyConnector } from '../../config/config.ts';
import { Configuration } from '../../control/configuration.ts';
import type { Engine } from '../../control/engine.ts';
import { World } from '../../control/fixture.ts';
import { Operations } from '../../control/operations.ts';
import type { Role } from '../../store/access-store.ts';
import { type HttpServer, startHttpServer } from '../http-server.ts';
import { apiV1 } from './api.ts';

const YAML = `
connections: { src: { type: a }, dst: { type: b } }
syncs: { s: { from: { connection: src, dataset: people }, to: { connection: dst, dataset: copy }, notes: "the people" } }
`;

/** The API of an engine between two memories, and tokens for it. */
export class ApiWorld implements AsyncDisposable {
  readonly world: World;
  readonly engine: Engine;
  readonly operations: Operations;
  readonly url: string;
  readonly told: object[];
  readonly #server: HttpServer;
  readonly #tokens = new Map<Role, string>();

  private constructor(parts: { world: World; engine: Engine; operations: Operations; server: HttpServer; told: object[] }) {
    this.world = parts.world;
    this.engine = parts.engine;
    this.operations = parts.operations;
    this.#server = parts.server;
    this.told = parts.told;
    this.url = parts.server.url;
  }

  static async open(yaml = YAML, others: readonly AnyConnector[] = []): Promise<ApiWorld> {
    const world = await new World(yaml, {}, others).open();
    const engine = world.engine();
    const told: object[] = [];
    const tell = (data: object) => void told.push(data);
    const log = { debug() {}, info() {}, warn: tell, error: tell };
    const stop = new AbortController();
    const operations = new Operations({ clock: systemClock, log, stop: stop.signal });
    const configuration = new Configuration({ config: engine.config, env: {}, connectors: [], reload: () => {} });
    const parts = { engine, operations, configuration, now: systemClock.now, log, version: '0.0.0', stop: stop.signal };
    const server = await startHttpServer({ host: null, port: 0, log, endpoints: [apiV1(parts)] });
    const opened = new ApiWorld({ world, engine, operations, server, told });
    for (const role of ['read', 'operate', 'admin'] as const) {
      opened.#tokens.set(role, (await engine.tokens.issue(`a ${role}`, role)).token);
    }
    return opened;
  }

  token(role: Role): string {
    return this.#tokens.get(role)!;
  }

  async ask(method: string, path: string, { as = 'admin', body, headers }: Ask = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${this.token(as)}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text), headers: response.headers };
  }

  /** What came of an operation that was begun. */
  async ended(id: string): Promise<Json> {
    await this.operations.idle();
    return (await this.ask('GET', `/api/v1/operations/${id}`)).body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operations.idle();
    await this.#server[Symbol.asyncDispose]();
    await this.engine[Symbol.asyncDispose]();
    await this.world.store[Symbol.asyncDispose]();
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer looks like is what tests find out.
type Json = any;

interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

interface Ask {
  /** Null: nobody. */
  readonly as?: Role | null;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}
