import type { Clock } from '../../base/clock.ts';
import { RequestRefusedError } from '../../base/errors.ts';
import { traced } from '../../base/tracing.ts';
import type { Checkpoints } from '../../model/connector.ts';
import type { EventStream, StreamEvent, StreamWriter } from '../../model/stream.ts';
import { Inbox, type Taken } from '../live/inbox.ts';
import type { LiveProgress } from '../live/live-status.ts';
import { ALIVE_MS } from '../live/standby.ts';
import { encodeTopic, type TopicEnvelope } from './topic-envelope.ts';
import type { TopicSync } from './topic-sync.ts';

/** A moved position that covers nothing of ours is kept this often. */
const IDLE_KEEP_MS = 5000;
/** What is published may be on its way for so long. */
const UNDER_WAY_MS = 60_000;

export interface TopicParts {
  readonly unit: string;
  readonly sync: TopicSync;
  readonly stream: EventStream;
  readonly writer: StreamWriter;
  /** The last attempt failed and kept nothing. */
  readonly isOnTrial: boolean;
  /** Its writes count when they are committed; otherwise each when it is acknowledged, before the position is kept. */
  readonly inTransactions: boolean;
  readonly checkpoints: Checkpoints;
  readonly epoch: number;
  readonly clock: Clock;
  readonly status: LiveProgress;
  /** Told of every batch before it is written: the journal. */
  readonly onEvents?: ((events: readonly StreamEvent[]) => Promise<void>) | undefined;
}

/** One connection's life: events from the stream into the target, until something fails, stops it or pauses the sync. */
export class TopicAttempt {
  readonly #parts: TopicParts;
  readonly #inbox: Inbox;
  readonly #kept: TopicEnvelope | null;
  #position: string | null;
  #keptAtMs = 0;
  /** The position has moved past events that needed no write. */
  #behind = false;
  #paused = false;
  /** It is being stopped in order, and nobody need wait for it. */
  #isLeaving = false;
  /** The last delivery said that nothing more was there. */
  #caughtUp = false;
  #deliveredAtMs = 0;
  /** Events that were taken from the inbox and are written after those that are being written. */
  #inHand = 0;
  /** When the last event that was taken was published. */
  #publishedMs = 0;

  constructor(parts: TopicParts, kept: TopicEnvelope | null) {
    this.#parts = parts;
    this.#kept = kept;
    this.#position = kept?.position ?? null;
    this.#inbox = new Inbox((events) => parts.stream.grant(events), parts.clock, { settleMs: 0, isOnTrial: parts.isOnTrial });
    parts.status.following(parts.stream, () => this.#inbox.size, this.#position === null ? null : (kept?.heardAtMs ?? null));
    if (kept !== null && kept.origin !== parts.stream.origin) {
      throw new RequestRefusedError(
        `${parts.sync.name} has brought events of ${kept.origin}, and the stream now comes from ${parts.stream.origin}`,
        { hint: `if that is meant (a refreshed sandbox, say): tidemark reset ${parts.sync.name}` },
      );
    }
  }

  async run(stop: AbortSignal, signal: AbortSignal, untilMs: number): Promise<void> {
    const { stream, clock } = this.#parts;
    const closed = new AbortController();
    const either = AbortSignal.any([stop, signal, closed.signal]);
    const wake = () => this.#inbox.wake();
    either.addEventListener('abort', wake);
    const reading = this.#listen(either);
    const ticking = this.#tick(either);
    try {
      while (!stop.aborted && !this.#paused && clock.now() < untilMs) {
        signal.throwIfAborted();
        if (this.#inbox.ready) {
          await this.#write(this.#inbox.take(), signal);
          continue;
        }
        await this.#keepIdle();
        await this.#inbox.news();
      }
      signal.throwIfAborted();
      this.#isLeaving = stop.aborted;
      await this.#keepIdle(true);
    } finally {
      either.removeEventListener('abort', wake);
      closed.abort();
      await stream[Symbol.asyncDispose]();
      await reading;
      await ticking;
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { stream, status } = this.#parts;
    try {
      for await (const delivery of stream.deliveries(signal)) {
        this.#caughtUp = delivery.caughtUp;
        this.#deliveredAtMs = this.#parts.clock.now();
        this.#inbox.push(delivery);
        status.heard(delivery);
      }
    } catch (error) {
      this.#inbox.fail(error);
    }
  }

  /** A quiet topic still has a position to keep, and a pause to notice. */
  async #tick(signal: AbortSignal): Promise<void> {
    const { clock, sync } = this.#parts;
    try {
      while (!signal.aborted) {
        await clock.sleep(IDLE_KEEP_MS, signal).catch(() => {});
        this.#paused = await sync.paused();
        this.#inbox.wake();
      }
    } catch (error) {
      this.#inbox.fail(error);
    }
  }

  async #write({ events, position }: Taken, signal: AbortSignal): Promise<void> {
    const { sync, status, onEvents } = this.#parts;
    // A retry of failures writes the same target.
    const leave = await sync.gate.enter();
    try {
      await onEvents?.(events);
      for (let at = 0; at < events.length; at += sync.eventsAtOnce) {
        const some = events.slice(at, at + sync.eventsAtOnce);
        this.#inHand = events.length - at - some.length;
        await this.#writeTogether(some, this.#inHand === 0 ? position : some.at(-1)!.position, signal);
      }
    } finally {
      leave();
    }
    const committedAtMs = events.at(-1)?.committedAtMs ?? 0;
    if (committedAtMs > 0) status.wrote(committedAtMs);
  }

  async #writeTogether(events: readonly StreamEvent[], position: string, signal: AbortSignal): Promise<void> {
    const { sync, writer, inTransactions, status, unit, epoch } = this.#parts;
    const prepared = await sync.prepare(events);
    const { committedAtMs } = events.at(-1)!;
    if (committedAtMs > 0) this.#publishedMs = committedAtMs;
    if (prepared.changes.length === 0) {
      this.#position = position;
      this.#behind = true;
      this.#inbox.goOn();
      return;
    }
    const transaction = await writer.begin(signal);
    try {
      await sync.apply(transaction, prepared);
      if (!inTransactions) await sync.note(prepared);
      await traced('stream.commit', { 'tidemark.stream': unit, 'tidemark.events': events.length }, () =>
        transaction.commit(unit, epoch, this.#encoded(position)),
      );
    } catch (error) {
      await transaction.rollback().catch(() => {});
      throw error;
    }
    if (inTransactions) await sync.note(prepared);
    this.#keep(position);
    this.#inbox.proven();
    status.transactions++;
  }

  /** Keeps where the topic stands when it is quiet, and that somebody listens: that bounds the hole that a lost position may have left. */
  async #keepIdle(atOnce = false): Promise<void> {
    const { checkpoints, unit, epoch, clock, stream } = this.#parts;
    const position = this.#inbox.idlePosition ?? this.#position;
    if (position === null) return;
    const ageMs = clock.now() - this.#keptAtMs;
    const moved = position !== this.#position || this.#behind;
    const listens = stream.state?.().connected ?? true;
    if (!(moved && (atOnce || ageMs >= IDLE_KEEP_MS)) && !(listens && ageMs >= ALIVE_MS) && !this.#isLeaving) return;
    await checkpoints.write(unit, epoch, this.#encoded(position));
    this.#keep(position);
  }

  #encoded(position: string): string {
    const holes = this.#kept?.holes ?? [];
    const { stream, clock } = this.#parts;
    const aliveAtMs = this.#isLeaving ? null : clock.now();
    return encodeTopic({ position, origin: stream.origin, again: false, heardAtMs: this.#heardAtMs(), holes, aliveAtMs });
  }

  /**
   * All that was published before this has been taken: till it was heard last when nothing more was there, else till the last event
   * that was taken.
   */
  #heardAtMs(): number {
    const { stream, clock } = this.#parts;
    // Not till now: this process may just have slept.
    const heardAtMs = Math.max(stream.state?.().lastHeardAtMs ?? 0, this.#deliveredAtMs);
    if (this.#caughtUp && this.#inbox.size + this.#inHand === 0) return heardAtMs - UNDER_WAY_MS;
    // Publishers may say what time they like.
    return Math.max(this.#kept?.heardAtMs ?? 0, Math.min(this.#publishedMs, clock.now()));
  }

  #keep(position: string): void {
    this.#position = position;
    this.#behind = false;
    this.#keptAtMs = this.#parts.clock.now();
    this.#parts.status.keptPosition();
  }
}
