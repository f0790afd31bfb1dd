import { Cron } from 'croner';
import type { Clock } from '../base/clock.ts';
import type { ScheduleConfig } from '../config/config.ts';
import { type InTurn, inTurn, type Slots } from './slots.ts';

/** When a schedule is next due after an instant, epoch ms. `lastStartMs` is null before the first run. */
export function nextDue(schedule: ScheduleConfig, lastStartMs: number | null, nowMs: number): number {
  // An overrun does not pile up: what was missed meanwhile is one run, now.
  if (schedule.kind === 'every') return lastStartMs === null ? nowMs : Math.max(nowMs, lastStartMs + schedule.everyMs);
  const next = new Cron(schedule.cron, { timezone: schedule.timezone, paused: true }).nextRun(new Date(nowMs));
  return next === null ? Number.POSITIVE_INFINITY : next.getTime();
}

/** One sync as the scheduler sees it. */
export interface Scheduled extends InTurn {
  readonly name: string;
  readonly schedule: ScheduleConfig | null;
  readonly full: ScheduleConfig | null;
  readonly startDelayMs: number;
  /** Runs it now. Never rejects: a run's trouble is in its record. `again`: it could not be made to its end, and is still due. */
  run(full: boolean): Promise<'again' | undefined>;
  /** When such a run may begin, if that is not now: until then it keeps its turn, and takes nobody's place. */
  heldUntilMs?(full: boolean): Promise<number | null>;
  paused(): Promise<boolean>;
  /** Returns once a delta has something to do, or the signal aborts. Never rejects. Absent: it may always have. */
  work?(signal: AbortSignal): Promise<void>;
}

/** Longest sleep: a clock that is set, and a sync that is resumed, are noticed after this. */
const NAP_MS = 60_000;
/** A run that has to be made again is not made again sooner. */
const AGAIN_MS = 60_000;

export interface ScheduleOptions {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** Shared by all that run at the same time. */
  readonly slots: Slots;
  readonly onWait?: (sync: string, dueAtMs: number) => void;
}

/**
 * Runs syncs as they fall due, as many at once as there are slots, and never one sync twice at a time. Returns when `stop` aborts and
 * the runs under way have ended.
 */
export async function schedule(syncs: readonly Scheduled[], options: ScheduleOptions): Promise<void> {
  await Promise.all(syncs.map((sync) => scheduleOne(sync, options)));
}

async function scheduleOne(sync: Scheduled, { clock, stop, slots, onWait }: ScheduleOptions): Promise<void> {
  if (sync.schedule === null && sync.full === null) return;
  const startMs = clock.now() + sync.startDelayMs;
  let lastDeltaMs: number | null = null;
  /** A delta that was due and could not be made then. */
  let heldDeltaMs: number | null = null;
  let fullDueMs = sync.full === null ? Number.POSITIVE_INFINITY : nextDue(sync.full, startMs, startMs);
  while (!stop.aborted) {
    const now = clock.now();
    const deltaDueMs =
      sync.schedule === null
        ? Number.POSITIVE_INFINITY
        : (heldDeltaMs ?? Math.max(startMs, nextDue(sync.schedule, lastDeltaMs, Math.max(now, startMs))));
    const dueMs = Math.min(deltaDueMs, fullDueMs);
    onWait?.(sync.name, dueMs);
    if (!(await wait(dueMs, clock, stop))) return;
    if (fullDueMs > clock.now() && heldDeltaMs === null)
      await workOrNap(sync, Math.min(fullDueMs, clock.now() + NAP_MS), clock, stop);
    if (stop.aborted) return;
    const full = fullDueMs <= clock.now();
    const heldMs = (await sync.heldUntilMs?.(full)) ?? null;
    if (heldMs !== null && heldMs > clock.now()) {
      if (full) fullDueMs = heldMs;
      else heldDeltaMs = heldMs;
      continue;
    }
    lastDeltaMs = clock.now();
    heldDeltaMs = null;
    if (full) fullDueMs = nextDue(sync.full!, lastDeltaMs, lastDeltaMs);
    if (await sync.paused()) continue;
    const outcome = await inTurn(slots, sync, clock, async () => (stop.aborted ? undefined : sync.run(full)));
    if (outcome !== 'again') continue;
    if (full) fullDueMs = clock.now() + AGAIN_MS;
    else heldDeltaMs = clock.now() + AGAIN_MS;
  }
}

/** A sync whose source tells when there is something to read is not run for nothing; now and then it is, for its failures that are due. */
async function workOrNap(sync: Scheduled, untilMs: number, clock: Clock, stop: AbortSignal): Promise<void> {
  if (sync.work === undefined) return;
  const done = new AbortController();
  const either = AbortSignal.any([stop, done.signal]);
  const work = sync.work(either);
  await Promise.race([work, wait(untilMs, clock, either)]);
  done.abort();
  await work;
}

/** Whether the time came before the stop. */
async function wait(untilMs: number, clock: Clock, stop: AbortSignal): Promise<boolean> {
  while (!stop.aborted) {
    const leftMs = untilMs - clock.now();
    if (leftMs <= 0) return true;
    await clock.sleep(Math.min(leftMs, NAP_MS), stop).catch(() => {});
  }
  return false;
}
