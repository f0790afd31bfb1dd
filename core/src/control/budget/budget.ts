import type { Priority } from '../../base/caller.ts';
import type { BudgetRules, CallAmount, CallUsage } from '../../model/call-budget.ts';
import { CallLedger, WINDOW_MS } from './call-ledger.ts';
import { Spacing } from './spacing.ts';

/** How long what a system told of its calls counts. After that one call may go out to learn what is true now. */
export const READING_MS = 900_000;
/** The pace is that of so much time. */
export const PACE_MS = 4 * 3_600_000;
const HOUR_MS = 3_600_000;

/** Of what is there for all but live work, work that can wait leaves a part to what can wait less. */
const leftToOthers: Readonly<Record<Priority, number>> = { live: 0, delta: 0, refresh: 0.05, full: 0.1 };
/** However much live work is expected: a tenth of the share is never kept for it in advance. */
const KEPT_FOR_LIVE_MAX = 0.9;
/** Of what is there for all but live work, so much may go into reading everything: what is used at once is gone for a day. */
const loadsMost: Readonly<Partial<Record<Priority, number>>> = { refresh: 0.4, full: 0.3 };
/**
 * Work that can be spaced, and its pace in a day: `most` of what is not reserved, and no more than `left` times what is left of that. So
 * deltas settle at half of what is there for them, and live work, which is to be prompt, at two thirds.
 */
const paces: Readonly<Partial<Record<Priority, { readonly most: number; readonly left: number }>>> = {
  live: { most: 2 / 3, left: 2 },
  delta: { most: 1, left: 1 },
};
/** However little is left. */
const PACE_MIN = 0.01;

/** Why a call has to wait, and until when it has to at least, as far as is known. */
export interface Shortage {
  /** `share`: ours are used up. `loads`: those that may go into reading everything. `system`: it has hardly any left, whoever used them. */
  readonly cause: 'share' | 'loads' | 'system';
  readonly untilMs: number;
}

interface Reading extends CallUsage {
  readonly atMs: number;
}

/**
 * The arithmetic of one connection's calls (P8): never more than the share within 24 hours, by anybody's count; the reserve is for
 * live work alone; what can wait longer waits sooner. Knows no clock and no store: time is an argument.
 */
export class Budget {
  readonly ledger = new CallLedger();
  readonly #rules: BudgetRules;
  #reading: Reading | null = null;
  /** When a call last went out to learn a new number. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  /** Admitted, and not ended yet: the system's number may not hold them. */
  #underWay = 0;
  /** One debt for all work of a priority, what cannot be gathered included: the calls that are left are the same for all of it. */
  readonly #spacings = new Map(Object.keys(paces).map((priority) => [priority, new Spacing()]));

  constructor(rules: BudgetRules) {
    this.#rules = rules;
  }

  get reading(): Reading | null {
    return this.#reading;
  }

  /** What another process has learned. */
  learn(reading: Reading): void {
    if (this.#reading === null || reading.atMs > this.#reading.atMs) this.#reading = reading;
  }

  /** Null: this call may be made now, and is counted. */
  admit(priority: Priority, nowMs: number, ignores = false): Shortage | null {
    const shortage = ignores ? null : this.shortage(priority, nowMs);
    if (shortage !== null) return shortage;
    // Of all that would wait for a new number, one call finds out.
    if (this.#isSpent(priority, nowMs)) this.#askedAtMs = nowMs;
    this.ledger.add(priority, nowMs);
    this.#underWay++;
    this.#spacings.get(priority)?.called(nowMs, this.#perMs(priority, nowMs));
    return null;
  }

  /** A call that was admitted is over. */
  ended(usage: CallUsage | null, nowMs: number): void {
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (usage === null) return;
    const known = this.#reading;
    // The number jitters from server to server: while one counts, the highest does.
    const counts = known !== null && nowMs - known.atMs < READING_MS && nowMs >= known.atMs && known.max === usage.max;
    if (!counts || usage.used >= known.used) this.#reading = { ...usage, atMs: nowMs };
  }

  /** The system has refused a call, because none are left. */
  exhausted(nowMs: number): void {
    const { used, max } = this.#reading ?? { used: 0, max: 0 };
    this.#reading = { used: Math.max(used, max), max, atMs: nowMs };
  }

  /** Why a call of this priority has to wait; null when it has not to. */
  shortage(priority: Priority, nowMs: number): Shortage | null {
    const { share } = this.limits();
    const keep = this.#keep(priority, nowMs);
    const own = this.ledger.total(nowMs);
    if (share - own - keep < 1) {
      const untilMs = this.ledger.freeAtMs(own + keep + 1 - share, nowMs) ?? nowMs + HOUR_MS;
      return { cause: 'share', untilMs };
    }
    const loads = this.#loadsFreeAtMs(priority, nowMs);
    if (loads !== null) return { cause: 'loads', untilMs: loads };
    if (!this.#isSpent(priority, nowMs)) return null;
    const sinceMs = Math.max(this.#reading!.atMs, this.#askedAtMs);
    // Nobody waits for a clock that was set back.
    return nowMs < sinceMs || nowMs >= sinceMs + READING_MS ? null : { cause: 'system', untilMs: sinceMs + READING_MS };
  }

  /** When work of this priority that can wait for more to do may go on, so that what is left lasts. */
  pacedUntilMs(priority: Priority, nowMs: number): number {
    return this.#spacings.get(priority)?.untilMs(nowMs, this.#perMs(priority, nowMs)) ?? nowMs;
  }

  /** In calls. Infinite where that is a share of what the system has not told yet. */
  limits(): { readonly share: number; readonly reserve: number } {
    // A refusal tells that none are left, and not of how many.
    const max = this.#reading?.max || Number.POSITIVE_INFINITY;
    const share = Math.min(max, inCalls(this.#rules.share, max));
    // Whatever is written: something is there for others than live work.
    return { share, reserve: Math.min(inCalls(this.#rules.reserve, max), Math.floor(share / 2)) };
  }

  /** Calls of ours of the last hours, by the hour. */
  perHour(nowMs: number, priority?: Priority): number {
    return (this.ledger.since(nowMs - PACE_MS, priority) / PACE_MS) * HOUR_MS;
  }

  /** When the share will be used up at that pace, what leaves the window counted; null when it lasts for a day. */
  spentAtMs(nowMs: number): number | null {
    const { share } = this.limits();
    const perMs = this.perHour(nowMs) / HOUR_MS;
    let own = this.ledger.total(nowMs);
    if (own >= share) return nowMs;
    let atMs = nowMs;
    for (const each of [...this.ledger.leaving(nowMs), { atMs: nowMs + WINDOW_MS, calls: 0 }]) {
      const untilMs = Math.min(each.atMs, nowMs + WINDOW_MS);
      const reachedMs = perMs === 0 ? Number.POSITIVE_INFINITY : atMs + (share - own) / perMs;
      if (reachedMs <= untilMs) return reachedMs;
      own += perMs * (untilMs - atMs) - each.calls;
      atMs = untilMs;
    }
    return null;
  }

  /** What a call of this priority has to leave to others. */
  #keep(priority: Priority, nowMs: number): number {
    if (priority === 'live') return 0;
    const { share, reserve } = this.limits();
    if (share === Number.POSITIVE_INFINITY) return 0;
    const standing = reserve + leftToOthers[priority] * (share - reserve);
    // What live work will need, if that is more: at the pace of the last hours, less what its own calls of yesterday give free.
    const spent = this.ledger.byPriority(nowMs).live;
    const needed = this.perHour(nowMs, 'live') * (WINDOW_MS / HOUR_MS) - spent;
    return Math.min(Math.max(standing, needed), Math.max(standing, KEPT_FOR_LIVE_MAX * share));
  }

  /** When reading everything may use calls again; null for now. */
  #loadsFreeAtMs(priority: Priority, nowMs: number): number | null {
    const part = loadsMost[priority];
    const { share, reserve } = this.limits();
    if (part === undefined || share === Number.POSITIVE_INFINITY) return null;
    const { refresh, full } = this.ledger.byPriority(nowMs);
    const over = refresh + full + 1 - Math.max(1, part * (share - reserve));
    return over <= 0 ? null : (this.ledger.freeAtMs(over, nowMs, ['refresh', 'full']) ?? nowMs + HOUR_MS);
  }

  /** Whether the system has too few left, as far as it is known. */
  #isSpent(priority: Priority, nowMs: number): boolean {
    return this.#systemLeft() - this.#keep(priority, nowMs) < 1;
  }

  /** How fast such work may be done in the long run; null for as fast as there is some. */
  #perMs(priority: Priority, nowMs: number): number | null {
    const pace = paces[priority];
    const { share, reserve } = this.limits();
    if (pace === undefined || share === Number.POSITIVE_INFINITY) return null;
    const all = share - reserve;
    const left = Math.min(share - this.ledger.total(nowMs), this.#systemLeft()) - reserve;
    return (all / WINDOW_MS) * Math.min(pace.most, Math.max((pace.left * left) / all, PACE_MIN));
  }

  #systemLeft(): number {
    return this.#reading === null ? Number.POSITIVE_INFINITY : this.#reading.max - this.#reading.used - this.#underWay;
  }
}

function inCalls(calls: CallAmount, max: number): number {
  return 'calls' in calls ? calls.calls : Math.floor(calls.share * max);
}
