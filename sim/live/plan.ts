import type { Random } from '@tidemark/core';

/** What may go wrong in a world. Each is on in some worlds and off in others, so that rare pairs meet undisturbed by the rest. */
export interface Faults {
  /** Chances by which one HTTP request is hit. */
  readonly http: {
    readonly lost: number;
    readonly replyLost: number;
    readonly cutBody: number;
    readonly unavailable: number;
    readonly slow: number;
    /** It is carried out twice, as when something between us and the org asks again. */
    readonly twice?: number;
  };
  /** Chances by which one message of the stream is hit. */
  readonly stream: {
    readonly cut: number;
    readonly repeated: number;
    readonly silent: number;
    readonly slow: number;
    /** A message comes once more when others have come after it. */
    readonly repeatedLate?: number;
    /** A subscription is held back on its way for longer than its client waits to hear from it. */
    readonly held?: number;
    /** Nobody answers what a schema looks like. */
    readonly schemaLost?: number;
  };
}

/** What a seed decides before its world begins. */
export interface Plan {
  /** The mapping needs nothing but what events carry, and nothing but the stream writes: P6 is then claimed without exception. */
  readonly strict: boolean;
  /** Time between deltas beside the stream; null for none at all, so that the stream has to do everything. */
  readonly everyMs: number | null;
  readonly faults: Faults;
  /** Steps of a life after which it is killed, on average; null for never. */
  readonly killSteps: number | null;
  /** Our clock minus the true time; the org's minus the true time. */
  readonly engineSkewMs: number;
  readonly orgSkewMs: number;
  /** Records that are there before the first start. */
  readonly records: number;
  /** Things that happen. */
  readonly actions: number;
  /** Between two of them, on average: some come in bursts. */
  readonly gaps: { readonly burst: number; readonly shortMs: number; readonly longMs: number };
  /** How often each kind of thing happens, against each other. */
  readonly weights: Readonly<Record<ActionKind, number>>;
  readonly filtered: boolean;
  readonly deletes: 'mirror' | 'mark';
  /** Some texts are so long that their changes are told as a diff. */
  readonly longTexts: boolean;
  /** What is there before the first start is older than what the syncs begin with. */
  readonly startsLate: boolean;
}

export type ActionKind =
  | 'write'
  | 'large'
  | 'late'
  | 'gap'
  | 'overflow'
  | 'wildcard'
  | 'tokens'
  | 'stop'
  | 'away'
  | 'pause'
  | 'lock'
  | 'freeze'
  | 'revive'
  | 'suspend'
  | 'lose'
  | 'kill';

/** When a world begins. */
export const startMs = Date.UTC(2026, 2, 4, 5, 6, 7);
const second = 1000;
const minute = 60 * second;
export const hour = 60 * minute;

export function planOf(random: Random): Plan {
  const chance = (p: number) => random() < p;
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const maybe = (p: number, value: number) => (chance(p) ? value : 0);
  const strict = chance(0.5);
  const unlessStrict = (value: number) => (strict ? 0 : value);
  const wildcard = unlessStrict(maybe(0.3, 2));
  const everyMs = !strict && chance(0.5) ? between(1, 10) * minute : null;
  return {
    strict,
    everyMs,
    faults: {
      http: {
        lost: maybe(0.4, 0.05),
        replyLost: maybe(0.4, 0.05),
        cutBody: maybe(0.3, 0.05),
        unavailable: maybe(0.4, 0.05),
        slow: maybe(0.4, 0.05),
      },
      // A stream whose credit is used up and that hears nothing for a second takes what it has for whole: P6 ends there.
      stream: {
        cut: maybe(0.5, 0.06),
        repeated: maybe(0.4, 0.08),
        silent: maybe(0.3, 0.02),
        slow: unlessStrict(maybe(0.4, 0.1)),
        repeatedLate: maybe(0.4, 0.15),
        held: unlessStrict(maybe(0.4, 0.3)),
        schemaLost: maybe(0.3, 0.4),
      },
    },
    killSteps: chance(0.5) ? between(2, 20) * 40 : null,
    engineSkewMs: chance(0.5) ? 0 : between(-3, 3) * hour + between(-5000, 5000),
    orgSkewMs: chance(0.7) ? 0 : between(-2 * minute, 2 * minute),
    records: between(0, 6),
    actions: between(4, 24),
    gaps: { burst: random(), shortMs: between(2, 200), longMs: between(500, 10_000) },
    weights: {
      write: 20,
      large: maybe(0.35, 3),
      late: maybe(0.5, 4),
      gap: unlessStrict(maybe(0.5, 2)),
      overflow: unlessStrict(maybe(0.4, 4)),
      wildcard,
      tokens: maybe(0.4, 2),
      stop: maybe(0.4, 2),
      // What only an event tells is lost with a position that is too old.
      away: wildcard > 0 ? 0 : maybe(0.3, 1),
      pause: unlessStrict(maybe(0.4, 2)),
      lock: maybe(0.4, 3),
      freeze: maybe(0.3, 2),
      // What has to be read is ahead of what the stream tells.
      revive: unlessStrict(maybe(0.4, 2)),
      suspend: maybe(0.5, 2),
      // What no stream ever tells is for the deltas to find.
      lose: everyMs === null ? 0 : maybe(0.3, 1),
      kill: maybe(0.5, 2),
    },
    // Rows that leave a filter are found by the minute: what one delta is too early for, the next one finds.
    filtered: everyMs !== null && chance(0.7),
    deletes: chance(0.8) ? 'mirror' : 'mark',
    longTexts: !strict && chance(0.5),
    startsLate: !strict && chance(0.3),
  };
}
