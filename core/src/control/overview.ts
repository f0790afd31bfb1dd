import type { SyncConfig } from '../config/config.ts';
import type { LiveState, LiveStatus } from '../pipeline/live/live-status.ts';
import type { Run } from '../store/store.ts';
import type { EngineParts } from './engine-options.ts';
import { liveUnit } from './follow-streams.ts';
import { readStatus } from './kept-status.ts';
import { endsOf } from './sync-outline.ts';

/**
 * - `new`: it has never run
 * - `failing`: its last run failed, or its stream is not connected
 * - `attention`: it runs, and records of it wait for somebody: failures, conflicts
 */
export type Health = 'ok' | 'new' | 'running' | 'attention' | 'failing' | 'paused';

/** A line of a list of syncs: cheap enough to be asked for a thousand of them every other second. */
export interface SyncOverview {
  readonly sync: string;
  readonly direction: 'one-way' | 'two-way';
  /** `crm Contact`. */
  readonly from: string;
  readonly to: string;
  readonly live: boolean;
  /** False of one that only takes what is pushed: there is nothing to run (004-8). */
  readonly canRun: boolean;
  readonly health: Health;
  readonly paused: boolean;
  readonly lastRun: Run | null;
  readonly lastSuccessAtMs: number | null;
  readonly openFailures: number;
  readonly openConflicts: number;
  readonly stream: { readonly state: LiveState; readonly lagMs: number | null } | null;
}

type Parts = EngineParts & { readonly followed: readonly LiveStatus[] };

/** @param of  only this one */
export async function overviewOf(parts: Parts, of?: string): Promise<readonly SyncOverview[]> {
  const { config, store } = parts;
  const names = of === undefined ? [...config.syncs.keys(), ...config.pairings.keys()] : [of];
  const summary = await store.summaries(of);
  const streams = await streamsOf(
    names.flatMap((name) => config.syncs.get(name) ?? []),
    parts,
  );
  return names.map((sync) => {
    const oneWay = config.syncs.get(sync);
    const { paused, lastRun, lastSuccess, openFailures, openConflicts } = summary(sync);
    const stream = (oneWay?.live ? streams.get(liveUnit(oneWay)) : null) ?? null;
    const told = { paused, lastRun, openFailures, openConflicts, stream };
    return {
      ...{ sync, direction: oneWay === undefined ? 'two-way' : 'one-way', ...endsOf(config, sync) },
      live: (oneWay ?? config.pairings.get(sync)!).live,
      canRun: oneWay === undefined || oneWay.channel === null,
      health: healthOf(told),
      ...told,
      lastSuccessAtMs: lastSuccess?.startedAtMs ?? null,
    };
  });
}

function healthOf(sync: Pick<SyncOverview, 'paused' | 'lastRun' | 'openFailures' | 'openConflicts' | 'stream'>): Health {
  const { paused, lastRun, openFailures, openConflicts, stream } = sync;
  if (paused) return 'paused';
  if (lastRun?.state === 'running') return 'running';
  if (lastRun?.state === 'failed' || stream?.state === 'stopped' || stream?.state === 'polling') return 'failing';
  if (openFailures > 0 || openConflicts > 0) return 'attention';
  return lastRun === null && stream === null ? 'new' : 'ok';
}

/** As this process follows them, or as another one has told. */
async function streamsOf(
  syncs: readonly SyncConfig[],
  { followed, store, clock }: Parts,
): Promise<ReadonlyMap<string, NonNullable<SyncOverview['stream']>>> {
  const found = new Map<string, NonNullable<SyncOverview['stream']>>();
  for (const unit of new Set(syncs.filter(({ live }) => live).map(liveUnit))) {
    const status = followed.find(({ stream }) => stream === unit) ?? (await readStatus(unit, store, clock));
    if (status !== null) found.set(unit, { state: status.state, lagMs: status.lagMs });
  }
  return found;
}
