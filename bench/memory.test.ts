import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './lib/child.ts';
import { BenchOrg } from './lib/org.ts';
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
  expect(large).toBeLessThan(300);
  expect(large / small).toBeLessThan(1.5);
});
