/** A simulation that `npm run sim` offers: a world from a seed, and what became of it. */
export interface Simulation {
  readonly mutations: readonly Mutation[];
  run(seed: number, options: SimulationOptions): Promise<Outcome>;
  /** Stops what worlds shared. */
  close?(): Promise<void>;
}

export interface SimulationOptions {
  /** Lines of the world's history to keep; 0 for a verdict alone. */
  readonly linesMax: number;
  /** `sqlite`; others are real servers, and then only the end is the same from run to run. */
  readonly target: string;
}

export interface Outcome {
  readonly seed: number;
  /** What is wrong, shortest first; empty when all is well. */
  readonly failure: readonly string[];
  /** Of everything that happened, in order: the same seed has the same. */
  readonly hash: string;
  /** What went on in it, to see that worlds are neither empty nor endless. */
  readonly counts: Readonly<Record<string, number>>;
  /** The end of the history, oldest first. */
  readonly lines: readonly string[];
}

/** A safeguard broken on purpose, to see that the simulation would notice. */
export interface Mutation {
  /** What is broken, in a few words. */
  readonly name: string;
  /** The promise that goes with it. */
  readonly promise: string;
  readonly edits: readonly Edit[];
  /** Where no world can show it: a test that does. */
  readonly test?: { readonly file: string; readonly name: string };
}

/** A change of a source file, from the workspace's root. */
export interface Edit {
  readonly file: string;
  /** Occurs there once. */
  readonly find: string;
  readonly replace: string;
}
