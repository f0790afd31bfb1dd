import type { Clock } from '../base/clock.ts';
import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Log } from '../model/log.ts';
import type { LiveProgress } from '../pipeline/live/live-status.ts';

/** While a stream is down, what it would have told is read this often; a sync whose own deltas are no rarer is left to them. */
const POLL_MS = 60_000;
/** How soon it is noticed that a stream is down, or back. */
const LOOK_MS = 15_000;

export interface PollOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  paused(sync: string): Promise<boolean>;
  /** When a delta of the sync may begin, if that is not now: calls are short. */
  heldUntilMs(sync: SyncConfig): Promise<number | null>;
  /** A delta of the sync, as its schedule makes them. Resolves when it has ended, well or not. */
  poll(sync: SyncConfig): Promise<unknown>;
}

/**
 * Deltas stand in for a stream as long as that is `polling`. Nothing is lost or doubled by it: each goes on from the sync's own
 * checkpoint, the stream from its position when it is back, and what both bring is written once (P3).
 */
export async function pollWhileDown(progress: LiveProgress, syncs: readonly SyncConfig[], options: PollOptions): Promise<void> {
  const { clock, stop, signal } = options;
  const either = AbortSignal.any([stop, signal]);
  const rare = syncs.filter(({ schedule }) => schedule?.kind !== 'every' || schedule.everyMs > POLL_MS);
  const lastMs = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  while (!either.aborted) {
    await clock.sleep(LOOK_MS, either).catch(() => {});
    if (either.aborted) break;
    if (progress.tell().state !== 'polling') {
      lastMs.clear();
      continue;
    }
    for (const sync of rare) {
      const { name } = sync;
      const last = lastMs.get(name);
      if (running.has(name) || (last !== undefined && clock.now() - last < POLL_MS)) continue;
      lastMs.set(name, clock.now());
      const polled = poll(sync, options).then((isDone) => {
        running.delete(name);
        if (!isDone) lastMs.delete(name);
      });
      running.set(name, polled);
    }
  }
  await Promise.all(running.values());
}

/** Whether it was its turn, and that is over. */
async function poll(sync: SyncConfig, options: PollOptions): Promise<boolean> {
  const { log, signal } = options;
  try {
    if ((await options.paused(sync.name)) || (await options.heldUntilMs(sync)) !== null) return true;
    await options.poll(sync);
  } catch (error) {
    // Another run of it is under way, which may have begun before the stream went down.
    if (error instanceof RequestRefusedError) return false;
    if (!signal.aborted) log.error({ sync: sync.name, err: error }, 'the delta in place of its stream could not be made');
  }
  return true;
}
