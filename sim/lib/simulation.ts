/** A simulation that `npm run sim` offers: a world from a seed, and what became of it. */
export interface Simulation {
  readonly summary: string;
  /** Named changes of the source that have to be caught. */
  readonly mutations?: () => Promise<readonly Mutation[]>;
  run(seed: number, options: SimulationOptions): Promise<Outcome>;
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

/** A safeguard broken on purpose. */
export interface Mutation {
  readonly name: string;
  /** What it takes away, and what that would cost a user. */
  readonly breaks: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
}
