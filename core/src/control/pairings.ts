import { onBehalfOf } from '../base/caller.ts';
import { OwnershipLostError, type Problem, RequestRefusedError, TransientError } from '../base/errors.ts';
import type { PairingConfig } from '../config/pairing.ts';
import type { RecordOutcome } from '../model/inbox.ts';
import type { FieldValue } from '../model/value.ts';
import type { RunOptions, RunReport } from '../pipeline/recorded-run.ts';
import { recordNamed, UNPAIRED } from '../pipeline/two-way/failures.ts';
import type { Policy, SideName } from '../pipeline/two-way/merge-record.ts';
import { type OpenedPairing, type Ownership, PairingTally, takeOver } from '../pipeline/two-way/opened-pairing.ts';
import { outcomeOf } from '../pipeline/two-way/outcome-of.ts';
import { reconcile } from '../pipeline/two-way/reconcile.ts';
import {
  type PairingDryRunOptions,
  type PairingPlan,
  type PairingRunOptions,
  type PreparedPairing,
  planPairing,
  retryPairing,
  runPairing,
} from '../pipeline/two-way/run-pairing.ts';
import { verifyPairing } from '../pipeline/two-way/verify-pairing.ts';
import type { Verdict } from '../pipeline/verify.ts';
import { dryStore } from '../store/dry-store.ts';
import type { Conflict } from '../store/links.ts';
import { callerOf } from './budget/caller-of.ts';
import { readingCost } from './budget/calls-per-day.ts';
import type { LiveDataset } from './check-streams.ts';
import type { EngineParts } from './engine-options.ts';
import { type FollowPairing, followPairing } from './follow-pairing.ts';
import { closePairing, openPairing } from './open-pairing.ts';
import { problemsAt } from './problems-at.ts';
import { pairingSchema } from './schema-changes.ts';
import { LOOK_MS, SignsOfLife } from './signs-of-life.ts';
import type { SyncPlan } from './sync-plan.ts';

export interface FollowOptions extends Pick<FollowPairing, 'waitForCalls' | 'gather'> {
  readonly stop: AbortSignal;
  readonly signal: AbortSignal;
  readonly onRun?: ((report: RunReport) => void) | undefined;
}

/** How somebody decides an open conflict: one side's value, or one of their own. */
export type Choice = { readonly side: string } | { readonly value: FieldValue };

/** To count further tells nobody more. */
const OPEN_SHOWN = 1000;

/** The two-way syncs of a configuration, as the engine runs them. */
export class Pairings implements AsyncDisposable {
  readonly #options: EngineParts;
  readonly #opened = new Map<string, OpenedPairing>();
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Outlives what is open: whoever has lost a sync and opens it anew still has lost it. */
  readonly #owned = new Map<string, Ownership>();
  readonly #signs: SignsOfLife;

  constructor(options: EngineParts) {
    this.#options = options;
    this.#signs = new SignsOfLife(options);
  }

  has(name: string): boolean {
    return this.#options.config.pairings.has(name);
  }

  all(): readonly PairingConfig[] {
    return [...this.#options.config.pairings.values()];
  }

  /**
   * Both sides looked at and not touched: what keeps records from being made or changed there. What it listens for is added to
   * `live`: whether it is told is asked once for all syncs.
   */
  async check(config: PairingConfig, live: LiveDataset[], signal: AbortSignal): Promise<readonly Problem[]> {
    const pairing = await openPairing(config, this.#options, signal);
    try {
      live.push(...this.#listenedFor(config, pairing));
      const problems: Problem[] = [];
      for (const [i, side] of [pairing.left, pairing.right].entries()) {
        const { creates, source } = side;
        const place = `syncs.${config.name}.between[${i}]`;
        const lacking = (await side.lackingRights?.(signal)) ?? [];
        const warnings = [...(source.warnings ?? []), ...(creates.ok ? [] : [creates])];
        problems.push(...problemsAt(place, lacking, warnings));
      }
      return problems;
    } finally {
      await closePairing(pairing);
    }
  }

  /** What a live one listens for, on either side that tells its changes by a stream. */
  async liveDatasets(config: PairingConfig, signal: AbortSignal): Promise<readonly LiveDataset[]> {
    if (!config.live) return [];
    const pairing = await openPairing(config, this.#options, signal);
    try {
      return this.#listenedFor(config, pairing);
    } finally {
      await closePairing(pairing);
    }
  }

  /** How it stands, for `status`. */
  async facts(name: string): Promise<{ readonly [fact: string]: string }> {
    const { links } = this.#options.store;
    const open = await links.conflicts({ sync: name, state: 'open', limit: OPEN_SHOWN });
    const count = open.length < OPEN_SHOWN ? String(open.length) : `${OPEN_SHOWN} or more`;
    return { 'records in sync': String(await links.countLinks(name)), ...(open.length > 0 ? { 'open conflicts': count } : {}) };
  }

  run(name: string, options: PairingRunOptions): Promise<RunReport> {
    const config = this.#options.config.pairings.get(name)!;
    return onBehalfOf(callerOf(config, options), () =>
      this.#options.underWay.during(name, options, (stoppable) =>
        this.#exclusively(name, (prepared, open) => runPairing(prepared, open, stoppable)),
      ),
    );
  }

  /** A run that nobody has asked for. @returns null: another process is at the sync, which is left to it (P11) */
  async runByItself(name: string, { only, ...options }: PairingRunOptions): Promise<RunReport | null> {
    const own = this.#ownershipOf(name);
    const takeOverFrom = await this.#signs.free(name, own);
    if (takeOverFrom === null) return null;
    // What the other one may have left is on either side.
    const reads = takeOverFrom === own.epoch && only !== undefined ? { only } : {};
    return this.run(name, { ...options, ...reads, takeOverFrom });
  }

  /** Until when the next such run is not even tried. */
  async heldUntilMs(name: string): Promise<number | null> {
    const isFree = (await this.#signs.free(name, this.#ownershipOf(name))) !== null;
    return isFree ? null : this.#options.clock.now() + LOOK_MS;
  }

  /** Brings changes across as soon as either side tells of them, until `stop` aborts. */
  follow(config: PairingConfig, options: FollowOptions): Promise<void> {
    const { stop, signal, waitForCalls, gather, onRun } = options;
    const { name } = config;
    const paused = () => this.#options.store.paused(name);
    // What a side tells is brought at once, and a hole in what it told is mended.
    const live = { priority: config.priority ?? 'live', fixed: config.priority !== null };
    return onBehalfOf(live, () =>
      followPairing({
        ...this.#options,
        ...{ config, stop, signal, waitForCalls, gather },
        inTurn: (work) => this.#inTurn(name, async () => work(await this.#reuseOrOpen(name, signal))),
        touch: (side, keys) =>
          this.#inTurn(name, async () => {
            // What is told meanwhile is read when it goes on: the deltas' checkpoint stays behind it.
            if (await paused()) return;
            const pairing = await this.#reuseOrOpen(name, signal);
            // Only a run takes a sync over that another process has: it reads what that one may have left.
            signal.throwIfAborted();
            if (pairing.ownership.epoch === null) await this.#takeUp(pairing);
            await reconcile(pairing, { left: [], right: [], [side]: keys }, { signal, tally: new PairingTally(), told: true });
          }),
        othersRunEnds: (ended) => this.#signs.freed(name, this.#ownershipOf(name), ended),
        run: async (run) => {
          if (await paused()) return;
          const report = await this.runByItself(name, { ...run, signal, stop, priority: 'live' });
          if (report === null) throw leftToOther(name);
          if (report.error?.code === 'ownership_lost') throw new OwnershipLostError(report.error.message);
          if (report.error !== null) throw new TransientError(report.error?.message ?? 'the run failed');
          onRun?.(report);
        },
      }),
    );
  }

  /**
   * Brings one record of a side across at once, for somebody who waits for it, and answers what the other side made of it.
   * @throws {RequestRefusedError} the sync is paused
   */
  async bring(name: string, side: SideName, key: string, signal: AbortSignal): Promise<RecordOutcome> {
    const config = this.#options.config.pairings.get(name)!;
    const across = async () => {
      if (await this.#options.store.paused(name)) {
        throw new RequestRefusedError(`${name} is paused`, { hint: 'the change is kept and goes across once it is resumed' });
      }
      const pairing = await this.#reuseOrOpen(name, signal);
      await this.#takeUp(pairing);
      const tally = new PairingTally();
      await reconcile(pairing, { left: [], right: [], [side]: [key] }, { signal, tally, told: true });
      return outcomeOf(pairing, side, key, tally);
    };
    return onBehalfOf({ priority: config.priority ?? 'live', fixed: config.priority !== null }, async () => {
      for (;;) {
        try {
          return await this.#inTurn(name, across);
        } catch (error) {
          if (!(error instanceof OwnershipLostError)) throw error;
          // Another process had it meanwhile, and keeps what it has done.
          await this.#signs.freed(name, this.#ownershipOf(name), signal);
        }
      }
    });
  }

  retry(name: string, options: RunOptions & { ids?: readonly string[] }): Promise<RunReport> {
    return this.#exclusively(name, (prepared, open) => retryPairing(prepared, open, options));
  }

  /** What the next run would read, and what both sides need for it. */
  async planRun(config: PairingConfig, signal: AbortSignal): Promise<SyncPlan> {
    const { connection, store, clock } = this.#options;
    const { source, target } = await pairingSchema(config, connection, 'planSource', signal);
    const schemaChanges = [...source, ...(target ?? [])];
    const isFirst = (await store.checkpoints.read(config.name)) === null;
    const plan = {
      sync: config.name,
      kind: isFirst ? 'full' : 'delta',
      reason: isFirst ? 'there is no checkpoint yet' : null,
    } as const;
    // A side that lacks something cannot be looked into yet.
    if (schemaChanges.length > 0) return { ...plan, rows: null, apiCalls: null, fullCalls: null, dailyCalls: {}, schemaChanges };
    const pairing = await openPairing(config, this.#options, signal);
    try {
      const costs = [];
      const dailyCalls: Record<string, number> = {};
      for (const side of ['left', 'right'] as const) {
        const cost = await readingCost(pairing[side].source, config, clock.now(), signal);
        if (cost.perDay !== null) dailyCalls[config[side].connection] = cost.perDay;
        costs.push(cost);
      }
      const rows = [await pairing.left.source.estimate(signal), await pairing.right.source.estimate(signal)];
      const sum = (numbers: readonly (number | null | undefined)[]) =>
        numbers.every((number) => number === null || number === undefined)
          ? null
          : numbers.reduce<number>((total, number) => total + (number ?? 0), 0);
      const apiCalls = sum(costs.map((cost) => cost[plan.kind]));
      return { ...plan, rows: sum(rows), apiCalls, fullCalls: sum(costs.map(({ full }) => full)), dailyCalls, schemaChanges };
    } finally {
      await closePairing(pairing);
    }
  }

  /** What the next run would link, make and overwrite, and what that costs. Writes nothing. */
  async plan(name: string, options: PairingDryRunOptions): Promise<PairingPlan> {
    const config = this.#options.config.pairings.get(name)!;
    // What cannot be paired is told to nobody but the store.
    const store = dryStore(this.#options.store, (failures) => {
      for (const { key, code, message, place } of failures) {
        if (!place.startsWith(UNPAIRED)) continue;
        const record = recordNamed(key);
        const side = config[record.side].connection;
        const own = { key: record.key, effect: 'refused', fields: [], resent: 0 } as const;
        options.onWrite?.({ side, place, ...own, reason: { code, message } });
      }
    });
    const pairing = await openPairing(config, { ...this.#options, store }, options.signal);
    try {
      return await planPairing(config.fingerprint, async () => pairing, options);
    } finally {
      await closePairing(pairing);
    }
  }

  /** Whether both sides hold the same. @throws {RequestRefusedError} no run has been made yet, or one fails. */
  async verify(name: string, { repair, signal, onProgress }: RunOptions & { repair: boolean }): Promise<Verdict> {
    const { store } = this.#options;
    if ((await store.checkpoints.read(name)) === null) {
      throw new RequestRefusedError(`${name} has not completed a full run yet, so there is nothing to verify`, {
        hint: `tidemark run ${name}`,
      });
    }
    const progress = onProgress === undefined ? {} : { onProgress };
    return verifyPairing(
      {
        plan: (onWrite) => this.plan(name, { signal, full: true, onWrite, ...progress }),
        run: async (full) => {
          const { state, error } = await this.run(name, { signal, full });
          const hint = error?.hint === undefined ? {} : { hint: error.hint };
          if (state !== 'succeeded') throw new RequestRefusedError(error?.message ?? 'the run was stopped', hint);
        },
        failing: () => store.countFailures(name),
        openConflicts: async () => (await store.links.conflicts({ sync: name, state: 'open', limit: OPEN_SHOWN })).length,
      },
      { repair },
    );
  }

  /**
   * Carries out what somebody decided about open conflicts of one sync.
   * @throws {RequestRefusedError} one that is not open any more, or a side that there is not.
   */
  async resolve(conflicts: readonly Conflict[], choice: Choice, options: RunOptions): Promise<RunReport> {
    const [first] = conflicts;
    const config = first && this.#options.config.pairings.get(first.sync);
    if (config === undefined)
      throw new RequestRefusedError('there is no such conflict', { hint: 'see: tidemark conflicts list' });
    const decisions = conflicts.map((conflict) => ({ conflict, policy: policyOf(conflict, choice, config) }));
    return this.#exclusively(config.name, (prepared, open) => retryPairing(prepared, open, { ...options, decisions }));
  }

  /** Forgets how far both sides were read and who belongs to whom. */
  async reset(name: string): Promise<void> {
    const { store } = this.#options;
    const { epoch } = await store.checkpoints.acquire(name);
    await store.checkpoints.write(name, epoch, null);
    await store.links.removeLinks(name);
    await store.reset(name);
    await this.#signs.over(name);
    await this.#forget(name);
  }

  /** What was kept open is closed, and that this process owned the sync is forgotten: it may be another worker's from now on. */
  release(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      await this.#forget(name);
      this.#owned.delete(name);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#opened.keys()]) await this.#forget(name);
  }

  #ownershipOf(name: string): Ownership {
    const ownership = this.#owned.get(name) ?? { epoch: null };
    this.#owned.set(name, ownership);
    return ownership;
  }

  /** Takes the sync over for work that is no run. @throws {OwnershipLostError} another process is at it */
  async #takeUp(pairing: OpenedPairing): Promise<void> {
    const { name, ownership } = pairing;
    const from = await this.#signs.free(name, ownership);
    if (from === null) throw leftToOther(name);
    if (from !== ownership.epoch) await this.#signs.during(name, ownership, () => takeOver(pairing, from));
  }

  async #reuseOrOpen(name: string, signal: AbortSignal): Promise<OpenedPairing> {
    const config = this.#options.config.pairings.get(name)!;
    const ownership = this.#ownershipOf(name);
    const known = this.#opened.get(name) ?? (await openPairing(config, this.#options, signal, ownership));
    this.#opened.set(name, known);
    return known;
  }

  #listenedFor({ name, live, ...sides }: PairingConfig, pairing: OpenedPairing): LiveDataset[] {
    if (!live) return [];
    return (['left', 'right'] as const).flatMap((side) => {
      const { connection } = sides[side];
      const dataset = pairing[side].source.streamDataset;
      const isStreamed = dataset !== undefined && this.#options.connection(connection).openStream !== undefined;
      return isStreamed ? [{ sync: name, connection, dataset }] : [];
    });
  }

  /** One piece of work of a sync after the other: events do not come between a run's reading and its writing. */
  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const mine = before.then(work).catch(async (error) => {
      await this.#forget(name);
      throw error;
    });
    this.#turns.set(
      name,
      mine.catch(() => undefined),
    );
    return mine;
  }

  /** A run, in its turn. Its sides stay open for the next one, unless it failed. */
  #exclusively<T extends { state: string }>(
    name: string,
    work: (prepared: PreparedPairing, open: (signal: AbortSignal) => Promise<OpenedPairing>) => Promise<T>,
  ): Promise<T> {
    const { store, clock, random, log } = this.#options;
    const config = this.#options.config.pairings.get(name)!;
    const rules = { onFailure: 'quarantine', warnAfterMs: 0 } as const;
    const prepared = { store, clock, random, log, config: { ...config, ...rules }, fingerprint: config.fingerprint };
    let opens = 0;
    return this.#inTurn(name, async () => {
      const open = async (signal: AbortSignal) => {
        // Asked again within one run: the last attempt failed, and what was open may be broken.
        if (opens++ > 0) await this.#forget(name);
        return this.#reuseOrOpen(name, signal);
      };
      const result = await this.#signs.during(name, this.#ownershipOf(name), () => work(prepared, open));
      if (result.state === 'failed') await this.#forget(name);
      return result;
    });
  }

  async #forget(name: string): Promise<void> {
    const pairing = this.#opened.get(name);
    this.#opened.delete(name);
    if (pairing !== undefined) await closePairing(pairing);
  }
}

function leftToOther(name: string): OwnershipLostError {
  return new OwnershipLostError(`${name} is being run by another process`);
}

function policyOf(conflict: Conflict, choice: Choice, { left, right }: PairingConfig): Policy {
  if (conflict.state !== 'open') {
    throw new RequestRefusedError(`conflict ${conflict.id} is settled already: ${conflict.why}`, {
      hint: 'change the record on the side that shall be right; the change goes to the other one',
    });
  }
  if ('value' in choice) {
    if (conflict.field === null) {
      throw new RequestRefusedError(`conflict ${conflict.id} is about whether the record exists, which no value decides`, {
        hint: `take the state of ${left.connection} or of ${right.connection}`,
      });
    }
    return { kind: 'decide', decide: () => choice.value };
  }
  if (choice.side === left.connection) return { kind: 'wins', side: 'left' };
  if (choice.side === right.connection) return { kind: 'wins', side: 'right' };
  throw new RequestRefusedError(`${conflict.sync} has no side ${choice.side}`, {
    hint: `its sides are ${left.connection} and ${right.connection}`,
  });
}
