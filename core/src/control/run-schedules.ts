import { onBehalfOf } from '../base/caller.ts';
import type { SyncConfig } from '../config/config.ts';
import type { PairingConfig } from '../config/pairing.ts';
import { trimJournals } from '../pipeline/live/journal.ts';
import type { LiveProgress } from '../pipeline/live/live-status.ts';
import type { RunReport } from '../pipeline/recorded-run.ts';
import { watchAllowances } from './allowances.ts';
import { HoldBack, type Scheduling } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';
import { followStreams } from './follow-streams.ts';
import { followTopics } from './follow-topics.ts';
import { keepStatus } from './kept-status.ts';
import type { Pairings } from './pairings.ts';
import { type Scheduled, schedule } from './scheduler.ts';
import { somethingChanged } from './something-changed.ts';
import { streamed } from './streamed.ts';
import type { Syncs } from './syncs.ts';
import { trimRuns } from './trim-runs.ts';

/** Every run at once is a connection more; a queue of runs costs only time. */
const RUNS_AT_ONCE = 8;
/** How often failures of a topic are looked at; each is tried when it is due. */
const RETRY_SCHEDULE = { kind: 'every', everyMs: 30_000 } as const;

export interface StartOptions {
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  readonly onRun?: ((report: RunReport) => void) | undefined;
}

interface Parts extends EngineParts {
  readonly syncs: Syncs;
  readonly pairings: Pairings;
}

interface Held extends Parts {
  readonly holdBack: HoldBack;
}

/** Runs every scheduled sync and follows every stream until `stop` aborts; then finishes the batch under way. */
export function runSchedules(
  parts: Parts,
  options: StartOptions,
): { readonly live: readonly LiveProgress[]; readonly ended: Promise<unknown> } {
  const { store, clock, log, syncs, pairings } = parts;
  const { stop, signal, onRun } = options;
  const either = AbortSignal.any([stop, signal]);
  const holdBack = new HoldBack(parts.budgets, parts);
  const live = syncs.all().filter((sync) => sync.live);
  const shared = {
    ...parts,
    ...{ stop, signal },
    open: (sync: SyncConfig, whileOpening: AbortSignal) => syncs.openAnew(sync, whileOpening),
    gate: (sync: SyncConfig) => syncs.gate(sync)!,
    publish: keepStatus(store, clock),
  };
  const topics = followTopics({ ...shared, syncs: live.filter(({ channel }) => channel !== null) });
  const runHeld = async (sync: SyncConfig, kind: 'live' | 'delta', full: boolean) => {
    // What mends a stream is live work, however much it reads; what stands in for it is a delta like any other.
    const report = await syncs.run(sync.name, { full, signal, stop, priority: kind });
    await holdBack.ended(schedulingOf(sync), kind, report);
    onRun?.(report);
    return report;
  };
  const streams = followStreams({
    ...shared,
    syncs: live.filter(({ channel }) => channel === null),
    paused: (sync) => store.paused(sync),
    heldUntilMs: (sync) => holdBack.untilMs(schedulingOf(sync), 'delta'),
    poll: (sync) => runHeld(sync, 'delta', false),
    reread: async (name, kind) => {
      const sync = syncs.get(name);
      await holdBack.wait(schedulingOf(sync), 'live', either);
      const report = await runHeld(sync, 'live', kind === 'full');
      // With a held record everything else was read: the hole is mended, and the sync's own window stays open.
      return report.state === 'succeeded' || report.error?.code === 'held';
    },
  });
  const scheduled = [
    ...syncs.all().map((sync) => scheduledSync(sync, { ...parts, holdBack }, options)),
    ...pairings.all().map((pairing) => scheduledPairing(pairing, { ...parts, holdBack }, options)),
  ];
  const ended = Promise.all([
    streams.ended,
    topics.ended,
    trimJournals({ store: store.journal, clock, log, stop: either }),
    trimRuns(store, clock, log, either),
    schedule(scheduled, { clock, stop, concurrency: RUNS_AT_ONCE }),
    // It only tells: what a stream needs comes first.
    onBehalfOf({ priority: 'delta' }, () => watchAllowances(streamed(syncs.all()), parts, either)),
    ...pairings
      .all()
      .filter((pairing) => pairing.live)
      .map((pairing) => pairings.follow(pairing, options)),
  ]);
  return { live: [...streams.status, ...topics.status], ended };
}

function scheduledSync(sync: SyncConfig, { syncs, store, clock, log, holdBack }: Held, options: StartOptions): Scheduled {
  const { name, channel, full, startDelayMs } = sync;
  const hasFailureDue = async () => (await store.failures({ sync: name, dueAtMs: clock.now(), limit: 1 })).length > 0;
  return {
    ...{ name, full, startDelayMs },
    // Nobody runs a topic: what of it was refused is tried again by and by.
    schedule: channel === null ? sync.schedule : RETRY_SCHEDULE,
    paused: () => store.paused(name),
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

function scheduledPairing(
  pairing: PairingConfig,
  { pairings, store, log, holdBack }: Held,
  { stop, signal, onRun }: StartOptions,
): Scheduled {
  const { name, schedule: when, full, startDelayMs, priority, left, right } = pairing;
  const scheduling = { sync: name, connections: [left.connection, right.connection], priority };
  return {
    ...{ name, schedule: when, full, startDelayMs },
    paused: () => store.paused(name),
    heldUntilMs: (isFull) => holdBack.untilMs(scheduling, kindOf(isFull)),
    run: (isFull) =>
      logged(name, log, async () => {
        const report = await pairings.run(name, { full: isFull, signal, stop, priority: kindOf(isFull) });
        onRun?.(report);
        return (await holdBack.ended(scheduling, kindOf(isFull), report)) ? 'again' : undefined;
      }),
  };
}

/** A full run that nobody asked for reads anew what is there already. */
function kindOf(isFull: boolean): 'refresh' | 'delta' {
  return isFull ? 'refresh' : 'delta';
}

function schedulingOf({ name, from, to, steps, priority }: SyncConfig): Scheduling {
  const lookedUp = steps.flatMap((step) => (step.kind === 'lookup' ? [step.connection] : []));
  const source = from.kind === 'connection' ? [from.connection] : [];
  return { sync: name, connections: [...new Set([...source, to.connection, ...lookedUp])], priority };
}

async function logged<T>(sync: string, log: Parts['log'], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // The store itself failed: nothing could be recorded. The schedule goes on.
    log.error({ sync, err: error }, 'the run could not be recorded');
    return undefined;
  }
}
