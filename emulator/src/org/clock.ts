import type { OrgClock } from './types.ts';

/**
 * An org's own time. Given a start it stands apart from the machine's clock from the beginning (`freeze` it to make it
 * stand still); without one it follows the machine's clock.
 */
export function createClock(startMs?: number): OrgClock {
  let offsetMs = startMs === undefined ? 0 : startMs - Date.now();
  let frozenAtMs: number | null = null;
  const listeners = new Set<() => void>();
  const moved = () => {
    for (const listener of [...listeners]) listener();
  };
  return {
    skewMs: 0,
    now: () => frozenAtMs ?? Date.now() + offsetMs,
    advance(ms) {
      if (frozenAtMs !== null) frozenAtMs += ms;
      else offsetMs += ms;
      moved();
    },
    freeze(atMs) {
      // Running again goes on from where it stood: time must not jump because a test stopped it.
      if (atMs === null && frozenAtMs !== null) offsetMs = frozenAtMs - Date.now();
      frozenAtMs = atMs;
      moved();
    },
    onMove(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
