import type { SyncConfig } from '../config/config.ts';
import type { PairingConfig } from '../config/pairing.ts';
import { trimJournals } from '../pipeline/live/journal.ts';
import type { LiveProgress } from '../pipeline/live/live-status.ts';
import type { RunReport } from '../pipeline/recorded-run.ts';
import type { Worker } from '../store/workers.ts';
import { HoldBack } from './budget/hold-back.ts';
import type { EngineParts } from './engine-options.ts';
import type { Notifications } from './notifications/notifications.ts';
import { Circuits } from './orgs/circuits.ts';
import { watchOrgs } from './orgs/watch-orgs.ts';
import { Ownership } from './ownership/ownership.ts';
import { type Unit, unitsOf } from './ownership/units.ts';
import type { Pairings } from './pairings.ts';
import { runUnit, type UnitOptions } from './run-unit.ts';
import { Slots } from './slots.ts';
import type { Syncs } from './syncs.ts';
import { trimRuns } from './trim-runs.ts';

/** Every run at once is a connection more; a queue of runs costs only time. */
const RUNS_AT_ONCE = 8;
const OPENINGS_AT_ONCE = 16;

export interface StartOptions extends UnitOptions {
  /** As whom this process shares the work with others, where it does. */
  readonly worker?: Pick<Worker, 'name' | 'version'> | undefined;
}

interface Parts extends EngineParts {
  readonly syncs: Syncs;
  readonly pairings: Pairings;
  readonly notifications: Notifications;
}

/** What runs by itself in this process. */
export interface Schedules {
  readonly ended: Promise<unknown>;
  /** The streams that it follows. */
  live(): readonly LiveProgress[];
  /** The units that it owns. */
  owned(): readonly string[];
  /** A run has ended that was none of these. */
  ran(report: RunReport): void;
}

/** Runs every scheduled sync and follows every stream that this process owns, until `stop` aborts; then finishes the batch under way. */
export function runSchedules(parts: Parts, { worker = { name: 'unnamed', version: '' }, ...options }: StartOptions): Schedules {
  const { store, clock, random, log, syncs, pairings, notifications } = parts;
  const { stop, signal } = options;
  const onRun = (report: RunReport) => {
    if (report.state === 'failed') notifications.lookSoon();
    options.onRun?.(report);
  };
  const either = AbortSignal.any([stop, signal]);
  const heardAt = (connection: string) => parts.budgets.get(connection)?.heardAtMs ?? Number.NEGATIVE_INFINITY;
  const circuits = new Circuits({ clock, random, heardAt });
  const holdBack = new HoldBack(parts.budgets, { store, clock, circuits });
  const shared = { ...parts, holdBack, circuits, slots: new Slots(RUNS_AT_ONCE), openings: new Slots(OPENINGS_AT_ONCE) };
  const live = new Map<string, readonly LiveProgress[]>();
  const { directory } = parts;
  let units: readonly Unit[] | null = null;
  directory.onChange(() => {
    units = null;
  });
  const ownership = new Ownership({
    ...{ workers: store.workers, clock, random, log, stop, signal },
    self: { ...worker, startedAtMs: clock.now() },
    units: () => {
      const isActive = (sync: SyncConfig | PairingConfig) => directory.isActive(sync);
      units ??= unitsOf(syncs.all().filter(isActive), pairings.all().filter(isActive));
      return units;
    },
    unitsChange: (until) => directory.changed(until),
    work: async (unit, until) => {
      const running = runUnit(unit, shared, { ...options, ...until, onRun });
      live.set(unit.name, running.live);
      await running.ended;
      // How a stream has ended is told for as long as nobody else follows it.
      if (!either.aborted) live.delete(unit.name);
    },
  });
  const followed = () => [...live.values()].flat();
  const ended = Promise.all([
    ownership.run(),
    watchOrgs(parts, either),
    notifications.run(() => followed().map((progress) => progress.tell()), either),
    trimJournals({ store: store.journal, clock, log, stop: either }),
    trimRuns(store, clock, log, either),
  ]);
  return { live: followed, owned: () => ownership.owned, ran: onRun, ended };
}
