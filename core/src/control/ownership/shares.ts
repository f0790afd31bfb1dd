import type { Peer } from '../../store/workers.ts';
import type { Unit } from './units.ts';

/** Units that the same workers may own, and how many of them are one's share. */
export interface Share {
  readonly units: readonly Unit[];
  readonly max: number;
}

/**
 * A fair part of the units, as each worker reckons it for itself from what all of them know. Where configurations differ, as in a
 * rolling restart, the newest one counts: a unit belongs to those who have it as the worker with the newest configuration has it. Who
 * has it otherwise leaves it to them, as soon as one of them lives.
 *
 * @returns one share for each set of workers: whoever has his part of what all may do still has room for what only he may
 */
export function sharesOf(self: Peer['configured'], units: readonly Unit[], peers: readonly Peer[]): readonly Share[] {
  // Who is late may be gone, and his share would be done by nobody; what he has is his as long as he lives.
  const there = peers.filter(({ isLate }) => !isLate);
  const newestFirst = there.sort((a, b) => b.configuredAtMs - a.configuredAtMs || (a.id < b.id ? -1 : 1));
  const workersOf = new Map<string, readonly Peer[]>();
  const shares = new Map<string, { units: Unit[]; workers: number }>();
  for (const unit of units) {
    let workers = workersOf.get(unit.group);
    if (workers === undefined) {
      workers = workersFor(unit.group, self[unit.group], newestFirst);
      workersOf.set(unit.group, workers);
    }
    if (workers.length === 0) continue;
    const name = workers.map(({ id }) => id).join();
    const share = shares.get(name);
    if (share === undefined) shares.set(name, { units: [unit], workers: workers.length });
    else share.units.push(unit);
  }
  return [...shares.values()].map(({ units, workers }) => ({ units, max: Math.ceil(units.length / workers) }));
}

/** Who has it as it counts; nobody when we have it otherwise. */
function workersFor(group: string, own: string | undefined, newestFirst: readonly Peer[]): readonly Peer[] {
  const counts = newestFirst.find(({ configured }) => configured[group] !== undefined)?.configured[group];
  return own === counts ? newestFirst.filter(({ configured }) => configured[group] === counts) : [];
}
