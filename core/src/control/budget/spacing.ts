/** Work may be done as it comes for so long before it is spaced: for the calls that such a time has to its name. */
const BURST_MS = 3_600_000;
/** However short calls are, nothing is spaced wider: while any may be made, what changed goes across so often. */
export const PACED_MS_MAX = 900_000;

/**
 * Spaces work before its calls run short: each piece of it is followed by a wait in proportion to what such work has cost, and to what
 * is left. The debt is the connection's: whoever does such work there adds to it, and whoever can wait waits for it to be paid.
 * A pace is the calls that may be made in a millisecond in the long run; null for as many as are asked for.
 */
export class Spacing {
  /** Calls that were made sooner than their pace allows. */
  #debt = 0;
  #debtAtMs = 0;
  /** When one was last made. */
  #calledAtMs = Number.NEGATIVE_INFINITY;

  called(nowMs: number, perMs: number | null): void {
    this.#calledAtMs = nowMs;
    if (perMs === null) this.#debt = 0;
    else {
      this.#repay(nowMs, perMs);
      this.#debt = Math.min(this.#debt + 1, (BURST_MS + PACED_MS_MAX) * perMs);
    }
    this.#debtAtMs = nowMs;
  }

  /** When such work may go on. */
  untilMs(nowMs: number, perMs: number | null): number {
    if (perMs === null) return nowMs;
    this.#repay(nowMs, perMs);
    const untilMs = nowMs + Math.max(0, this.#debt / perMs - BURST_MS);
    // From the last call on, not from now: asked again and again, a debt that outlives its pace would hold work for ever.
    return Math.min(untilMs, Math.max(nowMs, Math.min(this.#calledAtMs, nowMs) + PACED_MS_MAX));
  }

  #repay(nowMs: number, perMs: number): void {
    this.#debt = Math.max(0, this.#debt - Math.max(0, nowMs - this.#debtAtMs) * perMs);
    this.#debtAtMs = nowMs;
  }
}
