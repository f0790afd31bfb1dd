import type { Clock } from '../base/clock.ts';
import type { Ownership } from '../pipeline/two-way/opened-pairing.ts';
import type { Store } from '../store/store.ts';
import { BEAT_MS, SILENT_MS_MAX } from '../store/workers.ts';

interface Heard {
  readonly sign: string;
  readonly sinceMs: number;
}

/** How often it is looked whether another one's run has ended. */
export const LOOK_MS = 500;
const OVER = 'over';

/**
 * Lets other processes hear that work on a two-way sync is under way here, and hears whether any is there: what nobody has asked for
 * waits until it is over, however long it takes, or until the process that was at it is not heard of any more. Taking a sync over is a
 * matter of epochs (P11): from whoever was heard last, and from nobody else.
 */
export class SignsOfLife {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #heard = new Map<string, Heard>();

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @returns the epoch by which the sync may be taken over now; null while another process is at it */
  async free(sync: string, own: Ownership): Promise<number | null> {
    const epoch = await this.#store.checkpoints.epoch(sync);
    if (epoch === 0 || epoch === own.epoch) return epoch;
    // Who has only just begun has not given a sign yet: what is kept is of somebody before.
    const kept = await this.#store.getValue(nameOf(sync));
    if (kept === signOf(epoch, OVER)) return epoch;
    const sign = `${epoch}, ${kept}`;
    const nowMs = this.#clock.now();
    const heard = this.#heard.get(sync);
    if (heard?.sign === sign) return nowMs - heard.sinceMs > SILENT_MS_MAX ? epoch : null;
    this.#heard.set(sync, { sign, sinceMs: nowMs });
    return null;
  }

  /** Returns once the sync may be taken over. @throws {unknown} why `ended` aborts */
  async freed(sync: string, own: Ownership, ended: AbortSignal): Promise<void> {
    while ((await this.free(sync, own)) === null) await this.#clock.sleep(LOOK_MS, ended);
  }

  /** Work that is heard of until it ends. */
  async during<T>(sync: string, own: Ownership, work: () => Promise<T>): Promise<T> {
    const ended = new AbortController();
    const beating = this.#beat(sync, own, ended.signal);
    try {
      return await work();
    } finally {
      ended.abort();
      await beating;
      await this.#give(sync, own, OVER);
    }
  }

  /** Nobody is at it any more. */
  async over(sync: string): Promise<void> {
    await this.#give(sync, { epoch: await this.#store.checkpoints.epoch(sync) }, OVER);
  }

  async #beat(sync: string, own: Ownership, ended: AbortSignal): Promise<void> {
    for (let beat = 1; ; beat++) {
      await this.#clock.sleep(BEAT_MS, ended).catch(() => {});
      if (ended.aborted) return;
      await this.#give(sync, own, String(beat));
    }
  }

  /** The work does not fail because nobody hears of it. */
  async #give(sync: string, { epoch }: Ownership, word: string): Promise<void> {
    try {
      // Who has lost it keeps silent: it is another one who is to be heard.
      if (epoch === null || (await this.#store.checkpoints.epoch(sync)) !== epoch) return;
      await this.#store.setPassingValue(nameOf(sync), signOf(epoch, word));
    } catch {}
  }
}

const nameOf = (sync: string) => `work on ${sync}`;
const signOf = (epoch: number, word: string) => `${epoch} ${word}`;
