import type { Clock } from '../base/clock.ts';
import type { LiveStatus } from '../pipeline/live/live-status.ts';
import type { Store } from '../store/store.ts';

/** What the process that follows a stream told last, and when that was. */
export type KeptStatus = LiveStatus & {
  readonly asOfMs: number;
  /** How often it tells at least. */
  readonly everyMs?: number;
};

/** It tells every few seconds: who has not told for so long is gone, or frozen. */
const SILENT_MS = 60_000;

/** Tells other processes how a stream is doing. */
export function keepStatus(store: Store, clock: Clock): (status: LiveStatus, everyMs: number) => Promise<void> {
  return (status, everyMs) =>
    store.setPassingValue(statusName(status.stream), JSON.stringify({ ...status, asOfMs: clock.now(), everyMs }));
}

/** As another process has told; null when none has. */
export async function readStatus(unit: string, store: Store, clock: Clock): Promise<KeptStatus | null> {
  return believable(JSON.parse((await store.getValue(statusName(unit))) ?? 'null'), clock.now());
}

/** The same of many, asked at once. */
export async function readStatuses(units: readonly string[], store: Store, clock: Clock): Promise<readonly KeptStatus[]> {
  const kept = await store.values(statusName(''));
  return units.flatMap((unit) => {
    const told = kept.get(statusName(unit));
    return told === undefined ? [] : (believable(JSON.parse(told), clock.now()) ?? []);
  });
}

/** A process that was killed has told nobody of its end. */
export function believable(kept: KeptStatus | null, nowMs: number): KeptStatus | null {
  if (kept === null || kept.state === 'stopped') return kept;
  if (nowMs - kept.asOfMs < Math.max(SILENT_MS, 3 * (kept.everyMs ?? 0))) return kept;
  return {
    ...kept,
    state: 'stopped',
    reason: 'nothing was heard of the process that follows it: it has ended without a word, or hangs',
    nextTryMs: null,
    connected: false,
    sinceMs: kept.asOfMs,
    lagMs: kept.lagMs === null ? null : kept.lagMs + nowMs - kept.asOfMs,
  };
}

function statusName(unit: string): string {
  return `status of ${unit}`;
}
