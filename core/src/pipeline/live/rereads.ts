import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, type RetryPolicy } from '../../base/retry.ts';
import type { Log } from '../../model/log.ts';
import { type Reread, wider } from './live-envelope.ts';

export interface RereadsOptions {
  readonly unit: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends the waits between runs. */
  readonly signal: AbortSignal;
  /** Reads a sync again; resolves to whether that succeeded. `busy`: another run of it is under way, and a while has been waited. */
  readonly reread: (sync: string, kind: Reread) => Promise<boolean | 'busy'>;
  /** Nothing of a sync is missing any more. */
  readonly onMended?: (sync: string) => void;
}

/** A connection of the stream, as far as rereads depend on it. */
export interface Listening {
  /** The source has told where it stands: what is committed from now on will be heard. */
  readonly subscribed: Promise<void>;
  /** What has to be read again is something else now, and is to be kept. */
  changed(): void;
}

interface Hole {
  readonly kind: Reread;
  /** A run of this kind has begun: what comes up now, it may have passed already. */
  begun: boolean;
}

/** While a source has not said that it listens, what is missing is read after this all the same, and once more when it does. */
const SUBSCRIBED_MS = 5000;
const AGAIN: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/**
 * What has to be read again, sync by sync, and the runs that do so. They outlive the connections of the stream: while one sync is
 * read for hours, the stream of the others is lost and found again.
 */
export class Rereads {
  readonly #options: RereadsOptions;
  readonly #holes = new Map<string, Hole>();
  /** Syncs that the stream feeds at this time; none while it is not connected. */
  #following: ReadonlySet<string> = new Set();
  readonly #paused = new Set<string>();
  readonly #loading = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  /** Syncs of which it is known what a former process has kept. */
  readonly #remembered = new Set<string>();
  #listening = false;
  #connection: Listening | null = null;

  constructor(options: RereadsOptions) {
    this.#options = options;
  }

  /** Syncs that are being read again, or are about to: who is paused or stands aside has time. */
  get names(): readonly string[] {
    return [...this.#holes.keys()].filter((sync) => this.#running.has(sync) || this.#due(sync));
  }

  /** As it is kept with the stream's position. */
  get kept(): Readonly<Record<string, Reread>> {
    return Object.fromEntries([...this.#holes].map(([sync, { kind }]) => [sync, kind]));
  }

  has(sync: string): boolean {
    return this.#holes.has(sync);
  }

  /** By the user: events are left out, and what they told is read when it goes on. */
  isPaused(sync: string): boolean {
    return this.#paused.has(sync);
  }

  /** Its first load is not done: events are left to the delta that follows it. */
  isLoading(sync: string): boolean {
    return this.#loading.has(sync);
  }

  /** Something of this sync was not told, or not listened to, up to now. */
  mark(sync: string, kind: Reread): void {
    const known = this.#holes.get(sync);
    const both = known === undefined ? kind : wider(known.kind, kind);
    if (known !== undefined && !known.begun && isDeepStrictEqual(both, known.kind)) return;
    this.#holes.set(sync, { kind: both, begun: false });
    this.#connection?.changed();
    this.#start(sync);
  }

  /** As `kept` told when a process was here before. What this one has mended since is not brought back. */
  remember(sync: string, kind: Reread): void {
    if (this.#remembered.has(sync)) return;
    this.#remembered.add(sync);
    this.mark(sync, kind);
  }

  /** The stream is connected, feeds these syncs, and asks for what they lack. */
  connect(connection: Listening, syncs: readonly string[]): void {
    this.#connection = connection;
    this.#following = new Set(syncs);
    connection.subscribed.then(() => {
      if (this.#connection === connection) this.#listening = true;
    });
    for (const sync of syncs) this.#start(sync);
  }

  /** Runs under way go on, and what they mend counts. */
  disconnect(): void {
    this.#connection = null;
    this.#following = new Set();
    this.#listening = false;
  }

  setPaused(sync: string, paused: boolean): void {
    if (paused) this.#paused.add(sync);
    else this.#paused.delete(sync);
    this.#start(sync);
  }

  /** Its target holds nothing yet. A run that is under way has begun with what it knew, and is not to be told otherwise. */
  setLoading(sync: string): void {
    if (this.#holes.has(sync) && !this.#running.has(sync)) this.#loading.add(sync);
  }

  /** Resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  #start(sync: string): void {
    if (this.#running.has(sync) || !this.#due(sync)) return;
    const { signal, log, unit } = this.#options;
    const work = this.#readAll(sync)
      .catch((error) => {
        if (!signal.aborted) log.error({ stream: unit, sync, err: error }, 'a sync could not be read again');
      })
      .finally(() => {
        this.#running.delete(sync);
        // What came up between its last look and here was not told to anybody else.
        this.#start(sync);
      });
    this.#running.set(sync, work);
  }

  #due(sync: string): boolean {
    return this.#holes.has(sync) && this.#following.has(sync) && !this.#paused.has(sync) && !this.#options.signal.aborted;
  }

  /** Reads a sync again until nothing of it is missing. */
  async #readAll(sync: string): Promise<void> {
    const { clock, random, reread, log, unit, signal } = this.#options;
    // First the stream listens, then the source is read: what is committed in between is in both.
    await this.#listen();
    let failures = 0;
    while (this.#due(sync)) {
      const hole = this.#holes.get(sync)!;
      hole.begun = true;
      // Events that came during the first load were left to a delta, and so is what was committed before the stream listened.
      const closes = this.#listening && !this.#loading.has(sync);
      const done = await reread(sync, hole.kind).catch((error) => {
        if (signal.aborted) throw error;
        log.error({ stream: unit, sync, err: error }, 'a sync could not be read again, which is tried once more');
        return false;
      });
      // That run is no failure, however long it takes: when it ends, nobody is to wait longer for that.
      if (done === 'busy') continue;
      if (done) {
        failures = 0;
        this.#loading.delete(sync);
        if (closes) this.#close(sync, hole);
        while (this.#due(sync) && !this.#listening) await this.#listen();
        continue;
      }
      failures++;
      await clock.sleep(backoffMs(failures, AGAIN, random), signal);
    }
  }

  async #listen(): Promise<void> {
    const { clock, signal } = this.#options;
    if (this.#listening || this.#connection === null) return;
    await Promise.race([this.#connection.subscribed, clock.sleep(SUBSCRIBED_MS, signal)]);
  }

  #close(sync: string, hole: Hole): void {
    // Of what was marked meanwhile, the run may have read a part before.
    if (this.#holes.get(sync) !== hole) return;
    this.#holes.delete(sync);
    this.#options.onMended?.(sync);
    this.#connection?.changed();
  }
}
