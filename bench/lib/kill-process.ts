import { createFetch, Engine, openStore, parseConfig, systemClock } from '@tidemark/core';
import { loadConnectors } from '../../apps/tidemark/src/connectors.ts';
import { input, output } from './child.ts';

export interface KillInput {
  readonly yaml: string;
  /** `crash`: full runs and deltas in turn until somebody kills us. `end`: catch up, verify, say so. */
  readonly mode: 'crash' | 'end';
}

export interface KillOutput {
  readonly verified: number;
  readonly differences: number;
  readonly openFailures: number;
}

const { yaml, mode } = input<KillInput>();
const { connectors } = await loadConnectors();
const config = parseConfig(yaml, { file: 'bench.yaml', env: {}, connectors });
const log = {
  debug() {},
  info() {},
  warn() {},
  error: (data: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(data)}\n`),
};
await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
await using engine = new Engine({ config, store, clock: systemClock, random: Math.random, log, fetch: createFetch(process.env) });
const { signal } = new AbortController();
if (mode === 'crash') {
  output({ ready: true });
  for (let run = 0; ; run++) await engine.run('contacts', { full: run % 3 === 0, signal });
}
await engine.run('contacts', { signal });
const full = await engine.run('contacts', { full: true, signal });
if (full.state !== 'succeeded') throw new Error(`the last full run failed: ${JSON.stringify(full)}`);
const verdict = await engine.verify('contacts', { repair: false, signal });
output({ verified: verdict.verified, differences: verdict.differences, openFailures: full.openFailures } satisfies KillOutput);
