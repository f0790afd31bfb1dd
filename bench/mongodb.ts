import { MongoClient } from 'mongodb';
import { startService } from '../testkit/src/services/start-service.ts';
import { run } from './lib/child.ts';
import type { InsertManyInput } from './lib/insert-many-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { BenchOrg, type TargetConnection } from './lib/org.ts';
import { type BenchReport, say } from './lib/report.ts';
import { median, ratio, rounded } from './lib/statistics.ts';
import type { TidemarkInput, TidemarkOutput } from './lib/tidemark-process.ts';

/**
 * A full load of contacts of fifteen columns into MongoDB, beside the driver's own `insertMany` of documents that lie ready. Tidemark's
 * clock runs from JobComplete to a collection that has its name and its index.
 */
export async function bench({ rows, rounds }: BenchOptions): Promise<BenchReport> {
  const own = process.env.TIDEMARK_TEST_MONGODB_URL;
  const server = own ? { url: own, stop: async () => {} } : await startService.mongodb();
  const url = new URL(server.url);
  url.pathname = '/bench';
  const target: TargetConnection = { type: 'mongodb', url: url.href, decimals: own ? 'decimal128' : 'double' };
  say(`filling an org with ${rows} contacts`);
  const org = await BenchOrg.start(rows);
  const client = await new MongoClient(url.href).connect();
  try {
    const { instanceUrl, accessToken } = org.credentials;
    const given: InsertManyInput = { url: url.href, instanceUrl, accessToken };
    const times: Record<'limit' | 'tidemark' | 'unchanged', number[]> = { limit: [], tidemark: [], unchanged: [] };
    const memory: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const limit = await run<{ ms: number; rows: number }>('./insert-many-process.ts', given);
      if (limit.rows !== rows) throw new Error(`insertMany left ${limit.rows} documents`);
      times.limit.push(limit.ms);
      await client.db().dropDatabase();
      const first = await load(org, target, rows, 'created');
      times.tidemark.push(first.loadedMs!);
      memory.push(first.maxRssMb);
      times.unchanged.push((await load(org, target, rows, 'unchanged')).loadedMs!);
      say(`round ${round} of ${rounds}: limit ${limit.ms.toFixed(0)} ms, tidemark ${first.loadedMs!.toFixed(0)} ms`);
    }
    const rate = (name: keyof typeof times) => ({
      name: `${name} rows/s`,
      value: Math.round(rows / (median(times[name]) / 1000)),
      unit: 'rows/s',
    });
    return {
      bench: 'mongodb',
      rows,
      results: [
        ...(Object.keys(times) as (keyof typeof times)[]).map(rate),
        { name: 'tidemark peak memory', value: rounded(median(memory), 0), unit: 'MB' },
      ],
      ratios: { toLimit: ratio(times.limit, times.tidemark), toBaseline: null },
      notes: [
        'limit: insertMany of 1,000 documents that lie ready in memory, and the same index; reading the org is not counted',
        ...(own ? [] : ['the server is FerretDB over SQLite: TIDEMARK_TEST_MONGODB_URL names another']),
      ],
    };
  } finally {
    await client.close();
    await org[Symbol.asyncDispose]();
    await server.stop();
  }
}

async function load(
  org: BenchOrg,
  target: TargetConnection,
  rows: number,
  expected: 'created' | 'unchanged',
): Promise<TidemarkOutput> {
  const output = await run<TidemarkOutput>('./tidemark-process.ts', {
    yaml: org.yaml(target, { from: { bulkAbove: 0 } }),
    full: true,
  } satisfies TidemarkInput);
  const { report } = output;
  if (report.state !== 'succeeded' || report.counts[expected] !== rows) {
    throw new Error(`the load did not do what it should (${rows} ${expected}): ${JSON.stringify(report)}`);
  }
  return output;
}
