/** So many requests within any stretch of a length, and no more. */
export class RequestRate {
  readonly #perMs: number;
  /** When the last of them were let in, the oldest at `#next`. */
  readonly #times: Float64Array;
  #next = 0;

  constructor({ requests, perMs }: { readonly requests: number; readonly perMs: number }) {
    this.#perMs = perMs;
    this.#times = new Float64Array(requests).fill(Number.NEGATIVE_INFINITY);
  }

  /** Lets one in and answers 0, or answers how long it has to wait. */
  enter(nowMs: number): number {
    const waitMs = this.#times[this.#next]! + this.#perMs - nowMs;
    if (waitMs > 0) return waitMs;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#times.length;
    return 0;
  }
}
