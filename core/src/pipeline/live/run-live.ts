import type { Clock } from '../../base/clock.ts';
import { CheckpointExpiredError, InvariantError, OwnershipLostError, RateLimitedError, SyncError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, isRetryable, type RetryPolicy } from '../../base/retry.ts';
import type { Checkpoints, Log } from '../../model/connector.ts';
import type { EventStream, StreamEvent, StreamWriter } from '../../model/stream.ts';
import { LiveAttempt } from './live-attempt.ts';
import { decodeLive, encodeLive, type LiveEnvelope, type Reread } from './live-envelope.ts';
import type { MutableLiveStatus } from './live-status.ts';
import type { LiveSync } from './live-sync.ts';

/** Both sides of a stream, opened. */
export interface OpenedLive extends AsyncDisposable {
  readonly syncs: readonly LiveSync[];
  readonly checkpoints: Checkpoints;
  /** Opens the stream where it shall go on. */
  openStream(position: string | null): Promise<EventStream>;
  openWriter(epoch: number): Promise<StreamWriter>;
}

export interface LiveOptions {
  readonly unit: string;
  readonly status: MutableLiveStatus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Finish what is whole, then end. */
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  /** Opens both sides anew; called again after every failure. */
  readonly open: (signal: AbortSignal) => Promise<OpenedLive>;
  /** Reads a sync again, from its own checkpoint or everything; resolves to whether that succeeded. */
  readonly reread: (sync: string, kind: Reread) => Promise<boolean>;
  readonly onEvents?: (events: readonly StreamEvent[]) => Promise<void>;
}

/** What a source retains is 72 hours; a position that was kept longer ago than this may be passed at any moment. */
const POSITION_MS = 70 * 3_600_000;
/** Fields are discovered anew after this. */
const REOPEN_MS = 3_600_000;
/** What no retry mends by itself, a missing permission say, may be mended by somebody. */
const REFUSED_MS = 600_000;
/** While a source has not said that it listens, what is missing is read after this all the same, and once more when it does. */
const SUBSCRIBED_MS = 5000;
/** A paused sync is looked at this often. */
const PAUSED_MS = 1000;
const RECONNECT: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/**
 * Follows a stream until `stop`. Whatever fails is begun anew from what is kept with the data; a position that the source does not
 * know any more is replaced by the newest one, and what changed meanwhile is read (P1).
 */
export async function runLive(options: LiveOptions): Promise<void> {
  const { stop, signal, clock, random, log, status, unit } = options;
  let failures = 0;
  while (!stop.aborted && !signal.aborted) {
    const eventsBefore = status.transactions;
    let error: unknown;
    try {
      await follow(options);
      failures = 0;
      continue;
    } catch (caught) {
      error = caught;
    }
    if (stop.aborted || signal.aborted) break;
    if (error instanceof InvariantError) throw error;
    if (error instanceof CheckpointExpiredError) {
      status.healed.lost++;
      log.warn({ stream: unit, err: error }, 'the stream cannot be gone on with; it begins anew, and what changed is read again');
      await clock.sleep(RECONNECT.delayMs, AbortSignal.any([stop, signal])).catch(() => {});
      continue;
    }
    if (status.transactions > eventsBefore) failures = 0;
    failures++;
    status.state = error instanceof OwnershipLostError ? 'stopped' : 'waiting';
    status.reason = error instanceof SyncError ? error.message : String(error);
    status.connectedSinceMs = null;
    if (error instanceof OwnershipLostError) {
      log.error({ stream: unit, err: error }, 'another process follows this stream');
      return;
    }
    const waitMs =
      error instanceof RateLimitedError
        ? error.retryAfterMs
        : isRetryable(error)
          ? backoffMs(failures, RECONNECT, random)
          : error instanceof SyncError
            ? REFUSED_MS
            : backoffMs(failures, RECONNECT, random);
    log.warn({ stream: unit, err: error, waitMs }, 'the stream was interrupted and goes on; deltas are made meanwhile');
    await clock.sleep(waitMs, AbortSignal.any([stop, signal])).catch(() => {});
  }
  if (status.state !== 'stopped') status.state = 'stopped';
}

/** One connection's life. Returns when it is stopped, or when it is time to discover anew. */
async function follow(options: LiveOptions): Promise<void> {
  const { unit, stop, signal, clock, status, log } = options;
  status.state = 'connecting';
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  await using opened = await options.open(within);
  const { epoch, checkpoint } = await opened.checkpoints.acquire(unit);
  let kept = decodeLive(checkpoint);
  if (kept !== null && kept.position !== null && clock.now() - kept.keptAtMs > POSITION_MS) {
    kept = lost(kept);
    status.healed.lost++;
  }
  let stream: EventStream;
  try {
    stream = await opened.openStream(kept?.position ?? null);
  } catch (error) {
    await forgetPosition(error, kept, opened, unit, epoch);
    throw error;
  }
  await using unheard = new AsyncDisposableStack();
  unheard.use(stream);
  const writer = await opened.openWriter(epoch);
  const rereads = new Set<Promise<void>>();
  try {
    const attempt = new LiveAttempt(
      {
        unit,
        syncs: opened.syncs,
        stream,
        writer,
        checkpoints: opened.checkpoints,
        epoch,
        clock,
        status,
        onEvents: options.onEvents,
      },
      kept,
    );
    const healing = new Map<string, Promise<void>>();
    const heal = (sync: LiveSync) => {
      if (healing.has(sync.name)) return;
      const work = healAll(attempt, sync, options, within)
        .catch((error) => {
          if (!within.aborted) log.error({ stream: unit, sync: sync.name, err: error }, 'a sync could not be read again');
        })
        .finally(() => {
          healing.delete(sync.name);
          rereads.delete(work);
          // A hole that came up between its last look and here was not told to anybody else.
          if (!within.aborted && attempt.pending(sync.name) !== undefined) heal(sync);
        });
      healing.set(sync.name, work);
      rereads.add(work);
    };
    for (const sync of opened.syncs) {
      const { checkpoints, config } = sync.opened;
      await sync.lookWhetherPaused();
      sync.loading = attempt.pending(sync.name) !== undefined && (await checkpoints.read(config.watermarkKey)) === null;
      if (attempt.pending(sync.name) !== undefined) heal(sync);
    }
    attempt.onReread = (name) => heal(opened.syncs.find((sync) => sync.name === name)!);
    // From here on the attempt ends it.
    unheard.move();
    try {
      await attempt.run(stop, signal, clock.now() + REOPEN_MS);
    } catch (error) {
      await forgetPosition(error, decodeLive(await opened.checkpoints.read(unit)), opened, unit, epoch);
      throw error;
    }
  } finally {
    ended.abort();
    await Promise.all(rereads);
    await writer[Symbol.asyncDispose]();
  }
}

/** Reads a sync again until none of its holes is left. */
async function healAll(attempt: LiveAttempt, sync: LiveSync, options: LiveOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, reread, log, unit } = options;
  let listening = false;
  const subscribed = attempt.subscribed.then(() => {
    listening = true;
  });
  const listen = () => Promise.race([subscribed, clock.sleep(SUBSCRIBED_MS, signal)]);
  // First the stream listens, then the source is read: what is committed in between is in both.
  await listen();
  let failures = 0;
  for (let due = attempt.pending(sync.name); due !== undefined; due = attempt.pending(sync.name)) {
    signal.throwIfAborted();
    if (sync.paused) {
      await clock.sleep(PAUSED_MS, signal);
      continue;
    }
    // Events that came during the first load were left to a delta, and so is what was committed before the stream listened.
    const closes = listening && !sync.loading;
    const done = await reread(sync.name, due.kind).catch((error) => {
      if (signal.aborted) throw error;
      log.error({ stream: unit, sync: sync.name, err: error }, 'a sync could not be read again, which is tried once more');
      return false;
    });
    if (done) {
      failures = 0;
      sync.loading = false;
      if (closes) attempt.reread(sync.name, due.since);
      while (!listening) await listen();
      continue;
    }
    failures++;
    await clock.sleep(backoffMs(failures, RECONNECT, random), signal);
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
