import type { Priority } from '../../base/caller.ts';
import type { BudgetRules, CallBudget } from '../../model/call-budget.ts';
import type { EngineOptions } from '../engine-options.ts';
import { type BudgetStatus, statusOf } from './budget-status.ts';
import { KeptBudget, type Short } from './kept-budget.ts';

/** Why work has to wait for calls, and until when at least. */
export interface Wait extends Short {
  readonly connection: string;
  readonly priority: Priority;
}

/** The budgets of all connections whose systems count calls. A connection has one when it asks for it. */
export class Budgets implements AsyncDisposable {
  readonly #options: Pick<EngineOptions, 'store' | 'clock' | 'log'>;
  readonly #open = new Map<string, KeptBudget>();

  constructor(options: Pick<EngineOptions, 'store' | 'clock' | 'log'>) {
    this.#options = options;
  }

  open(connection: string, rules: BudgetRules): CallBudget {
    const budget = new KeptBudget(connection, rules, this.#options);
    this.#open.set(connection, budget);
    return budget;
  }

  get(connection: string): KeptBudget | undefined {
    return this.#open.get(connection);
  }

  /** Why work with these connections has to wait; the longest wait of them. Null when it has not to. */
  shortage(connections: readonly string[], priority: Priority): Promise<Wait | null> {
    return this.#longest(connections, priority, (budget) => budget.shortage(priority));
  }

  /** Until when work with these is spaced, so that the calls that are left last. */
  spacing(connections: readonly string[], priority: Priority): Promise<Wait | null> {
    return this.#longest(connections, priority, async (budget) => budget.spacing(priority));
  }

  /** How the calls stand of connections that this process uses, without asking the store: for whoever asks often. */
  statuses(nowMs: number): readonly BudgetStatus[] {
    return [...this.#open].flatMap(([connection, kept]) => statusOf(connection, kept.known, nowMs) ?? []);
  }

  async #longest(
    connections: readonly string[],
    priority: Priority,
    waitFor: (budget: KeptBudget) => Promise<Short | null>,
  ): Promise<Wait | null> {
    let longest: Wait | null = null;
    for (const connection of connections) {
      const budget = this.#open.get(connection);
      const wait = budget === undefined ? null : await waitFor(budget);
      if (wait !== null && wait.untilMs > (longest?.untilMs ?? 0)) longest = { connection, priority, ...wait };
    }
    return longest;
  }

  /** Tells the store what was counted since it was last told. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const budget of this.#open.values()) await budget.refresh(true);
  }
}
