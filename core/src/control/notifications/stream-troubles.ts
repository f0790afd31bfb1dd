import type { LiveStatus } from '../../pipeline/live/live-status.ts';
import { liveUnit } from '../follow-streams.ts';
import { readStatuses } from '../kept-status.ts';
import type { Findings, LookParts } from './find-troubles.ts';
import type { Trouble } from './notification.ts';

/** A stream that comes back within so long needs nobody. */
const WAITING_MS_MAX = 60_000;

/** Streams that are not followed, or not for all of their syncs: as this process follows them, or as others have told. */
export async function streamTroubles({ config, store, clock, followed }: LookParts): Promise<Findings> {
  const own = followed();
  const units = new Set([...config.syncs.values()].filter(({ live }) => live).map(liveUnit));
  const others = [...units].filter((unit) => !own.some(({ stream }) => stream === unit));
  const statuses = [...own, ...(others.length === 0 ? [] : await readStatuses(others, store, clock))];
  const looked = new Set(statuses.map(({ stream }) => stream));
  const troubles = statuses.flatMap((status): Trouble[] => {
    const text = troubleOf(status, clock.now());
    if (text === null) return [];
    const title = `${status.stream}: the stream is not followed as it should be`;
    const hint = `tidemark status tells of it; syncs: ${status.syncs.join(', ')}`;
    return [
      { kind: 'stream_unhealthy', subject: status.stream, title, text, hint, sinceMs: status.connected ? null : status.sinceMs },
    ];
  });
  return { troubles, lookedAt: (kind, subject) => kind === 'stream_unhealthy' && looked.has(subject) };
}

/** Null when nothing is wrong with it: being paused, or stopped by somebody, is nothing wrong. */
function troubleOf({ state, reason, sinceMs, aside }: LiveStatus, nowMs: number): string | null {
  if (state === 'polling') return `It is not connected, and its syncs are polled instead: ${reason ?? 'it is not known why'}`;
  if (state === 'stopped' && reason !== null) return `Nobody follows it: ${reason}`;
  if (state === 'waiting' && nowMs - sinceMs >= WAITING_MS_MAX) return `It is not connected: ${reason ?? 'it is not known why'}`;
  const left = Object.entries(aside);
  return left.length === 0 ? null : `It feeds not all of its syncs: ${left.map(([sync, why]) => `${sync}: ${why}`).join('; ')}`;
}
