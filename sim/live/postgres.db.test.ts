import { afterAll, expect, test } from 'vitest';
import { stopServer } from '../lib/postgres.ts';
import { runWorld } from './world.ts';

// A sample of the worlds on a real server, where one transaction may wait for another: the end is the same (P1, P3 to P5, P11).

afterAll(stopServer);

test('whatever befalls a stream into PostgreSQL, the copy is the org in the end', async () => {
  for (const seed of [3, 7, 11]) {
    const { failure } = await runWorld(seed, { linesMax: 0, target: 'postgres' });
    expect(failure, `npm run sim -- live --from ${seed} --seeds 1 --target postgres --history 200`).toEqual([]);
  }
});
