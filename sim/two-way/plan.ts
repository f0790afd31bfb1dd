import type { Random } from '@tidemark/core';
import type { Faults } from '../live/plan.ts';

/** What a seed decides before its world begins. */
export interface Plan {
  readonly conflicts: 'latest' | 'crm' | 'app' | 'manual' | 'module';
  readonly deletes: 'propagate' | 'ignore';
  /** Records that were never linked are found to be the same by their names. */
  readonly match: boolean;
  /** Changes are told as they come, by a stream of events and by the change log; deltas are rare then. */
  readonly live: boolean;
  /** Chances by which one message of the stream is hit. */
  readonly stream: Faults['stream'];
  /** A field of the app that only the org may change. */
  readonly oneWay: boolean;
  readonly everyMs: number;
  /** Between two runs over everything; null for none but the first. */
  readonly fullMs: number | null;
  readonly http: Faults['http'];
  /** Chance by which a row that we write is locked in the org. */
  readonly rowLocks: number;
  /** Each side writes one field in letters of its own. */
  readonly spellings: boolean;
  /** Chance by which somebody edits a record after we have read it and before our write is there. */
  readonly meanwhile: number;
  /** Chance by which the process dies while a write of ours is on its way, and somebody edits or deletes what it has not heard of. */
  readonly untimely: number;
  /** API calls that the org allows in a day; null for more than are needed. */
  readonly quota: number | null;
  /** Steps of a life after which it is killed, on average; null for never. */
  readonly killSteps: number | null;
  /** Clocks of the machine with engine and app, and of the org, minus the true time. */
  readonly machineSkewMs: number;
  readonly orgSkewMs: number;
  /** Records that are there before the first start, on each side. */
  readonly records: number;
  /** Share of them that name their partner on one of the sides: by whatever kept both before us. */
  readonly introduced: number;
  /** Things that happen. */
  readonly actions: number;
  /** Between two of them, on average. */
  readonly gapMs: number;
  readonly weights: Readonly<Record<ActionKind, number>>;
  /** Share of the app's phone numbers that the org does not take. */
  readonly refused: number;
  /** What becomes of values that the org refuses, before the end: somebody mends them, the org's rule goes, or nothing. */
  readonly mends: 'values' | 'rule' | null;
}

export type ActionKind =
  | 'org'
  | 'app'
  | 'both'
  | 'orgHeld'
  | 'appHeld'
  | 'resolve'
  | 'resolveBeside'
  | 'tokens'
  | 'stop'
  | 'kill'
  | 'freeze'
  | 'quota';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

export function planOf(random: Random): Plan {
  const chance = (p: number) => random() < p;
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const maybe = (p: number, value: number) => (chance(p) ? value : 0);
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const live = chance(0.25);
  const quota = chance(0.15) ? between(40, 200) : null;
  const conflicts = one('latest', 'crm', 'app', 'manual', 'manual', 'module') as Plan['conflicts'];
  // Where much is asked, people answer.
  const asked = conflicts === 'manual' || conflicts === 'module';
  return {
    conflicts,
    deletes: chance(0.75) ? 'propagate' : 'ignore',
    match: chance(0.3),
    oneWay: chance(0.3),
    spellings: chance(0.1),
    live,
    stream: { cut: maybe(0.5, 0.06), repeated: maybe(0.5, 0.1), silent: maybe(0.2, 0.01), slow: maybe(0.4, 0.1) },
    everyMs: between(4, 20) * (live ? 2 * second : second),
    fullMs: chance(0.3) ? between(2, 10) * minute : null,
    http: {
      lost: maybe(0.3, 0.05),
      replyLost: maybe(0.5, 0.08),
      cutBody: maybe(0.2, 0.05),
      unavailable: maybe(0.3, 0.05),
      slow: maybe(0.3, 0.05),
      twice: maybe(0.3, 0.1),
    },
    rowLocks: maybe(0.4, one(0.1, 0.6)),
    meanwhile: maybe(0.4, 0.2),
    untimely: maybe(0.4, one(0.1, 0.4)),
    quota,
    killSteps: chance(0.6) ? between(1, 16) * 20 : null,
    machineSkewMs: chance(0.6) ? 0 : between(-3, 3) * hour + between(-5000, 5000),
    orgSkewMs: chance(0.7) ? 0 : between(-2 * minute, 2 * minute),
    records: between(0, 4),
    introduced: maybe(0.4, 0.6),
    actions: between(6, 40),
    gapMs: chance(0.25) ? between(50, 1000) : between(1000, 15_000),
    weights: {
      org: 10,
      app: 10,
      both: maybe(0.7, asked ? 12 : 5),
      orgHeld: maybe(0.4, 2),
      appHeld: maybe(0.4, 2),
      resolve: maybe(0.7, asked ? 8 : 3),
      resolveBeside: maybe(0.5, asked ? 6 : 3),
      tokens: maybe(0.3, 1),
      stop: maybe(0.4, 1),
      kill: maybe(0.5, 1),
      freeze: maybe(0.25, 1),
      quota: quota === null ? 0 : 1,
    },
    refused: one(0.1, 0.5),
    mends: one('values', 'values', 'rule', null),
  };
}
