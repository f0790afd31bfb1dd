import { type Change, NO_STAMP } from '../model/change.ts';
import { newFailure } from './apply.ts';
import type { OpenedSync } from './opened-sync.ts';
import type { StepFailure } from './stage.ts';

/**
 * Where the target has a key of its own, a record that a step refused is kept by the source's key, and what comes of a later version
 * by the target's: neither merges into the other. So the failure takes the later version over before that is written, and is gone
 * when it is: at no time is the older one tried after it (P3), and at no time is nothing kept of the record (P2).
 */
export class Overtaken {
  readonly #sync: OpenedSync;
  readonly #failing: Set<string>;
  readonly #ids = new Map<string, string>();

  constructor(sync: OpenedSync, failing: Set<string>) {
    this.#sync = sync;
    this.#failing = failing;
  }

  /** To be called before what came of `read` is written. */
  async add(read: readonly Change[], failures: readonly StepFailure[]): Promise<void> {
    const { steps, store, config } = this.#sync;
    if (!steps.ownKey || this.#failing.size === 0) return;
    const failed = new Set(failures.map(({ key }) => key));
    for (const key of failed) this.#ids.delete(key);
    const passed = new Map(
      read.flatMap((change) => (this.#failing.has(change.key) && !failed.has(change.key) ? [[change.key, change]] : [])),
    );
    if (passed.size === 0) return;
    const open = await store.failures({ sync: config.name, keys: [...passed.keys()] });
    const own = open.filter(({ place }) => place !== 'target');
    await store.putFailures(
      own.map((failure) => newFailure(this.#sync, { ...passed.get(failure.key)!, stampMs: NO_STAMP }, failure, failure.place)),
    );
    for (const { key, id } of own) this.#ids.set(key, id);
  }

  /** To be called once all of it is written. */
  async forget(): Promise<void> {
    if (this.#ids.size === 0) return;
    await this.#sync.store.removeFailures([...this.#ids.values()]);
    for (const key of this.#ids.keys()) this.#failing.delete(key);
    this.#ids.clear();
  }
}
