import type { Clock } from '../base/clock.ts';
import type { Store } from '../store/store.ts';

/** How old the answer may be. */
const KNOWN_MS = 2000;

/**
 * Which syncs are paused, for who asks every few seconds: a thousand streams that each looked for themselves kept the store busy.
 * Who is about to begin something asks the store.
 */
export class Pauses {
  readonly #store: Pick<Store, 'pausedSyncs'>;
  readonly #clock: Clock;
  #reading: Promise<ReadonlySet<string>> | null = null;
  #readAtMs = 0;

  constructor(store: Pick<Store, 'pausedSyncs'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async has(sync: string): Promise<boolean> {
    const now = this.#clock.now();
    if (this.#reading === null || Math.abs(now - this.#readAtMs) >= KNOWN_MS) {
      this.#readAtMs = now;
      const reading = this.#store.pausedSyncs();
      this.#reading = reading;
      reading.catch(() => {
        if (this.#reading === reading) this.#reading = null;
      });
    }
    return (await this.#reading).has(sync);
  }
}
