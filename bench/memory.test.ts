import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { run } from './lib/child.ts';
import { configuration } from './lib/live-copy.ts';
import { memoryOver } from './lib/live-memory.ts';
import { BenchOrg } from './lib/org.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import type { TidemarkInput, TidemarkOutput } from './lib/tidemark-process.ts';

// Ten times the records, the same memory: what is held depends on the size of a batch. The bench looks at a million.        (P9)
test('a full load of 200,000 records peaks no higher than one of 20,000, give or take a collection', {
  timeout: 180_000,
}, async () => {
  const peaks: number[] = [];
  for (const rows of [20_000, 200_000]) {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-memory-'));
    await using org = await BenchOrg.start(rows);
    const yaml = org.yaml({ type: 'sqlite', path: join(folder, 'copy.db') }, { from: { bulkAbove: 0, pageRows: 10_000 } });
    const { report, maxRssMb } = await run<TidemarkOutput>('./tidemark-process.ts', { yaml, full: true } satisfies TidemarkInput);
    rmSync(folder, { recursive: true, force: true });
    expect(report.counts.created).toBe(rows);
    peaks.push(maxRssMb);
  }
  const [small, large] = peaks as [number, number];
  // The bench, with the machine to itself, looks at 300 MB; beside other tests collections come later.
  expect(large).toBeLessThan(350);
  expect(large / small).toBeLessThan(1.6);
});

// What is held depends on what waits to be written and not on what has been. The bench looks at an hour of events.        (P9)
test('a stream that has brought 60,000 events holds what it held after 12,000', async () => {
  const [backlogs, events] = [10, 6000];
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-memory-'));
  const { url, drop } = await createTestDatabase();
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  {
    await using org = new SpokenChild('./live-org-process.ts', { contacts: 1000, events: backlogs * events });
    const yaml = configuration(await org.next<EmulatorCredentials>(), url, join(folder, 'state.db'));
    const child = new SpokenChild('./live-process.ts', { yaml }, ['--expose-gc']);
    const held = await memoryOver(child, database, (question) => org.ask(question), { backlogs, events });
    // Of the heap as it is after a collection; less than 10 MB is code that was compiled meanwhile.
    expect(held.at(-1)!.heapMb - held[1]!.heapMb).toBeLessThan(10);
  }
  await database.end();
  await drop();
  rmSync(folder, { recursive: true, force: true });
});
