import type { Clock } from '../../base/clock.ts';
import type { Store } from '../../store/store.ts';

/** As long as a source may retain events, and so bring them once more. */
const SEEN_MS = 73 * 3_600_000;
/** What is older is looked for this often. */
const FORGET_MS = 600_000;

/**
 * Which events have been brought to a target that would take them twice: a line that is printed, an event that is published. Kept
 * after the target has acknowledged them, so that a crash in between repeats and never skips (P1).
 */
export class SeenEvents {
  readonly #store: Store;
  readonly #sync: string;
  readonly #clock: Clock;
  #forgottenAtMs = 0;

  constructor(store: Store, sync: string, clock: Clock) {
    this.#store = store;
    this.#sync = sync;
    this.#clock = clock;
  }

  async among(keys: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#store.seen(this.#sync, keys)).keys());
  }

  async remember(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const now = this.#clock.now();
    const isTimeToForget = now - this.#forgottenAtMs >= FORGET_MS;
    if (isTimeToForget) this.#forgottenAtMs = now;
    const seen = keys.map((key) => ({ key, stampMs: now, hash: '' }));
    await this.#store.putSeen(this.#sync, seen, isTimeToForget ? now - SEEN_MS : 0);
  }
}
