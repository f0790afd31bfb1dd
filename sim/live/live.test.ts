import { expect, test } from 'vitest';
import { runWorld } from './world.ts';

// A share of what `npm run sim -- live` runs by the thousand: whatever befalls engine, network and target, at the end the copy is the
// org, and a reader of it never saw half a transaction or a value go back (P1, P3 to P6).

const options = { linesMax: 0, target: 'sqlite' };
const SEEDS = 150;

test('whatever befalls a stream, the copy is the org in the end', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { failure } = await runWorld(seed, options);
    expect(failure, `npm run sim -- live --from ${seed} --seeds 1 --history 200`).toEqual([]);
  }
});

test('a seed replays exactly', async () => {
  for (const seed of [3, 1_000_003]) {
    const [once, again] = [await runWorld(seed, options), await runWorld(seed, options)];
    expect(again).toEqual(once);
  }
});
