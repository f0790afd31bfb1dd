import { History, Life, Scheduler, SimulatedWorkers } from '@tidemark/testkit/simulation';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NotConnectedError } from '../../base/errors.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { Ownership, type Until } from './ownership.ts';
import type { Unit } from './units.ts';

// Whatever befalls workers, a unit is never worked on by two of them, and by one of them again within ten seconds.           (P11)

const TAKE_OVER_MS = 10_000;
/** After the last thing that happened: the share of one who is gone is missed, and who then has too much gives it up. */
const FAIR_MS = 20_000;
const UNITS = 7;

const unit = (name: string): Unit => ({ name, group: name, version: 'v', hash: '', syncs: [], pairing: null });
const units = Array.from({ length: UNITS }, (_, i) => unit(`unit ${i}`));

class SimulatedWorker {
  readonly life: Life;
  readonly stopped = new AbortController();
  readonly working = new Map<string, Until>();
  thawedAtMs = Number.NEGATIVE_INFINITY;
  isFrozen = false;
  isCut = false;
  hasEnded = false;
  failure: unknown = null;

  constructor(name: string, world: World) {
    this.life = new Life(name);
    const { scheduler, workers, random } = world;
    const clock = scheduler.clock(this.life, (random() - 0.5) * 86_400_000);
    const delay = () => Math.floor(random() * 30);
    let sessions: string[] = [];
    this.life.onAbandoned(() => {
      for (const id of sessions) workers.end(id);
    });
    const line = {
      ask: async <T>(what: string, question: () => T): Promise<T> => {
        const isLost = this.isCut;
        if (isLost) {
          await clock.sleep(5000);
          throw new NotConnectedError('nobody answers');
        }
        const answer = await scheduler.outside(this.life, what, question, { beforeMs: delay(), afterMs: delay() });
        if (what === 'join') sessions = [...sessions, answer as string];
        // It went through, and nobody hears of it.
        if (!this.isCut) return answer;
        await clock.sleep(5000);
        throw new NotConnectedError('nobody answers');
      },
      tell: (what: string, hear: () => void) => {
        if (this.isCut) return;
        scheduler.after(this.life, what, delay(), () => {
          hear();
          return undefined;
        });
      },
    };
    const ownership = new Ownership({
      workers: workers.reachedBy(line),
      self: { name, version: '1', startedAtMs: clock.now() },
      clock,
      random,
      log: { debug() {}, warn() {}, error() {}, info: (data) => this.#isSaid(data) },
      stop: this.stopped.signal,
      signal: new AbortController().signal,
      units: () => units,
      unitsChange: async () => {},
      work: async ({ name: of }, until) => {
        this.working.set(of, until);
        while (!until.stop.aborted && !until.signal.aborted) {
          await clock.sleep(60_000, AbortSignal.any([until.stop, until.signal])).catch(() => {});
        }
        // What is under way is finished.
        if (!until.signal.aborted) await clock.sleep(random() * 3000, until.signal).catch(() => {});
        this.working.delete(of);
      },
    });
    ownership.run().then(
      () => {
        this.hasEnded = true;
      },
      (error: unknown) => {
        this.failure = error;
      },
    );
  }

  /** What it says to own is what it works on and has not been told to give up. */
  #isSaid(data: { readonly owned?: number }): void {
    const own = [...this.working.values()].filter(({ stop, signal }) => !stop.aborted && !signal.aborted).length;
    if (data.owned !== undefined && data.owned !== own) this.failure = new Error(`it says ${data.owned} and works on ${own}`);
  }

  /** Of what it works on, that which nothing has told it to let go at once. */
  get effective(): readonly string[] {
    return [...this.working].flatMap(([name, { signal }]) => (signal.aborted ? [] : [name]));
  }
}

class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly workers: SimulatedWorkers;
  readonly #fate = new Life('fate');
  #alive: SimulatedWorker[] = [];
  #named = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.scheduler = new Scheduler({ random: this.random, startMs: 1_000_000, history: new History(0) });
    this.workers = new SimulatedWorkers(() => this.scheduler.now());
  }

  join(): void {
    if (this.#alive.length < 4) this.#alive.push(new SimulatedWorker(`worker ${++this.#named}`, this));
  }

  do(what: Deed, ms: number): void {
    const worker = this.#alive[Math.floor(this.random() * this.#alive.length)];
    if (what === 'join' || worker === undefined) this.join();
    else if (what === 'kill') {
      this.scheduler.abandon(worker.life);
      this.#forget(worker);
    } else if (what === 'stop') worker.stopped.abort();
    else if (what === 'freeze' && !worker.isFrozen) {
      worker.isFrozen = true;
      this.scheduler.freeze(worker.life);
      this.#later(ms, () => {
        worker.isFrozen = false;
        worker.thawedAtMs = this.scheduler.now();
        if (!worker.life.abandoned) this.scheduler.thaw(worker.life);
      });
    } else if (what === 'cut' && !worker.isCut) {
      worker.isCut = true;
      this.#later(ms, () => {
        worker.isCut = false;
      });
    }
  }

  /** Lets time pass; looks at every moment. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.scheduler.now() + ms;
    let isOver = false;
    this.#later(ms, () => {
      isOver = true;
    });
    await this.scheduler.run(() => {
      for (const worker of this.#alive) if (worker.hasEnded) this.#forget(worker);
      this.#look();
      return isOver && this.scheduler.now() >= untilMs;
    });
  }

  /** Those that can work. */
  get able(): readonly SimulatedWorker[] {
    return this.#alive.filter(({ isFrozen, isCut, stopped }) => !isFrozen && !isCut && !stopped.signal.aborted);
  }

  #look(): void {
    const seen = new Map<string, string>();
    for (const worker of this.#alive) {
      if (worker.failure !== null) throw worker.failure;
      // What was due while it was frozen has not happened to it yet: until then it is epochs that keep it from writing.
      if (worker.isFrozen || worker.thawedAtMs === this.scheduler.now()) continue;
      for (const name of worker.effective) {
        if (seen.has(name)) throw new Error(`${name} has two owners: ${seen.get(name)} and ${worker.life.name}`);
        seen.set(name, worker.life.name);
      }
    }
  }

  #forget(worker: SimulatedWorker): void {
    this.#alive = this.#alive.filter((each) => each !== worker);
  }

  #later(ms: number, call: () => void): void {
    this.scheduler.after(this.#fate, 'fate', ms, () => {
      call();
      return undefined;
    });
  }
}

const deeds = ['join', 'kill', 'stop', 'freeze', 'cut'] as const;
type Deed = (typeof deeds)[number];

const story = fc.array(fc.record({ what: fc.constantFrom(...deeds), ms: fc.nat(30_000), thenMs: fc.nat(25_000) }), {
  maxLength: 8,
});

test('whatever befalls workers, no unit has two of them at work, and each has one soon', () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), story, async (seed, deedsOfIt) => {
      const world = new World(seed);
      world.join();
      world.join();
      for (const { what, ms, thenMs } of deedsOfIt) {
        world.do(what, ms);
        await world.pass(thenMs);
      }
      // All that was broken is whole again by now, and somebody is there.
      await world.pass(40_000);
      if (world.able.length === 0) world.join();
      await world.pass(FAIR_MS);
      const able = world.able;
      expect(able.flatMap(({ effective }) => effective).sort()).toEqual(units.map(({ name }) => name));
      for (const { effective } of able) expect(effective.length).toBeLessThanOrEqual(Math.ceil(UNITS / able.length));
    }),
    { numRuns: 150 },
  ));

test.each(['kill', 'freeze', 'cut', 'stop'] as const)('what a worker did is done by another one within ten seconds: %s', (what) =>
  fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(4000), async (seed, atMs) => {
      const world = new World(seed);
      world.join();
      world.join();
      await world.pass(20_000 + atMs);
      const before = world.able;
      expect(before.length).toBe(2);
      world.do(what, 60_000);
      await world.pass(TAKE_OVER_MS);
      const [left, ...others] = world.able;
      expect(others).toEqual([]);
      expect([...left!.effective].sort()).toEqual(units.map(({ name }) => name));
    }),
    { numRuns: 40 },
  ),
);
