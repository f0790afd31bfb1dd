import { randomBytes } from 'node:crypto';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import type { Change, ManyOrgsInput, ManyOrgsReady } from './lib/many-orgs-process.ts';
import type { BenchOptions } from './lib/options.ts';
import type { OrgsConnected, OrgsIdle, OrgsInput } from './lib/orgs-process.ts';
import { type BenchReport, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, quantile, rounded } from './lib/statistics.ts';

const RECORDS = 100;
const app = { clientId: 'bench-app', clientSecret: 'bench-app-secret' };
/** So many orgs change a record at once. */
const CHANGED = 100;

/**
 * Live orgs in one process: how long until each is loaded and its stream listens, what that holds of memory, and what an idle process
 * costs. All orgs are one process beside it, behind one endpoint for their streams, as Salesforce has one.
 */
export async function bench({ rows: orgs, quick }: BenchOptions): Promise<BenchReport> {
  const postgres = await startPostgres({ tuning: 'stock' });
  say(`starting ${orgs} orgs of ${RECORDS} records`);
  await using customers = new SpokenChild('./many-orgs-process.ts', { orgs, records: RECORDS, ...app } satisfies ManyOrgsInput);
  try {
    const { pubsubEndpoint, orgs: granted } = await customers.next<ManyOrgsReady>();
    const yaml = JSON.stringify({
      connections: {
        customers: { type: 'salesforce', orgs: true, pubsubEndpoint, auth: { flow: 'web-server', ...app } },
        db: { type: 'postgres', url: postgres.url },
      },
      syncs: {
        contacts: {
          forEach: 'org',
          from: { connection: 'customers', object: 'Contact' },
          to: { connection: 'db', table: 'contacts', orgColumn: 'org_id' },
          fields: { id: 'Id', last: 'LastName', first: 'FirstName', city: 'MailingCity' },
          live: true,
          every: '1h',
        },
      },
      // What a thousand orgs write to it would keep this process waiting for its disk, statement by statement, in a file.
      store: { url: postgres.url },
    });
    const key = randomBytes(32).toString('base64');
    say('connecting them');
    // BENCH_EXEC_ARGV='--cpu-prof --cpu-prof-dir=/tmp/profiles' tells where the time goes.
    const execArgv = (process.env.BENCH_EXEC_ARGV ?? '').split(' ').filter(Boolean);
    const given = { yaml, key, orgs: granted, idleSeconds: quick ? 20 : 60 } satisfies OrgsInput;
    await using tidemark = new SpokenChild('./orgs-process.ts', given, execArgv);
    const connected = await tidemark.next<OrgsConnected>();
    say(`  connected in ${(connected.connectMs / 1000).toFixed(1)} s`);
    const idle = await tidemark.next<OrgsIdle>();
    const lags = await changeLags(postgres.url, customers, Math.min(CHANGED, orgs));
    await tidemark.ask({});
    return {
      bench: 'orgs',
      rows: orgs * RECORDS,
      results: [
        { name: 'live orgs', value: orgs, unit: 'orgs' },
        { name: 'time to all loaded and connected', value: rounded(connected.connectMs / 1000, 1), unit: 's' },
        { name: 'CPU for that', value: rounded(connected.connectCpuMs / orgs, 1), unit: 'ms/org' },
        { name: 'memory once connected', value: rounded(connected.rssMb, 0), unit: 'MB' },
        { name: 'memory idle', value: rounded(idle.rssMb, 0), unit: 'MB' },
        { name: 'heap idle', value: rounded(idle.heapMb, 0), unit: 'MB' },
        { name: 'CPU idle', value: rounded(idle.cpu * 100, 2), unit: '% of a core' },
        { name: `${lags.length} orgs change at once, p50`, value: rounded(median(lags), 0), unit: 'ms' },
        { name: `${lags.length} orgs change at once, p99`, value: rounded(quantile(lags, 0.99), 0), unit: 'ms' },
      ],
      ratios: {
        toLimit: null,
        toBaseline: null,
        'idle CPU to the goal of 5 %': idle.cpu / 0.05,
        'memory to the goal of 1 GB': idle.rssMb / 1024,
      },
      notes: [],
    };
  } finally {
    await postgres.stop();
  }
}

/** From the change in an org until it can be read in PostgreSQL, org by org. */
async function changeLags(url: string, customers: SpokenChild, orgs: number): Promise<readonly number[]> {
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  const changed = performance.now();
  await customers.ask({ kind: 'insert', orgs, lastName: 'Changed' } satisfies Change);
  const lags: number[] = [];
  while (lags.length < orgs) {
    const { rows } = await database.query("SELECT count(*)::int AS n FROM contacts WHERE last = 'Changed'");
    while (lags.length < rows[0].n) lags.push(performance.now() - changed);
  }
  await database.end();
  return lags;
}
