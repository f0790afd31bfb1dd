import type { Clock } from '../../base/clock.ts';
import { CheckpointExpiredError, InvariantError, OwnershipLostError, RateLimitedError, SyncError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, isRetryable, type RetryPolicy } from '../../base/retry.ts';
import type { Checkpoints, Log } from '../../model/connector.ts';
import type { EventStream, StreamEvent, StreamWriter } from '../../model/stream.ts';
import type { Journal } from './journal.ts';
import { LiveAttempt } from './live-attempt.ts';
import { decodeLive, encodeLive, type LiveEnvelope } from './live-envelope.ts';
import type { LiveProgress } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';
import { Rereads, type RereadsOptions } from './rereads.ts';

/** Both sides of a stream, opened. */
export interface OpenedLive extends AsyncDisposable {
  readonly syncs: readonly LiveSync[];
  readonly checkpoints: Checkpoints;
  /** Keeps events as they came; absent when no sync of the stream asks for it. */
  readonly journal?: Journal | undefined;
  /** Opens the stream where it shall go on. */
  openStream(position: string | null): Promise<EventStream>;
  openWriter(epoch: number): Promise<StreamWriter>;
}

export interface LiveOptions {
  readonly unit: string;
  readonly status: LiveProgress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Finish what is whole, then end. */
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  /** Opens both sides anew; called again after every failure. */
  readonly open: (signal: AbortSignal) => Promise<OpenedLive>;
  /** Reads a sync again, from its own checkpoint or everything; resolves to whether that succeeded. */
  readonly reread: RereadsOptions['reread'];
}

/** What a source retains is 72 hours; a position that was kept longer ago than this may be passed at any moment. */
const POSITION_MS = 70 * 3_600_000;
/** Fields are discovered anew after this. */
const REOPEN_MS = 3_600_000;
/** What no retry mends by itself, a missing permission say, may be mended by somebody. */
const REFUSED_MS = 600_000;
const RECONNECT: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/**
 * Follows a stream until `stop`. Whatever fails is begun anew from what is kept with the data; a position that the source does not
 * know any more is replaced by the newest one, and what changed meanwhile is read (P1).
 */
export async function runLive(options: LiveOptions): Promise<void> {
  const ended = new AbortController();
  const onMended = (sync: string) => options.status.mended(sync);
  const rereads = new Rereads({ ...options, onMended, signal: AbortSignal.any([options.stop, options.signal, ended.signal]) });
  try {
    await followUntilStopped(options, rereads);
  } finally {
    ended.abort();
    await rereads.ended();
  }
}

async function followUntilStopped(options: LiveOptions, rereads: Rereads): Promise<void> {
  const { stop, signal, clock, random, log, status, unit } = options;
  let failures = 0;
  while (!stop.aborted && !signal.aborted) {
    const eventsBefore = status.transactions;
    let error: unknown;
    try {
      await follow(options, rereads);
      failures = 0;
      continue;
    } catch (caught) {
      error = caught;
    }
    if (stop.aborted || signal.aborted) break;
    if (error instanceof InvariantError) throw error;
    if (error instanceof CheckpointExpiredError) {
      status.hole('lost', status.syncs);
      log.warn({ stream: unit, err: error }, 'the stream cannot be gone on with; it begins anew, and what changed is read again');
      await clock.sleep(RECONNECT.delayMs, AbortSignal.any([stop, signal])).catch(() => {});
      continue;
    }
    if (status.transactions > eventsBefore) failures = 0;
    failures++;
    const reason = error instanceof SyncError ? error.message : String(error);
    if (error instanceof OwnershipLostError) {
      status.ended(reason);
      log.error({ stream: unit, err: error }, 'another process follows this stream');
      return;
    }
    const isRefused = error instanceof SyncError && !(error instanceof RateLimitedError) && !isRetryable(error);
    const waitMs =
      error instanceof RateLimitedError ? error.retryAfterMs : isRefused ? REFUSED_MS : backoffMs(failures, RECONNECT, random);
    status.failed(reason, clock.now() + waitMs, isRefused || error instanceof RateLimitedError);
    log.warn({ stream: unit, err: error, waitMs }, 'the stream was interrupted and goes on; deltas are made meanwhile');
    await clock.sleep(waitMs, AbortSignal.any([stop, signal])).catch(() => {});
  }
  status.ended(null);
}

/** One connection's life. Returns when it is stopped, or when it is time to discover anew. */
async function follow(options: LiveOptions, rereads: Rereads): Promise<void> {
  const { unit, stop, signal, clock, status } = options;
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  await using opened = await options.open(within);
  const { syncs, checkpoints } = opened;
  const { epoch, checkpoint } = await checkpoints.acquire(unit);
  let kept = decodeLive(checkpoint);
  if (kept !== null && kept.position !== null && clock.now() - kept.keptAtMs > POSITION_MS) {
    kept = lost(kept);
    status.hole('lost', status.syncs);
  }
  // A sync that follows no more has nobody who would read it again.
  for (const { name } of syncs) if (kept?.rereads[name] !== undefined) rereads.remember(name, kept.rereads[name]);
  let stream: EventStream;
  try {
    stream = await opened.openStream(kept?.position ?? null);
  } catch (error) {
    await forgetPosition(error, kept, opened, unit, epoch);
    throw error;
  }
  await using unheard = new AsyncDisposableStack();
  unheard.use(stream);
  await using writer = await opened.openWriter(epoch);
  const { journal } = opened;
  try {
    const journals = await journal?.begin(kept?.journals, kept !== null && kept.position !== null);
    const onEvents = journal === undefined ? undefined : (events: readonly StreamEvent[]) => journal.keep(stream, events, within);
    const attempt = new LiveAttempt(
      { unit, syncs, stream, writer, checkpoints, epoch, clock, status, rereads, onEvents, journals },
      kept,
    );
    for (const sync of syncs) {
      rereads.setPaused(sync.name, await sync.paused());
      if (rereads.has(sync.name) && (await sync.isNew())) rereads.setLoading(sync.name);
    }
    // From here on the attempt ends it.
    unheard.move();
    rereads.connect(
      attempt,
      syncs.map(({ name }) => name),
    );
    try {
      await attempt.run(stop, signal, clock.now() + REOPEN_MS);
    } catch (error) {
      await forgetPosition(error, decodeLive(await checkpoints.read(unit)), opened, unit, epoch);
      throw error;
    }
  } finally {
    rereads.disconnect();
    ended.abort();
  }
}

/** Without its position, and with every sync to be read from its own checkpoint. */
function lost(kept: LiveEnvelope): LiveEnvelope {
  const rereads = Object.fromEntries(
    Object.keys(kept.fingerprints).map((sync) => [sync, kept.rereads[sync] ?? ('delta' as const)]),
  );
  return { ...kept, position: null, rereads };
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
