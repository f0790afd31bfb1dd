import type { Clock } from '../base/clock.ts';
import { ConfigError, InvariantError, type Problem, RequestRefusedError, SyncError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { type Config, type SyncConfig, startAtMs } from '../config/config.ts';
import { fieldsToRead } from '../config/fields-to-read.ts';
import type { PairingConfig } from '../config/pairing.ts';
import type { Allowance, Connection, ConnectorContext, Log, Source, Target } from '../model/connector.ts';
import { refuseBlindComparison } from '../pipeline/compare-target.ts';
import { openCustomSource } from '../pipeline/custom-source.ts';
import { decodeEnvelope, reasonForFull } from '../pipeline/envelope.ts';
import { type Held, heldWindow } from '../pipeline/held.ts';
import { trimJournals } from '../pipeline/live/journal.ts';
import type { LiveProgress, LiveStatus } from '../pipeline/live/live-status.ts';
import { WriteGate } from '../pipeline/live/write-gate.ts';
import { closeSync, type OpenedSync } from '../pipeline/opened-sync.ts';
import type { RunOptions, RunReport } from '../pipeline/recorded-run.ts';
import {
  dryReplay,
  type OpenedReplay,
  type ReplayOptions,
  type ReplayReport,
  replaySync,
} from '../pipeline/replay/replay-sync.ts';
import { dryRunSync, refetchSync, retrySync, runSync, verifySync } from '../pipeline/run-sync.ts';
import { createSteps, type Steps } from '../pipeline/steps.ts';
import type { Verdict } from '../pipeline/verify.ts';
import type { JournalStats } from '../store/journal-store.ts';
import type { Conflict } from '../store/links.ts';
import type { Failure, Run, Store } from '../store/store.ts';
import { type AllowanceStatus, allowanceProblems, knownAllowances, readAllowances, watchAllowances } from './allowances.ts';
import {
  type Captured,
  captureFiles,
  captureStreams,
  checkStreams,
  type LiveDataset,
  liveRefusal,
  someLive,
} from './check-streams.ts';
import { driftProblems } from './drift-problems.ts';
import { followStreams, liveUnit } from './follow-streams.ts';
import { followTopics } from './follow-topics.ts';
import { believable, type KeptStatus } from './kept-status.ts';
import { openLookupIn } from './open-lookup.ts';
import { openReplay } from './open-replay.ts';
import { type Choice, type PairingPlan, Pairings } from './pairings.ts';
import { refuseReading } from './refuse-reading.ts';
import { type Scheduled, schedule } from './scheduler.ts';
import { applySchema, pairingSchema, planSchema, removeSchema, type SchemaAccess, type SyncSchema } from './schema-changes.ts';
import { somethingChanged } from './something-changed.ts';
import type { SyncPlan } from './sync-plan.ts';

export interface EngineOptions {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fetch: typeof globalThis.fetch;
}

export interface SyncStatus {
  readonly sync: string;
  readonly paused: boolean;
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

/** What is kept of one dataset of a stream. */
export interface Journaled extends Omit<JournalStats, 'stretch' | 'sinceSeq'> {
  /** Live syncs of that stream. */
  readonly syncs: readonly string[];
}

/** Every run at once is a connection more; a queue of runs costs only time. */
const RUNS_AT_ONCE = 8;
/** How long an opened source is used before its fields are discovered again. */
const REDISCOVER_MS = 3_600_000;
/** How often failures of a topic are looked at; each is tried when it is due. */
const RETRY_SCHEDULE = { kind: 'every', everyMs: 30_000 } as const;

/** Everything that a user can ask for. The CLI and the HTTP API are two faces of it. */
export class Engine implements AsyncDisposable {
  readonly config: Config;
  readonly #options: EngineOptions;
  readonly #connections = new Map<string, Connection<unknown, unknown>>();
  readonly #opened = new Map<string, { readonly sync: OpenedSync; readonly openedAtMs: number }>();
  readonly #running = new Set<string>();
  readonly #gates = new Map<string, WriteGate>();
  readonly #pairings: Pairings;
  #live: readonly LiveProgress[] = [];

  constructor(options: EngineOptions) {
    this.#options = options;
    this.config = options.config;
    this.#pairings = new Pairings({ ...options, connection: (name) => this.#connection(name) });
  }

  /** Connections and syncs, looked at and not touched: what is missing, and what to do about it. */
  async check(signal: AbortSignal): Promise<readonly Problem[]> {
    const problems: Problem[] = [...this.config.warnings];
    const broken = new Set<string>();
    const live: LiveDataset[] = [];
    for (const name of this.config.connections.keys()) {
      const found = await this.#connection(name).check();
      problems.push(...found);
      if (found.some((problem) => problem.severity === 'error')) broken.add(name);
    }
    for (const sync of this.config.syncs.values()) {
      const needs = [sync.to.connection, ...(sync.from.kind === 'connection' ? [sync.from.connection] : [])];
      if (needs.some((name) => broken.has(name))) continue;
      try {
        const opened = await this.#open(sync, signal);
        try {
          // A filter that the source refuses shows only when it is used.
          await opened.source.estimate(signal);
          await opened.target.plan();
          const place = `syncs.${sync.name}`;
          for (const { message, hint } of [...(opened.source.warnings ?? []), ...(opened.target.warnings ?? [])]) {
            problems.push({ place, severity: 'warning', message, hint });
          }
          problems.push(...driftProblems(sync, opened.source));
          if (!sync.live) continue;
          if (sync.channel !== null) {
            problems.push(...(await this.#checkTopic(sync, opened.source)));
            continue;
          }
          const dataset = this.#liveDataset(sync, opened);
          if ('message' in dataset) problems.push({ place, severity: 'error', ...dataset });
          else live.push(dataset);
        } finally {
          await closeSync(opened);
        }
      } catch (error) {
        problems.push(...asProblems(error, `syncs.${sync.name}`));
      }
    }
    for (const pairing of this.#pairings.all()) {
      if (broken.has(pairing.left.connection) || broken.has(pairing.right.connection)) continue;
      const found = this.#pairings.check(pairing, signal).catch((error) => asProblems(error, `syncs.${pairing.name}`));
      problems.push(...(await found));
    }
    problems.push(...(await checkStreams(live, (name) => this.#connection(name))));
    for (const name of this.#streamed()) {
      if (broken.has(name)) continue;
      const found = await readAllowances(name, this.#allowanceOptions(), signal).catch(() => []);
      // Of what is nearly used up the connection has told already.
      problems.push(...allowanceProblems(found.filter(({ used, max }) => used < max * 0.9)));
    }
    return problems;
  }

  /** Has the source systems tell what live syncs listen for, where they do not yet. Changes settings of those systems. */
  async captureStreams(signal: AbortSignal): Promise<readonly Captured[]> {
    return captureStreams(await this.#liveDatasets(signal), (name) => this.#connection(name), signal);
  }

  /** The same as files by path, for somebody who deploys such settings. */
  async captureFiles(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return captureFiles(await this.#liveDatasets(signal), (name) => this.#connection(name));
  }

  /** Tests one connection: 000-7. */
  async testConnection(name: string): Promise<readonly Problem[]> {
    return this.#connection(name).check();
  }

  /** What source and target of syncs lack, and is made with `applySchema`. Writes nothing. */
  planSchema(name: string | undefined, signal: AbortSignal): Promise<readonly SyncSchema[]> {
    return this.#eachSchema(name, 'planSource', planSchema, signal);
  }

  applySchema(name: string | undefined, signal: AbortSignal): Promise<readonly SyncSchema[]> {
    return this.#eachSchema(name, 'prepareSource', applySchema, signal);
  }

  /** Takes away what a source needed only for being read. Targets stay. */
  async removeSchema(name: string, signal: AbortSignal): Promise<SyncSchema> {
    return (await this.#eachSchema(name, 'removeSource', removeSchema, signal))[0]!;
  }

  async #eachSchema(
    name: string | undefined,
    onSides: Parameters<typeof pairingSchema>[2],
    work: typeof planSchema,
    signal: AbortSignal,
  ): Promise<readonly SyncSchema[]> {
    const access: SchemaAccess = {
      syncs: [...this.config.syncs.values()],
      connection: (connection) => this.#connection(connection),
      open: (sync, whileOpening) => this.#open(sync, whileOpening),
      close: closeSync,
    };
    const pairings = this.#pairings.all().filter((pairing) => name === undefined || pairing.name === name);
    const single = name === undefined || pairings.length > 0 ? [] : [this.#sync(name)];
    const done: SyncSchema[] = [];
    for (const sync of name === undefined ? this.config.syncs.values() : single) done.push(await work(sync, access, signal));
    for (const pairing of pairings) done.push(await pairingSchema(pairing, access.connection, onSides, signal));
    return done;
  }

  async plan(name: string | undefined, signal: AbortSignal): Promise<readonly SyncPlan[]> {
    const plans: SyncPlan[] = [];
    const pairings = this.#pairings.all().filter((pairing) => name === undefined || pairing.name === name);
    const single = name === undefined || pairings.length > 0 ? [] : [this.#sync(name)];
    for (const pairing of pairings) plans.push(await this.#pairings.planRun(pairing, signal));
    for (const sync of name === undefined ? this.config.syncs.values() : single) {
      const opened = await this.#open(sync, signal);
      try {
        const { source, target, checkpoints } = opened;
        if (sync.channel !== null) {
          const nothingRead = { kind: 'live', reason: null, rows: null, apiCalls: null } as const;
          plans.push({ sync: sync.name, ...nothingRead, schemaChanges: await target.plan() });
          continue;
        }
        const envelope = decodeEnvelope(await checkpoints.read(sync.watermarkKey));
        const reason = reasonForFull(opened, envelope, false);
        const kind = reason === null ? 'delta' : 'full';
        plans.push({
          sync: sync.name,
          kind,
          reason,
          rows: await source.estimate(signal),
          apiCalls: (await source.cost?.(kind, signal)) ?? null,
          schemaChanges: await target.plan(),
        });
      } finally {
        await closeSync(opened);
      }
    }
    return plans;
  }

  async run(name: string, options: RunOptions): Promise<RunReport> {
    if (this.#pairings.has(name)) return this.#pairings.run(name, options);
    const sync = this.#sync(name);
    refuseReading(sync, 'run');
    return this.#exclusively(sync, (prepared, open) => runSync(prepared, open, options));
  }

  async dryRun(name: string, options: RunOptions): Promise<Pick<RunReport, 'kind' | 'reason' | 'counts'>> {
    const sync = this.#sync(name);
    refuseReading(sync, 'run');
    const opened = await this.#open(sync, options.signal);
    try {
      // A table that is there as it should be is read as it is; one that would have to be made or widened is left alone.
      if ((await opened.target.plan()).length === 0) await opened.target.prepare();
      return await dryRunSync(async () => opened, options);
    } finally {
      await closeSync(opened);
    }
  }

  /** What a first run of a two-way sync would link, make and overwrite. Writes nothing. */
  planPairing(name: string, signal: AbortSignal): Promise<PairingPlan> {
    return this.#pairings.plan(name, signal);
  }

  async retry(name: string, options: RunOptions & { ids?: readonly string[] }): Promise<RunReport> {
    if (this.#pairings.has(name)) return this.#pairings.retry(name, options);
    return this.#exclusively(this.#sync(name), (prepared, open) => retrySync(prepared, open, options));
  }

  async refetch(name: string, keys: readonly string[], options: RunOptions): Promise<RunReport> {
    const sync = this.#sync(name);
    refuseReading(sync, 'read again');
    return this.#exclusively(sync, (prepared, open) => refetchSync(prepared, open, keys, options));
  }

  async verify(name: string, options: RunOptions & { repair: boolean }): Promise<Verdict> {
    const sync = this.#sync(name);
    refuseReading(sync, 'compare with');
    return this.#exclusively(sync, (prepared, open) => verifySync(prepared, open, options));
  }

  /** Applies kept events once more, under the mapping as it is now. The source is not asked for anything. */
  replay(name: string, options: ReplayOptions): Promise<ReplayReport> {
    const sync = this.#sync(name);
    return this.#exclusively(sync, (prepared) =>
      replaySync(prepared, (signal) => this.#openReplay(sync, signal, false), options),
    );
  }

  /** What a replay would do. */
  dryReplay(name: string, options: ReplayOptions): ReturnType<typeof dryReplay> {
    const sync = this.#sync(name);
    return dryReplay((signal) => this.#openReplay(sync, signal, true), options);
  }

  /** Which events are kept, and since when nothing is missing among them. */
  async journals(): Promise<readonly Journaled[]> {
    const stats = await this.#options.store.journal.stats();
    return stats.map(({ stretch: _, sinceSeq: __, ...rest }) => ({
      ...rest,
      syncs: [...this.config.syncs.values()]
        .filter((sync) => sync.live && sync.journalMs !== null && liveUnit(sync) === rest.stream)
        .map(({ name }) => name),
    }));
  }

  /** Runs every scheduled sync until `stop` aborts; then finishes the batch under way. */
  async start(options: { stop: AbortSignal; signal: AbortSignal; onRun?: (report: RunReport) => void }): Promise<void> {
    const { clock, store, log } = this.#options;
    const syncs = [...this.config.syncs.values()].map(
      (sync): Scheduled => ({
        name: sync.name,
        // Nobody runs a topic: what of it was refused is tried again by and by.
        schedule: sync.channel === null ? sync.schedule : RETRY_SCHEDULE,
        full: sync.full,
        startDelayMs: sync.startDelayMs,
        paused: () => store.paused(sync.name),
        work: (signal) => somethingChanged(this.#opened.get(sync.name)?.sync, signal),
        run: async (full) => {
          try {
            if (sync.channel !== null && !(await this.#hasFailureDue(sync))) return;
            const run = { full, signal: options.signal, stop: options.stop };
            const report = await (sync.channel === null ? this.run(sync.name, run) : this.retry(sync.name, run));
            options.onRun?.(report);
          } catch (error) {
            // The store itself failed: nothing could be recorded. The schedule goes on.
            log.error({ sync: sync.name, err: error }, 'the run could not be recorded');
          }
        },
      }),
    );
    syncs.push(...this.#pairings.all().map((pairing) => this.#scheduledPairing(pairing, options)));
    const pairs = this.#pairings.all().filter((pairing) => pairing.live);
    const followed = pairs.map((pairing) => this.#pairings.follow(pairing, options));
    const live = [...this.config.syncs.values()].filter((sync) => sync.live);
    const shared = {
      ...this.#options,
      stop: options.stop,
      signal: options.signal,
      connection: (name: string) => this.#connection(name),
      open: (sync: SyncConfig, signal: AbortSignal) => this.#openAnew(sync, signal),
      gate: (sync: SyncConfig) => this.#gate(sync)!,
      publish: (status: LiveStatus) =>
        store.setValue(streamName(status.stream), JSON.stringify({ ...status, asOfMs: clock.now() })),
    };
    const topics = followTopics({ ...shared, syncs: live.filter(({ channel }) => channel !== null) });
    const following = followStreams({
      ...shared,
      syncs: live.filter(({ channel }) => channel === null),
      paused: (sync) => store.paused(sync),
      reread: async (sync, kind) => {
        const report = await this.run(sync, { full: kind === 'full', signal: options.signal, stop: options.stop });
        options.onRun?.(report);
        // With a held record everything else was read: the hole is mended, and the sync's own window stays open.
        return report.state === 'succeeded' || report.error?.code === 'held';
      },
    });
    this.#live = [...following.status, ...topics.status];
    const trimming = trimJournals({ store: store.journal, clock, log, stop: AbortSignal.any([options.stop, options.signal]) });
    const scheduled = schedule(syncs, { clock, stop: options.stop, concurrency: RUNS_AT_ONCE });
    const watching = watchAllowances(this.#streamed(), this.#allowanceOptions(), AbortSignal.any([options.stop, options.signal]));
    await Promise.all([following.ended, topics.ended, trimming, scheduled, watching, ...followed]);
  }

  /** What connections let their clients use, as far as it is known: of those that live syncs listen to. */
  async allowances(): Promise<readonly AllowanceStatus[]> {
    const known = await Promise.all(this.#streamed().map((name) => knownAllowances(name, this.#options.store)));
    return known.flat();
  }

  /** What replies have told lately of the use of other connections, for nothing. */
  usage(): readonly (Allowance & { readonly connection: string })[] {
    return [...this.#connections].flatMap(([connection, opened]) =>
      (opened.knownAllowances?.() ?? []).map((allowance) => ({ connection, ...allowance })),
    );
  }

  /** The streams that this process follows. */
  liveStatus(): readonly LiveStatus[] {
    return this.#live.map((progress) => progress.tell());
  }

  async status(name?: string): Promise<readonly SyncStatus[]> {
    const { store, clock } = this.#options;
    const common = async (sync: string) => ({
      sync,
      paused: await store.paused(sync),
      lastRun: (await store.runs({ sync, limit: 1 }))[0] ?? null,
      lastSuccess: await store.lastSuccess(sync),
      openFailures: await store.countFailures(sync),
    });
    const pairings = this.#pairings.all().filter((pairing) => name === undefined || pairing.name === name);
    const single = name === undefined || pairings.length > 0 ? [] : [this.#sync(name)];
    const syncs = name === undefined ? [...this.config.syncs.values()] : single;
    return Promise.all([
      ...syncs.map(async (sync) => ({
        ...(await common(sync.name)),
        held: await heldWindow(sync, store, clock.now()),
        checkpoint: JSON.parse((await store.getValue(factsName(sync))) ?? '{}'),
        stream: sync.live ? await this.#streamOf(sync) : null,
      })),
      ...pairings.map(async (pairing) => ({
        ...(await common(pairing.name)),
        held: null,
        checkpoint: await this.#pairings.facts(pairing.name),
        stream: null,
      })),
    ]);
  }

  /** Open failures, those that are tried next first. */
  failures(filter: { sync?: string; ids?: readonly string[]; limit?: number }): Promise<readonly Failure[]> {
    return this.#options.store.failures(filter);
  }

  /** Where the two sides of two-way syncs disagreed, the newest first. */
  conflicts(filter: {
    sync?: string;
    state?: Conflict['state'];
    ids?: readonly string[];
    limit?: number;
  }): Promise<readonly Conflict[]> {
    return this.#options.store.links.conflicts(filter);
  }

  /**
   * Carries out what somebody decided about open conflicts; those of one sync at a time. Answers also which are still open: their
   * records have changed since they were shown, and have to be looked at anew.
   */
  async resolveConflicts(
    ids: readonly string[],
    choice: Choice,
    options: RunOptions,
  ): Promise<{ readonly runs: readonly RunReport[]; readonly stillOpen: readonly Conflict[] }> {
    const found = await this.conflicts({ ids });
    const missing = ids.filter((id) => !found.some((conflict) => conflict.id === id));
    if (missing.length > 0) {
      throw new RequestRefusedError(`there is no conflict ${missing.join(', ')}`, { hint: 'see: tidemark conflicts list' });
    }
    const reports: RunReport[] = [];
    for (const sync of new Set(found.map((conflict) => conflict.sync))) {
      const own = found.filter((conflict) => conflict.sync === sync);
      reports.push(await this.#pairings.resolve(own, choice, options));
    }
    return { runs: reports, stillOpen: await this.conflicts({ ids, state: 'open' }) };
  }

  /** Gives records up: they stay as the target has them until they change again. */
  discardFailures(ids: readonly string[]): Promise<void> {
    return this.#options.store.removeFailures(ids);
  }

  runs(filter: { sync?: string; limit?: number }): Promise<readonly Run[]> {
    return this.#options.store.runs(filter);
  }

  /** Forgets how far a sync has come, and from which org: its next run is full. Rows and failures stay. */
  async reset(name: string, signal: AbortSignal): Promise<void> {
    if (this.#pairings.has(name)) return this.#pairings.reset(name);
    const sync = this.#sync(name);
    const { connection, spec } = sync.to;
    const target = await this.#openTarget(connection, spec, sync, { name, fields: [], key: ['id'] }, signal);
    try {
      const checkpoints = target.checkpoints ?? this.#options.store.checkpoints;
      const { epoch } = await checkpoints.acquire(sync.watermarkKey);
      await checkpoints.write(sync.watermarkKey, epoch, null);
      if (sync.channel !== null) {
        const live = await checkpoints.acquire(liveUnit(sync));
        await checkpoints.write(liveUnit(sync), live.epoch, null);
      }
    } finally {
      await target[Symbol.asyncDispose]();
    }
    await this.#options.store.reset(sync.name);
    await this.#options.store.setValue(factsName(sync), null);
    await this.#options.store.setValue(startName(sync), null);
    await this.#forget(sync.name);
  }

  async setPaused(name: string, paused: boolean): Promise<void> {
    await this.#options.store.setPaused(this.#pairings.has(name) ? name : this.#sync(name).name, paused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#opened.keys()]) await this.#forget(name);
    await this.#pairings[Symbol.asyncDispose]();
    for (const connection of this.#connections.values()) await connection[Symbol.asyncDispose]();
  }

  #scheduledPairing(
    { name, schedule, full, startDelayMs }: PairingConfig,
    { stop, signal, onRun }: { stop: AbortSignal; signal: AbortSignal; onRun?: (report: RunReport) => void },
  ): Scheduled {
    const { store, log } = this.#options;
    return {
      ...{ name, schedule, full, startDelayMs },
      paused: () => store.paused(name),
      run: async (full) => {
        try {
          const report = await this.#pairings.run(name, { full, signal, stop });
          onRun?.(report);
        } catch (error) {
          log.error({ sync: name, err: error }, 'the run could not be recorded');
        }
      },
    };
  }

  #sync(name: string): SyncConfig {
    const sync = this.config.syncs.get(name);
    if (this.#pairings.has(name)) {
      throw new RequestRefusedError(`${name} is a two-way sync, for which this is not there`, {
        hint: `tidemark run ${name} --full looks at every record of both sides; with --dry-run it only tells`,
      });
    }
    if (sync === undefined) {
      const known = [...this.config.syncs.keys(), ...this.config.pairings.keys()].join(', ');
      throw new RequestRefusedError(`there is no sync ${name}`, { hint: `this configuration has: ${known || 'none'}` });
    }
    return sync;
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
      const result = await work({ ...this.#options, config: sync }, async (signal) => {
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
    const { clock, log } = this.#options;
    const known = this.#opened.get(sync.name);
    if (known !== undefined && clock.now() - known.openedAtMs < REDISCOVER_MS) return known.sync;
    await this.#forget(sync.name);
    await this.#keepStart(sync);
    const opened = await this.#open(sync, signal);
    this.#opened.set(sync.name, { sync: opened, openedAtMs: clock.now() });
    for (const change of await opened.target.prepare()) {
      log[change.informational ? 'warn' : 'info']({ sync: sync.name, statement: change.statement }, change.summary);
    }
    return opened;
  }

  /** What is kept open for runs was discovered before: the next one discovers as well. */
  #openAnew(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync> {
    const known = this.#opened.get(sync.name);
    if (known !== undefined) this.#opened.set(sync.name, { ...known, openedAtMs: Number.NEGATIVE_INFINITY });
    return this.#open(sync, signal);
  }

  async #open(sync: SyncConfig, signal: AbortSignal): Promise<OpenedSync> {
    const { store, clock, random, log } = this.#options;
    const openLookup = openLookupIn((name) => this.#connection(name), signal);
    const stageContext = { clock, random, log, signal, store, openLookup };
    const source = await this.#openSource(sync, signal);
    let steps: Steps | undefined;
    try {
      steps = await createSteps(sync, source, stageContext);
      const target = await this.#openTarget(sync.to.connection, sync.to.spec, sync, steps.schema, signal);
      refuseBlindComparison(sync, target);
      const checkpoints = target.checkpoints ?? store.checkpoints;
      return { config: sync, source, target, steps, checkpoints, store, clock, random, log, gate: this.#gate(sync) };
    } catch (error) {
      await source[Symbol.asyncDispose]();
      await steps?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #openSource(sync: SyncConfig, signal: AbortSignal): Promise<Source> {
    const { clock, random, log, fetch, store } = this.#options;
    if (sync.from.kind === 'run') {
      const lastSuccess = async () => (await store.lastSuccess(sync.name))?.startedAtMs ?? null;
      return openCustomSource(sync.from, sync.name, { clock, random, log, signal, fetch, lastSuccess });
    }
    const connection = this.#connection(sync.from.connection);
    if (connection.openSource === undefined) throw new InvariantError(`${sync.from.connection} is no source`);
    return connection.openSource(
      {
        from: sync.from.spec,
        unit: sync.watermarkKey,
        where: sync.where ?? undefined,
        fields: fieldsToRead(sync),
        exclude: sync.exclude,
        startAtMs: await this.#startOf(sync),
        overlapMs: sync.overlapMs,
      },
      signal,
    );
  }

  /**
   * `startAt: -P1D` is counted from the first run. Counted from each, a later full run would not find the records that earlier
   * ones have brought, and take them for gone (P4).
   */
  async #startOf(sync: SyncConfig): Promise<number | null> {
    const kept = sync.startAt?.kind === 'ago' ? await this.#options.store.getValue(startName(sync)) : null;
    return kept === null ? startAtMs(sync.startAt, this.#options.clock.now()) : Number(kept);
  }

  async #keepStart(sync: SyncConfig): Promise<void> {
    const { store } = this.#options;
    if (sync.startAt?.kind !== 'ago' || (await store.getValue(startName(sync))) !== null) return;
    await store.setValue(startName(sync), String(await this.#startOf(sync)));
  }

  #openTarget(
    connection: string,
    spec: unknown,
    sync: SyncConfig,
    schema: Steps['schema'],
    signal: AbortSignal,
  ): Promise<Target> {
    const opened = this.#connection(connection);
    if (opened.openTarget === undefined) throw new InvariantError(`${connection} is no target`);
    const { store } = this.#options;
    const name = `target memory of ${sync.watermarkKey}`;
    const memory = { get: () => store.getValue(name), set: (value: string | null) => store.setValue(name, value) };
    return opened.openTarget({ to: spec, unit: sync.watermarkKey, schema, deletes: sync.deletes, memory }, signal);
  }

  /** Whether the user may subscribe, and how much of the allowance is left. */
  async #checkTopic({ name, from, channel }: SyncConfig, { streamDataset }: Source): Promise<readonly Problem[]> {
    const connection = from.kind === 'connection' ? this.#connection(from.connection) : null;
    const found = await connection?.checkStream?.({ channel, datasets: [streamDataset!] });
    return (found ?? []).map(({ message, hint, severity }) => ({ place: `syncs.${name}`, message, hint, severity }));
  }

  async #hasFailureDue({ name }: SyncConfig): Promise<boolean> {
    const { store, clock } = this.#options;
    return (await store.failures({ sync: name, dueAtMs: clock.now(), limit: 1 })).length > 0;
  }

  /** As this process knows it, or as another one has told. */
  async #streamOf(sync: SyncConfig): Promise<KeptStatus | null> {
    const { store, clock } = this.#options;
    const unit = liveUnit(sync);
    const own = this.liveStatus().find(({ stream }) => stream === unit);
    if (own !== undefined) return { ...own, asOfMs: clock.now() };
    return believable(JSON.parse((await store.getValue(streamName(unit))) ?? 'null'), clock.now());
  }

  /** Connections that live syncs listen to. */
  #streamed(): readonly string[] {
    const live = [...this.config.syncs.values()].filter((sync) => sync.live);
    return [...new Set(live.flatMap(({ from }) => (from.kind === 'connection' ? [from.connection] : [])))];
  }

  #allowanceOptions() {
    return { ...this.#options, connection: (name: string) => this.#connection(name) };
  }

  async #liveDatasets(signal: AbortSignal): Promise<readonly LiveDataset[]> {
    const found: LiveDataset[] = [];
    for (const sync of this.config.syncs.values()) {
      if (!sync.live || sync.channel !== null) continue;
      const opened = await this.#open(sync, signal);
      try {
        const dataset = this.#liveDataset(sync, opened);
        if ('message' in dataset) throw new RequestRefusedError(`${sync.name} ${dataset.message}`, { hint: dataset.hint });
        found.push(dataset);
      } finally {
        await closeSync(opened);
      }
    }
    return someLive(found);
  }

  /** What a live sync listens for, or why it cannot. */
  #liveDataset(sync: SyncConfig, { source, target }: OpenedSync): LiveDataset | Pick<Problem, 'message' | 'hint'> {
    const connection = sync.from.kind === 'connection' ? sync.from.connection : '';
    const from = sync.from.kind === 'connection' ? this.#connection(connection) : {};
    const refusal = liveRefusal(from, source, this.#connection(sync.to.connection), target);
    return refusal ?? { sync: sync.name, connection, dataset: source.streamDataset! };
  }

  #openReplay(sync: SyncConfig, signal: AbortSignal, dry: boolean): Promise<OpenedReplay> {
    const { connection, spec } = sync.to;
    return openReplay({
      ...this.#options,
      sync,
      signal,
      dry,
      gate: this.#gate(sync),
      connection: (name) => this.#connection(name),
      openTarget: (schema) => this.#openTarget(connection, spec, sync, schema, signal),
    });
  }

  #gate(sync: SyncConfig): WriteGate | null {
    if (!sync.live) return null;
    const gate = this.#gates.get(sync.name) ?? new WriteGate();
    this.#gates.set(sync.name, gate);
    return gate;
  }

  #connection(name: string): Connection<unknown, unknown> {
    const known = this.#connections.get(name);
    if (known !== undefined) return known;
    const configured = this.config.connections.get(name);
    if (configured === undefined) throw new RequestRefusedError(`there is no connection ${name}`);
    const { clock, random, log, fetch } = this.#options;
    const context: ConnectorContext = { connection: name, clock, random, log, fetch, baseDir: this.config.baseDir };
    const opened = configured.connector.open(configured.config, context);
    this.#connections.set(name, opened);
    return opened;
  }

  async #keepFacts(sync: SyncConfig): Promise<void> {
    const opened = this.#opened.get(sync.name)?.sync;
    if (opened?.source.describeCheckpoint === undefined) return;
    const envelope = decodeEnvelope(await opened.checkpoints.read(sync.watermarkKey));
    if (envelope === null) return;
    const facts = JSON.stringify(await opened.source.describeCheckpoint(envelope.position));
    if (facts !== (await this.#options.store.getValue(factsName(sync))))
      await this.#options.store.setValue(factsName(sync), facts);
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

function streamName(unit: string): string {
  return `status of ${unit}`;
}

function startName({ name, startAt }: SyncConfig): string {
  return `start of ${name}${startAt?.kind === 'ago' ? ` (${startAt.agoMs} ms before its first run)` : ''}`;
}

function asProblems(error: unknown, place: string): readonly Problem[] {
  if (error instanceof ConfigError) return error.problems;
  if (!(error instanceof SyncError)) throw error;
  return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
}
