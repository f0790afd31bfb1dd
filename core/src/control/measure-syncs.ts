import type { SyncConfig } from '../config/config.ts';
import type { PairingConfig } from '../config/pairing.ts';
import { heldWindow } from '../pipeline/held.ts';
import type { Summary } from '../store/store.ts';
import type { Wait } from './budget/budgets.ts';
import { waitsOf } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';

/** What is measured of a sync. */
export interface SyncMeasures extends Summary {
  readonly sync: string;
  readonly direction: 'one-way' | 'two-way';
  /** Connections; of a two-way sync its sides. A source that is a module has none. */
  readonly from: string;
  readonly to: string;
  /** Why it does not run now; null when it may. */
  readonly wait: Wait | null;
  /** Since when one record holds its window open; null when none does. */
  readonly heldSinceMs: number | null;
}

/** All of them by a few statements, however many there are: a thousand are measured every few seconds. */
export async function measureSyncs({ config, store, clock }: EngineParts): Promise<readonly SyncMeasures[]> {
  const summary = await store.summaries();
  const waits = await waitsOf(store, clock.now());
  const measures: SyncMeasures[] = [];
  for (const sync of [...config.syncs.values(), ...config.pairings.values()]) {
    const { name } = sync;
    const stands = summary(name);
    // Only of what has a failure it is not known already.
    const held = 'to' in sync && stands.openFailures > 0 ? await heldWindow(sync, store, clock.now()) : null;
    const waiting = { wait: waits.get(name) ?? null, heldSinceMs: held?.sinceMs ?? null };
    measures.push({ ...stands, ...waiting, sync: name, ...endsOf(sync) });
  }
  return measures;
}

function endsOf(sync: SyncConfig | PairingConfig): Pick<SyncMeasures, 'direction' | 'from' | 'to'> {
  if (!('to' in sync)) return { direction: 'two-way', from: sync.left.connection, to: sync.right.connection };
  const { from, to } = sync;
  return { direction: 'one-way', from: from.kind === 'connection' ? from.connection : '', to: to.connection };
}
