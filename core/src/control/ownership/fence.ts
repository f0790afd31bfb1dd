import type { Clock } from '../../base/clock.ts';
import { OwnershipLostError } from '../../base/errors.ts';

/**
 * Ends what a worker does when its store has not answered for so long that others may soon be allowed to do it. Counted from the moment
 * in which the last answered question was put, by sleeping and not by the time of day, which may be set.
 */
export class Fence implements Disposable {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #lost = new AbortController();
  #standing: AbortController | null = null;

  constructor(clock: Clock, ms: number, also: AbortSignal) {
    this.#clock = clock;
    this.#ms = ms;
    const end = () => this.#end('the state store has ended the session of this worker');
    if (also.aborted) end();
    else also.addEventListener('abort', end, { once: true });
  }

  /** Aborts with why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Asks the store. @throws {OwnershipLostError} the answer did not come in time */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    const next = this.#arm();
    const answer = await this.#inTime(question());
    this.#standing?.abort();
    this.#standing = next;
    return answer;
  }

  [Symbol.dispose](): void {
    this.#end('this worker has left');
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const { lost } = this;
    return new Promise((resolve, reject) => {
      const end = () => reject(lost.reason);
      if (lost.aborted) end();
      lost.addEventListener('abort', end, { once: true });
      answer.then(resolve, reject).finally(() => lost.removeEventListener('abort', end));
    });
  }

  #arm(): AbortController {
    const standing = new AbortController();
    this.#clock.sleep(this.#ms, AbortSignal.any([standing.signal, this.lost])).then(
      () => this.#end('the state store has not answered this worker in time'),
      () => {},
    );
    return standing;
  }

  #end(why: string): void {
    if (!this.lost.aborted) this.#lost.abort(new OwnershipLostError(`${why}: what it was doing is another worker's`));
  }
}
