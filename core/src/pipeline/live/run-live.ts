import type { Clock } from '../../base/clock.ts';
import { CheckpointExpiredError, InvariantError, OwnershipLostError, RateLimitedError, SyncError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, isRetryable, type RetryPolicy } from '../../base/retry.ts';
import type { Checkpoints } from '../../model/connector.ts';
import type { Log } from '../../model/log.ts';
import type { EventStream, StreamEvent, StreamWriter } from '../../model/stream.ts';
import { decodeEnvelope } from '../envelope.ts';
import { Aside, REFUSED_MS, SyncAsideError } from './aside.ts';
import type { Journal } from './journal.ts';
import { LiveAttempt } from './live-attempt.ts';
import { decodeLive, encodeLive, type LiveEnvelope } from './live-envelope.ts';
import type { LiveProgress } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';
import { OtherRuns } from './other-runs.ts';
import { Rereads, type RereadsOptions } from './rereads.ts';
import { standBy } from './standby.ts';

/** Both sides of a stream, opened. */
export interface OpenedLive extends AsyncDisposable {
  /** At least one. */
  readonly syncs: readonly LiveSync[];
  /** Those that could not be opened, and why. */
  readonly refused: ReadonlyMap<string, SyncError>;
  readonly checkpoints: Checkpoints;
  /** Keeps events as they came; absent when no sync of the stream asks for it. */
  readonly journal?: Journal | undefined;
  /** Opens the stream of these datasets where it shall go on. */
  openStream(position: string | null, datasets: readonly string[]): Promise<EventStream>;
  openWriter(epoch: number): Promise<StreamWriter>;
}

export interface LiveOptions {
  readonly unit: string;
  /** This process, among those that may follow the same stream. */
  readonly owner: string;
  readonly status: LiveProgress;
  /** Of one stream among a thousand: how often it is said that it is followed. */
  readonly aliveMs?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Finish what is whole, then end. */
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  /** Opens both sides anew; called again after every failure. */
  readonly open: (signal: AbortSignal, without: ReadonlySet<string>) => Promise<OpenedLive>;
  /** Reads a sync again, from its own checkpoint or everything; resolves to whether that succeeded. */
  readonly reread: RereadsOptions['reread'];
}

/** What a source retains is 72 hours; a position that was kept longer ago than this may be passed at any moment. */
const POSITION_MS = 70 * 3_600_000;
/** Fields are discovered anew after this. */
const REOPEN_MS = 3_600_000;
const RECONNECT: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/**
 * Follows a stream until `stop`. Whatever fails is begun anew from what is kept with the data; a position that the source does not
 * know any more is replaced by the newest one, and what changed meanwhile is read (P1). While another process follows it, this one
 * waits, and goes on where that one has left it (P5, P11).
 */
export async function runLive(options: LiveOptions): Promise<void> {
  const { status, open, stop, signal } = options;
  while (!stop.aborted && !signal.aborted) {
    try {
      await followWhileOurs(options);
    } catch (error) {
      if (!(error instanceof OwnershipLostError)) throw error;
      await standBy(error, options, (within) => open(within, new Set()));
    }
  }
  status.ended(null);
}

/** Until it is stopped. @throws {OwnershipLostError} the stream is another process's */
async function followWhileOurs(options: LiveOptions): Promise<void> {
  const ended = new AbortController();
  const onMended = (sync: string) => options.status.mended(sync);
  const rereads = new Rereads({ ...options, onMended, signal: AbortSignal.any([options.stop, options.signal, ended.signal]) });
  const otherRuns = new OtherRuns(options.owner);
  const life: Life = { rereads, aside: new Aside(options.clock), owners: new Set(), otherRuns, datasets: new Map() };
  try {
    await followUntilStopped(options, life);
  } finally {
    ended.abort();
    await rereads.ended();
  }
}

/** What outlives the connections of a stream. */
interface Life {
  readonly rereads: Rereads;
  readonly aside: Aside;
  /** Whose traces are nothing new: ours, and those that we have found. */
  readonly owners: Set<string | undefined>;
  readonly otherRuns: OtherRuns;
  /** Of each sync that was ever opened, by this process or the one before it. */
  readonly datasets: Map<string, string>;
}

async function followUntilStopped(options: LiveOptions, life: Life): Promise<void> {
  const { stop, signal, clock, random, log, status, unit } = options;
  let failures = 0;
  while (!stop.aborted && !signal.aborted) {
    const eventsBefore = status.transactions;
    let error: unknown;
    try {
      await follow(options, life, failures > 0);
      failures = 0;
      continue;
    } catch (caught) {
      error = caught;
    }
    if (stop.aborted || signal.aborted) break;
    if (error instanceof SyncAsideError) {
      const { sync, cause } = error;
      if (life.aside.isForgiven(sync, cause)) continue;
      life.aside.put(sync, cause);
      if (life.aside.waiting().size < status.syncs.length) {
        log.warn({ stream: unit, sync, err: cause }, 'a sync cannot go on for now; the others of its stream do');
        continue;
      }
      life.aside.clear();
      error = cause;
    }
    if (error instanceof InvariantError || error instanceof OwnershipLostError) throw error;
    if (error instanceof CheckpointExpiredError) {
      status.hole('lost', status.syncs);
      log.warn({ stream: unit, err: error }, 'the stream cannot be gone on with; it begins anew, and what changed is read again');
      await clock.sleep(RECONNECT.delayMs, AbortSignal.any([stop, signal])).catch(() => {});
      continue;
    }
    if (status.transactions > eventsBefore) failures = 0;
    failures++;
    const reason = error instanceof SyncError ? error.message : String(error);
    const isRefused = error instanceof SyncError && !(error instanceof RateLimitedError) && !isRetryable(error);
    const waitMs =
      error instanceof RateLimitedError ? error.retryAfterMs : isRefused ? REFUSED_MS : backoffMs(failures, RECONNECT, random);
    status.failed(reason, clock.now() + waitMs, isRefused || error instanceof RateLimitedError);
    log.warn({ stream: unit, err: error, waitMs }, 'the stream was interrupted and goes on; deltas are made meanwhile');
    await clock.sleep(waitMs, AbortSignal.any([stop, signal])).catch(() => {});
  }
}

/** One connection's life. Returns when it is stopped, or when it is time to discover anew. */
async function follow(
  options: LiveOptions,
  { rereads, aside, owners, otherRuns, datasets }: Life,
  isOnTrial: boolean,
): Promise<void> {
  const { unit, owner, stop, signal, clock, status, log } = options;
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  await using opened = await options.open(within, aside.waiting());
  for (const [sync, error] of opened.refused) {
    aside.put(sync, error);
    log.warn({ stream: unit, sync, err: error }, 'a sync cannot be followed for now; the others of its stream are');
  }
  status.aside = aside.reasons;
  const { syncs, checkpoints } = opened;
  refuseTakenOver(options, decodeLive(await checkpoints.read(unit)), owners);
  const { epoch, checkpoint } = await checkpoints.acquire(unit, signal);
  let kept = decodeLive(checkpoint);
  const isTooOld = kept !== null && kept.position !== null && clock.now() - kept.keptAtMs > POSITION_MS;
  if (kept !== null && isTooOld) kept = lost(kept);
  // A sync that follows no more has nobody who would read it again.
  for (const name of status.syncs) if (kept?.rereads[name] !== undefined) rereads.remember(name, kept.rereads[name]);
  for (const name of status.syncs) if (kept?.datasets?.[name] !== undefined) datasets.set(name, kept.datasets[name]);
  for (const { name, dataset, gate } of syncs) {
    datasets.set(name, dataset);
    if (kept?.owner !== owner) gate.followedElsewhere();
  }
  let stream: EventStream;
  try {
    stream = await opened.openStream(kept?.position ?? null, [...new Set(datasets.values())]);
  } catch (error) {
    await forgetPosition(error, kept, opened, unit, epoch);
    throw error;
  }
  if (kept !== null && kept.origin !== stream.origin && (await areReset(syncs, stream.origin))) kept = null;
  if (isTooOld) status.hole('lost', status.syncs);
  await using unheard = new AsyncDisposableStack();
  unheard.use(stream);
  await using writer = await opened.openWriter(epoch);
  const { journal } = opened;
  try {
    const journals = await journal?.begin(kept?.journals, kept !== null && kept.position !== null);
    const onEvents = journal === undefined ? undefined : (events: readonly StreamEvent[]) => journal.keep(stream, events, within);
    const attempt = new LiveAttempt(
      {
        ...{ unit, syncs, datasets, stream, writer, checkpoints, epoch, owner, clock, log, status, rereads, otherRuns },
        ...{ onEvents, journals, isOnTrial, aliveMs: options.aliveMs },
      },
      kept,
    );
    for (const sync of syncs) {
      rereads.setPaused(sync.name, await sync.paused());
      const own = await sync.kept();
      const standing = sync.standing(own);
      if (otherRuns.begin(sync.name, own, kept) || standing === 'stale') rereads.mark(sync.name, 'delta');
      if (standing === 'new') rereads.setLoading(sync.name);
    }
    // From here on the attempt ends it.
    unheard.move();
    rereads.connect(
      attempt,
      syncs.map(({ name }) => name),
    );
    attempt.subscribed.then(() =>
      log.info({ stream: unit }, 'the stream listens: what is committed from now on is told at once'),
    );
    try {
      await attempt.run(stop, signal, Math.min(clock.now() + REOPEN_MS, aside.untilMs));
    } catch (error) {
      await forgetPosition(error, decodeLive(await checkpoints.read(unit)), opened, unit, epoch);
      throw error;
    }
  } finally {
    rereads.disconnect();
    ended.abort();
  }
}

/** Who follows a stream writes its name to the position. A process that was away finds so that another one has begun (P11). */
function refuseTakenOver({ unit, owner }: LiveOptions, kept: LiveEnvelope | null, owners: Set<string | undefined>): void {
  const isFirst = owners.size === 0;
  if (!isFirst && kept !== null && !owners.has(kept.owner)) throw new OwnershipLostError(`another process follows ${unit} now`);
  owners.add(owner).add(kept?.owner);
}

/** Whether the user has had every sync forget the other system, or read this one already: the stream may then begin anew. */
async function areReset(syncs: OpenedLive['syncs'], origin: string): Promise<boolean> {
  for (const { opened } of syncs) {
    const envelope = decodeEnvelope(await opened.checkpoints.read(opened.config.watermarkKey));
    if (envelope !== null && envelope.origin !== origin) return false;
  }
  return true;
}

/** Without its position, and with every sync to be read from its own checkpoint, or as it was to be, whether it follows or not. */
function lost(kept: LiveEnvelope): LiveEnvelope {
  const missed = Object.fromEntries(Object.keys(kept.fingerprints).map((sync) => [sync, 'delta' as const]));
  return { ...kept, position: null, rereads: { ...missed, ...kept.rereads } };
}

async function forgetPosition(
  error: unknown,
  kept: LiveEnvelope | null,
  opened: OpenedLive,
  unit: string,
  epoch: number,
): Promise<void> {
  if (!(error instanceof CheckpointExpiredError) || kept === null) return;
  await opened.checkpoints.write(unit, epoch, encodeLive(lost(kept)));
}
