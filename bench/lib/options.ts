export interface BenchOptions {
  readonly rows: number;
  readonly rounds: number;
  /** Leaves out what is slow and is no promise: the baselines. */
  readonly quick: boolean;
}
