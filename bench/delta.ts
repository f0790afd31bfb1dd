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

/** What is measured of each size, in each round, in ms. */
interface Times {
  bare: number[];
  merge: number[];
  whole: number[];
  reading: number[];
  added: number[];
  under: number[];
}

type Delta = (given?: Partial<TidemarkInput>) => Promise<TidemarkOutput>;

/**
 * A few thousand changes among many rows. The limit is the bare SQL of the same merge, with its rows in hand as COPY text before
 * its clock starts, from BEGIN to COMMIT.
 *
 * Tidemark does it three times, each in a process of its own that has just started:
 * - merge: all that has changed is read first; the clock runs from changes in hand to changes committed with their checkpoint, as it
 *   does for the bare SQL.
 * - whole delta: as it ships, and what a user waits for: taking the sync over, sign-in, describe, every page read and written, the
 *   next pages read meanwhile, the run recorded.
 * - reading alone: the same with a target that pretends. The difference is what writing adds for the user.
 */
export async function bench({ rows, rounds }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  say(`filling an org with ${rows} contacts`);
  const org = await BenchOrg.start(rows);
  try {
    const yaml = org.yaml({ type: 'postgres', url: postgres.url }, { store: join(folder, 'state.db') });
    const sync = (given: Partial<TidemarkInput>) =>
      run<TidemarkOutput>('./tidemark-process.ts', { yaml, full: false, ...given } satisfies TidemarkInput);
    const first = await sync({ full: true });
    if (first.report.counts.created !== rows) throw new Error(`the first load failed: ${JSON.stringify(first.report)}`);
    let seed = 0;
    /** So many records change; once `work` has brought them, the checkpoint moves past them, so that they are not read again. */
    const changed = async <T>(records: number, work: (delta: Delta) => Promise<T>): Promise<T> => {
      const { ids } = await org.backdoor<{ ids: string[] }>('POST', '/changes', {
        object: 'Contact',
        records,
        seed: ++seed,
        kind: 'update',
      });
      // The first one to ask for these pages waits for the emulator to find them: that is not measured.
      await sync({ readOnly: true });
      const done = await work(async (given = {}) => {
        const output = await sync(given);
        if (output.report.kind !== 'delta' || output.report.counts.updated < ids.length)
          throw new Error(`the delta missed something: ${JSON.stringify(output.report)}`);
        return output;
      });
      // An hour later one more delta does it.
      await org.backdoor('POST', '/clock', { advanceMs: 3_600_000 });
      await sync({});
      return done;
    };
    const times = new Map<number, Times>(
      SIZES.map((size) => [size, { bare: [], merge: [], whole: [], reading: [], added: [], under: [] }]),
    );
    for (let round = 1; round <= rounds; round++) {
      for (const [size, of] of times) {
        const bare = (await run<{ ms: number }>('./merge-process.ts', { url: postgres.url, rows: size })).ms;
        const merge = await changed(size, async (delta) => (await delta({ readFirst: true })).writeMs);
        const { reading, whole, under } = await changed(size, async (delta) => {
          const reading = (await sync({ readOnly: true })).wallMs;
          const { wallMs, writeMs } = await delta();
          return { reading, whole: wallMs, under: writeMs };
        });
        for (const [name, ms] of Object.entries({ bare, merge, whole, reading, added: whole - reading, under }))
          of[name as keyof Times].push(ms);
        say(
          `  ${size} changed: bare SQL ${bare.toFixed(0)} ms, merge ${merge.toFixed(0)} ms; whole delta ${whole.toFixed(0)} ms, reading alone ${reading.toFixed(0)} ms`,
        );
      }
    }
    const results = [...times].flatMap(([size, of]): Result[] => [
      { name: `${size}: bare SQL`, value: rounded(median(of.bare), 1), unit: 'ms' },
      { name: `${size}: merge`, value: rounded(median(of.merge), 1), unit: 'ms' },
      { name: `${size}: whole delta`, value: rounded(median(of.whole), 0), unit: 'ms' },
      { name: `${size}: reading alone`, value: rounded(median(of.reading), 0), unit: 'ms' },
      { name: `${size}: what writing adds`, value: rounded(median(of.added), 1), unit: 'ms' },
      { name: `${size}: writes under way in a whole delta`, value: rounded(median(of.under), 1), unit: 'ms' },
    ]);
    const [few, many] = SIZES.map((size) => times.get(size)!) as [Times, Times];
    return {
      bench: 'delta',
      rows,
      results,
      ratios: {
        toLimit: ratio(few.merge, few.bare),
        toBaseline: null,
        mergeAt10000: ratio(many.merge, many.bare),
        writingAddsAt2000: ratio(few.added, few.bare),
        writingAddsAt10000: ratio(many.added, many.bare),
      },
      notes: [
        'the ratios are times, to the bare SQL: below 1.5 is the goal; toLimit is the merge of 2000 changes',
        'writingAdds: the whole delta less reading alone. While a delta writes it reads on, on the same two cores: that is in the time of its writes under way',
      ],
    };
  } finally {
    await org[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
