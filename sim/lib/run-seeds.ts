import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Outcome, SimulationOptions } from './simulation.ts';
import { simulations } from './simulations.ts';

export interface Range {
  readonly from: number;
  readonly seeds: number;
}

export interface SeedsRun {
  readonly failures: readonly Outcome[];
  readonly worlds: number;
  readonly seconds: number;
  /** Sums over all worlds. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface RunSeedsOptions extends SimulationOptions {
  readonly workers: number;
  /** Ends after so many failures. */
  readonly failuresMax: number;
  readonly onWorld?: (outcome: Outcome) => void;
}

/** What one worker process is told. */
export interface Task extends SimulationOptions {
  readonly name: string;
  readonly seed: number;
}

/**
 * A life that was killed never lets go of what it waited for, and Node keeps a composite signal for as long as somebody listens to it:
 * the world of each is kept by its process, which makes way for a new one before that adds up.
 */
const WORLDS_IN_PROCESS = 200;

/** Runs a range of seeds, in this process or spread over several. */
export async function runSeeds(name: string, { from, seeds }: Range, options: RunSeedsOptions): Promise<SeedsRun> {
  const startedMs = performance.now();
  const failures: Outcome[] = [];
  const counts: Record<string, number> = {};
  let worlds = 0;
  let next = from;
  const take = () => (next < from + seeds && failures.length < options.failuresMax ? next++ : null);
  const tell = (outcome: Outcome) => {
    worlds++;
    for (const [count, value] of Object.entries(outcome.counts)) counts[count] = (counts[count] ?? 0) + value;
    if (outcome.failure.length > 0) failures.push(outcome);
    options.onWorld?.(outcome);
  };
  const { linesMax, target } = options;
  if (options.workers <= 1 && seeds <= WORLDS_IN_PROCESS) {
    const simulation = await simulations[name]!.load();
    for (let seed = take(); seed !== null; seed = take()) tell(await simulation.run(seed, { linesMax, target }));
    await simulation.close?.();
  } else {
    let left = true;
    const takeOrEnd = () => {
      const seed = take();
      left &&= seed !== null;
      return seed;
    };
    const work = async () => {
      while (left) await inWorker(takeOrEnd, (seed) => ({ name, seed, linesMax, target }), tell);
    };
    await Promise.all(Array.from({ length: Math.min(options.workers, seeds) }, work));
  }
  failures.sort((a, b) => a.seed - b.seed);
  return { failures, worlds, seconds: (performance.now() - startedMs) / 1000, counts };
}

const workerFile = fileURLToPath(new URL('./worker-process.ts', import.meta.url));

function inWorker(take: () => number | null, taskOf: (seed: number) => Task, tell: (outcome: Outcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(workerFile);
    let given = 0;
    const give = () => {
      const seed = given++ < WORLDS_IN_PROCESS ? take() : null;
      if (seed === null) child.disconnect();
      else child.send(taskOf(seed));
    };
    child.on('message', (outcome: Outcome) => {
      tell(outcome);
      give();
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`a worker process of the simulation ended with ${code}`)),
    );
    give();
  });
}
