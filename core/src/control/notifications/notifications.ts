import { type Problem, RequestRefusedError, SyncError } from '../../base/errors.ts';
import { scrub } from '../../base/secrets.ts';
import type { LiveStatus } from '../../pipeline/live/live-status.ts';
import type { Budgets } from '../budget/budgets.ts';
import type { EngineOptions } from '../engine-options.ts';
import { deliver } from './deliver.ts';
import { findTroubles } from './find-troubles.ts';
import { testNotification } from './notification.ts';
import { openReceiver, type Receiver } from './receiver.ts';
import { settleTroubles } from './watch-troubles.ts';

/** How often it is looked whether something is wrong. */
const LOOK_MS = 15_000;
/** A run that has failed is looked at sooner; a thousand that fail together are one look. */
const LOOK_SOON_MS = 1000;
/** What nobody could be told for so long is told to nobody any more. */
const KEPT_MS = 3 * 86_400_000;

/** What came of telling one receiver that there is nothing to tell. */
export interface Tested {
  readonly receiver: string;
  /** Null: it was told. */
  readonly error: string | null;
  readonly hint: string | undefined;
}

/** Tells people what is wrong, and when it is over, each once (004-5). Syncs never wait for it. */
export class Notifications {
  readonly #options: EngineOptions & { readonly budgets: Budgets };
  readonly #receivers: ReadonlyMap<string, Receiver>;
  #soon = new AbortController();
  #news = new AbortController();

  constructor(options: EngineOptions & { readonly budgets: Budgets }) {
    this.#options = options;
    const { notifications } = options.config;
    this.#receivers = new Map([...notifications].map(([name, config]) => [name, openReceiver(config, options)]));
  }

  /** Looks and tells until `stop`. Never rejects. */
  async run(followed: () => readonly LiveStatus[], stop: AbortSignal): Promise<void> {
    if (this.#receivers.size === 0) return;
    const { store, clock, random, log } = this.#options;
    const options = { store: store.notifications, clock, random, log, stop, news: () => this.#news.signal };
    await Promise.all([
      this.#watch(followed, stop),
      ...[...this.#receivers].map(([name, receiver]) => deliver(name, receiver, options)),
    ]);
  }

  /** Something has failed just now. */
  lookSoon(): void {
    this.#soon.abort();
  }

  /** How many are still to be told, by receiver. */
  async waiting(): Promise<ReadonlyMap<string, number>> {
    if (this.#receivers.size === 0) return new Map();
    const waiting = await this.#options.store.notifications.waiting();
    return new Map([...this.#receivers.keys()].map((name) => [name, waiting.get(name) ?? 0]));
  }

  /** Tells one receiver, or all of them, that nothing is wrong. @throws {RequestRefusedError} there is none of that name, or none at all */
  async test(name: string | undefined, signal: AbortSignal): Promise<readonly Tested[]> {
    const named = [...this.#receivers].filter(([each]) => name === undefined || each === name);
    if (named.length === 0) {
      const known = [...this.#receivers.keys()].join(', ');
      throw new RequestRefusedError(name === undefined ? 'nobody is told of anything' : `there is no receiver ${name}`, {
        hint: known === '' ? 'name somebody in notifications: of the configuration' : `there is: ${known}`,
      });
    }
    return Promise.all(
      named.map(async ([receiver, { send }]) => {
        const failed = await failureOf(send([testNotification(receiver, this.#options.clock.now())], signal));
        return { receiver, error: failed?.message ?? null, hint: failed?.hint };
      }),
    );
  }

  /** Whether receivers can be reached, without telling them anything. */
  async check(signal: AbortSignal): Promise<readonly Problem[]> {
    const found = await Promise.all(
      [...this.#receivers].map(async ([name, { check }]): Promise<Problem | null> => {
        const failed = await failureOf(check(signal));
        const hint = failed?.hint ?? 'nobody would be told there of what is wrong: mend its settings';
        return failed === null ? null : { place: `notifications.${name}`, message: failed.message, hint, severity: 'error' };
      }),
    );
    return found.filter((problem) => problem !== null);
  }

  async #watch(followed: () => readonly LiveStatus[], stop: AbortSignal): Promise<void> {
    const { store, clock, log, config } = this.#options;
    const parts = { ...this.#options, followed };
    // What was told of streams when the last process ended is no news: they get time to come back.
    await clock.sleep(LOOK_MS, stop).catch(() => {});
    while (!stop.aborted) {
      this.#soon = new AbortController();
      try {
        const watched = { store: store.notifications, clock, receivers: config.notifications };
        if (await settleTroubles(await findTroubles(parts), watched)) this.#tell();
        for (const [receiver, count] of await store.notifications.giveUp(clock.now() - KEPT_MS)) {
          log.error({ receiver, count }, 'notifications were given up: nobody could be told for three days');
        }
      } catch (error) {
        log.warn({ err: error }, 'it could not be looked whether something is wrong, which is tried again');
      }
      await clock.sleep(LOOK_MS, AbortSignal.any([stop, this.#soon.signal])).catch(() => {});
      if (this.#soon.signal.aborted) await clock.sleep(LOOK_SOON_MS, stop).catch(() => {});
    }
  }

  #tell(): void {
    const told = this.#news;
    this.#news = new AbortController();
    told.abort();
  }
}

async function failureOf(work: Promise<void>): Promise<{ readonly message: string; readonly hint: string | undefined } | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return { message: scrub((error as Error).message), hint: error instanceof SyncError ? error.hint : undefined };
  }
}
