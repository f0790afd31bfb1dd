import { expect, test } from 'vitest';
import { runWorld } from './world.ts';

// A share of what `npm run sim -- two-way` runs by the thousand: whatever befalls engine, network and both sides, they are equal in
// the end but for what is listed as open, nothing is there twice or again, every overwrite is told, and all is silent (P2, P7).

const options = { linesMax: 0, target: 'sqlite' };
const SEEDS = 40;

test('whatever befalls a two-way sync, both sides are equal in the end', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { failure } = await runWorld(seed, options);
    expect(failure, `npm run sim -- two-way --from ${seed} --seeds 1 --history 200`).toEqual([]);
  }
});

test('a seed replays exactly', async () => {
  for (const seed of [3, 1_000_003]) {
    const [once, again] = [await runWorld(seed, options), await runWorld(seed, options)];
    expect(again).toEqual(once);
  }
});
