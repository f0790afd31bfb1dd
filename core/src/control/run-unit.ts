import { onBehalfOf } from '../base/caller.ts';
import type { SyncConfig } from '../config/config.ts';
import { nameAt } from '../config/orgs.ts';
import type { PairingConfig } from '../config/pairing.ts';
import type { LiveProgress } from '../pipeline/live/live-status.ts';
import type { RunOptions, RunReport } from '../pipeline/recorded-run.ts';
import { watchAllowances } from './allowances.ts';
import type { HoldBack, Scheduling } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';
import { followStreams } from './follow-streams.ts';
import { followTopics } from './follow-topics.ts';
import { keepStatus } from './kept-status.ts';
import type { Circuits } from './orgs/circuits.ts';
import type { Unit } from './ownership/units.ts';
import type { Pairings } from './pairings.ts';
import { type Scheduled, schedule } from './scheduler.ts';
import { type InTurn, inTurn, type Slots } from './slots.ts';
import { somethingChanged } from './something-changed.ts';
import { streamed } from './streamed.ts';
import type { Syncs } from './syncs.ts';

/** How often failures of a topic are looked at; each is tried when it is due. */
const RETRY_SCHEDULE = { kind: 'every', everyMs: 30_000 } as const;

export interface UnitParts extends EngineParts {
  readonly syncs: Syncs;
  readonly pairings: Pairings;
  readonly holdBack: HoldBack;
  readonly slots: Slots;
  /** Of streams that are being opened: a run that takes long keeps none of them waiting. */
  readonly openings: Slots;
  readonly circuits: Circuits;
}

export interface UnitOptions {
  /** Finish the batch under way, then end. */
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  readonly onRun?: ((report: RunReport) => void) | undefined;
}

/**
 * Runs the syncs of a unit as they are due, and follows its stream, until `stop` aborts; then finishes the batch under way. What one
 * part of it throws ends the others.
 */
export function runUnit(
  { syncs: own, pairing }: Unit,
  parts: UnitParts,
  { stop, signal, onRun }: UnitOptions,
): { readonly live: readonly LiveProgress[]; readonly ended: Promise<void> } {
  const { clock, syncs, pairings, slots } = parts;
  const broken = new AbortController();
  const options = { stop, signal: AbortSignal.any([signal, broken.signal]), onRun };
  const either = AbortSignal.any([stop, options.signal]);
  const streams = followUnit(own, parts, options);
  // Who has the stream makes the deltas as well.
  const isLeft = (sync: string) => streams.some(({ status }) => status.some((of) => of.isAway && of.syncs.includes(sync)));
  const scheduled = own.map((sync) => scheduledSync(sync, isLeft, parts, options));
  if (pairing !== null) scheduled.push(scheduledPairing(pairing, parts, options));
  const work: readonly Promise<unknown>[] = [
    ...streams.map(({ ended }) => ended),
    schedule(scheduled, { clock, stop: either, slots }),
    // It only tells: what a stream needs comes first.
    onBehalfOf({ priority: 'delta' }, () => watchAllowances(streamed(own), parts, either)),
    ...(pairing?.live ? [followLivePairing(pairing, parts, options)] : []),
  ];
  for (const part of work) part.catch((error) => broken.abort(error));
  const end = async () => {
    await Promise.allSettled(work);
    for (const { name } of own) await syncs.release(name);
    if (pairing !== null) await pairings.release(pairing.name);
    await Promise.all(work);
  };
  return { live: streams.flatMap(({ status }) => status), ended: end() };
}

function followUnit(own: readonly SyncConfig[], parts: UnitParts, { stop, signal, onRun }: UnitOptions) {
  const { store, clock, syncs, holdBack, slots, openings, circuits } = parts;
  const live = own.filter((sync) => sync.live);
  const shared = {
    ...parts,
    ...{ stop, signal, owner: syncs.owner },
    open: (sync: SyncConfig, whileOpening: AbortSignal) => syncs.openAnew(sync, whileOpening),
    // A thousand that ask the store and the target at once wait in their queues until they are given up there.
    opening: <T>(sync: SyncConfig, open: () => Promise<T>) =>
      sync.org === undefined ? open() : inTurn(openings, turnOf(sync, circuits), clock, open),
    gate: (sync: SyncConfig) => syncs.gate(sync)!,
    publish: keepStatus(store, clock),
  };
  const runHeld = async (sync: SyncConfig, priority: 'live' | 'delta', reading: Pick<RunOptions, 'full' | 'sinceMs'>) => {
    // What mends a stream is live work, however much it reads; what stands in for it is a delta like any other.
    const run = () => syncs.run(sync.name, { ...reading, signal, stop, priority });
    // Of one system it is urgent; the streams of a thousand orgs that begin at once have to take turns.
    const report = await (sync.org === undefined ? run() : inTurn(slots, turnOf(sync, circuits), clock, run));
    await holdBack.ended(schedulingOf(sync), priority, report);
    onRun?.(report);
    return report;
  };
  return [
    followTopics({ ...shared, syncs: live.filter(({ channel }) => channel !== null) }),
    followStreams({
      ...shared,
      syncs: live.filter(({ channel }) => channel === null),
      paused: (sync) => store.paused(sync),
      heldUntilMs: (sync) => holdBack.untilMs(schedulingOf(sync), 'delta'),
      poll: (sync) => runHeld(sync, 'delta', {}),
      reread: async (name, kind) => {
        const sync = syncs.get(name);
        await holdBack.wait(schedulingOf(sync), 'live', AbortSignal.any([stop, signal]));
        const reading = typeof kind === 'object' ? kind : { full: kind === 'full' };
        const report = await runHeld(sync, 'live', reading);
        // With a held record everything else was read: the hole is mended, and the sync's own window stays open.
        return report.state === 'succeeded' || report.error?.code === 'held';
      },
    }),
  ];
}

function scheduledSync(sync: SyncConfig, isLeft: (sync: string) => boolean, parts: UnitParts, options: UnitOptions): Scheduled {
  const { syncs, store, clock, log, holdBack, circuits } = parts;
  const { name, channel, full, startDelayMs } = sync;
  const hasFailureDue = async () => (await store.failures({ sync: name, dueAtMs: clock.now(), limit: 1 })).length > 0;
  return {
    ...{ name, full, startDelayMs },
    ...turnOf(sync, circuits),
    // Nobody runs a topic: what of it was refused is tried again by and by.
    schedule: channel === null ? sync.schedule : RETRY_SCHEDULE,
    paused: async () => isLeft(name) || (await store.paused(name)),
    work: (signal) => somethingChanged(syncs.keptOpen(name), signal),
    heldUntilMs: async (isFull) => (channel === null ? holdBack.untilMs(schedulingOf(sync), kindOf(isFull)) : null),
    run: (isFull) =>
      logged(name, log, async () => {
        if (channel !== null && !(await hasFailureDue())) return;
        const run = { full: isFull, signal: options.signal, stop: options.stop, priority: kindOf(isFull) };
        const report = await (channel === null ? syncs.run(name, run) : syncs.retry(name, run));
        options.onRun?.(report);
        return (await holdBack.ended(schedulingOf(sync), kindOf(isFull), report)) ? 'again' : undefined;
      }),
  };
}

function followLivePairing(pairing: PairingConfig, { pairings, holdBack }: UnitParts, options: UnitOptions): Promise<void> {
  const scheduling = schedulingOfPairing(pairing);
  return pairings.follow(pairing, {
    ...options,
    waitForCalls: (ended) => holdBack.wait(scheduling, 'live', ended),
    gather: (ended) => holdBack.gather(scheduling, ended),
  });
}

function scheduledPairing(
  pairing: PairingConfig,
  { pairings, store, log, holdBack, circuits }: UnitParts,
  { stop, signal, onRun }: UnitOptions,
): Scheduled {
  const { name, schedule: when, full, startDelayMs } = pairing;
  const scheduling = schedulingOfPairing(pairing);
  return {
    ...{ name, schedule: when, full, startDelayMs },
    ...turnOf(pairing, circuits),
    paused: () => store.paused(name),
    heldUntilMs: async (isFull) => (await pairings.heldUntilMs(name)) ?? holdBack.untilMs(scheduling, kindOf(isFull)),
    run: (isFull) =>
      logged(name, log, async () => {
        const report = await pairings.runByItself(name, { full: isFull, signal, stop, priority: kindOf(isFull) });
        if (report === null) return 'again';
        onRun?.(report);
        if (report.error?.code === 'ownership_lost') return 'again';
        return (await holdBack.ended(scheduling, kindOf(isFull), report)) ? 'again' : undefined;
      }),
  };
}

/** A full run that nobody asked for reads anew what is there already. */
function kindOf(isFull: boolean): 'refresh' | 'delta' {
  return isFull ? 'refresh' : 'delta';
}

/** The connection to the org whose sync it is. */
function orgOf({ org }: Pick<SyncConfig, 'org'>): string | undefined {
  return org === undefined ? undefined : nameAt(org.connection, org.name);
}

function turnOf(sync: Pick<SyncConfig, 'org'>, circuits: Circuits): InTurn {
  const org = orgOf(sync);
  return org === undefined ? {} : { org, isSilent: (startedAtMs) => circuits.isSilent(org, startedAtMs) };
}

function schedulingOf(sync: SyncConfig): Scheduling {
  const { name, from, to, steps, priority } = sync;
  const lookedUp = steps.flatMap((step) => (step.kind === 'lookup' ? [step.connection] : []));
  const source = from.kind === 'connection' ? [from.connection] : [];
  return { sync: name, connections: [...new Set([...source, to.connection, ...lookedUp])], org: orgOf(sync), priority };
}

function schedulingOfPairing(pairing: PairingConfig): Scheduling {
  const { name, left, right, priority } = pairing;
  return { sync: name, connections: [left.connection, right.connection], org: orgOf(pairing), priority };
}

async function logged<T>(sync: string, log: UnitParts['log'], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // The store itself failed: nothing could be recorded. The schedule goes on.
    log.error({ sync, err: error }, 'the run could not be recorded');
    return undefined;
  }
}
