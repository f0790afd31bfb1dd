import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, Engine, openStore, parseConfig, systemClock } from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input } from './child.ts';
import { busyMs, spentMs } from './cpu.ts';
import { answer } from './spoken-child.ts';

/**
 * `settled`: answered when nothing is to be read again. `memory`: what is held after a collection; needs `--expose-gc`. `stop`: ends,
 * and tells how it was.
 */
export type LiveQuestion = { readonly kind: 'settled' | 'memory' | 'stop' };

export interface LiveMemory {
  readonly heapMb: number;
  readonly maxRssMb: number;
}

export interface LiveOutput {
  /** From the start of the engine until the stream was live, which is after its first load. */
  readonly startedAtMs: number;
  readonly connectedAtMs: number;
  /** What all cores of the machine had been busy when the engine started. */
  readonly busyAtStartMs: number;
  readonly events: number;
  readonly transactions: number;
  readonly cpuMs: number;
  readonly maxRssMb: number;
}

/** The engine of `tidemark start` with one stream. It says when it is live, and answers until it is told to stop. */
const { yaml } = input<{ yaml: string }>();
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors });
const log = { debug() {}, info() {}, warn: complain, error: complain };
{
  await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
  await using engine = new Engine({
    config,
    store,
    clock: systemClock,
    random: Math.random,
    log,
    fetch: createFetch(process.env),
  });
  const stopping = new AbortController();
  let connectedAtMs: number | null = null;
  const startedAtMs = epochMs();
  const [spentAtStartMs, busyAtStartMs] = [spentMs(), busyMs()];
  const ended = engine.start({ stop: stopping.signal, signal: new AbortController().signal });
  let isLive = false;
  const looking = setInterval(() => {
    const [status] = engine.liveStatus();
    if (status === undefined) return;
    if (status.events > 0) connectedAtMs ??= epochMs();
    if (!isLive && status.state === 'live') {
      isLive = true;
      answer({ live: true });
    }
  }, 5);
  process.on('message', async ({ kind }: LiveQuestion) => {
    if (kind === 'settled') {
      while (engine.liveStatus()[0]?.state !== 'live') await sleep(20);
      answer({});
      return;
    }
    if (kind === 'memory') {
      globalThis.gc!();
      answer({ heapMb: process.memoryUsage().heapUsed / 2 ** 20, maxRssMb: maxRssMb() } satisfies LiveMemory);
      return;
    }
    clearInterval(looking);
    const status = engine.liveStatus()[0]!;
    const cpuMs = spentMs() - spentAtStartMs;
    stopping.abort();
    await ended;
    answer({
      startedAtMs,
      busyAtStartMs,
      connectedAtMs: connectedAtMs ?? Number.NaN,
      events: status.events,
      transactions: status.transactions,
      cpuMs,
      maxRssMb: maxRssMb(),
    } satisfies LiveOutput);
  });
  await ended;
  await new Promise((resolve) => process.on('disconnect', resolve));
}

function maxRssMb(): number {
  return process.resourceUsage().maxRSS / 1024;
}

function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

function complain(data: object, message: string): void {
  const error = (data as { err?: Error }).err;
  process.stderr.write(`${message} ${error?.message ?? JSON.stringify(data)}\n`);
}
