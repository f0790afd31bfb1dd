import type { EmulatorCredentials } from '@tidemark/emulator';
import { firstLine, run, start, stop } from './lib/child.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import { median, ratio, rounded } from './lib/statistics.ts';
import type { WriteInput, WriteOutput } from './lib/write-process.ts';

const SIZES = [1, 9, 11, 200, 1000, 10_000];
/** One record a call: more take too long, and cost a call each. */
const SINGLE_MAX = 1000;
const WRITES_OF_ONE = 30;

/**
 * Records in hand become records in the org, each with its outcome known: what that costs in API calls, and how long it takes. Beside
 * Tidemark two scripts with jsforce, one with a call a record, one with `bulk2.loadAndWaitForResults` as it comes (it asks for the
 * job's state once a second).
 */
export async function bench({ rows, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const child = start('./write-org-process.ts', {});
  const credentials = await firstLine<EmulatorCredentials>(child);
  const results: Result[] = [];
  const ratios: Record<string, number> = {};
  const largest: Record<string, number[]> = {};
  let dearer = 0;
  try {
    for (const records of [...SIZES, rows]) {
      const calls: Record<string, number> = {};
      for (const how of ['tidemark', 'single', 'bulk2'] as const) {
        if ((how === 'single' && records > SINGLE_MAX) || (quick && how !== 'tidemark')) continue;
        const times: number[] = [];
        for (let round = 1; round <= rounds; round++) {
          const repeat = records === 1 && how !== 'bulk2' ? WRITES_OF_ONE : 1;
          const given: WriteInput = { credentials, how, records, repeat, prefix: `${how}-${records}-${round}` };
          const { times: taken, calls: made, written } = await run<WriteOutput>('./write-process.ts', given);
          if (written !== records * repeat) throw new Error(`${how} wrote ${written} of ${records * repeat} records`);
          times.push(median(taken));
          calls[how] = Math.max(calls[how] ?? 0, made);
        }
        say(`  ${records} records, ${how}: ${calls[how]} calls, ${median(times).toFixed(0)} ms`);
        results.push({ name: `${records}: ${how}`, value: calls[how]!, unit: `calls, ${rounded(median(times), 1)} ms` });
        if (records === rows) largest[how] = times;
      }
      if (calls.tidemark! > Math.min(calls.single ?? records, calls.bulk2 ?? Number.POSITIVE_INFINITY)) dearer++;
    }
    if (largest.bulk2 !== undefined) ratios.timeToBulk2 = ratio(largest.tidemark!, largest.bulk2);
    return {
      bench: 'write',
      rows,
      results,
      ratios: {
        toLimit: null,
        toBaseline: ratios.timeToBulk2 === undefined ? null : 1 / ratios.timeToBulk2,
        sizesDearerThanAScript: dearer,
      },
      notes: [
        `toBaseline: records a second to those of bulk2.loadAndWaitForResults, at ${rows.toLocaleString('en')} records; most of either time is the org's own work`,
        'the emulator works on a job at once; an org lets it wait, and both sides ask for its state more often',
      ],
    };
  } finally {
    await stop(child);
  }
}
