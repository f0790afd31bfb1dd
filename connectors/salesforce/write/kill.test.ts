import { expect, test } from 'vitest';
import { killWrites } from './kill-writes-fixture.ts';

// A share of `npm run bench -- kill`: a process that writes is ended with kill -9 wherever it happens to be, by jobs of the Bulk API
// and by Collections. Nothing is lost, nothing is there twice, and nothing old comes after something new.             (P1, P3)

const kills = 6;

test(`killed ${kills} times while it writes, the org has every record once and the newest of it`, async () => {
  const { wrong, versions, killsInJobs } = await killWrites({ kills, seed: 7 });
  expect(wrong).toEqual([]);
  expect(versions).toBeGreaterThan(kills / 2);
  expect(killsInJobs).toBeGreaterThan(0);
});
