import { onBehalfOf } from '../base/caller.ts';
import { RequestRefusedError } from '../base/errors.ts';
import type { SyncConfig } from '../config/config.ts';
import { PlannedWrites } from '../pipeline/dry-run.ts';
import { decodeEnvelope, reasonForFull } from '../pipeline/envelope.ts';
import { WriteGate } from '../pipeline/live/write-gate.ts';
import { closeSync, type OpenedSync } from '../pipeline/opened-sync.ts';
import { isNew, isReady, prepareTarget } from '../pipeline/prepare-target.ts';
import type { RunOptions, RunReport } from '../pipeline/recorded-run.ts';
import {
  dryReplay,
  type OpenedReplay,
  type ReplayOptions,
  type ReplayReport,
  replaySync,
} from '../pipeline/replay/replay-sync.ts';
import {
  type DryRun,
  type DryRunOptions,
  dryRunSync,
  refetchSync,
  retrySync,
  runSync,
  verifySync,
} from '../pipeline/run-sync.ts';
import type { Verdict } from '../pipeline/verify.ts';
import { dryStore } from '../store/dry-store.ts';
import { callerOf } from './budget/caller-of.ts';
import { readingCost } from './budget/calls-per-day.ts';
import type { EngineOptions, EngineParts } from './engine-options.ts';
import { liveUnit } from './follow-streams.ts';
import { openReplay } from './open-replay.ts';
import { forgetStart, keepStart, openSync, openTarget } from './open-sync.ts';
import { refuseReading } from './refuse-reading.ts';
import type { SyncPlan } from './sync-plan.ts';

/** How long an opened source is used before its fields are discovered again. */
const REDISCOVER_MS = 3_600_000;

/** The syncs of a configuration that go one way, as the engine runs them. */
export class Syncs implements AsyncDisposable {
  readonly #parts: EngineParts;
  readonly #opened = new Map<string, { readonly sync: OpenedSync; readonly openedAtMs: number }>();
  readonly #running = new Set<string>();
  readonly #gates = new Map<string, WriteGate>();
  /** This process, among those that may run and follow the same syncs. */
  readonly owner: string;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.owner = Math.floor(parts.random() * 2 ** 48).toString(36);
  }

  all(): readonly SyncConfig[] {
    return [...this.#parts.config.syncs.values()];
  }

  /** @throws {RequestRefusedError} there is none of that name that goes one way */
  get(name: string): SyncConfig {
    const { syncs, pairings } = this.#parts.config;
    const sync = syncs.get(name);
    if (sync !== undefined) return sync;
    if (pairings.has(name)) {
      throw new RequestRefusedError(`${name} is a two-way sync, for which this is not there`, {
        hint: `tidemark run ${name} --full looks at every record of both sides; with --dry-run it only tells`,
      });
    }
    const known = [...syncs.keys(), ...pairings.keys()].join(', ');
    throw new RequestRefusedError(`there is no sync ${name}`, { hint: `this configuration has: ${known || 'none'}` });
  }

  async run(name: string, options: RunOptions): Promise<RunReport> {
    const sync = this.get(name);
    refuseReading(sync, 'run');
    return onBehalfOf(callerOf(sync, options), () =>
      this.#parts.underWay.during(name, options, (stoppable) =>
        this.#exclusively(sync, (prepared, open) => runSync(prepared, open, stoppable)),
      ),
    );
  }

  async dryRun(name: string, options: DryRunOptions): Promise<DryRun> {
    const sync = this.get(name);
    refuseReading(sync, 'run');
    const planned = new PlannedWrites(options.onWrite);
    const store = dryStore(this.#parts.store, (failures) => planned.refused(failures));
    const opened = await openSync(sync, { ...this.#parts, store }, null, options.signal);
    try {
      // A table that is there as it should be is read as it is; one that would have to be made or widened is left alone.
      if (isReady(await opened.target.plan())) await opened.target.prepare();
      return await dryRunSync(async () => opened, planned, options);
    } finally {
      await closeSync(opened);
    }
  }

  async retry(name: string, options: RunOptions & { ids?: readonly string[] }): Promise<RunReport> {
    return this.#exclusively(this.get(name), (prepared, open) => retrySync(prepared, open, options));
  }

  async refetch(name: string, keys: readonly string[], options: RunOptions): Promise<RunReport> {
    const sync = this.get(name);
    refuseReading(sync, 'read again');
    return this.#exclusively(sync, (prepared, open) => refetchSync(prepared, open, keys, options));
  }

  async verify(name: string, options: RunOptions & { repair: boolean }): Promise<Verdict> {
    const sync = this.get(name);
    refuseReading(sync, 'compare with');
    return onBehalfOf(callerOf(sync, { priority: 'refresh', ...options }), () =>
      this.#parts.underWay.during(name, options, (stoppable) =>
        this.#exclusively(sync, (prepared, open) => verifySync(prepared, open, stoppable)),
      ),
    );
  }

  async replay(name: string, options: ReplayOptions): Promise<ReplayReport> {
    const sync = this.get(name);
    return this.#exclusively(sync, (prepared) =>
      replaySync(prepared, (signal) => this.#openReplay(sync, signal, false), options),
    );
  }

  async dryReplay(name: string, options: ReplayOptions): ReturnType<typeof dryReplay> {
    const sync = this.get(name);
    return dryReplay((signal) => this.#openReplay(sync, signal, true), options);
  }

  /** What the next run would read, and what its target needs for it. */
  planRun(sync: SyncConfig, signal: AbortSignal): Promise<SyncPlan> {
    return this.opening(sync, signal, async (opened): Promise<SyncPlan> => {
      const { source, target, checkpoints } = opened;
      if (sync.channel !== null) {
        const nothingRead = { kind: 'live', reason: null, rows: null, apiCalls: null, fullCalls: null, dailyCalls: {} } as const;
        return { sync: sync.name, ...nothingRead, schemaChanges: await target.plan() };
      }
      const schemaChanges = await target.plan();
      const kept = isNew(schemaChanges) ? null : await checkpoints.read(sync.watermarkKey);
      const reason = reasonForFull(opened, decodeEnvelope(kept), false);
      const kind = reason === null ? 'delta' : 'full';
      const cost = await readingCost(source, sync, this.#parts.clock.now(), signal);
      return {
        sync: sync.name,
        kind,
        reason,
        rows: await source.estimate(signal),
        apiCalls: cost[kind],
        fullCalls: cost.full,
        dailyCalls: cost.perDay === null || sync.from.kind !== 'connection' ? {} : { [sync.from.connection]: cost.perDay },
        schemaChanges,
      };
    });
  }

  /** How far it has come, in the source's own terms, as its last run has left it. */
  async facts(sync: SyncConfig): Promise<{ readonly [fact: string]: string }> {
    return JSON.parse((await this.#parts.store.getValue(factsName(sync))) ?? '{}');
  }

  /** Forgets how far a sync has come, and from which org: its next run is full. Rows and failures stay. */
  async reset(name: string, signal: AbortSignal): Promise<void> {
    const sync = this.get(name);
    const { store } = this.#parts;
    const target = await openTarget(sync, { name, fields: [], key: ['id'] }, this.#parts, signal);
    try {
      const checkpoints = target.checkpoints ?? store.checkpoints;
      const { epoch } = await checkpoints.acquire(sync.watermarkKey);
      await checkpoints.write(sync.watermarkKey, epoch, null);
      if (sync.channel !== null) {
        const live = await checkpoints.acquire(liveUnit(sync));
        await checkpoints.write(liveUnit(sync), live.epoch, null);
      }
    } finally {
      await target[Symbol.asyncDispose]();
    }
    await store.reset(sync.name);
    await store.setValue(factsName(sync), null);
    await forgetStart(sync, store);
    await this.#forget(sync.name);
  }

  /** Who holds back the writes of a live sync's runs while its stream writes; null for one that is not live. */
  gate(sync: SyncConfig): WriteGate | null {
    if (!sync.live) return null;
    const gate = this.#gates.get(sync.name) ?? new WriteGate(this.owner);
    this.#gates.set(sync.name, gate);
    return gate;
  }

  open(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync> {
    return openSync(sync, this.#parts, this.gate(sync), signal);
  }

  /** What is kept open for runs was discovered before: the next one discovers as well. */
  openAnew(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync> {
    const known = this.#opened.get(sync.name);
    if (known !== undefined) this.#opened.set(sync.name, { ...known, openedAtMs: Number.NEGATIVE_INFINITY });
    return this.open(sync, signal);
  }

  /** With its sides open for as long as the work lasts. */
  async opening<T>(sync: SyncConfig, signal: AbortSignal, work: (opened: OpenedSync) => Promise<T>): Promise<T> {
    const opened = await this.open(sync, signal);
    try {
      return await work(opened);
    } finally {
      await closeSync(opened);
    }
  }

  /** As its last run has left it open for the next. */
  keptOpen(name: string): OpenedSync | undefined {
    return this.#opened.get(name)?.sync;
  }

  /** What was kept open for its next run is closed: that is another worker's. */
  async release(name: string): Promise<void> {
    if (!this.#running.has(name)) await this.#forget(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#opened.keys()]) await this.#forget(name);
  }

  /** One piece of work of a sync at a time. Its sides stay open for the next one, unless it failed. */
  async #exclusively<T>(
    sync: SyncConfig,
    work: (
      prepared: Omit<EngineOptions, 'config'> & { config: SyncConfig },
      open: (signal: AbortSignal) => Promise<OpenedSync>,
    ) => Promise<T>,
  ): Promise<T> {
    if (this.#running.has(sync.name))
      throw new RequestRefusedError(`${sync.name} is running already`, { hint: 'wait for it, or stop it' });
    this.#running.add(sync.name);
    let opens = 0;
    let healthy = false;
    try {
      const result = await work({ ...this.#parts, config: sync }, async (signal) => {
        // Asked again within one run: the last attempt failed, and what was open may be broken.
        if (opens++ > 0) await this.#forget(sync.name);
        return this.#reuseOrOpen(sync, signal);
      });
      healthy = (result as { state?: string }).state !== 'failed';
      if (healthy) await this.#keepFacts(sync);
      return result;
    } finally {
      if (!healthy) await this.#forget(sync.name);
      this.#running.delete(sync.name);
    }
  }

  async #reuseOrOpen(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync> {
    const { clock, log } = this.#parts;
    const known = this.#opened.get(sync.name);
    // The sync of an org that was set anew is another one.
    const isFresh = known !== undefined && known.sync.config === sync && clock.now() - known.openedAtMs < REDISCOVER_MS;
    if (isFresh) return known.sync;
    await this.#forget(sync.name);
    await keepStart(sync, this.#parts);
    const opened = await this.open(sync, signal);
    this.#opened.set(sync.name, { sync: opened, openedAtMs: clock.now() });
    for (const change of (await prepareTarget(opened)).changes) {
      log[change.informational ? 'warn' : 'info']({ sync: sync.name, statement: change.statement }, change.summary);
    }
    return opened;
  }

  #openReplay(sync: SyncConfig, signal: AbortSignal, dry: boolean): Promise<OpenedReplay> {
    return openReplay({
      ...this.#parts,
      sync,
      signal,
      dry,
      gate: this.gate(sync),
      openTarget: (schema) => openTarget(sync, schema, this.#parts, signal),
    });
  }

  async #keepFacts(sync: SyncConfig): Promise<void> {
    const { store } = this.#parts;
    const opened = this.#opened.get(sync.name)?.sync;
    if (opened?.source.describeCheckpoint === undefined) return;
    const envelope = decodeEnvelope(await opened.checkpoints.read(sync.watermarkKey));
    if (envelope === null) return;
    const facts = JSON.stringify(await opened.source.describeCheckpoint(envelope.position));
    if (facts !== (await store.getValue(factsName(sync)))) await store.setValue(factsName(sync), facts);
  }

  async #forget(name: string): Promise<void> {
    const opened = this.#opened.get(name);
    this.#opened.delete(name);
    if (opened !== undefined) await closeSync(opened.sync);
  }
}

function factsName(sync: SyncConfig): string {
  return `checkpoint facts of ${sync.name}`;
}
