import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '@tidemark/core';
import type { OrgClock } from '@tidemark/emulator';

/** What every simulated world stands on. */

let made: string | undefined;
/** For databases in files. */
export function worldFolder(): string {
  // In memory where there is such a place: a disk would be waited for at every commit.
  made ??= process.platform === 'linux' ? '/dev/shm/tidemark-sim' : join(tmpdir(), 'tidemark-sim');
  mkdirSync(made, { recursive: true });
  return made;
}

/** The org's clock, which goes as the world does. */
export function orgClock(now: () => number): OrgClock {
  const fixed = () => {
    throw new Error('the time of a simulated world is its scheduler');
  };
  return { now: () => Math.floor(now()), advance: fixed, freeze: fixed, onMove: () => () => {}, skewMs: 0 };
}

/** One of these kinds, each as likely as it is heavy. */
export function pickBy<Kind extends string>(random: Random, weights: Readonly<Record<Kind, number>>): Kind {
  const each = Object.entries(weights) as [Kind, number][];
  let left = random() * each.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of each) {
    left -= weight;
    if (left < 0) return kind;
  }
  return each[0]![0];
}
