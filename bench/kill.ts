import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@tidemark/testkit';
import { killTest } from './lib/kill-test.ts';
import type { BenchOptions } from './lib/options.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';

const KILLS = 50;

/** Fifty real kills for each SQL target, in the middle of full loads and deltas. Fails when anything is lost. */
export async function bench({ rows }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-kill-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  const results: Result[] = [];
  let lost = 0;
  try {
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
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  if (lost > 0) process.exitCode = 1;
  return { bench: 'kill', rows, results, ratios: { toLimit: null, toBaseline: null }, notes: [] };
}
