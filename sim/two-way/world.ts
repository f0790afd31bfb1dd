import { join } from 'node:path';
import { type Choice, type Conflict, type LinkStore, openStore, type Random, type Store, seededRandom } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { History, Life, Scheduler } from '@tidemark/testkit/simulation';
import { importUserModule } from '../../core/src/pipeline/user-module.ts';
import type { Network } from '../lib/network.ts';
import { outcomeOf, Wrong } from '../lib/outcome.ts';
import type { Outcome, SimulationOptions } from '../lib/simulation.ts';
import { orgClock, pickBy, worldFolder } from '../lib/world-place.ts';
import { pubsubOf } from '../live/simulated-grpc.ts';
import type { App } from './app.ts';
import { AppFile } from './app-file.ts';
import { AppPostgres } from './app-postgres.ts';
import { differences } from './differences.ts';
import { configOf, credentials, EngineProcess, type EngineWorld, sync } from './engine-process.ts';
import { type Field, fields, meaningOf, type SideRecord } from './fields.ts';
import { Ledger } from './ledger.ts';
import { OrgSide } from './org-side.ts';
import { People } from './people.ts';
import { type ActionKind, type Plan, planOf } from './plan.ts';

const startMs = Date.UTC(2026, 2, 4, 5, 6, 7);
const minute = 60_000;
/** The world's own time in which everything has to be equal once nothing goes wrong any more. */
const settleMs = 3 * 60 * minute;
const stepsMax = 200_000;
/** More than any world needs in a day. */
const calls = 10_000_000;

export async function runWorld(seed: number, options: SimulationOptions): Promise<Outcome> {
  return outcomeOf(await World.open(seed, options));
}

class World {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #emulator: Emulator;
  readonly #org: OrgSide;
  readonly #app: App;
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #network: Network;
  readonly #engineWorld: EngineWorld;
  readonly #people: People;
  readonly #fate = new Life('world');
  #process: EngineProcess | null = null;
  /** Of people who decide, and processes that were taken for dead. */
  readonly #beside = new Set<EngineProcess>();
  readonly #alive = new Set<EngineProcess>();
  #lives = 0;
  #resolved = 0;
  /** Some process was frozen, and wrote beside the one that took over. */
  #frozen = false;
  /** What the running process has brought to the app of late. */
  readonly #fresh: { readonly key: string; readonly partner: string | null; readonly fields: readonly Field[] }[] = [];
  #killIn = Number.POSITIVE_INFINITY;
  #actionsLeft: number;
  #busy = 0;

  static async open(seed: number, options: SimulationOptions): Promise<World> {
    // Read from the disk before the world begins, which does not wait for it.
    await importUserModule(join(import.meta.dirname, 'decide.ts'));
    const random = seededRandom(seed);
    const plan = planOf(random);
    const history = new History(options.linesMax);
    const clockRef: { scheduler: Scheduler | null } = { scheduler: null };
    const now = () => clockRef.scheduler?.now() ?? startMs;
    const emulator = await startEmulator({
      listen: false,
      publicUrl: 'https://org.example.com',
      clock: orgClock(() => now() + plan.orgSkewMs),
      seed,
      credentials,
      source: `${import.meta.dirname}/org`,
      changeEvents: ['Account'],
      limits: { DailyApiRequests: calls },
    });
    if (plan.spellings) {
      const run: Parameters<typeof emulator.automation.triggers.define>[0]['run'] = ({ records }) => {
        for (const { values, set } of records) if (typeof values.Site === 'string') set('Site', values.Site.toLowerCase());
      };
      emulator.automation.triggers.define({ name: 'Sites', object: 'Account', on: ['before insert', 'before update'], run });
    }
    const store = await openStore(':memory:');
    const app =
      options.target === 'postgres'
        ? await AppPostgres.create()
        : new AppFile(join(worldFolder(), `two-way-${process.pid}.db`), () => now() + plan.machineSkewMs);
    return new World({ seed, plan, random, history, clockRef, emulator, store, app });
  }

  private constructor(parts: {
    seed: number;
    plan: Plan;
    random: Random;
    history: History;
    clockRef: { scheduler: Scheduler | null };
    emulator: Emulator;
    store: Store;
    app: App;
  }) {
    const { seed, plan, random, history, clockRef, emulator, app } = parts;
    this.#seed = seed;
    this.#plan = plan;
    this.#random = random;
    this.#emulator = emulator;
    this.#app = app;
    this.#store = parts.store;
    this.#scheduler = new Scheduler({ random, startMs, history, onStep: () => this.#onStep() });
    clockRef.scheduler = this.#scheduler;
    this.#ledger = new Ledger(
      { nowMs: () => this.#scheduler.now(), sinceMs: () => Math.min(...[...this.#alive].map((process) => process.startedMs)) },
      [...(plan.match ? ['name' as const] : []), ...(plan.spellings ? ['site' as const] : [])],
      plan.oneWay ? ['site'] : [],
    );
    this.#org = new OrgSide(emulator, {
      onChange: (key, before, after, by) => {
        this.#ledger.changed('left', key, before, after, by, this.#org.commits);
        history.add(`${this.#scheduler.now()} org ${key} by ${by.who}: ${textOf(after)}`);
        if (by.who === 'engine') this.#untimely(key, before, after);
      },
      onAsked: () => {
        if (this.#alive.size === 1) this.#ledger.orgIsAsked();
      },
      beforeWrite: (ids) => {
        if (this.#network.faults !== null && ids.length > 0 && random() < plan.meanwhile) this.#people.editOne(ids);
      },
    });
    const quiet = { lost: 0, replyLost: 0, cutBody: 0, unavailable: 0, slow: 0 };
    const faults = { http: plan.http ?? quiet, stream: plan.stream };
    this.#network = { scheduler: this.#scheduler, random, emulator, faults };
    this.#engineWorld = {
      scheduler: this.#scheduler,
      ...{ plan, app },
      network: this.#network,
      grpc: {
        service: pubsubOf(emulator, this.#scheduler, new Life('org')),
        scheduler: this.#scheduler,
        random,
        faultsNow: () => this.#network.faults,
      },
      org: this.#org,
      store: observed(parts.store, this.#ledger, () => !this.#frozen),
      config: configOf(plan, app),
      beforeMerge: async () => {
        if (this.#network.faults !== null && random() < plan.meanwhile) await this.#people.editOneInApp();
      },
    };
    const { match: sameNames, refused } = plan;
    this.#people = new People({
      emulator,
      app,
      scheduler: this.#scheduler,
      life: new Life('people'),
      random,
      sameNames,
      refused,
    });
    this.#actionsLeft = plan.actions;
  }

  outcome(failure: readonly string[]): Outcome {
    const { history, steps } = this.#scheduler;
    const { writes, told, arrived, unseen, unknowable } = this.#ledger;
    return {
      seed: this.#seed,
      failure,
      hash: history.hash,
      counts: {
        steps,
        lives: this.#lives,
        'writes of ours': writes,
        decisions: this.#resolved,
        'overwrites that are told': told,
        'of what had arrived before': arrived,
        'that nobody can see': unseen,
        'deletes that nobody can know of': unknowable,
      },
      lines: history.lines(),
    };
  }

  async live(): Promise<void> {
    const { faults } = this.#network;
    this.#network.faults = null;
    await this.#ended(this.#spawn('schema').applySchema());
    await this.#app.watch(this.#plan.spellings);
    this.#network.faults = faults;
    for (let i = 0; i < this.#plan.records; i++) {
      this.#people.inOrg();
      await this.#people.inApp();
    }
    await this.#people.introduce(this.#org.read().keys(), this.#plan.introduced);
    this.#look();
    // What was there before is older than the engine.
    this.#scheduler.skip(1);
    const { rowLocks, quota } = this.#plan;
    if (rowLocks > 0) this.#emulator.faults.add({ kind: 'row-lock', match: { seed: this.#seed }, params: { share: rowLocks } });
    if (quota !== null) this.#emulator.limits.DailyApiRequests.max = quota;
    this.#start();
    this.#nextAction();
    await this.#scheduler.run(() => this.#actionsLeft === 0 && this.#busy === 0 && this.#people.open === 0);
    this.#say('nothing goes wrong from here on');
    this.#network.faults = null;
    this.#killIn = Number.POSITIVE_INFINITY;
    for (const { id } of this.#emulator.faults.list()) this.#emulator.faults.remove(id);
    // What is left for the day was spent: it goes on tomorrow.
    if (this.#plan.quota !== null) this.#scheduler.skip(25 * 60 * minute);
    this.#emulator.limits.DailyApiRequests.max = calls;
    if (this.#plan.mends === 'values') {
      await this.#people.mend();
      await this.#scheduler.run(() => this.#people.open === 0);
    } else if (this.#plan.mends === 'rule') {
      this.#emulator.automation.validationRules.remove('Account', 'No_Bad_Phone');
    }
    await this.#settle();
  }

  async close(): Promise<void> {
    for (const { life } of this.#alive) this.#scheduler.abandon(life);
    await this.#app.close();
    await this.#emulator.close();
    await this.#store[Symbol.asyncDispose]();
  }

  /** Until both sides are equal, and stay so without a write of ours. */
  async #settle(): Promise<void> {
    const now = () => this.#scheduler.now();
    const untilMs = now() + settleMs;
    const lookMs = Math.max(15_000, this.#plan.everyMs);
    // Refused records are tried again every minute.
    const calmMs = Math.max(150_000, 4 * this.#plan.everyMs);
    let quiet: { readonly sinceMs: number; readonly writes: number } | null = null;
    let lookAtMs = now();
    await this.#scheduler.run(async () => {
      if (this.#process === null) this.#start();
      if (now() < lookAtMs) return false;
      lookAtMs = now() + lookMs;
      this.#look();
      await this.#confirmSweep();
      const found = await this.#differences();
      if (found.length === 0) {
        if (quiet?.writes !== this.#ledger.writes) quiet = { sinceMs: now(), writes: this.#ledger.writes };
        if (now() - quiet.sinceMs > calmMs && this.#beside.size === 0) return true;
      } else quiet = null;
      if (now() < untilMs) return false;
      const what = found.length > 0 ? 'not equal' : 'it still writes';
      throw new Wrong([`${what} ${settleMs / minute} minutes after the last fault`, ...found].join('\n'));
    });
    const lost = this.#ledger.atEnd(await this.#store.links.conflicts({ sync }));
    if (lost.length > 0) throw new Wrong(lost.join('\n'));
  }

  /** A table with nothing in it any more may have lost its rows by mistake: only a person knows. */
  async #confirmSweep(): Promise<void> {
    const [latest] = await this.#store.runs({ sync, limit: 1 });
    if (latest?.error?.code !== 'sweep_refused' || this.#beside.size > 0) return;
    this.#say('somebody confirms a sweep');
    this.#beside.add(this.#spawn(`sweeper ${this.#lives}`).sweeping());
  }

  async #differences(): Promise<string[]> {
    const { links } = this.#store;
    return differences(
      {
        left: this.#org.read(),
        right: await this.#app.read(),
        links: await links.linksAfter(sync, '', 10_000),
        conflicts: await links.conflicts({ sync }),
        failures: await this.#store.failures({ sync }),
      },
      this.#plan,
    );
  }

  #spawn(name: string): EngineProcess {
    const process = new EngineProcess(this.#engineWorld, name, seededRandom(this.#seed * 1009 + ++this.#lives));
    this.#alive.add(process);
    process.life.onAbandoned(() => this.#alive.delete(process));
    return process;
  }

  #start(): void {
    const { killSteps } = this.#plan;
    this.#process = this.#spawn(`engine ${this.#lives}`).start();
    if (this.#network.faults !== null && killSteps !== null) {
      this.#killIn = Math.ceil(-Math.log(1 - this.#random()) * killSteps);
    }
  }

  async #ended(process: EngineProcess): Promise<void> {
    await this.#scheduler.run(() => process.ended !== undefined);
    this.#letGo(process);
  }

  #letGo({ ended, life }: EngineProcess): void {
    if (ended?.error !== undefined) throw new Wrong(`a process has failed: ${(ended.error as Error).stack ?? ended.error}`);
    this.#scheduler.abandon(life);
  }

  /** What has been written in the app's database since the last look, and what is wrong with it. */
  #look(): void {
    for (const { key, before, after, ours } of this.#app.changes()) {
      this.#ledger.changed('right', key, before, after, { who: ours ? 'engine' : 'person' }, this.#org.commits);
      this.#scheduler.history.add(`${this.#scheduler.now()} app ${key} by ${ours ? 'engine' : 'person'}: ${textOf(after)}`);
      if (ours && after !== null) this.#brought(key, before, after);
    }
    if (this.#ledger.wrong.length > 0) throw new Wrong(this.#ledger.wrong.join('\n'));
  }

  #onStep(): void {
    if (this.#scheduler.steps > stepsMax) throw new Wrong(`still busy after ${stepsMax} steps`);
    this.#look();
    for (const process of this.#beside) {
      if (process.ended === undefined) continue;
      this.#beside.delete(process);
      this.#letGo(process);
    }
    const running = this.#process;
    if (running === null) return;
    if (running.ended !== undefined) {
      this.#letGo(running);
      this.#gone();
    } else if (--this.#killIn <= 0) this.#kill();
  }

  /** The app has a row or values from us: whoever writes it next may do so while we die. */
  #brought(key: string, before: SideRecord | null, { values, partner }: SideRecord): void {
    const changed = fields.filter((field) => meaningOf(field, before?.values[field]) !== meaningOf(field, values[field]));
    this.#fresh.push({ key, partner, fields: changed.length === 0 ? fields : changed });
    if (this.#fresh.length > 5) this.#fresh.shift();
    if (before === null) this.#mishap(partner, key, fields);
  }

  /** The org has carried out a write of ours: we may die before we hear of it. */
  #untimely(id: string, before: SideRecord | null, after: SideRecord | null): void {
    if (before === null) this.#mishap(id, after?.partner ?? null, fields);
    else {
      const fresh = this.#fresh.at(-1);
      if (fresh !== undefined) this.#mishap(fresh.partner, fresh.key, fresh.fields);
    }
  }

  /** Before anything else happens the process is dead, and soon after that somebody writes these records. */
  #mishap(id: string | null, key: string | null, among: readonly Field[]): void {
    const isOn = this.#network.faults !== null && this.#actionsLeft > 0;
    if (!isOn || this.#process === null || this.#random() >= this.#plan.untimely) return;
    this.#killIn = 1;
    this.#later('somebody meddles', this.#random() < 0.7 ? 0 : 1000, () => this.#people.meddle(id, key, among));
  }

  #kill(): void {
    this.#process?.kill();
    this.#gone();
  }

  /** The process is gone, and is started anew some time later. */
  #gone(awayMs?: number): void {
    this.#process = null;
    this.#killIn = Number.POSITIVE_INFINITY;
    const waitMs = awayMs ?? this.#random() * (this.#random() < 0.7 ? 2000 : 120_000);
    this.#later('start', waitMs, () => {
      if (this.#process === null) this.#start();
    });
  }

  #nextAction(): void {
    const { gapMs } = this.#plan;
    this.#later('action', -Math.log(1 - this.#random()) * gapMs, () => {
      const kind = pickBy(this.#random, this.#plan.weights);
      this.#say(kind);
      if (this.#actionsLeft > 1) this.#nextAction();
      this.#actionsLeft--;
      return this.#acts[kind]();
    });
  }

  /** Whatever takes its time is awaited. */
  readonly #acts: Readonly<Record<ActionKind, () => unknown>> = {
    org: () => this.#people.inOrg(),
    app: () => this.#people.inApp(),
    both: () => this.#people.onBoth(this.#pairs()),
    orgHeld: () => this.#people.inOrg(100 + this.#random() * (this.#random() < 0.5 ? 5000 : 5 * minute)),
    appHeld: () => this.#people.inApp(100 + this.#random() * 10_000),
    resolve: () => this.#resolve((process, conflict, choice) => void process?.resolve(conflict, choice), this.#process),
    resolveBeside: () =>
      this.#resolve((process, conflict, choice) => {
        this.#beside.add(process.resolving(conflict, choice));
      }, null),
    tokens: () => void this.#emulator.sessions.revokeAll(),
    stop: () => this.#process?.stop(),
    kill: () => this.#kill(),
    freeze: () => {
      const frozen = this.#process;
      if (frozen === null) return;
      this.#frozen = true;
      // Somebody takes it for dead and starts another one; it wakes up beside that, and is put down some time later.
      this.#scheduler.freeze(frozen.life);
      this.#gone(this.#random() * 2000);
      this.#later('thaw', this.#random() * minute, () => {
        this.#scheduler.thaw(frozen.life);
        this.#later('put down', this.#random() * minute, () => this.#scheduler.abandon(frozen.life));
      });
    },
    quota: () => this.#emulator.limits.DailyApiRequests.add(Math.floor(this.#random() * (this.#plan.quota ?? 0))),
  };

  /** Records that name each other. */
  #pairs(): (readonly [string, string])[] {
    return [...this.#org.read()].flatMap(([id, { partner }]) => (partner === null ? [] : [[id, partner] as const]));
  }

  /** A person decides about an open conflict. */
  #resolve(carryOut: (process: EngineProcess, conflict: Conflict, choice: Choice) => void, process: EngineProcess | null): void {
    const dice = this.#random();
    this.#busy++;
    this.#scheduler.after(this.#fate, 'somebody decides', 0, async () => {
      this.#busy--;
      const open = await this.#store.links.conflicts({ sync, state: 'open' });
      const conflict = open[Math.floor(this.#random() * open.length)];
      if (conflict === undefined) return;
      const { field, leftKey, rightKey } = conflict;
      const choice: Choice =
        dice < 0.4
          ? { side: 'crm' }
          : dice < 0.8 || field === null
            ? { side: 'app' }
            : { value: this.#people.value(field as Field) };
      if (field === null) this.#ledger.decided(leftKey, rightKey);
      this.#resolved++;
      this.#say(`decides ${leftKey} ${rightKey} ${field}: ${JSON.stringify(choice)}`);
      const decider = process ?? this.#spawn(`decider ${this.#lives}`);
      if (decider.ended === undefined) carryOut(decider, conflict, choice);
    });
  }

  /** @param call  what it returns is awaited */
  #later(what: string, ms: number, call: () => unknown): void {
    this.#busy++;
    this.#scheduler.after(this.#fate, what, ms, () => {
      this.#busy--;
      const going = call();
      return going instanceof Promise ? going : undefined;
    });
  }

  #say(what: string): void {
    this.#scheduler.history.add(`${this.#scheduler.now()} world: ${what}`);
  }
}

/** The store, with the ledger told of what is durable now. */
function observed(store: Store, ledger: Ledger, alone: () => boolean): Store {
  const links = override(store.links, {
    async putConflicts(owner, conflicts) {
      const ids = await store.links.putConflicts(owner, conflicts);
      ledger.conflicts(conflicts);
      return ids;
    },
    async putLinks(owner, kept) {
      await store.links.putLinks(owner, kept);
      ledger.links(kept);
    },
  } satisfies Partial<LinkStore>);
  return override(store, {
    links,
    async putFailures(failures) {
      await store.putFailures(failures);
      ledger.failures(failures, alone());
    },
  } satisfies Partial<Store>);
}

function override<T extends object>(whole: T, parts: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      if (Object.hasOwn(parts, name)) return parts[name as keyof T];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const textOf = (record: object | null) => (record === null ? 'gone' : JSON.stringify(record));
