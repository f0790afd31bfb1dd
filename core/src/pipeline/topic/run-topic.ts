import type { Clock } from '../../base/clock.ts';
import {
  CheckpointExpiredError,
  InvariantError,
  OwnershipLostError,
  RateLimitedError,
  SchemaChangedError,
  SyncError,
} from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, isRetryable, type RetryPolicy } from '../../base/retry.ts';
import type { Checkpoints } from '../../model/connector.ts';
import type { Log } from '../../model/log.ts';
import type { EventStream, StreamEvent, StreamStart, StreamWriter } from '../../model/stream.ts';
import type { Journal } from '../live/journal.ts';
import type { LiveProgress } from '../live/live-status.ts';
import { standBy } from '../live/standby.ts';
import { TopicAttempt } from './topic-attempt.ts';
import { decodeTopic, encodeTopic, isLeftBehind, type TopicEnvelope, withoutPosition } from './topic-envelope.ts';
import type { TopicSync } from './topic-sync.ts';

/** Both sides of a topic, opened. */
export interface OpenedTopic extends AsyncDisposable {
  readonly sync: TopicSync;
  readonly checkpoints: Checkpoints;
  /** Where it begins when nothing is kept. */
  readonly start: StreamStart;
  openStream(position: string | null, start: StreamStart): Promise<EventStream>;
  openWriter(epoch: number): Promise<StreamWriter>;
  /** What the writer is given is in the target once it is committed, and not before. */
  readonly inTransactions: boolean;
  /** Keeps events as they came; absent when the sync does not ask for it. */
  readonly journal?: Journal | undefined;
}

export interface TopicOptions {
  readonly unit: string;
  readonly status: LiveProgress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Finish what is under way, then end. */
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  /** Opens both sides anew; called again after every failure. */
  readonly open: (signal: AbortSignal) => Promise<OpenedTopic>;
}

/** Fields are discovered anew after this. */
const REOPEN_MS = 3_600_000;
/** What no retry mends by itself, a missing permission say, may be mended by somebody. */
const REFUSED_MS = 600_000;
/** A paused sync is looked at this often. */
const PAUSED_MS = 1000;
const RECONNECT: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/**
 * Brings what is published on a topic until `stop`. Whatever fails is begun anew from the position that is kept with what was brought
 * (P1). Nothing can be read again: where that position is lost, it goes on with all that is retained, and what is not is told. While
 * another process brings them, this one waits (P5, P11).
 */
export async function runTopic(options: TopicOptions): Promise<void> {
  const { stop, signal, clock, log, status, unit } = options;
  const either = AbortSignal.any([stop, signal]);
  let failures = 0;
  while (!either.aborted) {
    const before = status.transactions;
    try {
      await follow(options, failures > 0);
      failures = 0;
    } catch (error) {
      if (either.aborted) break;
      if (error instanceof InvariantError) throw error;
      const reason = error instanceof SyncError ? error.message : String(error);
      if (error instanceof OwnershipLostError) {
        await standBy(error, options, options.open);
        continue;
      }
      failures = status.transactions > before ? 1 : failures + 1;
      const waitMs = waitAfter(error, failures, options.random);
      status.failed(reason, clock.now() + waitMs, false);
      if (!(error instanceof CheckpointExpiredError)) {
        log.warn({ stream: unit, err: error, waitMs }, 'the topic was interrupted and goes on where it was');
      }
      await clock.sleep(waitMs, either).catch(() => {});
    }
  }
  status.ended(null);
}

function waitAfter(error: unknown, failures: number, random: Random): number {
  if (error instanceof CheckpointExpiredError || error instanceof SchemaChangedError) return RECONNECT.delayMs;
  if (error instanceof RateLimitedError) return error.retryAfterMs;
  const isPermanent = error instanceof SyncError && !isRetryable(error);
  return isPermanent ? REFUSED_MS : backoffMs(failures, RECONNECT, random);
}

/** One connection's life. Returns when it is stopped or paused, or when it is time to discover anew. */
async function follow(options: TopicOptions, isOnTrial: boolean): Promise<void> {
  const { unit, stop, signal, clock, status } = options;
  const ended = new AbortController();
  const within = AbortSignal.any([signal, ended.signal]);
  await using opened = await options.open(within);
  const { sync, checkpoints } = opened;
  await whilePaused(sync, options);
  if (stop.aborted || signal.aborted) return;
  const { epoch, checkpoint } = await checkpoints.acquire(unit, signal);
  let kept = decodeTopic(checkpoint);
  const lose = async (envelope: TopicEnvelope, error: unknown) => {
    kept = lost(envelope, error, options);
    await checkpoints.write(unit, epoch, encodeTopic(kept));
  };
  if (kept !== null && isLeftBehind(kept, clock.now())) await lose(kept, null);
  status.holes = kept?.holes ?? [];
  try {
    const start = kept?.again ? 'earliest' : opened.start;
    const stream = await opened.openStream(kept?.position ?? null, start);
    await using unheard = new AsyncDisposableStack();
    unheard.use(stream);
    if (kept === null && start === 'latest') {
      // Kept before anything can come. Who begins now may be told of events before it knows any position, and fail to write them:
      // whoever goes on from here would begin behind them (P1).
      const now = clock.now();
      kept = { position: null, origin: stream.origin, again: true, heardAtMs: now, holes: [], aliveAtMs: now };
      await checkpoints.write(unit, epoch, encodeTopic(kept));
    }
    await using writer = await opened.openWriter(epoch);
    const { journal, inTransactions } = opened;
    // What is lost of a topic is a hole in the journal as well; each event stands for itself.
    await journal?.begin(undefined, false);
    const onEvents = journal === undefined ? undefined : (events: readonly StreamEvent[]) => journal.keep(stream, events, within);
    const parts = { unit, sync, stream, writer, inTransactions, checkpoints, epoch, clock, status, isOnTrial, onEvents };
    const attempt = new TopicAttempt(parts, kept);
    // From here on the attempt ends it.
    unheard.move();
    await attempt.run(stop, signal, clock.now() + REOPEN_MS);
  } catch (error) {
    const now = error instanceof CheckpointExpiredError ? decodeTopic(await checkpoints.read(unit)) : null;
    if (now !== null) await lose(now, error);
    throw error;
  } finally {
    ended.abort();
  }
}

/** Its events wait at the source, as long as that retains them. */
async function whilePaused(sync: TopicSync, { stop, signal, clock, status }: TopicOptions): Promise<void> {
  const either = AbortSignal.any([stop, signal]);
  while (!either.aborted && (await sync.paused())) {
    status.paused = true;
    await clock.sleep(PAUSED_MS, either).catch(() => {});
  }
  status.paused = false;
}

function lost(kept: TopicEnvelope, error: unknown, { clock, status, log, unit }: TopicOptions): TopicEnvelope {
  const { envelope, hole } = withoutPosition(kept, clock.now());
  status.holes = envelope.holes;
  if (hole === null) {
    const since = new Date(kept.heardAtMs).toISOString();
    status.hole('lost', []);
    log.warn(
      { stream: unit, err: error, since },
      'the position in the topic was lost: all that is retained comes once more, and nothing is missing',
    );
  } else {
    const [from, to] = [hole.fromMs, hole.toMs].map((ms) => new Date(ms).toISOString());
    log.error(
      { stream: unit, err: error, from, to },
      'events that were published in this time are gone: the source retains them no more, and nothing can read them again',
    );
  }
  return envelope;
}
