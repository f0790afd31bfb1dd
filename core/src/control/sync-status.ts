import type { SyncConfig } from '../config/config.ts';
import { type Held, heldWindow } from '../pipeline/held.ts';
import type { LiveStatus } from '../pipeline/live/live-status.ts';
import type { Run } from '../store/store.ts';
import type { Wait } from './budget/budgets.ts';
import { waitOf } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';
import { liveUnit } from './follow-streams.ts';
import { type KeptStatus, readStatus } from './kept-status.ts';
import type { Pairings } from './pairings.ts';
import type { Syncs } from './syncs.ts';

export interface SyncStatus {
  readonly sync: string;
  readonly paused: boolean;
  /** What it waits for before it goes on, because calls are short; null when it does not. */
  readonly waiting: Wait | null;
  readonly lastRun: Run | null;
  readonly lastSuccess: Run | null;
  readonly openFailures: number;
  /** The record that keeps its window open; null when none does. */
  readonly held: Held | null;
  /** How far it has come, in the source's own terms. */
  readonly checkpoint: { readonly [fact: string]: string };
  /** Of a live sync, as the process that follows its stream last told; null when none has. */
  readonly stream: KeptStatus | null;
}

interface Parts extends EngineParts {
  readonly syncs: Syncs;
  readonly pairings: Pairings;
  /** The streams that this process follows. */
  readonly followed: readonly LiveStatus[];
}

export async function statusOfSync(sync: SyncConfig, parts: Parts): Promise<SyncStatus> {
  const { store, clock, followed } = parts;
  const own = followed.find(({ stream }) => stream === liveUnit(sync));
  const told = async () => (own === undefined ? readStatus(liveUnit(sync), store, clock) : { ...own, asOfMs: clock.now() });
  return {
    ...(await common(sync.name, parts)),
    held: await heldWindow(sync, store, clock.now()),
    checkpoint: await parts.syncs.facts(sync),
    stream: sync.live ? await told() : null,
  };
}

export async function statusOfPairing(name: string, parts: Parts): Promise<SyncStatus> {
  return { ...(await common(name, parts)), held: null, checkpoint: await parts.pairings.facts(name), stream: null };
}

async function common(sync: string, { store, clock }: Parts) {
  return {
    sync,
    paused: await store.paused(sync),
    waiting: await waitOf(sync, store, clock.now()),
    lastRun: (await store.runs({ sync, limit: 1 }))[0] ?? null,
    lastSuccess: await store.lastSuccess(sync),
    openFailures: await store.countFailures(sync),
  };
}
