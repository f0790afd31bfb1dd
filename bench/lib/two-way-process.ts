import { createFetch, Engine, openStore, parseConfig, type Store, systemClock } from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input } from './child.ts';
import { answer } from './spoken-child.ts';

/** `heard`: how far the stream has been worked off, since somebody asked. */
export type TwoWayQuestion = { readonly kind: 'heard' | 'stop' };

export interface Heard {
  readonly positions: readonly { readonly atMs: number; readonly replayId: number }[];
}

/** The engine of `tidemark start` with one two-way sync, its change log installed. Ready at once; it answers until it is told to stop. */
const { yaml } = input<{ yaml: string }>();
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors });
const log = { debug() {}, info() {}, warn: complain, error: complain };
let positions: Heard['positions'][number][] = [];
{
  await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
  await using engine = new Engine({
    config,
    store: overheard(store),
    clock: systemClock,
    random: Math.random,
    log,
    fetch: createFetch(process.env),
  });
  const never = new AbortController().signal;
  await engine.applySchema(undefined, never);
  const stopping = new AbortController();
  const ended = engine.start({ stop: stopping.signal, signal: never });
  answer({ started: true });
  process.on('message', async ({ kind }: TwoWayQuestion) => {
    if (kind === 'stop') {
      stopping.abort();
      await ended;
    }
    answer({ positions } satisfies Heard);
    positions = [];
  });
  await ended;
  await new Promise((resolve) => process.on('disconnect', resolve));
}

/** A position of the stream is kept once everything up to it has been compared with the other side. */
function overheard(store: Store): Store {
  const setValue: Store['setValue'] = async (name, value) => {
    await store.setValue(name, value);
    const bytes = /^pubsub:(.+)$/.exec(value ?? '')?.[1];
    if (bytes === undefined) return;
    const replayId = Number(Buffer.from(bytes, 'base64').readBigUInt64BE());
    positions.push({ atMs: performance.timeOrigin + performance.now(), replayId });
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'setValue') return setValue;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function complain(data: object, message: string): void {
  const error = (data as { err?: Error }).err;
  process.stderr.write(`${message} ${error?.message ?? JSON.stringify(data)}\n`);
}
