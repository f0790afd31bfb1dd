import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, Engine, openStore, parseConfig, systemClock } from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input } from './child.ts';
import type { ManyOrgsReady } from './many-orgs-process.ts';
import { answer } from './spoken-child.ts';

export interface OrgsInput {
  readonly yaml: string;
  readonly key: string;
  readonly orgs: ManyOrgsReady['orgs'];
  readonly idleSeconds: number;
}

export interface OrgsConnected {
  readonly connectMs: number;
  readonly connectCpuMs: number;
  readonly rssMb: number;
}

export interface OrgsIdle {
  /** Share of one core. */
  readonly cpu: number;
  readonly rssMb: number;
  readonly heapMb: number;
}

const SETTLED_MS = 40_000;

/** The engine of `tidemark start` with many orgs. It says when all of them are live, then how it idles. */
const { yaml, key, orgs, idleSeconds } = input<OrgsInput>();
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: { TIDEMARK_KEY: key }, connectors });
const complain = (data: object, message: string) => console.error(message, (data as { err?: unknown }).err ?? data);
const log = { debug() {}, info() {}, warn: complain, error: complain };
await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch: createFetch(process.env) });
for (const [i, { orgId, url, credential }] of orgs.entries()) {
  await engine.orgs.keep({ connection: 'customers', name: `org-${i}` }, url, { orgId, url, credential });
}
const stop = new AbortController();
const cpuAtStart = process.cpuUsage();
const startedAtMs = performance.now();
const ended = engine.start({ stop: stop.signal, signal: new AbortController().signal });
let live = 0;
while (live < orgs.length) {
  await sleep(200);
  live = engine.liveStatus().filter(({ state }) => state === 'live').length;
}
const rssMb = () => process.memoryUsage().rss / 2 ** 20;
const cpuMs = (since: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};
answer({ connectMs: performance.now() - startedAtMs, connectCpuMs: cpuMs(cpuAtStart), rssMb: rssMb() } satisfies OrgsConnected);
// What the start has left to do is done first: a stream that was silent when it began is made sure of by one more delta.
await sleep(SETTLED_MS);
const cpuIdle = process.cpuUsage();
await sleep(idleSeconds * 1000);
const cpu = cpuMs(cpuIdle) / (idleSeconds * 1000);
answer({ cpu, rssMb: rssMb(), heapMb: process.memoryUsage().heapUsed / 2 ** 20 } satisfies OrgsIdle);
// Whoever asked is gone: there is nobody left to measure for.
process.once('disconnect', () => process.exit(1));
await once(process, 'message');
stop.abort();
await ended;
answer({});
process.removeAllListeners('disconnect').disconnect();
