import { trimJournals } from '../pipeline/live/journal.ts';
import type { LiveProgress } from '../pipeline/live/live-status.ts';
import type { Worker } from '../store/workers.ts';
import { HoldBack } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';
import { Ownership } from './ownership/ownership.ts';
import { unitsOf } from './ownership/units.ts';
import type { Pairings } from './pairings.ts';
import { runUnit, type UnitOptions } from './run-unit.ts';
import { Slots } from './scheduler.ts';
import type { Syncs } from './syncs.ts';
import { trimRuns } from './trim-runs.ts';

/** Every run at once is a connection more; a queue of runs costs only time. */
const RUNS_AT_ONCE = 8;

export interface StartOptions extends UnitOptions {
  /** As whom this process shares the work with others, where it does. */
  readonly worker?: Pick<Worker, 'name' | 'version'> | undefined;
}

interface Parts extends EngineParts {
  readonly syncs: Syncs;
  readonly pairings: Pairings;
}

/** Runs every scheduled sync and follows every stream that this process owns, until `stop` aborts; then finishes the batch under way. */
export function runSchedules(
  parts: Parts,
  { worker = { name: 'unnamed', version: '' }, ...options }: StartOptions,
): { readonly live: () => readonly LiveProgress[]; readonly ended: Promise<unknown> } {
  const { store, clock, random, log, syncs, pairings } = parts;
  const { stop, signal } = options;
  const either = AbortSignal.any([stop, signal]);
  const holdBack = new HoldBack(parts.budgets, parts);
  const shared = { ...parts, holdBack, slots: new Slots(RUNS_AT_ONCE) };
  const live = new Map<string, readonly LiveProgress[]>();
  const ownership = new Ownership({
    ...{ workers: store.workers, clock, random, log, stop, signal },
    self: { ...worker, startedAtMs: clock.now() },
    units: () => unitsOf(syncs.all(), pairings.all()),
    unitsChange: aborted,
    work: async (unit, until) => {
      const running = runUnit(unit, shared, { ...options, ...until });
      live.set(unit.name, running.live);
      await running.ended;
      // How a stream has ended is told for as long as nobody else follows it.
      if (!either.aborted) live.delete(unit.name);
    },
  });
  const ended = Promise.all([
    ownership.run(),
    trimJournals({ store: store.journal, clock, log, stop: either }),
    trimRuns(store, clock, log, either),
  ]);
  return { live: () => [...live.values()].flat(), ended };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
