import { InvariantError, type Problem, RequestRefusedError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { syncInFile } from '../config/orgs.ts';
import type { Allowance } from '../model/connector.ts';
import type { RecordOutcome } from '../model/inbox.ts';
import type { LiveStatus } from '../pipeline/live/live-status.ts';
import type { RunOptions, RunReport } from '../pipeline/recorded-run.ts';
import type { dryReplay, ReplayOptions, ReplayReport } from '../pipeline/replay/replay-sync.ts';
import type { DryRun, DryRunOptions } from '../pipeline/run-sync.ts';
import type { PairingDryRunOptions, PairingPlan } from '../pipeline/two-way/run-pairing.ts';
import type { Verdict } from '../pipeline/verify.ts';
import type { AuditEntry } from '../store/access-store.ts';
import type { JournalStats } from '../store/journal-store.ts';
import type { Conflict } from '../store/links.ts';
import type { Failure, Run } from '../store/store.ts';
import type { LiveWorker } from '../store/workers.ts';
import { Tokens } from './access/tokens.ts';
import { type AllowanceStatus, keptAllowances } from './allowances.ts';
import { type BudgetStatus, budgetStatus } from './budget/budget-status.ts';
import { Budgets } from './budget/budgets.ts';
import { checkConfig } from './check-config.ts';
import { type Captured, captureFiles, captureStreams, liveDatasets } from './check-streams.ts';
import { Connections } from './connections.ts';
import { type DescribedTarget, describeTarget } from './describe-target.ts';
import type { EngineOptions, EngineParts } from './engine-options.ts';
import { liveUnit } from './follow-streams.ts';
import { Hooks } from './hooks.ts';
import { measureSyncs, type SyncMeasures } from './measure-syncs.ts';
import { Notifications } from './notifications/notifications.ts';
import { OrgDirectory } from './orgs/org-directory.ts';
import { type OrgHealth, orgHealth } from './orgs/org-health.ts';
import { Orgs } from './orgs/orgs.ts';
import { overviewOf, type SyncOverview } from './overview.ts';
import { type PackageFacts, type PackageQuestions, packageFacts } from './package-facts.ts';
import { type Choice, Pairings } from './pairings.ts';
import { Pauses } from './pauses.ts';
import { type RecordStory, recordStory } from './record-story.ts';
import { refuseReading } from './refuse-reading.ts';
import { runSchedules, type Schedules, type StartOptions } from './run-schedules.ts';
import { applySchema, pairingSchema, planSchema, removeSchema, type SyncSchema } from './schema-changes.ts';
import { type ServedTable, ServedTables } from './served-tables.ts';
import { streamed } from './streamed.ts';
import { outlineOf, type SyncOutline } from './sync-outline.ts';
import type { SyncPlan } from './sync-plan.ts';
import { type SyncStatus, statusOfPairing, statusOfSync } from './sync-status.ts';
import { Syncs } from './syncs.ts';
import { UnderWay } from './under-way.ts';

const AUDIT_KEPT_MS = 365 * 86_400_000;

/** What is kept of one dataset of a stream. */
export interface Journaled extends Omit<JournalStats, 'stretch' | 'sinceSeq'> {
  /** Live syncs of that stream. */
  readonly syncs: readonly string[];
}

/** Everything that a user can ask for. The CLI and the HTTP API are two faces of it. */
export class Engine implements AsyncDisposable {
  /** As it is now: with the orgs that are connected. */
  readonly config: Config;
  readonly orgs: Orgs;
  /** What others hand over. */
  readonly hooks: Hooks;
  /** Who may ask for any of this over HTTP. */
  readonly tokens: Tokens;
  /** What is served row by row. */
  readonly tables: ServedTables;
  /** Who is told what is wrong. */
  readonly notifications: Notifications;
  readonly #parts: EngineParts & { readonly syncs: Syncs; readonly pairings: Pairings };
  readonly #connections: Connections;
  #scheduled: Schedules | null = null;

  constructor(written: EngineOptions) {
    const close = (connection: string) => this.#connections.close(connection);
    const directory = new OrgDirectory(written.config, { orgs: written.store.orgs, log: written.log, close });
    const options = { ...written, config: directory.config };
    this.config = options.config;
    this.orgs = new Orgs(options);
    this.tokens = new Tokens(options.store.access, options.clock);
    const budgets = new Budgets(options);
    this.notifications = new Notifications({ ...options, budgets });
    this.#connections = new Connections(options, budgets);
    const connection = (name: string) => this.#connections.get(name);
    this.hooks = new Hooks({ ...options, connection });
    this.tables = new ServedTables({ ...options, connection });
    const pauses = new Pauses(options.store, options.clock);
    const parts = { ...options, budgets, connection, hooks: this.hooks, directory, underWay: new UnderWay(), pauses };
    this.#parts = { ...parts, syncs: new Syncs(parts), pairings: new Pairings(parts) };
  }

  /** Takes over which orgs are connected now; to be asked first by whoever wants to know their syncs. */
  async refreshOrgs(): Promise<void> {
    await this.#parts.directory.refresh();
  }

  /** Connections and syncs, looked at and not touched: what is missing, and what to do about it. */
  async check(signal: AbortSignal): Promise<readonly Problem[]> {
    return [...(await checkConfig(this.#parts, signal)), ...(await this.notifications.check(signal))];
  }

  /** Has the source systems tell what live syncs listen for, where they do not yet. Changes settings of those systems. */
  async captureStreams(signal: AbortSignal): Promise<readonly Captured[]> {
    return captureStreams(await liveDatasets(this.#parts, signal), this.#parts.connection, signal);
  }

  /** The same as files by path, for somebody who deploys such settings. */
  async captureFiles(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return captureFiles(await liveDatasets(this.#parts, signal), this.#parts.connection);
  }

  /** What the configuration leaves open about an org's side, as far as the org and the sources tell. Writes nothing. */
  packageFacts(questions: PackageQuestions, signal: AbortSignal): Promise<PackageFacts> {
    return packageFacts(questions, this.#parts, signal);
  }

  /** Tests one connection: 000-7. As another configuration says it, where one is given: before that is taken over. */
  async testConnection(name: string, as: Config = this.config): Promise<readonly Problem[]> {
    if (as === this.config) return this.#connections.get(name).check();
    await using others = new Connections({ ...this.#parts, config: as }, this.#parts.budgets);
    return await others.get(name).check();
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

  /** What stands in the targets of one-way syncs, for whoever programs against it. Of syncs for each org, or in parts, the first one speaks for all. */
  async describeTargets(name: string | undefined, signal: AbortSignal): Promise<readonly DescribedTarget[]> {
    const { syncs } = this.#parts;
    const asked = name === undefined ? syncs.all() : [syncs.get(name)];
    const each = new Map(asked.toReversed().map((sync) => [syncInFile(sync), sync]));
    const described: DescribedTarget[] = [];
    for (const sync of [...each.values()].reverse()) described.push(await describeTarget(sync, syncs, signal));
    return described;
  }

  async #eachSchema(
    name: string | undefined,
    onSides: Parameters<typeof pairingSchema>[2],
    work: typeof planSchema,
    signal: AbortSignal,
  ): Promise<readonly SyncSchema[]> {
    const { syncs, pairings } = this.#named(name);
    const done: SyncSchema[] = [];
    for (const sync of syncs) done.push(await work(sync, this.#parts, signal));
    for (const pairing of pairings) done.push(await pairingSchema(pairing, this.#parts.connection, onSides, signal));
    return done;
  }

  /** What the next run of each would read and cost, and what its target needs for it. Writes nothing. */
  async plan(name: string | undefined, signal: AbortSignal): Promise<readonly SyncPlan[]> {
    const { syncs, pairings } = this.#named(name);
    const plans: SyncPlan[] = [];
    for (const pairing of pairings) plans.push(await this.#parts.pairings.planRun(pairing, signal));
    for (const sync of syncs) plans.push(await this.#parts.syncs.planRun(sync, signal));
    return plans;
  }

  async run(name: string, options: RunOptions): Promise<RunReport> {
    return this.#told(this.#ofEither(name).run(name, options));
  }

  /** @throws {RequestRefusedError} nothing can be read for it: 004-8 */
  refuseRun(name: string): void {
    const { pairings, syncs } = this.#parts;
    if (!pairings.has(name)) refuseReading(syncs.get(name), 'run');
  }

  /** Has what is under way of a sync here end after its batch. @returns whether anything was */
  stopRun(name: string): boolean {
    return this.#parts.underWay.end(name);
  }

  /** What a run of a one-way sync would write and cost, record by record. Writes nothing. */
  dryRun(name: string, options: DryRunOptions): Promise<DryRun> {
    return this.#parts.syncs.dryRun(name, options);
  }

  /** What the next run of a two-way sync would link, make and overwrite, and what that costs. Writes nothing. */
  planPairing(name: string, options: PairingDryRunOptions): Promise<PairingPlan> {
    return this.#parts.pairings.plan(name, options);
  }

  async retry(name: string, options: RunOptions & { ids?: readonly string[] }): Promise<RunReport> {
    return this.#told(this.#ofEither(name).retry(name, options));
  }

  /**
   * Brings a row of a side of a two-way sync across at once, and answers what the other side made of it.
   * @throws {RequestRefusedError} the sync is paused
   */
  bring({ pairing, spec }: ServedTable, key: string, signal: AbortSignal): Promise<RecordOutcome> {
    if (pairing === null) throw new InvariantError(`${spec.name} is no side of a two-way sync`);
    return this.#parts.pairings.bring(pairing.sync, pairing.side, key, signal);
  }

  refetch(name: string, keys: readonly string[], options: RunOptions): Promise<RunReport> {
    return this.#told(this.#parts.syncs.refetch(name, keys, options));
  }

  verify(name: string, options: RunOptions & { repair: boolean }): Promise<Verdict> {
    return this.#ofEither(name).verify(name, options);
  }

  /** Applies kept events once more, under the mapping as it is now. The source is not asked for anything. */
  replay(name: string, options: ReplayOptions): Promise<ReplayReport> {
    return this.#parts.syncs.replay(name, options);
  }

  /** What a replay would do. */
  dryReplay(name: string, options: ReplayOptions): ReturnType<typeof dryReplay> {
    return this.#parts.syncs.dryReplay(name, options);
  }

  /** Which events are kept, and since when nothing is missing among them. */
  async journals(): Promise<readonly Journaled[]> {
    const stats = await this.#parts.store.journal.stats();
    return stats.map(({ stretch: _, sinceSeq: __, ...rest }) => ({
      ...rest,
      syncs: this.#parts.syncs
        .all()
        .filter((sync) => sync.live && sync.journalMs !== null && liveUnit(sync) === rest.stream)
        .map(({ name }) => name),
    }));
  }

  /**
   * Runs every scheduled sync and follows every stream until `stop` aborts; then finishes the batch under way. Processes that keep
   * their state in one Postgres share that: each does what it owns (P11).
   */
  async start(options: StartOptions): Promise<void> {
    this.#scheduled = runSchedules({ ...this.#parts, notifications: this.notifications }, options);
    await this.#scheduled.ended;
  }

  /** The workers that live, and what each of them runs; none where one process runs all. */
  workers(): Promise<readonly LiveWorker[]> {
    return this.#parts.store.workers.workers();
  }

  /** The units of work that this process runs by itself. */
  owned(): readonly string[] {
    return this.#scheduled?.owned() ?? [];
  }

  /** What connections let their clients use, as far as it is known: of those that live syncs listen to. */
  async allowances(): Promise<readonly AllowanceStatus[]> {
    const { syncs, store } = this.#parts;
    const live = new Set(streamed(syncs.all()));
    return (await keptAllowances(store)).filter(({ connection }) => live.has(connection));
  }

  /** How the calls of each connection stand that counts them. */
  async budgets(): Promise<readonly BudgetStatus[]> {
    const { store, clock, budgets, config } = this.#parts;
    const found: BudgetStatus[] = [];
    for (const connection of config.connections.keys()) {
      await budgets.get(connection)?.refresh(true);
      const status = await budgetStatus(connection, store, clock.now());
      if (status !== null) found.push(status);
    }
    return found;
  }

  /** The same of connections that this process uses, by its own count: asked as often as anybody likes. */
  knownBudgets(): readonly BudgetStatus[] {
    const { budgets, clock } = this.#parts;
    return budgets.statuses(clock.now());
  }

  /** What is measured of every sync. */
  measures(): Promise<readonly SyncMeasures[]> {
    return measureSyncs(this.#parts);
  }

  /** What replies have told lately of the use of other connections, for nothing. */
  usage(): readonly (Allowance & { readonly connection: string })[] {
    return [...this.#connections.opened()].flatMap(([connection, opened]) =>
      (opened.knownAllowances?.() ?? []).map((allowance) => ({ connection, ...allowance })),
    );
  }

  /** The streams that this process follows. */
  liveStatus(): readonly LiveStatus[] {
    return (this.#scheduled?.live() ?? []).map((progress) => progress.tell());
  }

  async status(name?: string): Promise<readonly SyncStatus[]> {
    const { syncs, pairings } = this.#named(name);
    const parts = { ...this.#parts, followed: this.liveStatus() };
    return Promise.all([
      ...syncs.map((sync) => statusOfSync(sync, parts)),
      ...pairings.map((pairing) => statusOfPairing(pairing.name, parts)),
    ]);
  }

  /** Every sync in a line, for lists; or one of them. */
  overview(name?: string): Promise<readonly SyncOverview[]> {
    if (name !== undefined) this.#named(name);
    return overviewOf({ ...this.#parts, followed: this.liveStatus() }, name);
  }

  /** One record on both sides, and what has happened to it. Both sides are asked. */
  record(name: string, key: string, signal: AbortSignal): Promise<RecordStory> {
    this.#named(name);
    return recordStory(name, key, this.#parts, signal);
  }

  /** The orgs that connections stand for, and how they fare; none where no connection stands for many. */
  async orgHealth(): Promise<readonly OrgHealth[]> {
    if (this.orgs.connections.length === 0) return [];
    return orgHealth(await this.orgs.list(), await this.overview(), await this.budgets());
  }

  /** How a sync is made up, as people draw it. @throws {RequestRefusedError} there is none of that name */
  outline(name: string): SyncOutline {
    this.#named(name);
    return outlineOf(this.config, name)!;
  }

  /** Open failures, those that are tried next first; after an id, in the order of ids. */
  failures(filter: { sync?: string; ids?: readonly string[]; afterId?: string; limit?: number }): Promise<readonly Failure[]> {
    return this.#parts.store.failures(filter);
  }

  /** Where the two sides of two-way syncs disagreed, the newest first. */
  conflicts(filter: {
    sync?: string;
    state?: Conflict['state'];
    ids?: readonly string[];
    before?: string;
    limit?: number;
  }): Promise<readonly Conflict[]> {
    return this.#parts.store.links.conflicts(filter);
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
    const runs: RunReport[] = [];
    for (const sync of new Set(found.map((conflict) => conflict.sync))) {
      const own = found.filter((conflict) => conflict.sync === sync);
      runs.push(await this.#parts.pairings.resolve(own, choice, options));
    }
    return { runs, stillOpen: await this.conflicts({ ids, state: 'open' }) };
  }

  /** Gives records up: they stay as the target has them until they change again. */
  discardFailures(ids: readonly string[]): Promise<void> {
    return this.#parts.store.removeFailures(ids);
  }

  /** The newest first; before one of them, where that is named. */
  runs(filter: { sync?: string; limit?: number; before?: string }): Promise<readonly Run[]> {
    return this.#parts.store.runs(filter);
  }

  runById(id: string): Promise<Run | null> {
    return this.#parts.store.run(id);
  }

  /** Keeps what somebody asked for over HTTP, for a year. */
  recordAudit(entry: Omit<AuditEntry, 'id'>): Promise<void> {
    return this.#parts.store.access.record(entry, entry.atMs - AUDIT_KEPT_MS);
  }

  audit(filter: { readonly limit: number }): Promise<readonly AuditEntry[]> {
    return this.#parts.store.access.audit(filter);
  }

  /** Forgets how far a sync has come, and from which org: its next run is full. Rows and failures stay. */
  async reset(name: string, signal: AbortSignal): Promise<void> {
    return this.#ofEither(name).reset(name, signal);
  }

  async setPaused(name: string, paused: boolean): Promise<void> {
    if (!this.#parts.pairings.has(name)) this.#parts.syncs.get(name);
    await this.#parts.store.setPaused(name, paused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.syncs[Symbol.asyncDispose]();
    await this.#parts.pairings[Symbol.asyncDispose]();
    await this.#connections[Symbol.asyncDispose]();
    await this.#parts.budgets[Symbol.asyncDispose]();
  }

  /** Whoever counts runs counts those that somebody asked for as well. */
  async #told(running: Promise<RunReport>): Promise<RunReport> {
    const report = await running;
    this.#scheduled?.ran(report);
    return report;
  }

  #ofEither(name: string): Syncs | Pairings {
    const { syncs, pairings } = this.#parts;
    return pairings.has(name) ? pairings : syncs;
  }

  /** That one, or all of the configuration. */
  #named(name: string | undefined) {
    const { syncs, pairings } = this.#parts;
    if (name === undefined) return { syncs: syncs.all(), pairings: pairings.all() };
    const named = pairings.all().filter((pairing) => pairing.name === name);
    return { pairings: named, syncs: named.length > 0 ? [] : [syncs.get(name)] };
  }
}
