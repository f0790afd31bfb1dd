import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';

/** An org that gave no answer so many times in a row is left alone for a while. */
const FAILURES_MAX = 3;
const WAIT_MS = 30_000;
const WAIT_MS_MAX = 15 * 60_000;
/** An org of which nothing is heard for so long: what waits for it needs no place among those that work. */
const SILENT_MS = 10_000;

interface Circuit {
  failures: number;
  untilMs: number;
}

/** When the org last answered anything, by our clock. */
type HeardAt = (connection: string) => number;

/** Leaves orgs alone that do not answer, longer each time: what is asked of them costs the others time, connections and log lines. */
export class Circuits {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #heardAt: HeardAt;
  readonly #broken = new Map<string, Circuit>();

  constructor(options: { readonly clock: Clock; readonly random: Random; readonly heardAt: HeardAt }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#heardAt = options.heardAt;
  }

  /** Since when it has given no answer, and until when it is left alone; null for one that may be asked. */
  wait(org: string): { readonly reason: string; readonly untilMs: number } | null {
    const circuit = this.#broken.get(org);
    if (circuit === undefined || circuit.untilMs <= this.#clock.now()) return null;
    return { reason: `the org gave no answer ${circuit.failures} times in a row`, untilMs: circuit.untilMs };
  }

  /** A run has ended. One that failed though the org answered says nothing of the org. */
  ended(org: string, { startedAtMs, isFailed }: { readonly startedAtMs: number; readonly isFailed: boolean }): void {
    if (!isFailed || this.#heardAt(org) >= startedAtMs) {
      this.#broken.delete(org);
      return;
    }
    const failures = (this.#broken.get(org)?.failures ?? 0) + 1;
    const ceilingMs = Math.min(WAIT_MS_MAX, WAIT_MS * 2 ** Math.max(0, failures - FAILURES_MAX));
    // At least half of it, so that orgs that went together do not come back together.
    const waitMs = failures < FAILURES_MAX ? 0 : ceilingMs * (0.5 + 0.5 * this.#random());
    this.#broken.set(org, { failures, untilMs: this.#clock.now() + waitMs });
  }

  /** Whether a run that began then waits for nothing but the org. */
  isSilent(org: string, startedAtMs: number): boolean {
    return this.#clock.now() - Math.max(startedAtMs, this.#heardAt(org)) > SILENT_MS;
  }
}
