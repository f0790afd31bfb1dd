import type { Clock } from '@tidemark/core';

/** Lets at most so many requests begin within any stretch of `perMs`, in the order in which they ask. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #requestsMax: number;
  readonly #perMs: number;
  /** When the latest requests began or will begin, oldest first; no more than `requestsMax`. */
  readonly #turns: number[] = [];

  constructor(clock: Clock, limit: { requests: number; per: number }) {
    this.#clock = clock;
    this.#requestsMax = limit.requests;
    this.#perMs = limit.per;
  }

  async turn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const before = this.#turns.length < this.#requestsMax ? undefined : this.#turns.shift()!;
    const at = before === undefined ? now : Math.max(now, before + this.#perMs);
    // Taken before the wait, so that whoever asks meanwhile comes after.
    this.#turns.push(at);
    if (at > now) await this.#clock.sleep(at - now, signal);
  }
}
