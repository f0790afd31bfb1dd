import type { Clock } from '../../base/clock.ts';
import { RequestRefusedError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, isRetryable, type RetryPolicy } from '../../base/retry.ts';
import type { Log } from '../../model/log.ts';
import { BEAT_MS, type Peer, SILENT_MS_MAX, type Worker, type WorkerSession, type WorkerStore } from '../../store/workers.ts';
import { Fence } from './fence.ts';
import { type Share, sharesOf } from './shares.ts';
import type { Unit } from './units.ts';

/** Until when a unit's work goes on. */
export interface Until {
  /** It is given up: what is whole is finished first. */
  readonly stop: AbortSignal;
  /** It is lost, or has to end at once. */
  readonly signal: AbortSignal;
}

export interface OwnershipOptions extends Until {
  readonly workers: WorkerStore;
  readonly self: Omit<Worker, 'configured'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** All that there is to be done, as it is now: the very same answer as long as nothing has changed. */
  units(): readonly Unit[];
  /** Returns once units may have come or gone, or `until` aborts. Only asked for where no store has to be asked every moment anyway. */
  unitsChange(until: AbortSignal): Promise<void>;
  /** Does a unit's work. What it throws ends all. */
  work(unit: Unit, until: Until): Promise<unknown>;
}

/** Whoever may be gone is looked at this often, so that his units are taken over as soon as they are free. */
const LATE_BEAT_MS = 500;
/** A worker whose session is not answered ends its work by then: before the store lets others have it. */
const FENCE_MS = SILENT_MS_MAX - 2000;
/** Joining again after the session is lost. */
const REJOIN_MS = 1000;
/** Leaving is a courtesy: who cannot is missed soon. */
const LEAVE_MS = 2000;

/** Work that fails for a passing reason, the store's being away say. */
const AGAIN: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 30_000 };

/** Work under way. */
interface Owned {
  readonly unit: Unit;
  readonly stop: AbortController;
  readonly end: AbortController;
  readonly ended: Promise<void>;
  isGivenUp: boolean;
  isOver: boolean;
}

/**
 * Does the work of all units with other workers: each takes a fair share, gives up what is more than that, and takes over what nobody
 * owns any more. Owning is a matter of the store; that a former owner can change nothing is a matter of epochs (P11).
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #owned = new Map<string, Owned>();
  readonly #either: AbortSignal;
  /** Something has gone wrong that nobody may pass over. */
  readonly #failed = new AbortController();
  #wake = new AbortController();

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#either = AbortSignal.any([options.stop, options.signal, this.#failed.signal]);
  }

  /** Units whose work is under way here, or has come to its end and is nobody else's. */
  get owned(): readonly string[] {
    return [...this.#owned.keys()];
  }

  /** Until `stop`, and all work under way has ended. */
  async run(): Promise<void> {
    const { clock, log } = this.#options;
    this.#either.addEventListener('abort', () => this.#wake.abort(), { once: true });
    let isFirst = true;
    while (!this.#either.aborted) {
      try {
        await this.#whileJoined();
      } catch (error) {
        // What is wrong from the start is told to whoever starts; later the store may just be away.
        if (this.#failed.signal.aborted || (isFirst && error instanceof RequestRefusedError)) this.#failed.abort(error);
        else if (!this.#either.aborted) {
          log.warn({ err: error }, 'this worker owns nothing for now, and joins the others again');
          await clock.sleep(REJOIN_MS, this.#either).catch(() => {});
        }
      }
      isFirst = false;
    }
    await Promise.all([...this.#owned.values()].map(({ ended }) => ended));
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  async #whileJoined(): Promise<void> {
    const { workers, self, clock, units } = this.#options;
    await using session = await workers.join({ ...self, configured: configuredOf(units()) });
    using fence = new Fence(clock, FENCE_MS, session.lost);
    try {
      await (workers.isShared ? this.#share(session, fence) : this.#ownAll(session));
    } finally {
      // Whatever has become of the session: what was owned by it is not ours any more.
      for (const owned of this.#owned.values()) {
        owned.isGivenUp = true;
        owned.end.abort(fence.lost.reason);
      }
    }
  }

  /** Where nobody else can be. */
  async #ownAll(session: WorkerSession): Promise<void> {
    const { units, unitsChange } = this.#options;
    while (!this.#either.aborted) {
      const wake = this.#nextWake();
      const now = units();
      this.#giveUpAllBut(now);
      this.#forgetEnded();
      const wanted = now.filter(({ name }) => !this.#owned.has(name));
      this.#begin(
        wanted,
        await session.take(
          wanted.map(({ name }) => name),
          wanted.length,
        ),
      );
      await unitsChange(AbortSignal.any([this.#either, wake]));
    }
    await Promise.all([...this.#owned.values()].map(({ ended }) => ended));
  }

  async #share(session: WorkerSession, fence: Fence): Promise<void> {
    const { clock } = this.#options;
    let announced = this.#options.units();
    for (;;) {
      const wake = this.#nextWake();
      const units = this.#options.units();
      if (units !== announced) await fence.ask(() => session.announce(configuredOf(units)));
      announced = units;
      const peers = await fence.ask(() => session.beat());
      const over = this.#forgetEnded();
      if (over.length > 0) await fence.ask(() => session.give(over));
      if (this.#either.aborted) {
        if (this.#isIdle()) return this.#leave(session);
      } else await this.#settle(units, peers, session, fence);
      const isSomebodyLate = peers.some(({ isLate }) => isLate);
      await clock.sleep(isSomebodyLate ? LATE_BEAT_MS : BEAT_MS, AbortSignal.any([fence.lost, wake])).catch(() => {});
      fence.lost.throwIfAborted();
    }
  }

  /** Gives up what is others', and takes what is ours. */
  async #settle(units: readonly Unit[], peers: readonly Peer[], session: WorkerSession, fence: Fence): Promise<void> {
    const own = peers.find(({ id }) => id === session.id)!.configured;
    const shares = sharesOf(own, units, peers);
    this.#giveUpAllBut(shares.flatMap((share) => share.units));
    for (const share of shares) await this.#settleShare(share, session, fence);
  }

  async #settleShare({ units, max }: Share, session: WorkerSession, fence: Fence): Promise<void> {
    const names = new Set(units.map(({ name }) => name));
    const kept = this.#kept().filter(({ unit }) => names.has(unit.name));
    // What was taken last has got warm least.
    for (const owned of kept.slice(max)) this.#giveUp(owned);
    if (kept.length >= max || fence.lost.aborted) return;
    const wanted = shuffled(
      units.filter(({ name }) => !this.#owned.has(name)),
      this.#options.random,
    );
    const taken = await fence.ask(() =>
      session.take(
        wanted.map(({ name }) => name),
        max - kept.length,
      ),
    );
    if (fence.lost.aborted) return;
    this.#begin(wanted, taken);
    if (taken.length > 0) this.#options.log.info({ units: taken, owned: this.#kept().length }, 'this worker takes over');
  }

  #begin(units: readonly Unit[], taken: readonly string[]): void {
    const names = new Set(taken);
    for (const unit of units) {
      if (!names.has(unit.name)) continue;
      const [stop, end] = [new AbortController(), new AbortController()];
      const until = {
        stop: AbortSignal.any([this.#options.stop, stop.signal]),
        signal: AbortSignal.any([this.#options.signal, this.#failed.signal, end.signal]),
      };
      const owned: Owned = { unit, stop, end, isGivenUp: false, isOver: false, ended: this.#work(unit, until) };
      this.#owned.set(unit.name, owned);
      void owned.ended.then(() => {
        owned.isOver = true;
        this.#wake.abort();
      });
    }
  }

  async #work(unit: Unit, until: Until): Promise<void> {
    const { clock, random, log } = this.#options;
    const over = AbortSignal.any([until.stop, until.signal]);
    for (let failures = 1; !over.aborted; failures++) {
      try {
        await this.#options.work(unit, until);
        return;
      } catch (error) {
        if (over.aborted) return;
        if (!isRetryable(error)) return this.#failed.abort(error);
        const waitMs = backoffMs(failures, AGAIN, random);
        log.warn({ unit: unit.name, err: error, waitMs }, 'work was interrupted and goes on');
        await clock.sleep(waitMs, over).catch(() => {});
      }
    }
  }

  #giveUpAllBut(kept: readonly Unit[]): void {
    const versions = new Map(kept.map(({ name, version }) => [name, version]));
    for (const owned of this.#owned.values()) if (versions.get(owned.unit.name) !== owned.unit.version) this.#giveUp(owned);
  }

  #giveUp(owned: Owned): void {
    if (owned.isGivenUp) return;
    owned.isGivenUp = true;
    this.#options.log.info({ unit: owned.unit.name }, 'this worker gives up');
    owned.stop.abort();
  }

  /** Of what was given up or lost, what has come to its end. Work that has ended by itself is nobody's to begin again. */
  #forgetEnded(): string[] {
    const over = [...this.#owned.values()].filter(({ isOver, isGivenUp }) => isOver && isGivenUp);
    for (const { unit } of over) this.#owned.delete(unit.name);
    return over.map(({ unit }) => unit.name);
  }

  /** All that is not given up. */
  #kept(): Owned[] {
    return [...this.#owned.values()].filter(({ isGivenUp }) => !isGivenUp);
  }

  #isIdle(): boolean {
    return [...this.#owned.values()].every(({ isOver }) => isOver);
  }

  async #leave(session: WorkerSession): Promise<void> {
    const { clock } = this.#options;
    const left = new AbortController();
    const tooLong = clock.sleep(LEAVE_MS, left.signal).catch(() => {});
    await Promise.race([session.leave().catch(() => {}), tooLong]);
    left.abort();
  }

  /** Aborts when some work ends from here on, or all is to end. */
  #nextWake(): AbortSignal {
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
    return this.#wake.signal;
  }
}

/** What one group says is said once, however many units it has. */
function configuredOf(units: readonly Unit[]): Worker['configured'] {
  return Object.fromEntries(units.map(({ group, hash }) => [group, hash]));
}

/** So that workers that look at the same time do not all reach for the same. */
function shuffled<T>(all: readonly T[], random: Random): T[] {
  const mixed = [...all];
  for (let i = mixed.length - 1; i > 0; i--) {
    const at = Math.floor(random() * (i + 1));
    [mixed[i], mixed[at]] = [mixed[at]!, mixed[i]!];
  }
  return mixed;
}
