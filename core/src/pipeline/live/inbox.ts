import type { Delivery, StreamEvent } from '../../model/stream.ts';

/** Events that wait to be written and those on their way to us, together: memory holds no more (P9). */
const EVENTS_MAX = 4000;

/** Some events to be written together. */
export interface Taken {
  readonly events: readonly StreamEvent[];
  /** Where to go on once they, and all before them, are kept. */
  readonly position: string;
  /** They end where a transaction of the source ends: may be committed (P6). */
  readonly whole: boolean;
}

/**
 * What has been delivered and not yet written. Knows where transactions end: at the first event of another one, or when the source
 * has nothing more to say.
 */
export class Inbox {
  readonly #grant: (events: number) => void;
  #events: StreamEvent[] = [];
  /** So many of them, from the first, end with a transaction. */
  #whole = 0;
  /** The transaction whose events are coming in; null when the last one has ended. */
  #coming: string | null = null;
  #lastEnded: string | null = null;
  /** A part of a large transaction has been taken, and not its end. */
  #parted = false;
  #position: string | null = null;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  /** Something happened while nobody waited. */
  #woken = false;
  /** Transactions of which a part came after they had been taken for whole. */
  splits = 0;

  /** @param grant  lets the source send so many events more */
  constructor(grant: (events: number) => void) {
    this.#grant = grant;
    grant(EVENTS_MAX);
  }

  push(delivery: Delivery): void {
    for (const event of delivery.events) {
      if (this.#coming !== null && this.#coming !== event.transaction) this.#endTransaction();
      if (this.#coming === null && event.transaction === this.#lastEnded) this.splits++;
      this.#coming = event.transaction;
      this.#events.push(event);
    }
    if (delivery.caughtUp && this.#coming !== null) this.#endTransaction();
    this.#position = delivery.position;
    this.wake();
  }

  /** The stream has failed. What is whole counts all the same. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  /** Whether `take` has something. */
  get ready(): boolean {
    return this.#whole > 0 || this.#events.length >= EVENTS_MAX || (this.#parted && this.#coming === null);
  }

  /** All that is whole; of a transaction larger than what may wait, a part of it. */
  take(): Taken {
    const whole = this.#whole > 0 || this.#events.length < EVENTS_MAX;
    const events = this.#events.splice(0, whole ? this.#whole : this.#events.length);
    this.#whole = 0;
    this.#parted = !whole;
    const nothingBehind = this.#events.length === 0 && this.#coming === null;
    const position = nothingBehind || events.length === 0 ? this.#position! : events.at(-1)!.position;
    // Credit follows the room that is made and not the commits, so that no transaction waits for itself.
    if (events.length > 0) this.#grant(events.length);
    return { events, position, whole };
  }

  /** Events that wait. */
  get size(): number {
    return this.#events.length;
  }

  /** Where the source stands when everything has been taken; null while something waits. */
  get idlePosition(): string | null {
    return this.#events.length === 0 && !this.#parted ? this.#position : null;
  }

  /** Resolves at the first push, failure or wake since it resolved last. @throws what ended the stream, once nothing is ready */
  async news(): Promise<void> {
    if (this.ready) return;
    if (this.#failure !== null) throw this.#failure.error;
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#woken = false;
  }

  /** Not lost on who is busy: its next `news` resolves at once. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
    this.#wake = null;
  }

  #endTransaction(): void {
    this.#whole = this.#events.length;
    this.#lastEnded = this.#coming;
    this.#coming = null;
  }
}
