import { createMemoryConnector, type Faults, Memory } from '@tidemark/connector-memory';
import type { Clock } from '../base/clock.ts';
import { TransientError } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import type { AnyConnector } from '../config/config.ts';
import { parseConfig } from '../config/load-config.ts';
import type { Connection, Source, Target } from '../model/connector.ts';
import type { DatasetSchema } from '../model/schema.ts';
import { newRow } from '../model/value.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { Engine } from './engine.ts';

class TestClock implements Clock {
  at = Date.UTC(2026, 0, 1);
  now = () => this.at;
  async sleep(ms: number): Promise<void> {
    this.at += ms;
  }
}

export const people: DatasetSchema = {
  name: 'people',
  key: ['id'],
  fields: [
    { name: 'id', type: 'text', nullable: false },
    { name: 'name', type: 'text', nullable: true },
    { name: 'score', type: 'integer', nullable: true },
    { name: 'changedAt', type: 'datetime', nullable: false },
  ],
};

/** Sides that lack something, or do something else. */
export interface Altered {
  source?(opened: Source): Source;
  target?(opened: Target): Target;
}

/** A source and a target in memory, an engine between them that dies and comes back, and faults on request. */
export class World {
  readonly source = new Memory();
  readonly target = new Memory();
  readonly people = this.source.define(people, 'changedAt');
  readonly clock = new TestClock();
  readonly poison = new Set<string>();
  readonly warnings: object[] = [];
  /** How many more operations succeed before one fails; null: all do. */
  failAfter: number | null = null;
  store!: Store;
  readonly #faults: Faults = {
    at: () => {
      if (this.failAfter !== null && this.failAfter-- <= 0) {
        this.failAfter = null;
        throw new TransientError('injected');
      }
    },
    reject: (row) => (this.poison.has(String(row.id)) ? { code: 'poison', message: 'refused' } : null),
  };
  /** May be changed between two lives. */
  yaml: string;
  readonly #altered: Altered;
  /** Of other types than `a`, the source, and `b`, the target. */
  readonly #others: readonly AnyConnector[];

  constructor(yaml: string, altered: Altered = {}, others: readonly AnyConnector[] = []) {
    this.yaml = yaml;
    this.#altered = altered;
    this.#others = others;
  }

  async open(): Promise<this> {
    this.store = await openStore(':memory:');
    return this;
  }

  /** One operation of the world's: it fails when its turn has come. */
  fault(): void {
    this.#faults.at?.('write');
  }

  /** A new life of the process: what is not durable is gone. */
  engine(): Engine {
    const connectors = [
      { ...this.#connector(this.source), name: 'a' },
      { ...this.#connector(this.target), name: 'b' },
      ...this.#others,
    ] as unknown as AnyConnector[];
    const config = parseConfig(this.yaml, { file: '/tidemark.yaml', env: {}, connectors });
    const log = { debug() {}, info() {}, warn: (data: object) => void this.warnings.push(data), error() {} };
    return new Engine({ config, store: this.store, clock: this.clock, random: seededRandom(1), log, fetch });
  }

  #connector(memory: Memory): AnyConnector {
    const connector = createMemoryConnector({ memory, faults: this.#faults }) as unknown as AnyConnector;
    const { source = (opened) => opened, target = (opened) => opened } = this.#altered;
    const open = (...args: Parameters<AnyConnector['open']>): Connection<unknown, unknown> => {
      const opened = connector.open(...args) as Connection<unknown, unknown>;
      return {
        ...opened,
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
        openSource: async (...spec) => source(await opened.openSource!(...spec)),
        openTarget: async (...spec) => target(await opened.openTarget!(...spec)),
      };
    };
    return { ...connector, open } as unknown as AnyConnector;
  }

  put(id: string, name: string, score: number | null): void {
    this.clock.at += 1;
    this.people.put(Object.assign(newRow(), { id, name, score, changedAt: new Date(this.clock.at).toISOString() }));
  }

  remove(id: string): void {
    this.clock.at += 1;
    this.people.remove(id, this.clock.at);
  }

  async run(options: { full?: boolean } = {}) {
    await using engine = this.engine();
    return engine.run('s', { ...options, signal: new AbortController().signal });
  }

  async status() {
    await using engine = this.engine();
    return (await engine.status('s'))[0];
  }

  async verify(repair = false) {
    await using engine = this.engine();
    return engine.verify('s', { repair, signal: new AbortController().signal });
  }

  held(): Record<string, unknown> {
    return Object.fromEntries([...this.target.dataset('copy').rows()].map(([key, { row }]) => [key, { ...row }]));
  }

  truth(): Record<string, unknown> {
    return Object.fromEntries([...this.people.rows()].map(([key, { row }]) => [key, { ...row }]));
  }
}

/** The same side, with some of its members replaced; `undefined` takes one away. */
export function altered<T extends Source | Target>(side: T, members: { [Name in keyof T]?: T[Name] | undefined }): T {
  return new Proxy(side, {
    get(original, name) {
      if (Object.hasOwn(members, name)) return members[name as keyof T];
      const value: unknown = Reflect.get(original, name, original);
      return typeof value === 'function' ? value.bind(original) : value;
    },
  });
}
