import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../model/log.ts';
import type { EventStream, StreamEvent } from '../../model/stream.ts';
import type { JournalEvent, JournalHead, JournalStore } from '../../store/journal-store.ts';

export interface JournalOptions {
  readonly store: JournalStore;
  /** The unit of work whose events these are. */
  readonly stream: string;
  /** How long to keep which dataset. */
  readonly retention: ReadonlyMap<string, number>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Removed in one go, so that nobody waits long for the store. */
const TRIM_MAX = 1000;
const TRIM_EVERY_MS = 60_000;

/** Keeps the events of one connection of a stream as they came, before they are committed anywhere. */
export class Journal {
  readonly #options: JournalOptions;
  /** Schemas that have been kept while this connection lasts: what is known of one may change between two. */
  readonly #schemas = new Set<string>();

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /**
   * Answers the stretch that is being written, by dataset: the one that was kept with the position, if the stream goes on from there
   * and the journal still has it, or a new one, because nobody knows what was not kept.
   */
  async begin(kept: Readonly<Record<string, string>> | undefined, goesOn: boolean): Promise<Readonly<Record<string, string>>> {
    const { store, stream, retention, clock } = this.#options;
    const heads = new Map((await store.heads()).filter((head) => head.stream === stream).map((head) => [head.dataset, head]));
    const sinceSeq = (await store.lastSeq()) + 1;
    const stretches: Record<string, string> = {};
    for (const [dataset, retentionMs] of retention) {
      const known = heads.get(dataset);
      const goes = goesOn && known !== undefined && kept?.[dataset] === known.stretch;
      const begun = { stream, dataset, stretch: `${sinceSeq} at ${clock.now()}`, sinceSeq };
      const head: JournalHead = { ...(goes ? known : begun), retentionMs };
      if (!goes || known.retentionMs !== retentionMs) await store.putHead(head);
      stretches[dataset] = head.stretch;
    }
    return stretches;
  }

  async keep(from: Pick<EventStream, 'keepSchema'>, events: readonly StreamEvent[], signal: AbortSignal): Promise<void> {
    const { store, stream, retention, clock } = this.#options;
    const receivedAtMs = clock.now();
    const kept: JournalEvent[] = [];
    for (const { raw, dataset, transaction, committedAtMs } of events) {
      if (raw === undefined || !retention.has(dataset)) continue;
      if (!this.#schemas.has(raw.schemaId)) await this.#keepSchema(from, raw.schemaId, dataset, signal);
      kept.push({ ...raw, dataset, transaction, committedAtMs, receivedAtMs });
    }
    await store.append(stream, kept);
  }

  async #keepSchema(from: Pick<EventStream, 'keepSchema'>, id: string, dataset: string, signal: AbortSignal): Promise<void> {
    const { store, stream, log } = this.#options;
    let text: string | undefined;
    try {
      text = await from.keepSchema?.(id, dataset, signal);
    } catch (error) {
      signal.throwIfAborted();
      // The next batch asks again; the events themselves are kept now.
      log.warn({ stream, dataset, err: error }, 'what it takes to read kept events could not be asked for');
      return;
    }
    if (text !== undefined) await store.putSchema(stream, id, text);
    this.#schemas.add(id);
  }
}

/** Removes what has been kept for long enough, of streams that nobody follows any more too, until `stop`. */
export async function trimJournals(options: {
  readonly store: JournalStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly stop: AbortSignal;
}): Promise<void> {
  const { store, clock, log, stop } = options;
  while (!stop.aborted) {
    try {
      for (const { stream, dataset, retentionMs } of await store.heads()) {
        const receivedBeforeMs = clock.now() - retentionMs;
        while (!stop.aborted && (await store.trim({ stream, dataset, receivedBeforeMs, limit: TRIM_MAX })) > 0);
      }
    } catch (error) {
      log.warn({ err: error }, 'old events could not be removed from the journal, which is tried again');
    }
    await clock.sleep(TRIM_EVERY_MS, stop).catch(() => {});
  }
}
