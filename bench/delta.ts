import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@tidemark/testkit';
import { run } from './lib/child.ts';
import type { BenchOptions } from './lib/options.ts';
import { BenchOrg } from './lib/org.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import { median, ratio, rounded } from './lib/statistics.ts';
import type { TidemarkInput, TidemarkOutput } from './lib/tidemark-process.ts';

const SIZES = [2000, 10_000];

/**
 * A few thousand changes among many rows. The limit is the bare SQL of the same merge with its rows in hand; Tidemark's time is
 * that of its writes, from changes in hand to changes committed with their checkpoint. What reading them took is printed too.
 */
export async function bench({ rows, rounds }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  say(`filling an org with ${rows} contacts`);
  const org = await BenchOrg.start(rows);
  try {
    const yaml = org.yaml({ type: 'postgres', url: postgres.url }, { store: join(folder, 'state.db') });
    const sync = (full: boolean) => run<TidemarkOutput>('./tidemark-process.ts', { yaml, full } satisfies TidemarkInput);
    const first = await sync(true);
    if (first.report.counts.created !== rows) throw new Error(`the first load failed: ${JSON.stringify(first.report)}`);
    const bare: Record<number, number[]> = {};
    const writes: Record<number, number[]> = {};
    const walls: Record<number, number[]> = {};
    for (let round = 1; round <= rounds; round++) {
      for (const size of SIZES) {
        bare[size] = [
          ...(bare[size] ?? []),
          (await run<{ ms: number }>('./merge-process.ts', { url: postgres.url, rows: size })).ms,
        ];
        const { ids } = await org.backdoor<{ ids: string[] }>('POST', '/changes', {
          object: 'Contact',
          records: size,
          seed: round * size,
          kind: 'update',
        });
        const delta = await sync(false);
        // An hour later one more delta moves the checkpoint past these changes: the next round does not read them again.
        await org.backdoor('POST', '/clock', { advanceMs: 3_600_000 });
        await sync(false);
        if (delta.report.kind !== 'delta' || delta.report.counts.updated < ids.length)
          throw new Error(`the delta missed something: ${JSON.stringify(delta.report)}`);
        writes[size] = [...(writes[size] ?? []), delta.writeMs];
        walls[size] = [...(walls[size] ?? []), delta.wallMs];
        say(
          `  ${size} changed: bare SQL ${bare[size].at(-1)!.toFixed(0)} ms, written in ${delta.writeMs.toFixed(0)} ms, whole delta ${delta.wallMs.toFixed(0)} ms`,
        );
      }
    }
    const results = SIZES.flatMap((size): Result[] => [
      { name: `${size}: bare SQL`, value: rounded(median(bare[size]!), 1), unit: 'ms' },
      { name: `${size}: tidemark writes`, value: rounded(median(writes[size]!), 1), unit: 'ms' },
      {
        name: `${size}: tidemark whole delta, sign-in and reading included`,
        value: rounded(median(walls[size]!), 0),
        unit: 'ms',
      },
    ]);
    return {
      bench: 'delta',
      rows,
      results,
      ratios: {
        toLimit: ratio(writes[2000]!, bare[2000]!),
        toBaseline: null,
        writesToBareSqlAt10000: ratio(writes[10_000]!, bare[10_000]!),
      },
      notes: ['the ratios are times: below 1.5 is the goal'],
    };
  } finally {
    await org[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
