import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { RequestRefusedError } from '../../base/errors.ts';
import { traced } from '../../base/tracing.ts';
import type { Checkpoints } from '../../model/connector.ts';
import type { Log } from '../../model/log.ts';
import type { EventStream, StreamEvent, StreamTransaction, StreamWriter } from '../../model/stream.ts';
import { ofSync } from './aside.ts';
import { type Batch, Gatherer } from './gather.ts';
import { EVENTS_MAX, Inbox } from './inbox.ts';
import { encodeLive, type LiveEnvelope } from './live-envelope.ts';
import type { LiveProgress } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';
import type { OtherRuns } from './other-runs.ts';
import type { Listening, Rereads } from './rereads.ts';
import { ALIVE_MS } from './standby.ts';

/** A moved position that covers no change of ours is kept this often: it only has to stay within the retention. */
const IDLE_KEEP_MS = 5000;

export interface LiveParts {
  readonly unit: string;
  readonly syncs: readonly LiveSync[];
  /** Of all syncs of the stream whose dataset is known, those that stand aside among them. */
  readonly datasets: ReadonlyMap<string, string>;
  readonly stream: EventStream;
  readonly writer: StreamWriter;
  readonly checkpoints: Checkpoints;
  readonly epoch: number;
  /** This process, among those that may follow the same stream. */
  readonly owner: string;
  /** How often it says that it follows; every 15 s unless told otherwise. */
  readonly aliveMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly status: LiveProgress;
  readonly rereads: Rereads;
  readonly otherRuns: OtherRuns;
  /** The last attempt failed and kept nothing. */
  readonly isOnTrial: boolean;
  /** Told of every batch before it is written: the journal. */
  readonly onEvents?: ((events: readonly StreamEvent[]) => Promise<void>) | undefined;
  /** Stretches of the journal that are being written. */
  readonly journals?: LiveEnvelope['journals'] | undefined;
}

/** One connection's life: events from the stream into the targets, transaction by transaction, until something fails or stops it. */
export class LiveAttempt implements Listening {
  readonly #parts: LiveParts;
  readonly #inbox: Inbox;
  readonly #gatherer: Gatherer;
  readonly #origin: string;
  readonly #held = new Map<LiveSync, () => void>();
  #position: string | null;
  /** What waits until what is being written is committed; it is made ready meanwhile, so that two processors are at work. */
  #waiting: Batch | null = null;
  /** Something is being added to it. */
  #isAdding = false;
  /** Never fails: what went wrong is the `#failure`. */
  #writing: Promise<void> | null = null;
  /** Events of the batch that is being written. */
  #underway = 0;
  #failure: { readonly error: unknown } | null = null;
  /** A transaction of the source has been taken in part. */
  #parted = false;
  #transaction: StreamTransaction | null = null;
  #keptAtMs = 0;
  #lookedAtMs = 0;
  /** When the source has told a position last. */
  #toldAtMs: number;
  /** Something besides the position is to be kept: first of all, who follows from now on. */
  #unkept = true;
  readonly subscribed: Promise<void>;
  #tellSubscribed!: () => void;

  constructor(parts: LiveParts, kept: LiveEnvelope | null) {
    this.#parts = parts;
    this.#inbox = new Inbox((events) => parts.stream.grant(events), parts.clock, { isOnTrial: parts.isOnTrial });
    this.#origin = parts.stream.origin;
    this.#position = kept?.position ?? null;
    this.#toldAtMs = kept?.keptAtMs ?? parts.clock.now();
    const fed = new Set(parts.syncs.map(({ name }) => name));
    const aside = new Map([...parts.datasets].filter(([sync]) => !fed.has(sync)));
    this.#gatherer = new Gatherer({ ...parts, aside, keepsEvents: parts.onEvents !== undefined });
    const backlog = () => this.#inbox.size + (this.#waiting?.size ?? 0) + this.#underway;
    parts.status.following(parts.stream, backlog, this.#position === null ? null : (kept?.keptAtMs ?? null));
    for (const sync of parts.syncs) {
      const known = kept?.fingerprints[sync.name];
      // Without a position the stream begins now, and nobody knows what it has not told.
      if (known !== sync.opened.config.fingerprint || this.#position === null) parts.rereads.mark(sync.name, 'delta');
    }
    if (kept !== null && kept.origin !== this.#origin) {
      throw new RequestRefusedError(`the targets hold records of ${kept.origin}, and the stream now comes from ${this.#origin}`, {
        hint: 'if that is meant (a refreshed sandbox, say): tidemark reset of these syncs, then a full run',
      });
    }
    this.subscribed = new Promise((resolve) => {
      this.#tellSubscribed = resolve;
    });
  }

  /** Runs until `stop` aborts (then what is whole and has been delivered is written), `untilMs`, a source is outdated, or something fails. */
  async run(stop: AbortSignal, signal: AbortSignal, untilMs: number): Promise<void> {
    const { stream, syncs, clock, status } = this.#parts;
    const closed = new AbortController();
    const either = AbortSignal.any([stop, signal, closed.signal]);
    const wake = () => this.#inbox.wake();
    either.addEventListener('abort', wake);
    const reading = this.#listen(either);
    // A quiet stream still has a position to keep, and an end.
    const ticking = this.#tick(either);
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#failure !== null) throw this.#failure.error;
        if (this.#writing === null && this.#waiting !== null) {
          this.#write(signal);
          // It goes out before more is taken: a server that waits costs more than events that do.
          await setImmediate();
          continue;
        }
        // A transaction that was begun is brought to its end; of the rest, all comes again from the position that is kept.
        const isOver = !this.#parted && (clock.now() >= untilMs || syncs.some(({ isOutdated }) => isOutdated));
        if (!isOver && this.#inbox.ready && this.#hasRoom) await this.#take();
        else if (this.#writing !== null) await this.#inbox.stirred();
        else {
          if (isOver || (stop.aborted && !this.#inbox.ready)) break;
          status.rereads = this.#parts.rereads.names;
          await this.#keepIdle();
          await this.#inbox.news();
        }
      }
      this.#isLeaving = stop.aborted;
      await this.#keepIdle(true);
    } finally {
      either.removeEventListener('abort', wake);
      closed.abort();
      await this.#writing;
      await this.#transaction?.rollback().catch(() => {});
      this.#release();
      await stream[Symbol.asyncDispose]();
      await reading;
      await ticking;
    }
  }

  /** What has to be read again is not what was kept of it. */
  changed(): void {
    this.#unkept = true;
    this.#parts.status.rereads = this.#parts.rereads.names;
    this.#inbox.wake();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { stream, status, clock, syncs, rereads } = this.#parts;
    let isAssumed = false;
    try {
      for await (const delivery of stream.deliveries(signal)) {
        // The first word of a source that was only taken to listen: what was committed before it, nobody may have told.
        if (isAssumed && !delivery.assumed) for (const { name } of syncs) rereads.mark(name, 'delta');
        isAssumed = delivery.assumed === true;
        this.#toldAtMs = clock.now();
        this.#inbox.push(delivery);
        status.heard(delivery);
        this.#tellSubscribed();
      }
      if (!signal.aborted) this.#inbox.fail(new Error('the stream ended by itself'));
    } catch (error) {
      this.#inbox.fail(error);
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock, syncs, rereads, status } = this.#parts;
    try {
      while (!signal.aborted) {
        await clock.sleep(IDLE_KEEP_MS, signal).catch(() => {});
        for (const sync of syncs) rereads.setPaused(sync.name, await sync.paused());
        status.paused = syncs.every(({ name }) => rereads.isPaused(name));
        await this.#lookForOtherRuns();
        this.#inbox.wake();
      }
    } catch (error) {
      this.#inbox.fail(error);
    }
  }

  /** As often as three times between two signs of life: of a thousand streams, more would be many. */
  async #lookForOtherRuns(): Promise<void> {
    const { clock, syncs, rereads, otherRuns, unit, log, aliveMs = ALIVE_MS } = this.#parts;
    if (clock.now() - this.#lookedAtMs < aliveMs / 3) return;
    this.#lookedAtMs = clock.now();
    for (const sync of syncs) {
      if (!otherRuns.look(sync.name, await sync.kept())) continue;
      log.info({ stream: unit, sync: sync.name }, 'another process has run this sync beside its stream: it is read again');
      rereads.mark(sync.name, 'delta');
    }
  }

  /** So many events wait at most; a part of a large transaction stays apart. */
  get #hasRoom(): boolean {
    const batch = this.#waiting;
    return batch === null || (batch.whole && batch.ready.size === 0 && batch.size + this.#inbox.size < EVENTS_MAX);
  }

  async #take(): Promise<void> {
    const taken = this.#inbox.take();
    this.#parted = !taken.whole;
    this.#isAdding = true;
    try {
      this.#waiting = await this.#gatherer.add(this.#waiting, taken);
    } finally {
      this.#isAdding = false;
    }
  }

  /** Begins to write what waits. */
  #write(signal: AbortSignal): void {
    const batch = this.#waiting!;
    this.#waiting = null;
    this.#underway = batch.size;
    this.#writing = this.#bring(batch, signal)
      .catch((error) => {
        this.#failure = { error };
      })
      .then(() => {
        this.#writing = null;
        this.#underway = 0;
        this.#inbox.wake();
      });
  }

  #bring(batch: Batch, signal: AbortSignal): Promise<void> {
    const told = { 'tidemark.stream': this.#parts.unit, 'tidemark.events': batch.size };
    return traced('stream.batch', told, () => this.#bringAll(batch, signal));
  }

  async #bringAll(batch: Batch, signal: AbortSignal): Promise<void> {
    const { onEvents, status, rereads } = this.#parts;
    const { events, size, position, whole } = batch;
    const work = [...batch.work].filter(([, folded]) => folded.size > 0);
    // Beside the work on them, and durable before it is committed.
    const kept = onEvents?.(events);
    kept?.catch(() => {});
    if (work.length === 0 && size > 0) this.#behind = true;
    if (work.length > 0 || this.#transaction !== null || !whole) {
      // Of a transaction in parts nobody knows which syncs it will touch.
      await this.#enter(whole && this.#transaction === null ? work.map(([sync]) => sync) : this.#parts.syncs);
      const prepared = [];
      for (const [sync, folded] of work) {
        prepared.push({ sync, changes: batch.ready.get(sync) ?? (await ofSync(sync.name, () => sync.prepare(folded))) });
      }
      this.#transaction ??= await this.#parts.writer.begin(signal);
      const transaction = this.#transaction;
      for (const { sync, changes } of prepared) await ofSync(sync.name, () => sync.apply(transaction, changes));
    }
    await kept;
    // Kept with the position that passes what they come from. Their runs wait for the gate, which is left when all of it is committed.
    for (const [sync, kind] of batch.rereads) rereads.mark(sync, kind);
    if (whole) {
      this.#position = position;
      await this.#commit();
      if (batch.lastCommittedAtMs > 0) status.wrote(batch.lastCommittedAtMs);
    }
    status.readGaps(batch.gaps);
    status.splits = this.#inbox.splits;
  }

  async #commit(): Promise<void> {
    const { unit, epoch, clock, status } = this.#parts;
    // Events that touched nothing of ours move the position, which can wait; a hole that they tell of cannot.
    if (this.#transaction === null && !this.#unkept) {
      this.#inbox.goOn();
      return;
    }
    const transaction = this.#transaction ?? (await this.#parts.writer.begin(new AbortController().signal));
    this.#transaction = transaction;
    const encoded = this.#encoded();
    const committing = traced('stream.commit', { 'tidemark.stream': unit }, () => transaction.commit(unit, epoch, encoded));
    // Awaited below, unless what comes next cannot be made ready.
    committing.catch(() => {});
    this.#makeReady();
    await committing;
    this.#transaction = null;
    this.#release();
    this.#inbox.proven();
    this.#keptAtMs = clock.now();
    status.keptPosition();
    status.transactions++;
    for (const sync of this.#parts.syncs) status.wroteRecords(sync.name, sync.takeOutcomes());
  }

  /** While a commit is under way, what waits behind it is made ready as far as nothing has to be asked for. */
  #makeReady(): void {
    const batch = this.#waiting;
    if (batch === null || this.#isAdding || !batch.whole) return;
    for (const [sync, folded] of batch.work) {
      const changes = folded.size === 0 ? null : sync.changesTold(folded);
      if (changes === null) continue;
      batch.ready.set(sync, changes);
      this.#parts.writer.expect?.(sync.opened.target, changes);
    }
  }

  /** Keeps where the stream stands when it is quiet, and that somebody follows it; at once when a hole was mended, and at the end. */
  async #keepIdle(atOnce = false): Promise<void> {
    // An open transaction brings it along; another writer would wait for that one to end, in a file for ever.
    if (this.#transaction !== null) return;
    const position = this.#inbox.idlePosition ?? this.#position;
    const { checkpoints, unit, epoch, clock, status } = this.#parts;
    const moved = position !== null && position !== this.#position;
    const due = atOnce || clock.now() - this.#keptAtMs >= IDLE_KEEP_MS;
    if (!this.#unkept && !this.#isLeaving && !(due && (moved || this.#behind)) && !this.#isToSayAlive) return;
    this.#position = position;
    const encoded = this.#encoded();
    await checkpoints.write(unit, epoch, encoded);
    this.#keptAtMs = clock.now();
    status.keptPosition();
  }

  /** Who hears nothing has nothing to say either: another one may have more luck. */
  get #isToSayAlive(): boolean {
    const { clock, stream, aliveMs = ALIVE_MS } = this.#parts;
    return clock.now() - this.#keptAtMs >= aliveMs && stream.state?.().connected !== false;
  }

  /** The position has moved past events that needed no write. */
  #behind = false;
  /** It is being stopped in order, and nobody need wait for it. */
  #isLeaving = false;

  /** What comes up while it is being kept is not in it, and kept next. */
  #encoded(): string {
    const { syncs, owner, rereads, otherRuns, datasets, clock } = this.#parts;
    this.#behind = false;
    this.#unkept = false;
    return encodeLive({
      position: this.#position,
      owner,
      origin: this.#origin,
      keptAtMs: this.#toldAtMs,
      fingerprints: Object.fromEntries(syncs.map((sync) => [sync.name, sync.opened.config.fingerprint])),
      rereads: rereads.kept,
      otherRuns: otherRuns.accounted,
      datasets: Object.fromEntries(datasets),
      aliveAtMs: this.#isLeaving ? null : clock.now(),
      ...(this.#parts.journals === undefined ? {} : { journals: this.#parts.journals }),
    });
  }

  /** Polls and stream take turns, sync by sync, always in the same order. */
  async #enter(syncs: readonly LiveSync[]): Promise<void> {
    for (const sync of [...syncs].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!this.#held.has(sync)) this.#held.set(sync, await sync.gate.enter());
    }
  }

  #release(): void {
    for (const leave of this.#held.values()) leave();
    this.#held.clear();
  }
}
