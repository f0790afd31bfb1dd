import { currentCaller, type Priority } from '../../base/caller.ts';
import type { Clock } from '../../base/clock.ts';
import { OverBudgetError } from '../../base/errors.ts';
import type { BudgetRules, CallBudget, CallUsage } from '../../model/call-budget.ts';
import type { Log } from '../../model/log.ts';
import type { Store } from '../../store/store.ts';
import { Budget, type Shortage } from './budget.ts';
import { STRETCH_MS, WINDOW_MS } from './call-ledger.ts';

/** How long calls may be made that other processes do not know of, and the other way round. */
const SHARE_MS = 15_000;

/** What is kept for whoever asks from another process. */
export interface KeptReading extends CallUsage {
  readonly atMs: number;
  readonly rules: BudgetRules;
}

/** Why work has to wait, in words, and until when at least. */
export interface Short {
  readonly reason: string;
  readonly untilMs: number;
}

interface Parts {
  readonly store: Pick<Store, 'calls' | 'getValue' | 'setValue'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A connection's budget, shared with every process that has the same store. */
export class KeptBudget implements CallBudget {
  readonly #connection: string;
  readonly #rules: BudgetRules;
  readonly #parts: Parts;
  readonly #budget: Budget;
  /** When the system last answered a call. */
  heardAtMs = Number.NEGATIVE_INFINITY;
  #sharedAtMs = Number.NEGATIVE_INFINITY;
  #sharing: Promise<void> | null = null;

  constructor(connection: string, rules: BudgetRules, parts: Parts) {
    this.#connection = connection;
    this.#rules = rules;
    this.#parts = parts;
    this.#budget = new Budget(rules);
  }

  async admit(): Promise<void> {
    const { clock } = this.#parts;
    await this.refresh();
    const { priority, ignoresBudget = false } = currentCaller();
    const shortage = this.#budget.admit(priority, clock.now(), ignoresBudget);
    if (shortage !== null) throw this.#error(priority, shortage);
  }

  ended(usage: CallUsage | null): void {
    if (usage !== null) this.heardAtMs = this.#parts.clock.now();
    this.#budget.ended(usage, this.#parts.clock.now());
  }

  exhausted(): void {
    this.#budget.exhausted(this.#parts.clock.now());
  }

  usage(): CallUsage | null {
    const { reading } = this.#budget;
    return reading === null || reading.max === 0 ? null : reading;
  }

  /** Why work of this priority has to wait now, in words; null when it has not to. */
  async shortage(priority: Priority): Promise<Short | null> {
    await this.refresh();
    const shortage = this.#budget.shortage(priority, this.#parts.clock.now());
    return shortage === null ? null : { reason: this.#reason(priority, shortage), untilMs: shortage.untilMs };
  }

  /** Until when work of this priority waits for more to do, so that the calls that are left last, in words; null when it has not to. */
  spacing(priority: Priority): Short | null {
    const nowMs = this.#parts.clock.now();
    const untilMs = this.#budget.pacedUntilMs(priority, nowMs);
    if (untilMs <= nowMs) return null;
    const own = this.#budget.ledger.total(nowMs);
    const { share } = this.#budget.limits();
    const made = `${inWords(own)} of our ${inWords(share)} calls to ${this.#connection} within 24 hours are made`;
    return { reason: `${made}: what changes is gathered and goes across together, so that the others last`, untilMs };
  }

  /** The numbers as they are here: what others have told since the store was last asked is not in them. */
  get known(): Budget {
    return this.#budget;
  }

  /** The numbers for whoever wants to know, as they are after the store was asked. */
  async read(): Promise<Budget> {
    await this.refresh();
    return this.#budget;
  }

  /** Tells the store what was counted here, and learns what others have. At most every few seconds, unless it is `due` at once. */
  async refresh(due = false): Promise<void> {
    const { clock } = this.#parts;
    const nowMs = clock.now();
    if (this.#sharing !== null) return this.#sharing;
    if (!due && nowMs - this.#sharedAtMs < SHARE_MS && nowMs >= this.#sharedAtMs) return;
    this.#sharedAtMs = nowMs;
    this.#sharing = this.#share(nowMs).finally(() => {
      this.#sharing = null;
    });
    return this.#sharing;
  }

  async #share(nowMs: number): Promise<void> {
    const { store, log } = this.#parts;
    const { ledger } = this.#budget;
    try {
      const name = readingName(this.#connection);
      const told = ledger.untold();
      if (told.length > 0) await store.calls.add(this.#connection, told, nowMs - WINDOW_MS - STRETCH_MS);
      ledger.replace(told, await store.calls.read(this.#connection));
      const kept = JSON.parse((await store.getValue(name)) ?? 'null') as KeptReading | null;
      if (kept !== null && kept.atMs <= nowMs) this.#budget.learn(kept);
      const { reading } = this.#budget;
      if (reading !== null && reading.atMs !== kept?.atMs) {
        await store.setValue(name, JSON.stringify({ ...reading, rules: this.#rules } satisfies KeptReading));
      }
    } catch (error) {
      // What is counted here counts here; the store's own trouble stops whoever cannot do without it.
      log.debug({ connection: this.#connection, err: error }, 'the calls could not be shared with other processes');
    }
  }

  #reason(priority: Priority, { cause }: Shortage): string {
    const nowMs = this.#parts.clock.now();
    const { share, reserve } = this.#budget.limits();
    const { reading } = this.#budget;
    const others =
      priority === 'live'
        ? ''
        : `; the last ${inWords(reserve)} of them and what live work will need are not for ${priority} work`;
    if (cause === 'share') {
      const own = this.#budget.ledger.total(nowMs);
      return `${inWords(own)} of our ${inWords(share)} calls to ${this.#connection} within 24 hours are made${others}`;
    }
    if (cause === 'loads') {
      const { refresh, full } = this.#budget.ledger.byPriority(nowMs);
      return `${inWords(refresh + full)} of our ${inWords(share)} calls to ${this.#connection} within 24 hours went into reading everything, and the others are for what changes`;
    }
    if (reading === null || reading.max === 0) return `${this.#connection} says that its calls of 24 hours are used up`;
    return `${inWords(reading.used)} of the ${inWords(reading.max)} calls that ${this.#connection} allows within 24 hours are used, whoever made them${others}`;
  }

  #error(priority: Priority, shortage: Shortage): OverBudgetError {
    const nowMs = this.#parts.clock.now();
    return new OverBudgetError(this.#reason(priority, shortage), {
      retryAfterMs: Math.max(1000, shortage.untilMs - nowMs),
      hint: `Wait until ${new Date(shortage.untilMs).toISOString()}, raise budget: in the connection, or run it with --ignore-budget`,
    });
  }
}

function inWords(calls: number): string {
  return Math.round(calls).toLocaleString('en-US');
}

export function readingName(connection: string): string {
  return `reading of ${connection}`;
}
