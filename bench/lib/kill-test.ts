import { once } from 'node:events';
import { seededRandom } from '@tidemark/core';
import { firstLine, run, start } from './child.ts';
import type { KillInput, KillOutput } from './kill-process.ts';
import { BenchOrg, type TargetConnection } from './org.ts';

export interface KillReport extends KillOutput {
  readonly kills: number;
  /** Pages of Bulk results that were asked for more than once: at most one a kill is promised. */
  readonly pagesRedone: number;
}

/** Rows of a page: small, so that a kill meets a load in its middle. */
const PAGE_ROWS = 1000;

/**
 * Kills the process that syncs, with -9, at a moment drawn from the seed, `kills` times; the org goes on changing meanwhile. In
 * the end one more process catches up and compares both sides record by record (P1, P4, P12).
 */
export async function killTest(options: {
  rows: number;
  kills: number;
  seed: number;
  target: TargetConnection;
  store: string;
}): Promise<KillReport> {
  const random = seededRandom(options.seed);
  await using org = await BenchOrg.start(options.rows);
  const yaml = org.yaml(options.target, { store: options.store, from: { bulkAbove: 0, pageRows: PAGE_ROWS } });
  for (let kill = 0; kill < options.kills; kill++) {
    const child = start('./kill-process.ts', { yaml, mode: 'crash' } satisfies KillInput);
    const ended = once(child, 'close');
    await firstLine(child);
    const change = (kind: string, records: number) =>
      org.backdoor('POST', '/changes', { object: 'Contact', records, seed: options.seed * 1000 + kill, kind });
    await change('update', 20);
    await change('delete', 5);
    await change('undelete', 2);
    await change('purge', 1);
    await new Promise((resolve) => setTimeout(resolve, random() * 900));
    child.kill('SIGKILL');
    await ended;
  }
  const { log } = await org.backdoor<{ log: { url: string; kind: string }[] }>('GET', '/requests?last=20000');
  const pages = new Map<string, number>();
  for (const { url, kind } of log) if (kind === 'bulk.results') pages.set(url, (pages.get(url) ?? 0) + 1);
  const pagesRedone = [...pages.values()].reduce((sum, count) => sum + count - 1, 0);
  const verdict = await run<KillOutput>('./kill-process.ts', { yaml, mode: 'end' } satisfies KillInput);
  return { ...verdict, kills: options.kills, pagesRedone };
}
