import type { Clock } from '../../base/clock.ts';
import type { OwnershipLostError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { backoffMs, type RetryPolicy } from '../../base/retry.ts';
import type { Checkpoints } from '../../model/connector.ts';
import type { Log } from '../../model/log.ts';
import type { LiveProgress } from './live-status.ts';

/** Whoever follows a stream says so this often, in the row that holds its position. */
export const ALIVE_MS = 15_000;
/** Who waits looks at that row about this often. */
const LOOK_MS = 10_000;
/** Who has left the row as it is for so long, and for so many looks, is gone: a machine that has slept saw nothing of that time. */
const SILENT_MS = 60_000;
const LOOKS = 4;
const AGAIN: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMs: 500, delayMsMax: 60_000 };

/** A part of what is kept with the position. */
export interface Alive {
  /** When whoever follows was here last, epoch ms by its clock; null when it has ended in order. */
  readonly aliveAtMs?: number | null;
}

export interface StandbyOptions {
  readonly unit: string;
  readonly status: LiveProgress;
  readonly aliveMs?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
}

/** Opens what holds the position; called again after a failure. */
type Open = (signal: AbortSignal) => Promise<AsyncDisposable & { readonly checkpoints: Checkpoints }>;

/**
 * Another process follows the stream: waits until that one has ended, or has not been heard of for a minute, or this one is stopped.
 * Nothing hangs on the guess: if the other was only slow, the epoch that is raised next keeps it from writing, and it waits in turn
 * (P11).
 */
export async function standBy(lost: OwnershipLostError, options: StandbyOptions, open: Open): Promise<void> {
  const { status, log, unit, stop, signal } = options;
  status.away(lost.message);
  log.warn({ stream: unit, err: lost }, 'another process follows this stream: it is left to that one, as long as it is there');
  const either = AbortSignal.any([stop, signal]);
  await untilNobodyFollows({ ...options, signal: either }, open);
  if (either.aborted) return;
  log.info({ stream: unit }, 'nobody follows this stream any more: it is taken over');
  status.back();
}

async function untilNobodyFollows(options: StandbyOptions, open: Open): Promise<void> {
  const { clock, random, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await using opened = await open(signal);
      await untilStill(opened.checkpoints, options, () => {
        failures = 0;
      });
      return;
    } catch {
      if (signal.aborted) return;
      // What cannot be opened now cannot be taken over either.
      failures++;
      await clock.sleep(backoffMs(failures, AGAIN, random), signal).catch(() => {});
    }
  }
}

async function untilStill(checkpoints: Checkpoints, options: StandbyOptions, looked: () => void): Promise<void> {
  const { unit, clock, random, signal, aliveMs = ALIVE_MS } = options;
  const silentMs = SILENT_MS * (aliveMs / ALIVE_MS);
  let last: string | null = null;
  let sinceMs = clock.now();
  for (let looks = 0; looks < LOOKS || clock.now() - sinceMs < silentMs; looks++) {
    const kept = await checkpoints.read(unit);
    looked();
    if (isLeft(kept)) return;
    if (kept !== last) {
      looks = 0;
      sinceMs = clock.now();
    }
    last = kept;
    // Several that wait are not to come all at once.
    await clock.sleep(LOOK_MS * (0.5 + random()), signal);
  }
}

function isLeft(kept: string | null): boolean {
  return kept !== null && (JSON.parse(kept) as Alive).aliveAtMs === null;
}
