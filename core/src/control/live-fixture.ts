import { createMemoryConnector, type Faults, Memory } from '@tidemark/connector-memory';
import type { Clock } from '../base/clock.ts';
import { CheckpointExpiredError } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import type { AnyConnector } from '../config/config.ts';
import { parseConfig } from '../config/load-config.ts';
import type { Checkpoints, Connection, Source, Target } from '../model/connector.ts';
import type { DatasetSchema } from '../model/schema.ts';
import type { Delivery, EventStream, StreamEvent } from '../model/stream.ts';
import { newRow } from '../model/value.ts';
import { decodeEnvelope } from '../pipeline/envelope.ts';
import { decodeLive } from '../pipeline/live/live-envelope.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { Engine } from './engine.ts';
import { altered } from './fixture.ts';

/** Time stands still unless somebody moves it: who sleeps is parked. */
export class ParkedClock implements Clock {
  at = Date.UTC(2026, 0, 1);
  readonly #parked = new Set<{ readonly dueMs: number; wake(): void }>();
  now = () => this.at;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => {
        this.#parked.delete(parked);
        reject(signal!.reason);
      };
      const wake = () => {
        this.#parked.delete(parked);
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const parked = { dueMs: this.at + ms, wake };
      this.#parked.add(parked);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Lets so much time pass, with everything that it brings. */
  async advance(ms: number): Promise<void> {
    const until = this.at + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#parked].sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > until) break;
      this.at = Math.max(this.at, next.dueMs);
      next.wake();
    }
    this.at = until;
    await settle();
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

const dataset = (name: string): DatasetSchema => ({
  name,
  key: ['id'],
  fields: [
    { name: 'id', type: 'text', nullable: false },
    { name: 'name', type: 'text', nullable: true },
    { name: 'city', type: 'text', nullable: true },
    { name: 'changedAt', type: 'datetime', nullable: false },
  ],
});

export type Write = readonly [dataset: string, id: string, values: { readonly name?: string; readonly city?: string } | null];

interface Life {
  readonly engine: Engine;
  readonly stop: AbortController;
  readonly killed: AbortController;
  readonly ended: Promise<void>;
}

/** Two datasets in memory, a stream that tells of them, and on request of other things, or of nothing. */
export class StreamWorld implements AsyncDisposable {
  readonly source = new Memory();
  readonly target = new Memory();
  readonly clock = new ParkedClock();
  readonly poison = new Set<string>();
  readonly warnings: { err?: Error; sync?: string }[] = [];
  /** Why a sync's source cannot be opened, by dataset. */
  readonly shut = new Map<string, Error>();
  /** Why a delta of a source that is open fails, by dataset. */
  readonly unreadable = new Map<string, Error>();
  /** What a target answers to any change of the stream, by dataset. */
  readonly refused = new Map<string, Error>();
  /** Breaks any operation of a target. */
  faults: Faults['at'];
  /** Positions that were written beside an open transaction of the stream's own. */
  collisions = 0;
  #commits: Promise<void> | null = null;
  readonly #reads = new Map<string, Promise<void>>();
  /** Runs of each sync. */
  readonly runs: string[] = [];
  /** What the configuration holds besides connections and syncs. */
  beside: object = {};
  /** Whether a stream says where it stands, and anything. */
  tells = true;
  /** A stream that has nothing to say is only taken to listen. */
  assumes = false;
  /** Which system it is. */
  origin = 'memory';
  /** Streams tell no event behind this position, and do not say that nothing more is there. */
  tellsUpTo = Number.POSITIVE_INFINITY;
  /** Positions up to here are known no more. */
  forgotten = 0;
  /** Why no stream is opened. */
  refuses: Error | null = null;
  /** Events that were delivered to the connection of now. */
  delivered = 0;
  /** How often the stream was opened. */
  opened = 0;
  readonly #events: StreamEvent[] = [];
  readonly #streams = new Set<MemoryStream>();
  #store!: Store;
  #transactions = 0;
  readonly #lives: Life[] = [];
  #seed = 0;

  static async open(): Promise<StreamWorld> {
    const world = new StreamWorld();
    world.#store = await openStore(':memory:');
    for (const name of ['people', 'places']) world.source.define(dataset(name), 'changedAt');
    return world;
  }

  get store(): Store {
    return this.#store;
  }

  get engine(): Engine {
    return this.#lives.at(-1)!.engine;
  }

  get status() {
    return this.engine.liveStatus()[0]!;
  }

  /** A process begins. @param more  what syncs are besides; null: there is none of this name */
  async start(more: Record<string, object | null> = {}): Promise<Engine> {
    const engine = this.engineOf(more);
    const stop = new AbortController();
    const onRun = ({ sync: name, kind, state }: { sync: string; kind: string; state: string }) =>
      void this.runs.push(`${name} ${kind} ${state}`);
    const killed = new AbortController();
    const ended = engine.start({ stop: stop.signal, signal: killed.signal, onRun });
    this.#lives.push({ engine, stop, killed, ended });
    await this.clock.advance(0);
    return engine;
  }

  /** A process that follows nothing, and does what is asked of it. */
  engineOf(more: Record<string, object | null> = {}): Engine {
    const sync = (name: string) => ({
      from: { connection: 'src', dataset: name },
      to: { connection: 'dst', dataset: `${name}_copy` },
      every: '10h',
      startDelay: '5h',
      live: true,
      ...more[name],
    });
    const yaml = JSON.stringify({
      ...this.beside,
      connections: { src: { type: 'a' }, dst: { type: 'b' } },
      syncs: Object.fromEntries(['people', 'places'].flatMap((name) => (more[name] === null ? [] : [[name, sync(name)]]))),
    });
    const connectors = [this.#source(), this.#target()];
    const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors: connectors as unknown as AnyConnector[] });
    const warn = (data: object) => void this.warnings.push(data);
    const log = { debug() {}, info() {}, warn, error: warn };
    return new Engine({ config, store: this.store, clock: this.clock, random: seededRandom(++this.#seed), log, fetch });
  }

  /** The one that began last ends. */
  async stop(): Promise<void> {
    const { engine, stop, ended } = this.#lives.pop()!;
    stop.abort();
    await ended;
    await engine[Symbol.asyncDispose]();
  }

  /** It ends in the middle of whatever it does. */
  kill(): void {
    const { killed, ended } = this.#lives.pop()!;
    ended.catch(() => {});
    killed.abort();
  }

  /** One transaction of the source. What is `null` is deleted. */
  async write(...writes: readonly Write[]): Promise<void> {
    await this.publish(...this.writeUntold(...writes));
  }

  /** One of which the stream does not tell. */
  writeUntold(...writes: readonly Write[]): readonly StreamEvent[] {
    const transaction = `t${++this.#transactions}`;
    this.clock.at += 1000;
    const stampMs = this.clock.at;
    return writes.map(([name, id, values]): StreamEvent => {
      const known = this.source.dataset(name);
      const before = known.get(id)?.row;
      const about = { ...told, position: '', dataset: name, keys: [id], transaction, committedAtMs: stampMs };
      if (values === null) {
        known.remove(id, stampMs);
        return { ...about, op: 'delete' };
      }
      const stamped = { ...values, changedAt: new Date(stampMs).toISOString() };
      const row = Object.assign(newRow(), { id, name: null, city: null }, before, stamped);
      known.put(row);
      const op = before === undefined ? 'create' : 'update';
      const whole = Object.fromEntries(Object.entries(row).filter(([field]) => field !== 'id'));
      return { ...about, op, row: Object.assign(newRow(), op === 'create' ? whole : stamped), stampMs };
    });
  }

  /** Tells what did not happen, or not so. */
  async publish(...events: readonly (Partial<StreamEvent> & Pick<StreamEvent, 'op' | 'dataset' | 'keys'>)[]): Promise<void> {
    for (const event of events) {
      const position = String(this.#events.length + 1);
      this.#events.push({ ...told, transaction: `of ${position}`, committedAtMs: this.clock.at, ...event, position });
    }
    for (const stream of this.#streams) stream.tell();
    // Silence ends a transaction.
    await this.clock.advance(5);
  }

  /** Reads of the dataset wait until the answer is called: before they begin, with what they have read in hand, or when that was all. */
  holdReads(name: string, kind: 'full' | 'delta' | 'keys', at: 'begin' | 'in hand' | 'end' = 'begin'): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reads.set(`${name} ${kind} ${at}`, promise);
    return resolve;
  }

  /** The stream's commits wait until the answer is called. */
  holdCommits(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#commits = promise;
    return resolve;
  }

  /** The connection of the stream is lost. */
  async lose(error: Error): Promise<void> {
    for (const stream of this.#streams) stream.fail(error);
    await settle();
  }

  /** Values of a copy, by id. */
  copied(name: string): Record<string, string> {
    const rows = [...this.target.dataset(`${name}_copy`).rows()].filter(([, { deletedAtMs }]) => deletedAtMs === null);
    return Object.fromEntries(rows.map(([id, { row }]) => [id, [row.name, row.city].filter(Boolean).join(' ')]).sort());
  }

  truth(name: string): Record<string, string> {
    const rows = [...this.source.dataset(name).rows()];
    return Object.fromEntries(rows.map(([id, { row }]) => [id, [row.name, row.city].filter(Boolean).join(' ')]).sort());
  }

  /** How far the sync's own polls have come. */
  async checkpoint(sync: string): Promise<string | undefined> {
    const unit = [...this.target.units].find(([name]) => name.includes(sync))?.[1];
    return decodeEnvelope(unit?.checkpoint ?? null)?.position;
  }

  /** What is kept of the stream. */
  get kept() {
    const unit = [...this.target.units].find(([name]) => name.startsWith('live:'))?.[1];
    return decodeLive(unit?.checkpoint ?? null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#lives.length > 0) await this.stop();
    await this.#store[Symbol.asyncDispose]();
  }

  readonly #faults: Faults = {
    at: (point) => this.faults?.(point),
    reject: (row) => (this.poison.has(String(row.id)) ? { code: 'poison', message: 'refused' } : null),
  };

  #source(): AnyConnector {
    const connector = createMemoryConnector({ memory: this.source }) as unknown as AnyConnector;
    const open = (...args: Parameters<AnyConnector['open']>): Connection<unknown, unknown> => {
      const opened = connector.open(...args) as Connection<unknown, unknown>;
      return {
        ...opened,
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
        openSource: async (spec, signal) => this.#altered(await opened.openSource!(spec, signal)),
        openStream: async ({ position, datasets }) => this.#openStream(position, datasets),
      };
    };
    return { ...connector, name: 'a', open } as unknown as AnyConnector;
  }

  #target(): AnyConnector {
    const connector = createMemoryConnector({ memory: this.target, faults: this.#faults }) as unknown as AnyConnector;
    const names = new Map<Target, string>();
    let isOpen = false;
    const open = (...args: Parameters<AnyConnector['open']>): Connection<unknown, unknown> => {
      const opened = connector.open(...args) as Connection<unknown, unknown>;
      return {
        ...opened,
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
        openTarget: async (spec, signal) => {
          const target = await opened.openTarget!(spec, signal);
          names.set(target, spec.schema.name);
          const checkpoints = target.checkpoints!;
          const write: Checkpoints['write'] = async (unit, ...rest) => {
            // In a file they would wait for each other for ever.
            if (isOpen && unit.startsWith('live:')) this.collisions++;
            await checkpoints.write(unit, ...rest);
          };
          const watched: Checkpoints = {
            acquire: (unit, signal) => checkpoints.acquire(unit, signal),
            read: (unit) => checkpoints.read(unit),
            write,
          };
          Object.defineProperty(target, 'checkpoints', { value: watched });
          return target;
        },
        openStreamWriter: async (targets) => {
          const writer = await opened.openStreamWriter!(targets);
          return {
            begin: async (signal) => {
              const transaction = await writer.begin(signal);
              isOpen = true;
              return {
                apply: async (target, changes) => {
                  const refused = this.refused.get(names.get(target)!);
                  if (refused !== undefined) throw refused;
                  return transaction.apply(target, changes);
                },
                commit: async (...kept) => {
                  await this.#commits;
                  isOpen = false;
                  await transaction.commit(...kept);
                },
                rollback: async () => {
                  isOpen = false;
                  await transaction.rollback();
                },
              };
            },
            [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
          };
        },
      };
    };
    return { ...connector, name: 'b', open } as unknown as AnyConnector;
  }

  #altered(source: Source): Source {
    const { name } = source.schema;
    const shut = this.shut.get(name);
    if (shut !== undefined) throw shut;
    const reads = this.#reads;
    const { unreadable } = this;
    return altered(source, {
      origin: this.origin,
      streamDataset: name,
      async *readFull(resume, signal) {
        await reads.get(`${name} full begin`);
        yield* source.readFull(resume, signal);
        await reads.get(`${name} full end`);
      },
      async *readDelta(from, signal) {
        await reads.get(`${name} delta begin`);
        if (unreadable.has(name)) throw unreadable.get(name);
        for await (const batch of source.readDelta!(from, signal)) {
          await reads.get(`${name} delta in hand`);
          yield batch;
        }
        await reads.get(`${name} delta end`);
      },
      async readKeys(keys, signal) {
        const read = await source.readKeys!(keys, signal);
        await reads.get(`${name} keys in hand`);
        return read;
      },
    });
  }

  #openStream(position: string | null, datasets: readonly string[]): EventStream {
    this.opened++;
    this.delivered = 0;
    if (this.refuses !== null) throw this.refuses;
    if (position !== null && Number(position) < this.forgotten) throw new CheckpointExpiredError('that is long ago');
    const stream = new MemoryStream(this.#events, position === null ? this.#events.length : Number(position), {
      datasets,
      tellsUpTo: () => (this.tells ? this.tellsUpTo : -1),
      assumes: () => this.assumes,
      delivered: (events) => {
        this.delivered += events;
      },
      closed: () => void this.#streams.delete(stream),
      origin: this.origin,
    });
    this.#streams.add(stream);
    return stream;
  }
}

const told = { row: null, untold: [], stampMs: null, writer: '' } as const;

class MemoryStream implements EventStream {
  readonly origin: string;
  readonly #events: readonly StreamEvent[];
  readonly #options: {
    readonly datasets: readonly string[];
    tellsUpTo(): number;
    assumes(): boolean;
    delivered(events: number): void;
    closed(): void;
    readonly origin: string;
  };
  #at: number;
  #credit = 0;
  #isTold = false;
  #error: Error | null = null;
  #wake: () => void = () => {};

  constructor(
    events: readonly StreamEvent[],
    at: number,
    options: {
      readonly datasets: readonly string[];
      tellsUpTo(): number;
      assumes(): boolean;
      delivered(events: number): void;
      closed(): void;
      readonly origin: string;
    },
  ) {
    this.#events = events;
    this.#at = at;
    this.#options = options;
    this.origin = options.origin;
  }

  grant(events: number): void {
    this.#credit += events;
    this.#wake();
  }

  tell(): void {
    this.#wake();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }

  async *deliveries(signal: AbortSignal): AsyncGenerator<Delivery> {
    signal.addEventListener('abort', () => this.#wake());
    while (!signal.aborted) {
      if (this.#error !== null) throw this.#error;
      const upTo = this.#options.tellsUpTo();
      const events = this.#events.slice(this.#at, Math.max(this.#at, Math.min(upTo, this.#at + this.#credit)));
      if (events.length > 0 || (!this.#isTold && upTo >= 0)) {
        this.#isTold = true;
        this.#at += events.length;
        const heard = events.filter((event) => this.#options.datasets.includes(event.dataset));
        this.#credit -= heard.length;
        this.#options.delivered(heard.length);
        const caughtUp = this.#at === this.#events.length;
        const assumed = events.length === 0 && this.#options.assumes();
        yield { events: heard, position: String(this.#at), caughtUp, reset: false, assumed };
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.closed();
    this.#wake();
  }
}
