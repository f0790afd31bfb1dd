import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@tidemark/testkit';
import { killWrites } from '../connectors/salesforce/write/kill-writes-fixture.ts';
import { killTest } from './lib/kill-test.ts';
import { liveKillTest } from './lib/live-kill-test.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';

const KILLS = 50;
/** Changed records, of which the stream tells. */
const CHANGES_PER_SECOND = 500;

/**
 * Fifty real kills for each SQL target in the middle of full loads and deltas, and as many of `tidemark start` that follows a stream;
 * and of a process that writes to an org by Bulk jobs and Collections. Fails when anything is lost.
 */
export async function bench({ rows }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-kill-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  const results: Result[] = [];
  let lost = 0;
  try {
    say(`${KILLS} kills of writes into an org`);
    const writes = await killWrites({ kills: KILLS, seed: 1 });
    lost += writes.wrong.length;
    for (const each of writes.wrong) say(each);
    for (const [name, value, unit] of [
      ['kills', writes.kills, 'kills'],
      ['of them while a Bulk job was open or under way', writes.killsInJobs, 'kills'],
      ['Bulk jobs', writes.jobs, 'jobs'],
      ['versions written', writes.versions, 'versions'],
      ['lost, twice, or gone back', writes.wrong.length, 'records'],
    ] as const) {
      results.push({ name: `salesforce: ${name}`, value, unit });
    }

    for (const target of [
      { type: 'postgres', url: postgres.url },
      { type: 'sqlite', path: join(folder, 'copy.db') },
    ] as const) {
      say(`${KILLS} kills with ${target.type}`);
      const report = await killTest({ rows, kills: KILLS, seed: 1, target, store: join(folder, `${target.type}.db`) });
      lost += report.differences + report.openFailures;
      const add = (name: string, value: number, unit: string) => results.push({ name: `${target.type}: ${name}`, value, unit });
      add('kills', report.kills, 'kills');
      add('records verified', report.verified, 'rows');
      add('differences', report.differences, 'rows');
      add('pages asked for again', report.pagesRedone, 'pages');

      say(`${KILLS} kills of a stream into ${target.type}`);
      const live = await liveKillTest({ kills: KILLS, seed: 1, perSecond: CHANGES_PER_SECOND, stream: 'pubsub', target, folder });
      lost += live.differences + live.torn;
      if (live.differences > 0) say(live.said);
      add('live: kills', live.kills, 'kills');
      add('live: of them at work', live.killsWhileLive, 'kills');
      add('live: records changed meanwhile', live.changes, 'changes');
      add('live: transactions', live.transactions, 'transactions');
      add('live: records compared', live.verified, 'rows');
      add('live: differences', live.differences, 'rows');
      add('live: parts of a transaction seen', live.torn, 'reads');
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  if (lost > 0) process.exitCode = 1;
  return { bench: 'kill', rows, results, ratios: { toLimit: null, toBaseline: null }, notes: [] };
}
