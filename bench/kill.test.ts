import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@tidemark/testkit';
import { afterAll, expect, test } from 'vitest';
import { killTest } from './lib/kill-test.ts';
import { liveKillTest } from './lib/live-kill-test.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemark-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// A share of `npm run bench -- kill`: the process that syncs is ended with kill -9 wherever it happens to be, while the org goes
// on changing. Nothing is lost, nothing is there too much, and a kill costs at most one page read again.          (P1, P4, P12)
test.each(['postgres', 'sqlite'] as const)('kill -9 in loads and deltas into %s loses nothing', async (type) => {
  const database = type === 'postgres' ? await createTestDatabase() : null;
  const target =
    database === null
      ? ({ type: 'sqlite', path: join(folder, 'copy.db') } as const)
      : ({ type: 'postgres', url: database.url } as const);
  const report = await killTest({ rows: 8000, kills: 4, seed: 7, target, store: join(folder, `${type}.db`) });
  await database?.drop();
  expect(report).toMatchObject({ differences: 0, openFailures: 0 });
  expect(report.verified).toBeGreaterThan(7900);
  expect(report.pagesRedone).toBeLessThanOrEqual(report.kills);
});

// The same for a stream: `tidemark start` itself, while records of two objects are changed together, made, removed and brought back.
// No delta ever runs; what the copy is in the end, the stream has brought.                                    (P1, P3, P4, P6)
test.each([
  ['postgres', 'pubsub'],
  ['sqlite', 'cometd'],
] as const)('kill -9 of a stream into %s by %s loses nothing', async (type, stream) => {
  const database = type === 'postgres' ? await createTestDatabase() : null;
  const target =
    database === null
      ? ({ type: 'sqlite', path: join(folder, 'live.db') } as const)
      : ({ type: 'postgres', url: database.url } as const);
  const report = await liveKillTest({ kills: 2, seed: 7, perSecond: 200, stream, target, folder });
  await database?.drop();
  expect(report, report.said).toMatchObject({ differences: 0, torn: 0 });
  expect(report.changes).toBeGreaterThan(0);
});
