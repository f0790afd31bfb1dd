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
 * A few thousand changes among many rows. The limit is the bare SQL of the same merge, with its rows in hand as COPY text before
 * its clock starts, from BEGIN to COMMIT.
 *
 * Three clocks run for Tidemark, each in a process of its own that has just started:
 * - whole delta: what a user waits for: taking the sync over, sign-in, describe, every page read and written, the run recorded.
 * - reading alone: the same delta with a target that pretends. The difference is what writing adds for the user; reading and
 *   writing overlap, so that it may be less than the writes take.
 * - writes: while a write is under way, from changes in hand to changes committed with their checkpoint. Up to 2000 changes are one
 *   page, so that nothing else happens meanwhile; with more, the next pages are read in this time, on the same two cores.
 */
export async function bench({ rows, rounds }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  say(`filling an org with ${rows} contacts`);
  const org = await BenchOrg.start(rows);
  try {
    const yaml = org.yaml({ type: 'postgres', url: postgres.url }, { store: join(folder, 'state.db') });
    const sync = (full: boolean, readOnly = false) =>
      run<TidemarkOutput>('./tidemark-process.ts', { yaml, full, readOnly } satisfies TidemarkInput);
    const first = await sync(true);
    if (first.report.counts.created !== rows) throw new Error(`the first load failed: ${JSON.stringify(first.report)}`);
    const bare: Record<number, number[]> = {};
    const writes: Record<number, number[]> = {};
    const walls: Record<number, number[]> = {};
    const readings: Record<number, number[]> = {};
    const added: Record<number, number[]> = {};
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
        // The first one to ask for these pages waits for the emulator to find them: that is not measured.
        await sync(false, true);
        const reading = await sync(false, true);
        const delta = await sync(false);
        // An hour later one more delta moves the checkpoint past these changes: the next round does not read them again.
        await org.backdoor('POST', '/clock', { advanceMs: 3_600_000 });
        await sync(false);
        if (delta.report.kind !== 'delta' || delta.report.counts.updated < ids.length)
          throw new Error(`the delta missed something: ${JSON.stringify(delta.report)}`);
        writes[size] = [...(writes[size] ?? []), delta.writeMs];
        walls[size] = [...(walls[size] ?? []), delta.wallMs];
        readings[size] = [...(readings[size] ?? []), reading.wallMs];
        added[size] = [...(added[size] ?? []), delta.wallMs - reading.wallMs];
        say(
          `  ${size} changed: bare SQL ${bare[size].at(-1)!.toFixed(0)} ms, written in ${delta.writeMs.toFixed(0)} ms; whole delta ${delta.wallMs.toFixed(0)} ms, reading alone ${reading.wallMs.toFixed(0)} ms`,
        );
      }
    }
    const results = SIZES.flatMap((size): Result[] => [
      { name: `${size}: bare SQL`, value: rounded(median(bare[size]!), 1), unit: 'ms' },
      { name: `${size}: writes under way`, value: rounded(median(writes[size]!), 1), unit: 'ms' },
      { name: `${size}: whole delta`, value: rounded(median(walls[size]!), 0), unit: 'ms' },
      { name: `${size}: reading alone`, value: rounded(median(readings[size]!), 0), unit: 'ms' },
      { name: `${size}: what writing adds`, value: rounded(median(added[size]!), 1), unit: 'ms' },
    ]);
    return {
      bench: 'delta',
      rows,
      results,
      ratios: {
        toLimit: ratio(writes[2000]!, bare[2000]!),
        toBaseline: null,
        writesAt10000: ratio(writes[10_000]!, bare[10_000]!),
        writingAddsAt2000: ratio(added[2000]!, bare[2000]!),
        writingAddsAt10000: ratio(added[10_000]!, bare[10_000]!),
      },
      notes: [
        'the ratios are times, to the bare SQL: below 1.5 is the goal',
        'toLimit: the writes of 2000 changes. writesAt10000 holds reading too, which goes on meanwhile; writingAdds is the whole delta less reading alone',
      ],
    };
  } finally {
    await org[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
