import { parseArgs } from 'node:util';
import type { BenchOptions } from './lib/options.ts';
import { print } from './lib/report.ts';

/** Each bench: what it shows, and its module, which exports `bench(options)`. */
const benches: Record<
  string,
  { summary: string; load: () => Promise<{ bench(options: BenchOptions): Promise<import('./lib/report.ts').BenchReport> }> }
> = {
  'full-load': {
    summary: 'a full load from the Bulk API into PostgreSQL and SQLite, beside COPY, .import and jsforce with pg',
    load: () => import('./full-load.ts'),
  },
  delta: {
    summary: 'a few thousand changes among many rows, beside the bare SQL of the same merge',
    load: () => import('./delta.ts'),
  },
  live: {
    summary: 'a backlog of change events into PostgreSQL, beside bare transactions and the public client; lag at a steady rate',
    load: () => import('./live.ts'),
  },
  write: {
    summary: 'records into an org: API calls and time for few and many, beside scripts with jsforce',
    load: () => import('./write.ts'),
  },
  'two-way': {
    summary: 'database write, org, echo swallowed: how long a round trip takes, beside a script that polls and a bare call',
    load: () => import('./two-way.ts'),
  },
  kafka: {
    summary:
      'a backlog of change events by way of a Kafka topic into PostgreSQL, beside the direct way and kafka-producer-perf-test',
    load: () => import('./kafka.ts'),
  },
  orgs: {
    summary: 'a thousand live orgs in one process: time until all are connected, memory, idle CPU (--rows is orgs)',
    load: () => import('./orgs.ts'),
  },
  fleet: {
    summary: 'two workers share the streams of many orgs, and are killed, frozen and cut off: equal in the end (--rows is orgs)',
    load: () => import('./fleet.ts'),
  },
  mongodb: {
    summary: 'a full load into MongoDB, beside the bare insertMany of the same driver',
    load: () => import('./mongodb.ts'),
  },
  kill: {
    summary: 'kill -9 in the middle of loads, deltas, streams and writes to an org, again and again: nothing is lost',
    load: () => import('./kill.ts'),
  },
  emulator: {
    summary: 'the emulator itself: events, queries and ingest per second, memory of large orgs and of many',
    load: () => import('./emulator.ts'),
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const bench = benches[positionals[0] ?? ''];
if (values.help || bench === undefined) {
  console.log(`npm run bench -- <name> [--rows 1000000] [--rounds 3] [--quick] [--json]\n`);
  for (const [name, { summary }] of Object.entries(benches)) console.log(`  ${name.padEnd(10)} ${summary}`);
  process.exit(values.help ? 0 : 2);
}
const ROWS: Record<string, string> = {
  orgs: '1000',
  fleet: '200',
  kill: '20000',
  live: '1000000',
  kafka: '20000',
  write: '100000',
  'two-way': '1000',
  mongodb: '100000',
};
const rows = count('rows', values.rows ?? ROWS[positionals[0]!] ?? '1000000');
const rounds = count('rounds', values.rounds);
print(await (await bench.load()).bench({ rows, rounds, quick: values.quick }), values.json);

function count(name: string, text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} takes a whole number above 0, not ${text}`);
  process.exit(2);
}
