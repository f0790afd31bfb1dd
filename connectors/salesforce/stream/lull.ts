import type { Clock } from '@tidemark/core';

/**
 * Tells when nothing has come for a while. One timer serves all the waits of a connection, of which there are thousands a second: it is
 * set again only where it ran out too early, and so a lull is told after once to twice the time.
 */
export class Lull {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #waiting: ((quiet: boolean) => void) | null = null;
  #ms = 0;
  #isTiming = false;

  /** @param signal  of the connection, whose end is also that of what is waited for */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Whether so much time passes before `next` has come, one way or the other. One wait at a time. */
  comesBefore(next: Promise<unknown>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const arrived = () => {
        if (this.#waiting === resolve) this.#waiting = null;
        resolve(false);
      };
      next.then(arrived, arrived);
      this.#waiting = resolve;
      this.#ms = ms;
      if (!this.#isTiming) void this.#time();
    });
  }

  async #time(): Promise<void> {
    this.#isTiming = true;
    while (this.#waiting !== null && !this.#signal.aborted) {
      const waited = this.#waiting;
      await this.#clock.sleep(this.#ms, this.#signal).catch(() => {});
      if (this.#waiting !== waited || this.#signal.aborted) continue;
      this.#waiting = null;
      waited(true);
    }
    this.#isTiming = false;
  }
}
