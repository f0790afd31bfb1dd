import type { SyncConfig } from '../../config/config.ts';
import { hashOf } from '../../config/fingerprint.ts';
import type { PairingConfig } from '../../config/pairing.ts';
import { liveUnit } from '../follow-streams.ts';

/**
 * What has to be done by one process: a sync that is run by its schedule; a stream with all syncs that it feeds, whose deltas have to
 * know of it; a topic; a two-way sync.
 */
export interface Unit {
  readonly name: string;
  /** Under which its configuration is told to other workers. */
  readonly group: string;
  /** Of that configuration. */
  readonly hash: string;
  /** Of all that decides what is done: one that is another is begun anew. */
  readonly version: string;
  readonly syncs: readonly SyncConfig[];
  readonly pairing: PairingConfig | null;
}

/** All that a process would do by itself. What nobody has scheduled is done when somebody asks for it. */
export function unitsOf(syncs: readonly SyncConfig[], pairings: readonly PairingConfig[]): readonly Unit[] {
  const fed = new Map<string, SyncConfig[]>();
  for (const sync of syncs) {
    if (!sync.live && sync.schedule === null && sync.full === null) continue;
    const name = sync.live && sync.from.kind === 'connection' ? liveUnit(sync) : sync.name;
    const known = fed.get(name);
    if (known === undefined) fed.set(name, [sync]);
    else known.push(sync);
  }
  return [
    ...[...fed].map(([name, own]) => unitOf(name, own, null)),
    ...pairings
      .filter(({ live, schedule, full }) => live || schedule !== null || full !== null)
      .map((pairing) => unitOf(pairing.name, [], pairing)),
  ];
}

function unitOf(name: string, syncs: readonly SyncConfig[], pairing: PairingConfig | null): Unit {
  const version = hashOf([...syncs.map(mannerOf), pairing && mannerOf(pairing)]);
  // Orgs come and go while workers live: what these have to agree on is what stands in the file for all of them.
  const org = syncs[0]?.org ?? pairing?.org;
  const known = org === undefined ? { group: name, hash: version } : { group: `orgs of ${org.connection}`, hash: org.template };
  return { name, ...known, version, syncs, pairing };
}

/** What decides what is done and when. */
function mannerOf(sync: SyncConfig | PairingConfig): unknown {
  const { fingerprint, schedule, full, live, startDelayMs, priority, retry, org } = sync;
  const own = { fingerprint, schedule, full, live, startDelayMs, priority, retry, org };
  if (!('watermarkKey' in sync)) return own;
  const { watermarkKey, channel, journalMs, onFailure, sweepMax, overlapMs, batchSize, compare } = sync;
  return { ...own, watermarkKey, channel, journalMs, onFailure, sweepMax, overlapMs, batchSize, compare };
}
