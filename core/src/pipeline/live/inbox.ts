import type { Clock } from '../../base/clock.ts';
import type { Delivery, StreamEvent } from '../../model/stream.ts';

/** Events that wait to be taken and those on their way to us, together: memory holds no more (P9). */
export const EVENTS_MAX = 4000;

/**
 * So many come at first where the last attempt kept nothing: each that fails has all of them delivered again, and a source may count
 * them by the day.
 */
const ON_TRIAL = 100;

/**
 * A source says that it has nothing more at this moment, and not that a transaction is over: parts of one may come in messages of
 * their own, one right after the other. So long a silence ends it; when events of another one follow, nothing waits. Longer would
 * gather no more of what is sent in one go, and every change that comes alone waits for it.
 */
const SETTLE_MS = 2;
/** Then once more: what has arrived while this process was busy is read first. */
const LOOK_MS = 1;

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
 * has nothing more to say for a moment.
 */
export class Inbox {
  readonly #grant: (events: number) => void;
  readonly #clock: Pick<Clock, 'now' | 'sleep'>;
  #events: StreamEvent[] = [];
  /** So many of them, from the first, end with a transaction. */
  #whole = 0;
  /** The transaction whose events are coming in; null when the last one has ended. */
  #coming: string | null = null;
  #lastEnded: string | null = null;
  /** A part of a large transaction has been taken, and not its end. */
  #parted = false;
  readonly #settleMs: number;
  #position: string | null = null;
  #isCaughtUp = false;
  #isSettling = false;
  #hasLooked = false;
  #pushedAtMs = 0;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  /** Something happened while nobody waited. */
  #woken = false;
  /** Credit that is kept back until something has been kept. */
  #withheld: number;
  /** Transactions of which a part came after they had been taken for whole. */
  splits = 0;

  /**
   * @param grant  lets the source send so many events more
   * @param settleMs   0 where every event is a transaction of its own
   * @param isOnTrial  the last attempt kept nothing: only few events come until `proven`
   */
  constructor(
    grant: (events: number) => void,
    clock: Pick<Clock, 'now' | 'sleep'>,
    { settleMs = SETTLE_MS, isOnTrial = false }: { settleMs?: number; isOnTrial?: boolean } = {},
  ) {
    this.#grant = grant;
    this.#clock = clock;
    this.#settleMs = settleMs;
    this.#withheld = isOnTrial ? EVENTS_MAX - ON_TRIAL : 0;
    grant(EVENTS_MAX - this.#withheld);
  }

  /** Something has been kept: all the rest may come. */
  proven(): void {
    if (this.#withheld > 0) this.#grant(this.#withheld);
    this.#withheld = 0;
  }

  /** What was taken needed no write, which proves nothing: as many more may come on trial. */
  goOn(): void {
    const events = Math.min(this.#withheld, ON_TRIAL);
    this.#withheld -= events;
    if (events > 0) this.#grant(events);
  }

  push(delivery: Delivery): void {
    for (const event of delivery.events) {
      if (this.#coming !== null && this.#coming !== event.transaction) this.#endTransaction();
      if (this.#coming === null && event.transaction === this.#lastEnded) this.splits++;
      this.#coming = event.transaction;
      this.#events.push(event);
    }
    this.#position = delivery.position;
    this.#isCaughtUp = delivery.caughtUp;
    this.#pushedAtMs = this.#clock.now();
    this.#hasLooked = false;
    // Where every event is a transaction, none has to wait to hear whether more of it is there.
    if (this.#coming !== null && (this.#isCaughtUp || this.#settleMs === 0)) this.#settle();
    // One transaction that is larger than a trial cannot be kept before it is there.
    if (this.#whole === 0 && this.#events.length >= ON_TRIAL) this.proven();
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
    if (this.#withheld > 0) this.#withheld += events.length;
    else if (events.length > 0) this.#grant(events.length);
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
    await this.stirred();
  }

  /** As `news`, for who has other work under way: a failure waits. */
  async stirred(): Promise<void> {
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

  /** Ends the transaction when nothing has come for long enough. One timer at a time, however much comes. */
  #settle(): void {
    if (this.#isSettling) return;
    const leftMs = this.#pushedAtMs + this.#settleMs - this.#clock.now();
    if (this.#settleMs === 0 || (leftMs <= 0 && this.#hasLooked)) {
      this.#endTransaction();
      this.wake();
      return;
    }
    this.#isSettling = true;
    this.#hasLooked = leftMs <= 0;
    void this.#clock.sleep(Math.max(leftMs, LOOK_MS)).then(() => {
      this.#isSettling = false;
      if (this.#coming !== null && this.#isCaughtUp) this.#settle();
    });
  }

  #endTransaction(): void {
    this.#whole = this.#events.length;
    this.#lastEnded = this.#coming;
    this.#coming = null;
  }
}
