import type { EmulatorCredentials } from '@tidemark/emulator';
import { firstLine, run, start, stop } from './lib/child.ts';
import type { EmulatorLoadInput, Weight } from './lib/emulator-load-process.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import type { RestClientInput, RestClientOutput } from './lib/rest-client-process.ts';
import { median, rounded } from './lib/statistics.ts';
import type { SubscriberInput, SubscriberOutput } from './lib/subscriber-process.ts';

/** So fast that it is never the emulator that another bench measures. */
const eventsPerSecondGoal = 50_000;
const eventsMax = 200_000;
const jobRowsMax = 50_000;
const concurrency = 4;
const orgsMax = 1000;
const orgRecords = 100;

/** What clients ask most: a record by key, a page of a delta, a page of 2,000. */
const queries = {
  'queries of one record': { count: 4000, soql: oneRecord(), limit: 1 },
  'queries of 200 records': {
    count: 200,
    soql: ['SELECT Id, LastName, Email, Phone, SystemModstamp FROM Contact ORDER BY Id LIMIT 200'],
    limit: 200,
  },
  'queries of 2,000 records': {
    count: 30,
    soql: ['SELECT Id, LastName, Email, Phone, SystemModstamp FROM Contact ORDER BY Id LIMIT 2000'],
    limit: 2000,
  },
};

/**
 * How fast the emulator is, and what it weighs. Clients are processes of their own; a client shares the machine with the
 * emulator, as it does in every other bench. Memory is the whole process, after a collection, less what it was before.
 */
export async function bench({ rows, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const share = quick ? 0.1 : 1;
  const records = Math.round(Math.min(rows, 100_000) * share);
  const events = Math.round(Math.min(rows, eventsMax) * share);
  const ingested = Math.round(Math.min(rows, 2 * jobRowsMax) * share);
  const figures: Record<string, number[]> = {};
  const note = (name: string, value: number, unit: string) => {
    figures[name] = [...(figures[name] ?? []), value];
    say(`  ${name}: ${Math.round(value).toLocaleString('en')} ${unit}`);
  };
  say(`an org with ${records} contacts and ${events} events`);
  const child = start('./emulator-load-process.ts', { kind: 'serve', records, events } satisfies EmulatorLoadInput);
  try {
    const { instanceUrl, accessToken, organizationId, pubsubEndpoint } = await firstLine<EmulatorCredentials>(child);
    const ask = (
      asked:
        | Omit<Extract<RestClientInput, { kind: 'queries' }>, 'instanceUrl' | 'accessToken'>
        | Omit<Extract<RestClientInput, { kind: 'ingest' }>, 'instanceUrl' | 'accessToken'>,
    ) => run<RestClientOutput>('./rest-client-process.ts', { instanceUrl, accessToken, ...asked } as RestClientInput);
    for (let round = 0; round < (quick ? 1 : rounds); round++) {
      const taken = await run<SubscriberOutput>('./subscriber-process.ts', {
        endpoint: pubsubEndpoint!,
        accessToken,
        instanceUrl,
        organizationId,
        topic: '/data/LeadChangeEvent',
        events,
      } satisfies SubscriberInput);
      note('events through Subscribe', (taken.events / taken.ms) * 1000, 'events/s');
      note('bytes of an event', taken.bytes / taken.events, 'bytes');
      for (const [name, { count, soql, limit }] of Object.entries(queries)) {
        const asked = Math.ceil(count * share);
        const answered = await ask({ kind: 'queries', queries: asked, concurrency, soql });
        if (answered.records !== asked * limit) throw new Error(`${name}: ${answered.records} records in ${asked} replies`);
        note(name, (asked / answered.ms) * 1000, 'queries/s');
      }
      const loaded = await ask({ kind: 'ingest', rows: ingested, jobRows: jobRowsMax });
      note('bulk ingest', (loaded.records / loaded.ms) * 1000, 'rows/s');
    }
  } finally {
    await stop(child);
  }
  const orgs = Math.round(orgsMax * share);
  const weights: [string, number, number][] = [
    [`an org of ${Math.round(rows * share).toLocaleString('en')} records`, 1, Math.round(rows * share)],
    [`${orgs.toLocaleString('en')} orgs of ${orgRecords} records`, orgs, orgRecords],
  ];
  for (const [name, count, each] of weights) {
    const weight = await run<Weight>('./emulator-load-process.ts', {
      kind: 'memory',
      orgs: count,
      records: each,
    } satisfies EmulatorLoadInput);
    note(`memory: ${name}`, weight.filledMb - weight.startedMb, 'MB');
    note(`made in: ${name}`, weight.fillMs / 1000, 's');
  }
  return {
    bench: 'emulator',
    rows,
    results: Object.entries(figures).map(
      ([name, values]): Result => ({ name, value: rounded(median(values), 1), unit: unitOf(name) }),
    ),
    ratios: { toLimit: null, toBaseline: null, eventsToGoal: median(figures['events through Subscribe']!) / eventsPerSecondGoal },
    notes: [
      `eventsToGoal: events per second, to the goal of ${eventsPerSecondGoal.toLocaleString('en')}`,
      'events are whole creates of a Lead, from the earliest, at most 100 outstanding; the client reads no payload',
      `queries over ${concurrency} connections at once; ingest with upload, waiting and successful results, ${jobRowsMax.toLocaleString('en')} rows a job`,
    ],
  };
}

function oneRecord(): string[] {
  return Array.from({ length: 50 }, (_, n) => `SELECT Id, LastName, Email FROM Contact ORDER BY Id LIMIT 1 OFFSET ${n}`);
}

function unitOf(name: string): string {
  if (name.startsWith('memory')) return 'MB';
  if (name.startsWith('made in')) return 's';
  if (name.startsWith('bytes')) return 'bytes';
  if (name === 'bulk ingest') return 'rows/s';
  return name.startsWith('queries') ? 'queries/s' : 'events/s';
}
