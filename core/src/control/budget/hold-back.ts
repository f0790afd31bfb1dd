import type { Priority } from '../../base/caller.ts';
import type { Clock } from '../../base/clock.ts';
import type { RunReport } from '../../pipeline/recorded-run.ts';
import type { Store } from '../../store/store.ts';
import type { Circuits } from '../orgs/circuits.ts';
import type { Budgets, Wait } from './budgets.ts';

/** What scheduled work needs to say of itself. */
export interface Scheduling {
  readonly sync: string;
  readonly connections: readonly string[];
  /** The connection to the org whose sync it is, of many. */
  readonly org?: string | undefined;
  /** As the user has set it for all of its work; null leaves it to what is done. */
  readonly priority: Priority | null;
}

/** What a run is scheduled as. `live` mends what a stream did not tell. */
type Kind = 'live' | 'delta' | 'refresh';

/** How soon it is looked again whether there are calls: other work of the same org may need fewer than was thought. */
const LOOK_MS = 60_000;

/**
 * Keeps scheduled work from beginning while there are no calls for it, so that it takes no place of work that has some, and says so
 * for `status`. Nothing is lost by it: what a run would have read, the next one reads.
 */
export class HoldBack {
  readonly #budgets: Budgets;
  readonly #store: Pick<Store, 'getValue' | 'setValue'>;
  readonly #clock: Clock;
  /** Syncs whose next delta is a load of everything, because the last one was and could not be made to its end. */
  readonly #loading = new Set<string>();
  /** When scheduled deltas that are spaced may begin, as they were first told: what others do meanwhile does not put them off again. */
  readonly #pacedUntilMs = new Map<string, number>();
  readonly #told = new Map<string, string>();

  readonly #circuits: Circuits | null;

  constructor(
    budgets: Budgets,
    { store, clock, circuits = null }: { store: Pick<Store, 'getValue' | 'setValue'>; clock: Clock; circuits?: Circuits | null },
  ) {
    this.#circuits = circuits;
    this.#budgets = budgets;
    this.#store = store;
    this.#clock = clock;
  }

  /** When a scheduled run may begin, or it is to be looked again, epoch ms; null for now. */
  async untilMs(work: Scheduling, kind: Kind): Promise<number | null> {
    const shortMs = await this.#shortUntilMs(work, kind);
    if (shortMs !== null) return shortMs;
    const { sync, connections } = work;
    const nowMs = this.#clock.now();
    const priority = this.#priority(work, kind);
    if (priority !== 'delta') return null;
    const pacedMs = this.#pacedUntilMs.get(sync) ?? (await this.#budgets.spacing(connections, priority))?.untilMs ?? nowMs;
    if (pacedMs <= nowMs) {
      this.#pacedUntilMs.delete(sync);
      return null;
    }
    this.#pacedUntilMs.set(sync, pacedMs);
    // Calls may become short meanwhile, which is to be told.
    return Math.min(pacedMs, nowMs + LOOK_MS);
  }

  /** Returns when there are calls for it, or `ended` aborts. */
  async wait(work: Scheduling, kind: Kind, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      const untilMs = await this.#shortUntilMs(work, kind);
      if (untilMs === null) return;
      await this.#clock.sleep(Math.max(1, untilMs - this.#clock.now()), ended).catch(() => {});
    }
  }

  /**
   * Returns when live work may go on that can be gathered: while calls are ample at once; while they run short it waits first, and what
   * comes meanwhile goes with it, in fewer calls. Or when `ended` aborts.
   */
  async gather(work: Scheduling, ended: AbortSignal): Promise<void> {
    await this.wait(work, 'live', ended);
    const { sync, connections, priority } = work;
    // Asked once: the debt is that of all such work, but what others do meanwhile does not put it off again.
    const wait = await this.#budgets.spacing(connections, priority ?? 'live');
    if (wait === null || ended.aborted) return;
    await this.#tell(`${sync} gathering`, wait);
    await this.#clock.sleep(wait.untilMs - this.#clock.now(), ended).catch(() => {});
  }

  /** Answers whether the run was to be made and could not, for want of calls. */
  async ended(work: Scheduling, kind: Kind, report: Pick<RunReport, 'kind' | 'error' | 'durationMs'>): Promise<boolean> {
    const { sync, org } = work;
    const isShort = report.error?.code === 'over_budget';
    if (org !== undefined && !isShort) {
      const startedAtMs = this.#clock.now() - report.durationMs;
      this.#circuits?.ended(org, { startedAtMs, isFailed: report.error !== null });
    }
    if (!isShort) this.#loading.delete(sync);
    else if (kind !== 'refresh' && report.kind === 'full') this.#loading.add(sync);
    // Whoever asks is told from now on, and not only when it is looked again.
    if (isShort) await this.#shortUntilMs(work, kind);
    return isShort;
  }

  /** When there may be calls for it, or it is to be looked again; null when there are some. */
  async #shortUntilMs(work: Scheduling, kind: Kind): Promise<number | null> {
    const { sync, connections, org } = work;
    const priority = this.#priority(work, kind);
    const alone = org === undefined ? null : (this.#circuits?.wait(org) ?? null);
    const wait = alone === null ? await this.#budgets.shortage(connections, priority) : { connection: org!, priority, ...alone };
    await this.#tell(`${sync} ${kind}`, wait);
    const nowMs = this.#clock.now();
    return wait === null ? null : Math.min(Math.max(wait.untilMs, nowMs + 1000), nowMs + LOOK_MS);
  }

  #priority({ sync, priority }: Scheduling, kind: Kind): Priority {
    return priority ?? (kind !== 'refresh' && this.#loading.has(sync) ? 'full' : kind);
  }

  async #tell(name: string, wait: Wait | null): Promise<void> {
    const text = wait === null ? '' : JSON.stringify(wait);
    if ((this.#told.get(name) ?? '') === text) return;
    this.#told.set(name, text);
    await this.#store.setValue(waitName(name), wait === null ? null : text);
  }
}

/** What a sync was last said to wait for, by whichever process runs it. */
export async function waitOf(sync: string, store: Pick<Store, 'getValue'>, nowMs: number): Promise<Wait | null> {
  for (const kind of ['live', 'gathering', 'delta', 'refresh']) {
    const wait = JSON.parse((await store.getValue(waitName(`${sync} ${kind}`))) ?? 'null') as Wait | null;
    // A process that is gone tells nothing any more: what it said holds until then.
    if (wait !== null && wait.untilMs > nowMs) return wait;
  }
  return null;
}

/** The same of all syncs that wait. */
export async function waitsOf(store: Pick<Store, 'values'>, nowMs: number): Promise<ReadonlyMap<string, Wait>> {
  const waits = new Map<string, Wait>();
  for (const [name, value] of await store.values(waitName(''))) {
    const wait = JSON.parse(value) as Wait;
    const sync = name.slice(waitName('').length).replace(/ \w+$/, '');
    if (wait.untilMs > nowMs) waits.set(sync, wait);
  }
  return waits;
}

function waitName(name: string): string {
  return `wait of ${name}`;
}
