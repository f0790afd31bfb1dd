import type { Clock, Random } from '@tidemark/core';
import type { History } from './history.ts';
import type { Life } from './life.ts';

interface Parked {
  readonly life: Life;
  readonly what: string;
  readonly dueMs: number;
  /** Lets go on who waits; a promise is awaited before anything else happens. */
  readonly resume: () => undefined | Promise<void>;
}

export interface SchedulerOptions {
  readonly random: Random;
  readonly startMs: number;
  readonly history: History;
  /** Called before each step: may abandon a life. */
  readonly onStep?: () => void;
}

/** Nobody waits any more, and what was waited for has not come about. */
export class NothingWaitsError extends Error {
  override readonly name = 'NothingWaitsError';
}

/** True time in which what is outside answers, if it does not wait for somebody of this world; and the longest that it may take. */
const answerMs = 30;
const answerMsMax = 30_000;

/** Event loop turns after a step, in which whatever it set going comes to rest. */
const turns = 2;

/**
 * The one thing that happens at a time in a simulated world. Whoever waits for time or for the outside parks here; when all is at
 * rest the scheduler picks one of those that are due, by its random numbers, and lets it go on. Time passes only when nobody is due.
 */
export class Scheduler {
  readonly history: History;
  readonly #random: Random;
  readonly #onStep: () => void;
  #parked: Parked[] = [];
  readonly #frozen = new Set<Life>();
  /** What is under way outside, and not waited for. */
  #beside = 0;
  #nowMs: number;
  steps = 0;

  constructor(options: SchedulerOptions) {
    this.#random = options.random;
    this.#nowMs = options.startMs;
    this.history = options.history;
    this.#onStep = options.onStep ?? (() => {});
  }

  now(): number {
    return this.#nowMs;
  }

  /** How many wait, for tests. */
  get waiting(): number {
    return this.#parked.length;
  }

  /** Lets time jump, as for a process that nobody started for days. */
  skip(ms: number): void {
    this.#nowMs += Math.ceil(ms);
    this.history.add(`skip ${ms}`);
  }

  /** Waits until its turn comes, `delayMs` from now at the earliest. Rejects with the signal's reason when that aborts first. */
  park(life: Life, what: string, delayMs: number, signal?: AbortSignal): Promise<void> {
    if (life.abandoned) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => {
        const at = this.#parked.indexOf(parked);
        if (at >= 0) this.#parked.splice(at, 1);
        reject(signal!.reason);
      };
      const parked: Parked = {
        life,
        what,
        dueMs: this.#nowMs + Math.max(0, Math.ceil(delayMs)),
        resume: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
          return undefined;
        },
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#parked.push(parked);
    });
  }

  /** Calls once its turn comes; nothing else happens until that has ended. Returns how to cancel it. */
  after(life: Life, what: string, delayMs: number, call: () => undefined | Promise<void>): () => void {
    if (life.abandoned) return () => {};
    const parked: Parked = { life, what, dueMs: this.#nowMs + Math.max(0, Math.ceil(delayMs)), resume: call };
    this.#parked.push(parked);
    return () => {
      const at = this.#parked.indexOf(parked);
      if (at >= 0) this.#parked.splice(at, 1);
    };
  }

  /**
   * Work outside of the process (a database, a server), parked before it is done and again before its answer is here: a crash may
   * come before it, or after it and before anybody knows. However long the work takes in truth, nothing else happens meanwhile.
   */
  async outside<T>(
    life: Life,
    what: string,
    work: () => T | Promise<T>,
    delays: { readonly beforeMs?: number; readonly afterMs?: number } = {},
  ): Promise<T> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    await new Promise<void>((done) => {
      this.after(life, what, delays.beforeMs ?? 0, async () => {
        try {
          outcome = { value: await work() };
        } catch (error) {
          outcome = { error };
        }
        done();
      });
    });
    await this.park(life, `${what} answered`, delays.afterMs ?? 0);
    if ('error' in outcome!) throw outcome.error;
    return outcome!.value;
  }

  /**
   * Work outside that may have to wait for other work of this world, as one database transaction waits for another: it is begun in
   * its turn, and things go on meanwhile. When it is done depends on the outside: such a world is not the same twice.
   */
  async beside<T>(life: Life, what: string, work: () => Promise<T>): Promise<T> {
    await this.park(life, what, 0);
    let outcome: { readonly value: T } | { readonly error: unknown };
    this.#beside++;
    try {
      outcome = { value: await work() };
    } catch (error) {
      outcome = { error };
    } finally {
      this.#beside--;
    }
    await this.park(life, `${what} answered`, 0);
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /** A clock in this world, ahead of its time by `skewMs`. */
  clock(life: Life, skewMs = 0): Clock {
    return {
      now: () => this.#nowMs + skewMs,
      sleep: (ms, signal) => this.park(life, 'sleep', ms, signal),
    };
  }

  /** Kill -9: who waits in this life never goes on. */
  abandon(life: Life): void {
    this.history.add(`${this.#nowMs} ${life.name} is abandoned`);
    this.#parked = this.#parked.filter((parked) => parked.life !== life);
    this.#frozen.delete(life);
    life.abandon();
  }

  /** As a machine that sleeps, or a process that is stopped: what it waits for comes, and it notices when it thaws. */
  freeze(life: Life): void {
    this.history.add(`${this.#nowMs} ${life.name} freezes`);
    this.#frozen.add(life);
  }

  thaw(life: Life): void {
    this.history.add(`${this.#nowMs} ${life.name} thaws`);
    this.#frozen.delete(life);
  }

  /**
   * Lets things happen until `done`, which is asked whenever all is at rest.
   * @throws {NothingWaitsError} nobody waits and it is not done
   * @throws what `work` handed to `after` throws
   */
  async run(done: () => boolean | Promise<boolean>): Promise<void> {
    for (;;) {
      await rest();
      if (await done()) return;
      this.#onStep();
      if (this.#beside > 0) await this.#giveTime();
      // A step or a look may have set something going that is about to wait.
      if (this.#parked.length === 0) {
        await rest();
        if (await done()) return;
      }
      await this.#step();
    }
  }

  /** Time would pass, and somebody may be about to answer: true time is given to that, as long as it is not waiting for us. */
  async #giveTime(): Promise<void> {
    const untilMs = performance.now() + (this.#parked.length === 0 ? answerMsMax : answerMs);
    const isDue = () => this.#parked.some(({ dueMs }) => dueMs <= this.#nowMs);
    while (this.#beside > 0 && !isDue() && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 1));
    await rest();
  }

  async #step(): Promise<void> {
    let earliestMs = Number.POSITIVE_INFINITY;
    const mayGo = ({ life }: Parked) => this.#frozen.size === 0 || !this.#frozen.has(life);
    for (const parked of this.#parked) if (mayGo(parked)) earliestMs = Math.min(earliestMs, parked.dueMs);
    if (earliestMs === Number.POSITIVE_INFINITY) throw new NothingWaitsError('nobody waits for anything any more');
    this.#nowMs = Math.max(this.#nowMs, earliestMs);
    const due: number[] = [];
    for (const [i, parked] of this.#parked.entries()) if (parked.dueMs <= this.#nowMs && mayGo(parked)) due.push(i);
    const at = due.length === 1 ? due[0]! : due[Math.floor(this.#random() * due.length)]!;
    const [next] = this.#parked.splice(at, 1);
    this.steps++;
    this.history.add(`${this.#nowMs} ${next!.life.name} ${next!.what}`);
    await next!.resume();
  }
}

/** Until every promise that can settle without the outside has settled. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
