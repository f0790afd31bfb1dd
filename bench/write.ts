import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import { firstLine, run, start, stop } from './lib/child.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import { median, quantile, ratio, rounded } from './lib/statistics.ts';
import type { LatencyInput, LatencyOutput } from './lib/write-latency-process.ts';
import type { WriteInput, WriteOutput } from './lib/write-process.ts';

const SIZES = [1, 9, 11, 200, 1000, 10_000];
/** One record a call: more take too long, and cost a call each. */
const SINGLE_MAX = 1000;
const HOWS: readonly WriteInput['how'][] = ['tidemark', 'single', 'bulk2', 'limit'];
const WRITES_OF_ONE = 30;
const LATENCIES = { quick: 5, whole: 20 };

/**
 * Records in hand become records in the org, each with its outcome known: what that costs in API calls, and how long it takes. Beside
 * Tidemark two scripts with jsforce, one with a call a record, one with `bulk2.loadAndWaitForResults` as it comes (it asks for the
 * job's state once a second). At the largest size also what the org needs by itself; and how long one row that changes in a database
 * takes into the org.
 */
export async function bench({ rows, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const results: Result[] = [];
  const largest: Record<string, number[]> = {};
  let dearer = 0;
  for (const records of [...SIZES, rows]) {
    const hows = (quick ? HOWS.slice(0, 1) : HOWS).filter(
      (how) => !(how === 'single' && records > SINGLE_MAX) && !(how === 'limit' && records !== rows),
    );
    const times: Record<string, number[]> = {};
    const calls: Record<string, number> = {};
    for (let round = 1; round <= rounds; round++) {
      for (const how of hows) {
        const taken = await measure(how, records);
        times[how] = [...(times[how] ?? []), taken.ms];
        calls[how] = Math.max(calls[how] ?? 0, taken.calls);
      }
    }
    for (const how of hows) {
      say(`  ${records} records, ${how}: ${calls[how]} calls, ${median(times[how]!).toFixed(0)} ms`);
      results.push({ name: `${records}: ${how}`, value: calls[how]!, unit: `calls, ${rounded(median(times[how]!), 1)} ms` });
      if (records === rows) largest[how] = times[how]!;
    }
    if (calls.tidemark! > Math.min(calls.single ?? records, calls.bulk2 ?? Number.POSITIVE_INFINITY)) dearer++;
  }
  await using org = await startOrg();
  for (const [database, latencies] of Object.entries(await latenciesOf(org.credentials, quick))) {
    const name = `one row of ${database}, from its commit to the org's answer`;
    results.push({ name, value: rounded(median(latencies), 1), unit: `ms, p95 ${rounded(quantile(latencies, 0.95), 1)}` });
  }
  return {
    bench: 'write',
    rows,
    results,
    ratios: {
      toLimit: largest.limit === undefined ? null : ratio(largest.limit, largest.tidemark!),
      toBaseline: largest.bulk2 === undefined ? null : ratio(largest.bulk2, largest.tidemark!),
      ...(largest.limit === undefined ? {} : { baselineToLimit: ratio(largest.limit, largest.bulk2!) }),
      sizesDearerThanAScript: dearer,
    },
    notes: [
      `toBaseline: records a second to those of bulk2.loadAndWaitForResults, at ${rows.toLocaleString('en')} records; it asks for the job's state once a second`,
      "toLimit: to a loop that posts a finished file, asks for the job's state every 20 ms and reads no results: what the org needs by itself",
      'the emulator works on a job at once; an org lets it wait, and all ask for its state more often',
      'rows of a database: each a second after the one before; sync with every: 1s and capture: true',
    ],
  };
}

/** Into an org that is new: one that has grown is slower to write to. */
async function measure(how: WriteInput['how'], records: number): Promise<{ ms: number; calls: number }> {
  await using org = await startOrg();
  const repeat = records === 1 && how !== 'bulk2' ? WRITES_OF_ONE : 1;
  const given: WriteInput = { credentials: org.credentials, how, records, repeat, prefix: how };
  const { times, calls, written } = await run<WriteOutput>('./write-process.ts', given);
  if (written !== records * repeat) throw new Error(`${how} wrote ${written} of ${records * repeat} records`);
  return { ms: median(times), calls };
}

async function startOrg() {
  const child = start('./write-org-process.ts', {});
  const credentials = await firstLine<EmulatorCredentials>(child);
  return { credentials, [Symbol.asyncDispose]: () => stop(child) };
}

async function latenciesOf(credentials: EmulatorCredentials, quick: boolean): Promise<Record<string, LatencyOutput>> {
  const changes = quick ? LATENCIES.quick : LATENCIES.whole;
  const measure = (database: LatencyInput['database']) =>
    run<LatencyOutput>('./write-latency-process.ts', { credentials, database, changes } satisfies LatencyInput);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-write-'));
  const server = await startPostgres({ tuning: 'stock' });
  try {
    return {
      SQLite: await measure({ type: 'sqlite', path: join(folder, 'app.db') }),
      PostgreSQL: await measure({ type: 'postgres', url: server.url }),
    };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
