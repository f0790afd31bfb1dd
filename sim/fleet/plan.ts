import type { Random } from '@tidemark/core';
import type { Faults } from '../live/plan.ts';

export type ActionKind =
  | 'write'
  | 'large'
  | 'late'
  | 'kill'
  | 'freeze'
  | 'cut state'
  | 'cut org'
  | 'stop'
  | 'reconfigure'
  | 'pause'
  | 'run beside'
  | 'reset'
  | 'tokens'
  | 'lock';

/** What a seed decides before its world begins. */
export interface Plan {
  /** Processes that somebody keeps running. */
  readonly workers: number;
  readonly faults: Faults;
  /** Time between deltas of the syncs that are polled. */
  readonly everyMs: number;
  /** Clocks of the machines, by worker, minus the true time. */
  readonly skewsMs: readonly number[];
  /** Records that are there before the first start. */
  readonly records: number;
  /** Things that happen. */
  readonly actions: number;
  /** Between two of them, on average: some come in bursts. */
  readonly gaps: { readonly burst: number; readonly shortMs: number; readonly longMs: number };
  /** How often each kind of thing happens, against each other. */
  readonly weights: Readonly<Record<ActionKind, number>>;
}

const second = 1000;
const hour = 3_600_000;

export function planOf(random: Random): Plan {
  const chance = (p: number) => random() < p;
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const maybe = (p: number, value: number) => (chance(p) ? value : 0);
  const workers = between(2, 3);
  return {
    workers,
    faults: {
      http: {
        lost: maybe(0.3, 0.04),
        replyLost: maybe(0.3, 0.04),
        cutBody: maybe(0.2, 0.04),
        unavailable: maybe(0.3, 0.04),
        slow: maybe(0.3, 0.04),
      },
      stream: { cut: maybe(0.4, 0.05), repeated: maybe(0.3, 0.08), silent: 0, slow: maybe(0.3, 0.1) },
    },
    everyMs: between(2, 15) * second,
    skewsMs: Array.from({ length: workers }, () => (chance(0.5) ? 0 : between(-3, 3) * hour + between(-5000, 5000))),
    records: between(0, 6),
    actions: between(5, 25),
    gaps: { burst: random(), shortMs: between(2, 500), longMs: between(500, 8000) },
    weights: {
      write: 14,
      large: maybe(0.3, 2),
      late: maybe(0.3, 2),
      kill: maybe(0.7, 4),
      freeze: maybe(0.8, 5),
      'cut state': maybe(0.7, 4),
      'cut org': maybe(0.5, 2),
      stop: maybe(0.5, 3),
      reconfigure: maybe(0.4, 3),
      pause: maybe(0.3, 2),
      'run beside': maybe(0.4, 3),
      reset: maybe(0.2, 1),
      tokens: maybe(0.3, 2),
      lock: maybe(0.3, 2),
    },
  };
}
