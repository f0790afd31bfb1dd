import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type Random, type Store, seededRandom } from '@tidemark/core';
import { type Emulator, type OrgClock, startEmulator } from '@tidemark/emulator';
import { History, Life, Scheduler, SimulatedWorkers } from '@tidemark/testkit/simulation';
import type { Network } from '../lib/network.ts';
import { outcomeOf, Wrong } from '../lib/outcome.ts';
import type { Outcome, SimulationOptions } from '../lib/simulation.ts';
import { OrgHistory } from '../live/org-history.ts';
import { People } from '../live/people.ts';
import { startMs } from '../live/plan.ts';
import { pubsubOf } from '../live/simulated-grpc.ts';
import { syncs, unitOf, units } from './mapping.ts';
import { OwnedTarget } from './owned-target.ts';
import { type ActionKind, type Plan, planOf } from './plan.ts';
import { credentials, type FleetWorld, fleetConfig, WorkerProcess } from './worker-process.ts';

/** The world's own time in which everything has to be mended once nothing goes wrong any more. */
const settleMs = 15 * 60_000;
/** After it has become equal it has to stay so. */
const calmMs = 20_000;
/** In which what nobody does is done by somebody, as long as there is one who can. */
const takeOverMs = 10_000;
/** A worker that was started, or mended, is there to take over after this. */
const joinedMs = 5000;
/** What was on its way when a process froze arrives in this time after it has thawed. */
const thawedMs = 500;
const stepsMax = 300_000;
const mappings = syncs.map(({ mapped }) => mapped);

export async function runWorld(seed: number, options: SimulationOptions): Promise<Outcome> {
  return outcomeOf(await World.open(seed, options));
}

class World {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #emulator: Emulator;
  readonly #world: FleetWorld;
  readonly #people: People;
  readonly #truth: OrgHistory;
  readonly #fate = new Life('world');
  /** One machine each; null while nobody has started anything there. */
  readonly #machines: (WorkerProcess | null)[];
  /** Commands that people run beside them. */
  readonly #commands = new Set<WorkerProcess>();
  readonly #orphanedAtMs = new Map<string, number>();
  #version = 0;
  #started = 0;
  #actionsLeft: number;
  #busy = 0;

  static async open(seed: number, options: SimulationOptions): Promise<World> {
    const random = seededRandom(seed);
    const clockRef: { scheduler: Scheduler | null } = { scheduler: null };
    const emulator = await startEmulator({
      listen: false,
      publicUrl: 'https://org.example.com',
      clock: orgClock(() => clockRef.scheduler?.now() ?? startMs),
      seed,
      changeEvents: ['Account', 'Contact'],
      credentials,
      limits: { DailyApiRequests: 10_000_000 },
    });
    const world = new World(seed, random, new History(options.linesMax), emulator, await openStore(':memory:'));
    clockRef.scheduler = world.#scheduler;
    return world;
  }

  private constructor(seed: number, random: Random, history: History, emulator: Emulator, store: Store) {
    this.#seed = seed;
    this.#random = random;
    this.#plan = planOf(random);
    this.#emulator = emulator;
    const scheduler = new Scheduler({ random, startMs, history, onStep: () => this.#onStep() });
    this.#scheduler = scheduler;
    const org = new Life('org');
    const network: Network = { scheduler, random, emulator, faults: this.#plan.faults };
    const target = new OwnedTarget(join(folder(), `fleet-${process.pid}.db`));
    const service = pubsubOf(emulator, scheduler, org);
    this.#world = {
      ...{ scheduler, random, network, store, target },
      grpc: { service, scheduler, random, faultsNow: () => network.faults },
      workers: new SimulatedWorkers(() => scheduler.now()),
      config: fleetConfig(target, this.#plan.everyMs),
    };
    target.mayTakeOver = (checkpoint, life) => this.#mayTakeOver(unitOf(checkpoint), life);
    this.#people = new People(emulator, scheduler, org, random, { strict: false, longTexts: false });
    this.#truth = new OrgHistory(emulator, mappings);
    this.#actionsLeft = this.#plan.actions;
    this.#machines = Array.from({ length: this.#plan.workers }, () => null);
  }

  outcome(failure: readonly string[]): Outcome {
    const { history, steps } = this.#scheduler;
    const { takeOvers } = this.#world.target;
    const counts = { steps, commits: this.#truth.commits, processes: this.#started, 'changes of owner': takeOvers };
    return { seed: this.#seed, failure, hash: history.hash, counts, lines: history.lines() };
  }

  async live(): Promise<void> {
    for (let i = 0; i < this.#plan.records; i++) this.#people.write();
    for (const at of this.#machines.keys()) this.#later('start', at === 0 ? 0 : this.#random() * 20_000, () => this.#start(at));
    this.#nextAction();
    await this.#scheduler.run(() => this.#actionsLeft === 0 && this.#busy === 0 && this.#people.open === 0);
    this.#say('nothing goes wrong from here on');
    this.#world.network.faults = null;
    this.#world.target.unlock();
    for (const { sync } of mappings) await this.#world.store.setPaused(sync, false);
    await this.#settle();
  }

  async close(): Promise<void> {
    for (const { life } of [...this.#running, ...this.#commands]) this.#scheduler.abandon(life);
    await this.#world.target.close();
    await this.#emulator.close();
    await this.#world.store[Symbol.asyncDispose]();
  }

  get #running(): readonly WorkerProcess[] {
    return this.#machines.filter((machine) => machine !== null);
  }

  /** Until the copy is the org and stays so, and everybody has a fair part of the work. */
  async #settle(): Promise<void> {
    const now = () => this.#scheduler.now();
    const untilMs = now() + settleMs;
    let equalSinceMs: number | null = null;
    let lookAtMs = 0;
    await this.#scheduler.run(() => {
      if (now() < lookAtMs) return false;
      lookAtMs = now() + (equalSinceMs === null ? 2000 : calmMs / 4);
      const last = this.#truth.differences(this.#world.target.read(mappings));
      if (last.length > 0 && equalSinceMs !== null) throw new Wrong(['it was equal and is not any more', ...last].join('\n'));
      // Who was stopped before may come back only now.
      last.push(...this.#unfair());
      if (last.length > 0) equalSinceMs = null;
      else {
        equalSinceMs ??= now();
        if (now() - equalSinceMs > calmMs) return true;
      }
      if (now() < untilMs) return false;
      throw new Wrong([`not settled ${settleMs / 60_000} minutes after the last fault`, ...last].join('\n'));
    });
    const failures = await this.#world.store.failures({});
    if (failures.length > 0)
      throw new Wrong(`failures are left: ${failures.map(({ sync, key, message }) => `${sync} ${key} ${message}`).join(', ')}`);
  }

  /** What nobody owns, and who owns too much. */
  #unfair(): string[] {
    const { owners } = this.#world.workers;
    const free = units.filter((unit) => !owners.has(unit)).map((unit) => `${unit} has no owner`);
    const max = Math.ceil(units.length / this.#running.length);
    // What is configured anew belongs to those who have it so, beside their share of the rest.
    const most = this.#running.some(({ version }) => version !== this.#version) ? max + 1 : max;
    for (const { life, line } of this.#running) {
      const owned = units.filter((unit) => line.sessions.includes(owners.get(unit) ?? ''));
      if (owned.length > most) free.push(`${life.name} owns ${owned.length} of ${units.length}`);
    }
    return free;
  }

  #start(at: number): void {
    if (this.#machines[at] !== null) return;
    const number = ++this.#started;
    const random = seededRandom(this.#seed * 1009 + number);
    const skewMs = this.#plan.skewsMs[at]!;
    this.#machines[at] = new WorkerProcess(`worker ${number}`, this.#world, { skewMs, random, version: this.#version }).start();
  }

  #onStep(): void {
    if (this.#scheduler.steps > stepsMax) throw new Wrong(`still busy after ${stepsMax} steps`);
    if (this.#world.target.wrong !== null) throw this.#world.target.wrong;
    for (const [at, machine] of this.#machines.entries()) {
      if (machine?.ended === undefined) continue;
      if (machine.ended?.error !== undefined) throw failed(machine);
      this.#gone(at);
    }
    for (const command of this.#commands) {
      if (command.ended === undefined) continue;
      this.#scheduler.abandon(command.life);
      this.#commands.delete(command);
      if (command.ended?.error !== undefined) throw failed(command);
    }
    this.#lookForOrphans();
  }

  /** Whoever owns it may, or a command that somebody gives; and one that has just thawed, and does not know yet what it has lost. */
  #mayTakeOver(unit: string, life: Life): boolean {
    const machine = this.#running.find((running) => running.life === life);
    const owner = this.#world.workers.owners.get(unit);
    if (machine === undefined || owner === undefined || machine.line.sessions.includes(owner)) return true;
    return this.#scheduler.now() - machine.thawedAtMs <= thawedMs;
  }

  /** While somebody is there who can, nothing is left undone for long. */
  #lookForOrphans(): void {
    const now = this.#scheduler.now();
    const well = this.#running.filter(({ isFrozen, isStopping, line }) => !isFrozen && !isStopping && !line.isCut);
    const since = Math.min(...well.map(({ wellSinceMs }) => wellSinceMs)) + joinedMs;
    const { owners } = this.#world.workers;
    const alive = new Set(well.flatMap(({ line }) => line.sessions));
    for (const unit of units) {
      const owner = owners.get(unit);
      if (owner !== undefined && alive.has(owner)) this.#orphanedAtMs.delete(unit);
      else if (well.length === 0) this.#orphanedAtMs.delete(unit);
      else {
        const from = Math.max(this.#orphanedAtMs.get(unit) ?? now, since);
        this.#orphanedAtMs.set(unit, from);
        // Who finishes what is under way owns it until then.
        const isFinishing = this.#running.some(({ isStopping, line }) => isStopping && line.sessions.includes(owner ?? ''));
        if (isFinishing) this.#orphanedAtMs.set(unit, now);
        else if (now - from > takeOverMs)
          throw new Wrong(`nobody has done ${unit} for ${now - from} ms, though ${well.length} could (P11)`);
      }
    }
  }

  /** The process is gone, and somebody starts another one. */
  #gone(at: number, awayMs = this.#random() * (this.#random() < 0.7 ? 2000 : 60_000)): void {
    const machine = this.#machines[at];
    if (machine) this.#scheduler.abandon(machine.life);
    this.#machines[at] = null;
    this.#later('start', awayMs, () => this.#start(at));
  }

  #nextAction(): void {
    const { burst, shortMs, longMs } = this.#plan.gaps;
    const gapMs = this.#random() < burst ? shortMs : longMs;
    this.#later('action', -Math.log(1 - this.#random()) * gapMs, () => {
      const kind = this.#pickAction();
      this.#say(kind);
      this.#acts[kind]();
      if (--this.#actionsLeft > 0) this.#nextAction();
    });
  }

  #pickAction(): ActionKind {
    const weights = Object.entries(this.#plan.weights) as [ActionKind, number][];
    let left = this.#random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of weights) {
      left -= weight;
      if (left < 0) return kind;
    }
    return 'write';
  }

  readonly #acts: Readonly<Record<ActionKind, () => void>> = {
    write: () => this.#people.write(),
    large: () => this.#people.writeLarge(),
    late: () => this.#people.writeLate(),
    kill: () =>
      this.#onOne((machine, at) => {
        machine.kill();
        this.#gone(at);
      }),
    freeze: () => this.#onOne((machine) => this.#freeze(machine)),
    'cut state': () =>
      this.#onOne((machine) => {
        machine.line.isCut = true;
        this.#later('state is back', this.#random() * 30_000, () => {
          machine.line.isCut = false;
          machine.wellSinceMs = this.#scheduler.now();
        });
      }),
    'cut org': () =>
      this.#onOne((machine) => {
        machine.isCutFromOrg = true;
        this.#later('org is back', this.#random() * 30_000, () => {
          machine.isCutFromOrg = false;
        });
      }),
    stop: () => this.#onOne((machine) => machine.stop()),
    reconfigure: () => {
      // A rolling restart: one after the other gets the new configuration, and while that goes on there are two.
      this.#version++;
      for (const at of this.#machines.keys())
        this.#later('restart', at * this.#random() * 20_000, () => this.#machines[at]?.stop());
    },
    pause: () => {
      const { sync } = mappings[Math.floor(this.#random() * mappings.length)]!;
      void this.#world.store.setPaused(sync, true);
      this.#later('resume', this.#random() * 60_000, () => void this.#world.store.setPaused(sync, false));
    },
    'run beside': () => {
      const { sync } = mappings[Math.floor(this.#random() * mappings.length)]!;
      const full = this.#random() < 0.3;
      this.#command((engine, signal) => engine.run(sync, { full, signal }));
    },
    reset: () => {
      const { sync } = mappings[Math.floor(this.#random() * mappings.length)]!;
      this.#command((engine, signal) => engine.reset(sync, signal).catch(() => {}));
    },
    tokens: () => void this.#emulator.sessions.revokeAll(),
    lock: () => {
      if (this.#world.target.lock()) this.#later('unlock', this.#random() * 10_000, () => this.#world.target.unlock());
    },
  };

  #onOne(act: (machine: WorkerProcess, at: number) => void): void {
    const at = Math.floor(this.#random() * this.#machines.length);
    const machine = this.#machines[at];
    if (machine != null && !machine.isFrozen) act(machine, at);
  }

  /** In the middle of its work, perhaps: when something has come and is not written yet. */
  #freeze(machine: WorkerProcess): void {
    this.#people.write();
    this.#later('freeze', this.#random() * 300, () => {
      if (machine.life.abandoned || machine.isFrozen) return;
      this.#scheduler.freeze(machine.life);
      machine.isFrozen = true;
      this.#later('thaw', this.#random() * (this.#random() < 0.3 ? 8000 : 40_000), () => {
        machine.isFrozen = false;
        machine.thawedAtMs = this.#scheduler.now();
        machine.wellSinceMs = this.#scheduler.now();
        if (!machine.life.abandoned) this.#scheduler.thaw(machine.life);
      });
    });
  }

  #command(work: Parameters<WorkerProcess['do']>[0]): void {
    const number = ++this.#started;
    const random = seededRandom(this.#seed * 1009 + number);
    const options = { skewMs: 0, random, version: this.#version };
    this.#commands.add(new WorkerProcess(`command ${number}`, this.#world, options).do(work));
  }

  #later(what: string, ms: number, call: () => void): void {
    this.#busy++;
    this.#scheduler.after(this.#fate, what, ms, () => {
      this.#busy--;
      call();
      return undefined;
    });
  }

  #say(what: string): void {
    this.#scheduler.history.add(`${this.#scheduler.now()} world: ${what}`);
  }
}

function failed({ ended, life }: WorkerProcess): Wrong {
  const error = ended?.error;
  return new Wrong(`${life.name} has failed: ${(error as Error | undefined)?.stack ?? error}`);
}

let made: string | undefined;
function folder(): string {
  // In memory where there is such a place: a disk would be waited for at every commit.
  made ??= process.platform === 'linux' ? '/dev/shm/tidemark-sim' : join(tmpdir(), 'tidemark-sim');
  mkdirSync(made, { recursive: true });
  return made;
}

function orgClock(now: () => number): OrgClock {
  const fixed = () => {
    throw new Error('the time of a simulated world is its scheduler');
  };
  return { now: () => Math.floor(now()), advance: fixed, freeze: fixed, onMove: () => () => {}, skewMs: 0 };
}
