import { Engine, openStore, parseConfig, type RunReport, systemClock } from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input, output } from './child.ts';

export interface TidemarkInput {
  readonly yaml: string;
  readonly sync: string;
  readonly full: boolean;
  /** Runs made after the first one in the same process, as a schedule would. */
  readonly more?: number;
}

export interface TidemarkOutput {
  readonly reports: readonly RunReport[];
  /** From the reply that said JobComplete to the end of the run; null when no Bulk job was used. */
  readonly sinceJobCompleteMs: number | null;
  readonly wallMs: number;
  readonly maxRssMb: number;
}

/** The engine as it ships: checkpoints, counted pages, failures and all. Only the moment of JobComplete is looked at. */
const { yaml, sync, full } = input<TidemarkInput>();
let completedAtMs: number | null = null;
const watched: typeof fetch = async (resource, init) => {
  const reply = await fetch(resource, init);
  const url = String(resource instanceof Request ? resource.url : resource);
  if (/\/jobs\/query\/[^/]+$/.test(url) && (init?.method ?? 'GET') === 'GET') {
    const { state } = (await reply.clone().json()) as { state?: string };
    if (state === 'JobComplete') completedAtMs ??= performance.now();
  }
  return reply;
};
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors: await loadConnectors() });
const log = { debug() {}, info() {}, warn: complain, error: complain };
const reports: RunReport[] = [];
let startedAtMs = 0;
let wallMs = 0;
{
  await using store = await openStore(':memory:');
  await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch: watched });
  startedAtMs = performance.now();
  reports.push(await engine.run(sync, { full, signal: new AbortController().signal }));
  wallMs = performance.now() - startedAtMs;
}
const endedAtMs = startedAtMs + wallMs;
output({
  reports,
  sinceJobCompleteMs: completedAtMs === null ? null : endedAtMs - completedAtMs,
  wallMs,
  maxRssMb: process.resourceUsage().maxRSS / 1024,
} satisfies TidemarkOutput);

function complain(data: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(data)}\n`);
}
