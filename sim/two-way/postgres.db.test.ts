import { afterAll, expect, test } from 'vitest';
import { stopServer } from '../lib/postgres.ts';
import { runWorld } from './world.ts';

// A sample of the worlds with the application on a real server, where one transaction may wait for another: what has to hold is the
// same as in a file (P2, P7).

afterAll(stopServer);

test('whatever befalls a two-way sync with PostgreSQL, both sides are equal in the end', async () => {
  for (const seed of [1, 7, 11]) {
    const { failure } = await runWorld(seed, { linesMax: 0, target: 'postgres' });
    expect(failure, `npm run sim -- two-way --from ${seed} --seeds 1 --target postgres --history 200`).toEqual([]);
  }
});
