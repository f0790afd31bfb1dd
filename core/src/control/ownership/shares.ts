import type { Peer } from '../../store/workers.ts';
import type { Unit } from './units.ts';

/** What a worker may own, and how much of it is its share. */
export interface Share {
  readonly eligible: readonly Unit[];
  readonly max: number;
}

/**
 * A fair part of the units, as each worker reckons it for itself from what all of them know. Where configurations differ, as in a
 * rolling restart, the newest one counts: a unit belongs to those who have it as the worker with the newest configuration has it. Who
 * has it otherwise leaves it to them, as soon as one of them lives.
 */
export function shareOf(self: Peer['configured'], units: readonly Unit[], peers: readonly Peer[]): Share {
  // Who is late may be gone, and his share would be done by nobody; what he has is his as long as he lives.
  const there = peers.filter(({ isLate }) => !isLate);
  const newestFirst = there.sort((a, b) => b.configuredAtMs - a.configuredAtMs || (a.id < b.id ? -1 : 1));
  const workersOf = new Map<string, number>();
  let share = 0;
  const eligible = units.filter(({ group }) => {
    let workers = workersOf.get(group);
    if (workers === undefined) {
      workers = workersFor(group, self[group], newestFirst);
      workersOf.set(group, workers);
    }
    if (workers > 0) share += 1 / workers;
    return workers > 0;
  });
  // Three thirds are one.
  return { eligible, max: Math.ceil(share - 1e-6) };
}

/** How many have it as it counts; none when we have it otherwise. */
function workersFor(group: string, own: string | undefined, newestFirst: readonly Peer[]): number {
  const counts = newestFirst.find(({ configured }) => configured[group] !== undefined)?.configured[group];
  return own === counts ? newestFirst.filter(({ configured }) => configured[group] === counts).length : 0;
}
