/** How many calls were made of a system, for whose work, in one stretch of time. */
export interface CountedCalls {
  readonly priority: string;
  /** Where the stretch begins, epoch ms by our clock. */
  readonly fromMs: number;
  readonly calls: number;
}

/** The calls of all processes that share this store, so that together they keep to one budget (P8). */
export interface CallStore {
  /** Adds to what is there, and forgets what began before `keepFromMs`. */
  add(connection: string, counted: readonly CountedCalls[], keepFromMs: number): Promise<void>;
  read(connection: string): Promise<readonly CountedCalls[]>;
}
