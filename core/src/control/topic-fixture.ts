import { createMemoryConnector, type Faults, Memory } from '@tidemark/connector-memory';
import { z } from 'zod';
import { CheckpointExpiredError, TransientError } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import type { AnyConnector } from '../config/config.ts';
import { parseConfig } from '../config/load-config.ts';
import type { Change } from '../model/change.ts';
import type { Connection, Source, Target } from '../model/connector.ts';
import { gatheringWriter } from '../model/gathering-writer.ts';
import type { Delivery, EventStream, StreamEvent, StreamSpec, StreamWriter } from '../model/stream.ts';
import { newRow } from '../model/value.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { Engine } from './engine.ts';
import { ParkedClock, settle } from './live-fixture.ts';

const hour = 3_600_000;
/** As long as a bus keeps what was published on it. */
const retentionMs = 72 * hour;

export interface Published {
  readonly key: string;
  readonly atMs: number;
}

/** Where something may break. `acknowledged`: the target has done it, and its answer is lost. */
export type TopicFault = 'stream' | 'write' | 'acknowledged' | 'note' | 'keep' | 'commit';

interface Life {
  readonly engine: Engine;
  readonly stop: AbortController;
  readonly killed: AbortController;
  readonly ended: Promise<void>;
}

/** A table in memory; a log that takes everything twice; a queue, which does so too and is appended to in transactions. */
export type TopicTarget = 'table' | 'log' | 'queue';

/** A bus on which somebody publishes, and a process that brings it to a target. */
export class TopicWorld implements AsyncDisposable {
  readonly clock = new ParkedClock();
  readonly target = new Memory();
  readonly log: string[] = [];
  readonly published: Published[] = [];
  readonly poison = new Set<string>();
  /** Asked at each place where something may break. */
  breaks: (at: TopicFault) => boolean = () => false;
  /** The bus says where it stands as soon as somebody listens; otherwise with the first event. */
  tellsAtOnce = true;
  readonly #kind: TopicTarget;
  readonly #store: Store;
  readonly #events: StreamEvent[] = [];
  readonly #streams = new Set<BusStream>();
  /** Positions before this one mean nothing any more, though what they stood before is still there. */
  #renumbered = 0;
  #life: Life | null = null;
  #seed = 0;

  private constructor(kind: TopicTarget, store: Store) {
    this.#kind = kind;
    this.#store = store;
    const { putSeen } = store;
    const { write } = store.checkpoints;
    store.putSeen = async (...args) => {
      this.#mayBreak('note');
      await putSeen.apply(store, args);
    };
    store.checkpoints.write = async (...args) => {
      this.#mayBreak('keep');
      await write.apply(store.checkpoints, args);
    };
  }

  static async open(kind: TopicTarget): Promise<TopicWorld> {
    return new TopicWorld(kind, await openStore(':memory:'));
  }

  get engine(): Engine {
    return this.#life!.engine;
  }

  get status() {
    return this.engine.liveStatus()[0]!;
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  /** What the target holds: keys in the order in which they came, each as often as it came. */
  held(): readonly string[] {
    return this.#kind === 'table' ? [...this.target.dataset('copy').rows()].map(([key]) => key) : this.log;
  }

  async publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.clock.at += 30_000;
      const key = `e${this.published.length}`;
      this.published.push({ key, atMs: this.clock.at });
      this.#put(key);
    }
    await this.#tell();
  }

  /** What was published last comes once more, under another position. */
  async repeat(): Promise<void> {
    const last = this.published.at(-1);
    if (last !== undefined) this.#put(last.key);
    await this.#tell();
  }

  /** The bus numbers its events anew: what was kept of them is worth nothing. */
  renumber(): void {
    this.#renumbered = this.#events.length;
    for (const stream of this.#streams) stream.fail(new CheckpointExpiredError('positions have another meaning now'));
  }

  async start(): Promise<void> {
    const yaml = JSON.stringify({
      connections: { bus: { type: 'bus' }, dst: { type: this.#kind === 'table' ? 'memory' : 'log' } },
      syncs: {
        events: {
          from: { connection: 'bus', topic: 'news' },
          to: { connection: 'dst', ...(this.#kind === 'table' ? { dataset: 'copy' } : {}) },
        },
      },
    });
    const faults: Faults = {
      at: (point) => this.#mayBreak(point === 'commit' ? 'commit' : 'write'),
      reject: (row) => (this.poison.has(String(row.id)) ? { code: 'poison', message: 'refused' } : null),
    };
    const memory = createMemoryConnector({ memory: this.target, faults }) as unknown as AnyConnector;
    const config = parseConfig(yaml, { file: '/tidemark.yaml', env: {}, connectors: [this.#bus(), this.#log(), memory] });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const engine = new Engine({ config, store: this.#store, clock: this.clock, random: seededRandom(++this.#seed), log, fetch });
    const stop = new AbortController();
    const killed = new AbortController();
    this.#life = { engine, stop, killed, ended: engine.start({ stop: stop.signal, signal: killed.signal }) };
    await this.clock.advance(0);
  }

  async stop(): Promise<void> {
    const life = this.#life!;
    this.#life = null;
    life.stop.abort();
    await this.clock.advance(0);
    await life.ended;
    await life.engine[Symbol.asyncDispose]();
  }

  /** Another process brings the same topic, until it says no more that it is there; answers how it says so. */
  takeOver(): () => void {
    const [unit] = [...this.target.units].find(([name]) => name.startsWith('live:'))!;
    const taken = () => this.target.units.get(unit)!;
    this.target.units.set(unit, { ...taken(), epoch: taken().epoch + 1 });
    return () => {
      const kept = { ...JSON.parse(taken().checkpoint!), aliveAtMs: this.clock.now() };
      this.target.units.set(unit, { ...taken(), checkpoint: JSON.stringify(kept) });
    };
  }

  /** In the middle of whatever it does. */
  async kill(): Promise<void> {
    this.#life!.killed.abort();
    await this.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#life !== null) await this.stop();
    await this.#store[Symbol.asyncDispose]();
  }

  #mayBreak(at: TopicFault): void {
    if (this.breaks(at)) throw new TransientError(`broken at ${at}`);
  }

  #put(key: string): void {
    const position = String(this.#events.length + 1);
    const row = Object.assign(newRow(), { id: key, n: Number(key.slice(1)) });
    const about = { position, dataset: 'news', op: 'create', keys: [key], row, untold: [], transaction: position } as const;
    this.#events.push({ ...about, committedAtMs: this.clock.at, stampMs: null, writer: '' });
  }

  async #tell(): Promise<void> {
    for (const stream of this.#streams) stream.tell();
    await settle();
  }

  /** The first event that is still there. */
  get #retainedFrom(): number {
    const first = this.#events.findIndex(({ committedAtMs }) => committedAtMs >= this.clock.at - retentionMs);
    return first < 0 ? this.#events.length : first;
  }

  #openStream({ position, start }: StreamSpec): EventStream {
    const oldest = this.#retainedFrom;
    if (position !== null && Number(position) < Math.max(oldest, this.#renumbered)) throw new CheckpointExpiredError('too old');
    const from = position !== null ? Number(position) : start === 'earliest' ? oldest : this.#events.length;
    const stream = new BusStream(this.#events, from, this.tellsAtOnce, () => this.#mayBreak('stream'));
    this.#streams.add(stream);
    return stream;
  }

  #bus(): AnyConnector {
    const refuse = (): never => {
      throw new TransientError('events cannot be read');
    };
    const source: Source = {
      schema: {
        name: 'news',
        key: ['id'],
        fields: [
          { name: 'id', type: 'text', nullable: false },
          { name: 'n', type: 'integer', nullable: true },
        ],
      },
      streamDataset: 'news',
      eventsOnly: { start: 'latest' },
      origin: 'bus',
      estimate: async () => null,
      mark: refuse,
      readFull: refuse,
      async [Symbol.asyncDispose]() {},
    };
    return {
      name: 'bus',
      summary: 'Events',
      config: z.strictObject({}),
      from: z.strictObject({ topic: z.string() }),
      eventChannel: (from) => (from as { topic: string }).topic,
      open: (): Connection<unknown, unknown> => ({
        check: async () => [],
        openSource: async () => source,
        openStream: async (spec) => this.#openStream(spec),
        async [Symbol.asyncDispose]() {},
      }),
    };
  }

  /** A target that can only be written. */
  #log(): AnyConnector {
    const append = (changes: readonly Change[]) => {
      this.log.push(...changes.map(({ key }) => key));
      this.#mayBreak('acknowledged');
    };
    const resultOf = ({ key }: Pick<Change, 'key'>) =>
      this.poison.has(key)
        ? ({ status: 'rejected', reason: { code: 'poison', message: 'refused' } } as const)
        : ({ status: 'created' } as const);
    const { checkpoints } = this.#store;
    const target: Target = {
      batchSizeMax: 7,
      compares: false,
      ...(this.#kind === 'queue' ? { checkpoints } : {}),
      plan: async () => [],
      prepare: async () => [],
      write: async (changes) => {
        this.#mayBreak('write');
        append(changes.filter(({ key }) => !this.poison.has(key)));
        return changes.map(resultOf);
      },
      async [Symbol.asyncDispose]() {},
    };
    const openStreamWriter = async (): Promise<StreamWriter> =>
      gatheringWriter({
        isOwn: (one): one is Target => one === target,
        take: (_, change) => {
          const result = resultOf(change);
          return { result, appended: result.status === 'rejected' ? [] : [change as Change] };
        },
        commit: async (gathered, { unit, epoch, checkpoint }) => {
          this.#mayBreak('commit');
          await checkpoints.write(unit, epoch, checkpoint);
          append([...gathered.values()].flat());
        },
      });
    const open = (): Connection<unknown, unknown> => ({
      check: async () => [],
      openTarget: async () => target,
      ...(this.#kind === 'queue' ? { openStreamWriter } : {}),
      async [Symbol.asyncDispose]() {},
    });
    return { name: 'log', summary: 'A log', config: z.strictObject({}), to: z.strictObject({}), open };
  }
}

class BusStream implements EventStream {
  readonly origin = 'bus';
  readonly #events: readonly StreamEvent[];
  readonly #tellsAtOnce: boolean;
  readonly #mayBreak: () => void;
  #at: number;
  #credit = 0;
  #error: Error | null = null;
  #wake: () => void = () => {};

  constructor(events: readonly StreamEvent[], at: number, tellsAtOnce: boolean, mayBreak: () => void) {
    this.#events = events;
    this.#at = at;
    this.#tellsAtOnce = tellsAtOnce;
    this.#mayBreak = mayBreak;
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
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    for (let isFirst = this.#tellsAtOnce; !signal.aborted; isFirst = false) {
      this.#mayBreak();
      const events = this.#events.slice(this.#at, this.#at + Math.min(this.#credit, 5));
      this.#at += events.length;
      this.#credit -= events.length;
      const caughtUp = this.#at === this.#events.length;
      if (isFirst || events.length > 0) yield { events, position: String(this.#at), caughtUp, reset: false };
      if (this.#error !== null) throw this.#error;
      if (this.#at < this.#events.length && this.#credit > 0) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (signal.aborted || this.#error !== null) resolve();
      });
      if (this.#error !== null) throw this.#error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wake();
  }
}
