import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import type { BenchOptions } from './lib/options.ts';
import type { TargetConnection } from './lib/org.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import { SpokenChild } from './lib/spoken-child.ts';
import { median, quantile, ratio, rounded } from './lib/statistics.ts';
import { type AppTable, postgresTable, sqliteTable } from './lib/two-way-database.ts';
import { bareCalls, withScript, withTidemark } from './lib/two-way-rounds.ts';

const PER_SECOND = 100;

/**
 * A row of an application's table changes, the org gets it, and its echo comes back by the stream and ends there: how long that takes
 * at a steady rate of changes, a transaction each. Beside Tidemark a script that looks at both sides once a second, and, as the limit, a
 * bare call to the same org right after each change, which hears no echo.
 */
export async function bench({ rows: changes, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  const pace = { perSecond: PER_SECOND, changes };
  const results: Result[] = [];
  const p99: Record<string, number[]> = {};
  try {
    for (const kind of ['postgres', 'sqlite'] as const) {
      const shares: Record<string, { p50: number[]; p99: number[] }> = {};
      const take = (name: string, ms: readonly number[]) => {
        shares[name] ??= { p50: [], p99: [] };
        const share = shares[name];
        share.p50.push(quantile(ms, 0.5));
        share.p99.push(quantile(ms, 0.99));
        say(`  ${kind}, ${name}: p50 ${share.p50.at(-1)!.toFixed(0)} ms, p99 ${share.p99.at(-1)!.toFixed(0)} ms`);
      };
      for (let round = 1; round <= rounds; round++) {
        const name = `customers_${round}`;
        const path = join(folder, `app-${round}.db`);
        await using table = await (kind === 'postgres'
          ? postgresTable(postgres.url, name, changes)
          : sqliteTable(path, name, changes));
        await using org = new SpokenChild('./two-way-org-process.ts', {});
        const credentials = await org.next<EmulatorCredentials>();
        const yaml = configuration(credentials, table, name, join(folder, `state-${kind}-${round}.db`));
        const trips = await withTidemark(new SpokenChild('./two-way-process.ts', { yaml }), org, table, pace);
        take('Tidemark, there', trips.there);
        take('Tidemark, there and back', trips.back);
        if (!quick) take('script, there and back', (await withScript(credentials, org, table, pace)).back);
        take('bare call, there', await bareCalls(credentials, table, pace));
      }
      for (const [name, share] of Object.entries(shares)) {
        p99[`${kind}, ${name}`] = share.p99;
        for (const at of ['p50', 'p99'] as const) {
          results.push({ name: `${kind}: ${name}, ${at}`, value: rounded(median(share[at]), 1), unit: 'ms' });
        }
      }
    }
    const of = (kind: string, name: string) => p99[`${kind}, ${name}`]!;
    const worst = Math.max(...(['postgres', 'sqlite'] as const).map((kind) => median(of(kind, 'Tidemark, there and back'))));
    return {
      bench: 'two-way',
      rows: changes,
      results,
      ratios: {
        toLimit: ratio(of('postgres', 'bare call, there'), of('postgres', 'Tidemark, there')),
        toBaseline: quick ? null : ratio(of('postgres', 'script, there and back'), of('postgres', 'Tidemark, there and back')),
        goalMet: worst < GOAL_MS ? 1 : 0,
      },
      notes: [
        `${PER_SECOND} changes a second, a row and a transaction each, ${(changes / PER_SECOND).toFixed(0)} s a round; from the commit in the database`,
        `goal: there and back within ${GOAL_MS} ms for 99 of 100, in both databases`,
        'toLimit: p99 of a bare call to that of Tidemark until the org has committed; toBaseline: p99 of the script to that of Tidemark, there and back; both in PostgreSQL',
        'back: the echo has been read from the stream and compared with both sides; it is checked that the org was written once a change, and no row was written back',
      ],
    };
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const GOAL_MS = 500;

function configuration(credentials: EmulatorCredentials, table: AppTable, name: string, store: string): string {
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = credentials;
  const app: TargetConnection = table.connection;
  return JSON.stringify({
    store: { url: store },
    connections: {
      crm: {
        type: 'salesforce',
        loginUrl,
        stream: 'pubsub',
        pubsubEndpoint: `http://${pubsubEndpoint}`,
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      app,
    },
    syncs: {
      accounts: {
        between: [
          { connection: 'crm', object: 'Account', link: 'App_Id__c' },
          { connection: 'app', table: name, link: 'crm_id' },
        ],
        fields: { name: 'Name', phone: 'Phone' },
        // Far off: what changes is told by the stream and by the change log.
        cron: '0 0 1 1 *',
        live: true,
      },
    },
  });
}
