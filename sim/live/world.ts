import { join } from 'node:path';
import { openStore, type Random, type Store, seededRandom } from '@tidemark/core';
import { type Emulator, startEmulator } from '@tidemark/emulator';
import { History, Life, Scheduler } from '@tidemark/testkit/simulation';
import type { Network } from '../lib/network.ts';
import { outcomeOf, Wrong } from '../lib/outcome.ts';
import type { Outcome, SimulationOptions } from '../lib/simulation.ts';
import { orgClock, pickBy, worldFolder } from '../lib/world-place.ts';
import { configOf, credentials, EngineProcess, type EngineWorld } from './engine-process.ts';
import { mappingsOf } from './mapping.ts';
import { OrgHistory } from './org-history.ts';
import { People } from './people.ts';
import { type ActionKind, hour, type Plan, planOf, startMs } from './plan.ts';
import { type OpenCall, pubsubOf } from './simulated-grpc.ts';
import type { Copy, SimulatedTarget } from './simulated-target.ts';
import { TargetFile } from './target-file.ts';
import { TargetPostgres } from './target-postgres.ts';

/** The world's own time in which everything has to be mended once nothing goes wrong any more: more than two deltas may take. */
const settleMs = 30 * 60_000;
/** In which a change is there once everything is mended; where nothing was heard of the stream, after that is found out. */
const freshMs = 20_000;
const silentMs = 330_000;
/** After it has become equal it has to stay so. */
const calmMs = 20_000;
const stepsMax = 200_000;

export async function runWorld(seed: number, options: SimulationOptions): Promise<Outcome> {
  return outcomeOf(await World.open(seed, options));
}

class World {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #emulator: Emulator;
  readonly #target: SimulatedTarget;
  readonly #store: Store;
  readonly #network: Network;
  readonly #engineWorld: EngineWorld;
  readonly #people: People;
  readonly #truth: OrgHistory;
  readonly #org = new Life('org');
  readonly #fate = new Life('world');
  readonly #mappings: ReturnType<typeof mappingsOf>;
  #process: EngineProcess | null = null;
  #lives = 0;
  #startedAtMs = 0;
  readonly #alive = new Set<Life>();
  #whole = 0;
  /** Commits of the org that a read may have brought ahead of their turn: until the stream has passed them, the copy is catching up. */
  #catchingUpTo = 0;
  /** The last event of them. */
  #catchingUpToId = 0;
  #polls = 0;
  /** Which of its states each record was seen in last. */
  readonly #seenOf = new Map<string, number>();
  /** A reader has seen that everything is as new as that. */
  #isCaughtUp = false;
  /** The copy was as after this commit, at least. */
  #seen = 0;
  #killIn = Number.POSITIVE_INFINITY;
  /** What happens after so many more steps in which `during` holds. */
  readonly #inSteps = new Set<{ left: number; readonly during: () => boolean; readonly call: () => void }>();
  /** What goes wrong once more while a sync is read again. */
  #next: (() => unknown) | null = null;
  readonly #streams = new Set<OpenCall>();
  #actionsLeft: number;
  #busy = 0;

  static async open(seed: number, options: SimulationOptions): Promise<World> {
    const random = seededRandom(seed);
    const plan = planOf(random);
    const history = new History(options.linesMax);
    const org = new Life('org');
    const clockRef: { scheduler: Scheduler | null } = { scheduler: null };
    const clock = orgClock(() => (clockRef.scheduler?.now() ?? startMs) + plan.orgSkewMs);
    const emulator = await startEmulator({
      listen: false,
      publicUrl: 'https://org.example.com',
      clock,
      seed,
      changeEvents: ['Account', 'Contact'],
      credentials,
      limits: { DailyApiRequests: 10_000_000 },
    });
    const store = await openStore(':memory:');
    const target = await openTarget(options.target);
    return new World({ seed, plan, random, history, org, clockRef, emulator, store, target });
  }

  private constructor(parts: {
    seed: number;
    plan: Plan;
    random: Random;
    history: History;
    org: Life;
    clockRef: { scheduler: Scheduler | null };
    emulator: Emulator;
    store: Store;
    target: SimulatedTarget;
  }) {
    const { seed, plan, random, history, clockRef, emulator, store } = parts;
    this.#seed = seed;
    this.#plan = plan;
    this.#random = random;
    this.#emulator = emulator;
    this.#store = store;
    this.#org = parts.org;
    this.#scheduler = new Scheduler({ random, startMs, history, onStep: () => this.#onStep() });
    clockRef.scheduler = this.#scheduler;
    this.#target = parts.target;
    this.#mappings = mappingsOf(plan);
    this.#network = { scheduler: this.#scheduler, random, emulator, faults: plan.faults, onDone: () => this.#onDone() };
    this.#engineWorld = {
      scheduler: this.#scheduler,
      plan,
      network: this.#network,
      grpc: {
        service: pubsubOf(emulator, this.#scheduler, this.#org),
        scheduler: this.#scheduler,
        random,
        faultsNow: () => this.#network.faults,
        open: this.#streams,
        ...(plan.strict ? { inDoubt: new WeakSet() } : {}),
      },
      store,
      target: this.#target,
      config: configOf(this.#mappings, plan, this.#target),
    };
    this.#people = new People(emulator, this.#scheduler, this.#org, random, plan);
    this.#truth = new OrgHistory(emulator, this.#mappings);
    this.#actionsLeft = plan.actions;
  }

  outcome(failure: readonly string[]): Outcome {
    const { history, steps } = this.#scheduler;
    return {
      seed: this.#seed,
      failure,
      hash: history.hash,
      counts: { steps, commits: this.#truth.commits, lives: this.#lives, 'looks of a reader': this.#whole },
      lines: history.lines(),
    };
  }

  async live(): Promise<void> {
    for (let i = 0; i < this.#plan.records; i++) this.#people.write();
    // Some of what is there has been there for long.
    const aged = this.#random() < 0.5 ? 0 : this.#random() * 48 * hour;
    this.#scheduler.skip(this.#plan.startsLate ? aged + hour : aged);
    this.#start();
    this.#nextAction();
    await this.#scheduler.run(() => this.#actionsLeft === 0 && this.#busy === 0 && this.#people.open === 0);
    this.#say('nothing goes wrong from here on');
    this.#network.faults = null;
    this.#killIn = Number.POSITIVE_INFINITY;
    this.#target.unlock();
    for (const { sync } of this.#mappings) await this.#store.setPaused(sync, false);
    this.#next = null;
    // Who has lost the stream to one that was put down since, finds out when it has something to write.
    do await this.#settle();
    while (!(await this.#encore()));
  }

  async close(): Promise<void> {
    for (const life of this.#alive) this.#scheduler.abandon(life);
    await this.#target.close();
    await this.#emulator.close();
    await this.#store[Symbol.asyncDispose]();
  }

  /** Until the copy is the org, and stays so. */
  async #settle(): Promise<void> {
    const now = () => this.#scheduler.now();
    const untilMs = now() + settleMs;
    let equalSinceMs: number | null = null;
    let lookAtMs = 0;
    let last: string[] = [];
    await this.#scheduler.run(async () => {
      if (this.#process === null) this.#start();
      if (now() < lookAtMs) return false;
      lookAtMs = now() + (equalSinceMs === null ? 2000 : calmMs / 2);
      last = this.#truth.differences(await this.#target.read(this.#mappings));
      if (last.length > 0 && equalSinceMs !== null) throw new Wrong(['it was equal and is not any more', ...last].join('\n'));
      const [status] = this.#process!.status;
      const isLive = status?.state === 'live' && status.rereads.length === 0;
      // What was read while there was no stream is ahead of it: until it has passed that, it may tell of what was before (P3).
      if (last.length === 0 && isLive) {
        equalSinceMs ??= now();
        if (now() - equalSinceMs > calmMs) return true;
      }
      if (now() < untilMs) return false;
      const state = `the stream is ${status?.state}${status?.reason ? ` (${status.reason})` : ''}, rereads: ${status?.rereads.join(', ') || 'none'}`;
      throw new Wrong([`not settled ${settleMs / 60_000} minutes after the last fault: ${state}`, ...last].join('\n'));
    });
    const failures = await this.#store.failures({});
    if (failures.length > 0)
      throw new Wrong(`failures are left: ${failures.map(({ sync, key, message }) => `${sync} ${key} ${message}`).join(', ')}`);
  }

  /**
   * All is well. What is written now comes by the stream, within seconds, and a session that ends does not keep it from that.
   * @returns whether it was so; not when the process found out just then that one which is gone had taken its stream over
   */
  async #encore(): Promise<boolean> {
    const now = () => this.#scheduler.now();
    this.#say('something more is written');
    const running = this.#process!;
    const before = running.interruptions.length;
    const hasLost = () => running.status[0]?.state === 'stopped';
    const withinMs = [...this.#streams].every(({ isHeard }) => isHeard) ? freshMs : silentMs;
    const untilMs = now() + withinMs;
    if (this.#random() < 0.5) this.#emulator.sessions.revokeAll();
    for (let i = 0; i < 3; i++) this.#people.write();
    let lookAtMs = 0;
    await this.#scheduler.run(async () => {
      if (this.#process !== running || hasLost()) return true;
      if (now() < lookAtMs) return false;
      lookAtMs = now() + 500;
      const last = this.#truth.differences(await this.#target.read(this.#mappings));
      if (last.length === 0) return true;
      if (now() < untilMs) return false;
      throw new Wrong([`the stream did not bring it within ${withinMs / 1000} s, though nothing was wrong`, ...last].join('\n'));
    });
    if (this.#process !== running || hasLost()) return false;
    const interruptions = running.interruptions.slice(before);
    if (interruptions.length > 0) throw new Wrong(`though nothing was wrong: ${interruptions.join('\n')}`);
    return true;
  }

  #start(): void {
    const { killSteps } = this.#plan;
    this.#startedAtMs = this.#scheduler.now();
    this.#process = new EngineProcess(this.#engineWorld, ++this.#lives, seededRandom(this.#seed * 1009 + this.#lives));
    const { life } = this.#process;
    this.#alive.add(life);
    life.onAbandoned(() => this.#alive.delete(life));
    if (this.#network.faults !== null && killSteps !== null) {
      this.#killIn = Math.ceil(-Math.log(1 - this.#random()) * killSteps);
    }
  }

  #onStep(): void {
    if (this.#scheduler.steps > stepsMax) throw new Wrong(`still busy after ${stepsMax} steps`);
    for (const due of this.#inSteps) {
      if (!due.during() || --due.left > 0) continue;
      this.#inSteps.delete(due);
      due.call();
    }
    const running = this.#process;
    if (running === null) return;
    if (running.ended !== undefined) this.#hasEnded(running);
    else {
      // While something is read again, what is read is ahead of what the stream has brought.
      const [status] = running.status;
      const isAlone = this.#alive.size === 1;
      // What a former life has left to be read is known once the stream is live.
      // A sync that stands aside is behind the others, and read again when it comes back.
      const isBehind = status === undefined || status.rereads.length > 0 || Object.keys(status.aside).length > 0;
      if (!isAlone || isBehind || this.#target.polls !== this.#polls) this.#catchUp();
      else if (status.state === 'live' && this.#random() < 0.03) this.#look();
      if (--this.#killIn <= 0) this.#kill();
    }
  }

  #hasEnded({ ended, life }: EngineProcess): void {
    if (ended?.error !== undefined) throw new Wrong(`the process has failed: ${(ended.error as Error).stack ?? ended.error}`);
    this.#scheduler.abandon(life);
    this.#gone();
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

  /** Somebody reads the target. */
  #look(): void {
    if (!this.#target.readsAtOnce || !this.#hasCaughtUp()) return;
    const copy = this.#target.read(this.#mappings) as Copy | null;
    if (copy === null) return;
    if (this.#plan.strict) this.#lookAtAll(copy);
    else this.#lookAtRecords(copy);
  }

  /** All tables, as of one moment. */
  #lookAtAll(copy: Copy): void {
    const from = Math.max(this.#catchingUpTo, this.#seen);
    const { moments, reason } = this.#truth.momentsOf(copy, from);
    if (moments.length > 0) {
      this.#whole++;
      this.#seen = moments[0]!;
      return;
    }
    throw new Wrong(`a reader saw what never was (P3, P6): ${reason}`);
  }

  /** One record after the other, where what is read again may be ahead of what the stream brings. */
  #lookAtRecords(copy: Copy): void {
    const { wildcard, lose } = this.#plan.weights;
    // Of a conversion no commit tells, and of a lost event no stream.
    if (wildcard > 0 || lose > 0) return;
    const gone = this.#truth.goneBack(copy, this.#seenOf, this.#catchingUpTo);
    if (gone === null) this.#isCaughtUp = true;
    else if (this.#isCaughtUp) throw new Wrong(`a reader saw a record go back (P3): ${gone}`);
  }

  #catchUp(): void {
    this.#catchingUpTo = this.#truth.commits;
    this.#catchingUpToId = this.#emulator.events.channel('/data/ChangeEvents')!.resolve('latest')!;
    this.#polls = this.#target.polls;
    this.#isCaughtUp = false;
  }

  /** Whether the stream has passed all that was read. */
  #hasCaughtUp(): boolean {
    const [, id] = /^pubsub:([A-Za-z0-9+/=]+)$/.exec(this.#target.position() ?? '') ?? [];
    if (id === undefined || id === 'unheard') return false;
    return this.#emulator.events.replayIdOf(Buffer.from(id, 'base64')) >= this.#catchingUpToId;
  }

  #nextAction(): void {
    const { burst, shortMs, longMs } = this.#plan.gaps;
    const gapMs = this.#random() < burst ? shortMs : longMs;
    this.#later('action', -Math.log(1 - this.#random()) * gapMs, () => {
      const kind = pickBy(this.#random, this.#plan.weights);
      this.#say(kind);
      this.#acts[kind](this.#random() < 0.5 ? 'Account' : 'Contact');
      if (--this.#actionsLeft > 0) this.#nextAction();
    });
  }

  readonly #acts: Readonly<Record<ActionKind, (object: 'Account' | 'Contact') => void>> = {
    write: () => this.#people.write(),
    large: () => {
      this.#people.write();
      this.#people.writeLarge();
      // In the middle of it is where there is most to lose.
      if (this.#plan.killSteps !== null && this.#random() < 0.4) this.#killIn = Math.ceil(this.#random() * 40);
    },
    late: () => this.#people.writeLate(),
    gap: () => this.#writeTold('gap-event'),
    overflow: () => {
      this.#writeTold('overflow-event');
      this.#again(() => this.#writeTold('overflow-event'));
    },
    lose: () => this.#writeTold('lost-event'),
    revive: () => this.#people.revive((undelete) => this.#told('lost-event', undelete)),
    wildcard: (object) => {
      // Whoever does not listen yet, or any more, is not told, and no stamp tells of it later.
      const isOld = () => this.#scheduler.now() - this.#startedAtMs > 30_000;
      const isHeard = () =>
        this.#process?.status[0]?.state === 'live' && isOld() && [...this.#streams].every((stream) => stream.isHeard);
      if (!isHeard()) return;
      this.#convert(object);
      this.#again(() => isHeard() && this.#convert(object));
    },
    tokens: () => void this.#emulator.sessions.revokeAll(),
    stop: () => this.#process?.stop(),
    kill: () => this.#kill(),
    away: () => {
      // Nobody starts it for longer than events are kept.
      this.#process?.kill();
      this.#gone(100);
      for (let i = 0; i < 3; i++) this.#people.write();
      this.#scheduler.skip(this.#random() * 100 * hour);
    },
    pause: () => {
      const { sync } = this.#mappings[Math.floor(this.#random() * this.#mappings.length)]!;
      void this.#store.setPaused(sync, true);
      this.#later('resume', this.#random() * 60_000, () => void this.#store.setPaused(sync, false));
    },
    freeze: () => {
      // In the middle of its work, perhaps: when something has come and is not written yet.
      this.#people.write();
      const during = () => this.#random() < 0.05 || (this.#process?.status[0]?.waiting ?? 0) > 0;
      this.#afterSteps(this.#random() * 5, during, () => this.#freeze());
    },
    // The whole machine sleeps: nothing happens, and then much is due at once.
    suspend: () => this.#scheduler.skip(this.#random() < 0.5 ? 300_000 * this.#random() : this.#random() * 6 * hour),
    lock: () => {
      if (this.#target.lock()) this.#later('unlock', this.#random() * 20_000, () => this.#target.unlock());
    },
  };

  /** Somebody takes it for dead and starts another one; it wakes up beside that, and is put down soon. */
  #freeze(): void {
    const frozen = this.#process;
    if (frozen === null) return;
    this.#scheduler.freeze(frozen.life);
    // Its connections may be dead by the time it wakes up, and what it holds is all that it knows.
    if (this.#random() < 0.5) for (const stream of this.#streams) if (stream.life === frozen.life) stream.fallSilent();
    this.#people.write();
    this.#gone(this.#random() * 2000);
    const putDown = () => this.#scheduler.abandon(frozen.life);
    this.#later('thaw', this.#random() * 60_000, () => {
      this.#scheduler.thaw(frozen.life);
      if (this.#random() < 0.5) this.#later('put down', this.#random() * 30_000, putDown);
      else this.#afterSteps(this.#random() * 60, () => true, putDown);
    });
  }

  #afterSteps(steps: number, during: () => boolean, call: () => void): void {
    this.#busy++;
    const done = () => {
      this.#busy--;
      call();
    };
    this.#inSteps.add({ left: steps, during, call: done });
  }

  /** As the conversion of a field does: values change, and neither stamps nor ids tell of it. */
  #convert(object: 'Account' | 'Contact'): void {
    this.#people.convert(object);
    this.#emulator.events.emitGap(object, 'GAP_UPDATE', [object === 'Account' ? '001*' : '003*']);
  }

  /** Maybe once more, while what the first one has set going is under way: right after the org has answered something. */
  #again(call: () => unknown): void {
    if (this.#random() < 0.7) this.#next = call;
  }

  #onDone(): void {
    const isReadAgain = (this.#process?.status[0]?.rereads.length ?? 0) > 0;
    if (this.#next === null || !isReadAgain || this.#random() < 0.5) return;
    this.#next();
    this.#next = null;
  }

  /** A write whose first event is not the one that tells of it. */
  #writeTold(kind: 'gap-event' | 'overflow-event' | 'lost-event'): void {
    this.#told(kind, () => this.#people.write());
  }

  #told(kind: 'gap-event' | 'overflow-event' | 'lost-event', write: () => void): void {
    const { faults } = this.#emulator;
    const fault = faults.add({ kind, match: { times: 1 } });
    try {
      write();
    } finally {
      faults.remove(fault);
    }
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

async function openTarget(name: string): Promise<SimulatedTarget> {
  if (name === 'postgres') return TargetPostgres.create();
  if (name === 'sqlite') return new TargetFile(join(worldFolder(), `${process.pid}.db`));
  throw new Error(`there is no target ${name}: sqlite or postgres`);
}
