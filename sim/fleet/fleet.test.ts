import { expect, test } from 'vitest';
import { runWorld } from './world.ts';

// A share of what `npm run sim -- fleet` runs: whatever befalls the workers of a fleet, no unit of work has two effective owners, each has
// one again within ten seconds, and what they have made together is equal in the end (P1, P11).

const options = { linesMax: 0, target: 'sqlite' };
const SEEDS = 25;

test('whatever befalls a fleet, no unit has two owners, and the copy is the org in the end', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { failure } = await runWorld(seed, options);
    expect(failure, `npm run sim -- fleet --from ${seed} --seeds 1 --history 200`).toEqual([]);
  }
});

test('a seed replays exactly', async () => {
  for (const seed of [5, 1_000_005]) {
    const [once, again] = [await runWorld(seed, options), await runWorld(seed, options)];
    expect(again).toEqual(once);
  }
});
