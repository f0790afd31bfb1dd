import { NotConnectedError, type Random, type Store } from '@tidemark/core';
import type { Life, Scheduler, SimulatedWorkers } from '@tidemark/testkit/simulation';
import { localDelay } from '../lib/network.ts';
import { storeParts } from '../lib/store-parts.ts';

/** Whoever is cut off gives up after so long. */
const CUT_MS = 5000;

/** What lies between one process and the database in which all of them keep their state. */
export class StateLine {
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #random: Random;
  readonly #workers: SimulatedWorkers;
  /** Its sessions there, the latest last. */
  readonly sessions: string[] = [];
  isCut = false;

  constructor(parts: { scheduler: Scheduler; life: Life; random: Random; workers: SimulatedWorkers }) {
    this.#scheduler = parts.scheduler;
    this.#life = parts.life;
    this.#random = parts.random;
    this.#workers = parts.workers;
    // The machine closes what its dead process had open.
    this.#life.onAbandoned(() => {
      for (const session of this.sessions) this.#workers.end(session);
    });
  }

  /** The store, at the other end. Each of its methods is whole or not at all; the process may die before it and after it. */
  reach(store: Store): Store {
    const workers = this.#workers.reachedBy({
      ask: async (what, question) => {
        const answer = await this.#ask(what, question);
        if (what === 'join') this.sessions.push(answer as string);
        return answer;
      },
      tell: (what, hear) => {
        if (this.isCut) return;
        this.#scheduler.after(this.#life, what, localDelay(this.#random), () => {
          hear();
          return undefined;
        });
      },
    });
    const outside = <T extends object>(part: T, what: string): T =>
      new Proxy(part, {
        get: (target, name) => {
          if (name === 'workers') return workers;
          const value = Reflect.get(target, name, target) as unknown;
          if (storeParts.has(name)) return outside(value as object, `store ${String(name)}`);
          if (typeof value !== 'function' || typeof name === 'symbol') return value;
          return (...args: unknown[]) => this.#ask(`${what} ${name}`, () => value.apply(target, args));
        },
      });
    return outside(store, 'store');
  }

  async #ask<T>(what: string, question: () => T | Promise<T>): Promise<T> {
    const delays = { beforeMs: localDelay(this.#random), afterMs: localDelay(this.#random) };
    if (this.isCut) await this.#unanswered(what);
    const answer = await this.#scheduler.outside(this.#life, what, question, delays);
    // It was done, and nobody hears of it.
    if (this.isCut) await this.#unanswered(what);
    return answer;
  }

  async #unanswered(what: string): Promise<never> {
    await this.#scheduler.park(this.#life, `${what} is lost`, CUT_MS);
    throw new NotConnectedError('the state store does not answer');
  }
}
