import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { SyncConfig } from '../config/config.ts';
import type { Checkpoints, Source, Target } from '../model/connector.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import type { WriteGate } from './live/write-gate.ts';
import type { Outcomes } from './outcomes.ts';
import type { Steps } from './steps.ts';

/** What every procedure works with: a sync with its two sides open and its steps compiled. */
export interface OpenedSync {
  readonly config: SyncConfig;
  readonly source: Source;
  readonly target: Target;
  readonly steps: Steps;
  /** The target's own, or the store's. */
  readonly checkpoints: Checkpoints;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whether the user has paused it, as of a few seconds ago. */
  paused(): Promise<boolean>;
  /** Keeps polls and stream apart; null when no stream feeds the sync. */
  readonly gate: WriteGate | null;
  /** Absent where nobody asks what became of single records. */
  readonly outcomes?: Outcomes | undefined;
  /** The other syncs that write the same dataset, by their checkpoints: of other orgs, or other parts of the source. */
  neighbours?(): readonly string[];
}

export async function closeSync({ source, target, steps }: Pick<OpenedSync, 'source' | 'target' | 'steps'>): Promise<void> {
  await target[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  await steps[Symbol.asyncDispose]();
}

/** A poll's turn: nothing that the stream writes comes between. */
export function inTurn<T>(sync: Pick<OpenedSync, 'gate'>, work: () => Promise<T>): Promise<T> {
  return sync.gate === null ? work() : sync.gate.exclusive(work);
}

/** One run's handles: hard stop, soft stop, counting. */
export interface RunScope {
  /** Aborts what is under way; the transaction under way is rolled back. */
  readonly signal: AbortSignal;
  /** Aborts what is being read when a stop is asked for as well: that loses nothing. */
  readonly reading: AbortSignal;
  /** Asked between batches and pages: finish what is being written, then stop. */
  stopping(): boolean;
  readonly tally: Tally;
  readonly epoch: number;
  /** The same for all attempts of one run. */
  readonly run: { loadsThrownAway: number };
}

/** Where a run has come to, for a progress bar. */
export interface Progress {
  readonly phase: 'reading' | 'merging' | 'sweeping' | 'delta' | 'verifying';
  readonly rows: number;
  /** Roughly how many there will be; null when nobody knows. */
  readonly estimate: number | null;
}

/** Thrown between two pieces of work when the user asked for a stop. Everything so far is kept. */
export class StoppedError extends Error {
  constructor() {
    super('stopped by request');
    this.name = 'StoppedError';
  }
}

/** Records that were written to one side of a two-way sync. */
export interface SideCounts {
  readonly connection: string;
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
}

/** Counts of a run in the making. */
export class Tally {
  read = 0;
  created = 0;
  updated = 0;
  unchanged = 0;
  deleted = 0;
  failed = 0;
  dropped = 0;
  /** Where writes go two ways: what each side got. */
  sides: readonly SideCounts[] = [];
  windowFromMs: number | null = null;
  windowToMs: number | null = null;
  heldBy: string | null = null;
  /** Pieces of work that are durable: pages and batches. Growing means progress. */
  kept = 0;
  readonly #report: (progress: Progress) => void;

  constructor(report: (progress: Progress) => void = () => {}) {
    this.#report = report;
  }

  progress(phase: Progress['phase'], rows: number, estimate: number | null = null): void {
    this.#report({ phase, rows, estimate });
  }

  window(window: { fromMs: number; toMs: number } | undefined): void {
    if (window === undefined) return;
    this.windowFromMs = Math.min(this.windowFromMs ?? window.fromMs, window.fromMs);
    this.windowToMs = Math.max(this.windowToMs ?? window.toMs, window.toMs);
  }

  counts() {
    const { read, created, updated, unchanged, deleted, failed, dropped } = this;
    return { read, created, updated, unchanged, deleted, failed, dropped };
  }
}
