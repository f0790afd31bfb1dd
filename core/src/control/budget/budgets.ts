import type { Priority } from '../../base/caller.ts';
import type { BudgetRules, CallBudget } from '../../model/call-budget.ts';
import type { EngineOptions } from '../engine-options.ts';
import { type BudgetStatus, statusOf } from './budget-status.ts';
import { KeptBudget } from './kept-budget.ts';

/** Why work has to wait for calls, and until when at least. */
export interface Wait {
  readonly connection: string;
  readonly priority: Priority;
  readonly reason: string;
  readonly untilMs: number;
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
  async shortage(connections: readonly string[], priority: Priority): Promise<Wait | null> {
    let longest: Wait | null = null;
    for (const connection of connections) {
      const shortage = (await this.#open.get(connection)?.shortage(priority)) ?? null;
      if (shortage !== null && shortage.untilMs > (longest?.untilMs ?? 0)) longest = { connection, priority, ...shortage };
    }
    return longest;
  }

  /** When scheduled deltas between these may begin, so that the calls that are left last. */
  pacedUntilMs(connections: readonly string[]): number {
    return Math.max(0, ...connections.map((connection) => this.#open.get(connection)?.pacedUntilMs() ?? 0));
  }

  /** How the calls stand of connections that this process uses, without asking the store: for whoever asks often. */
  statuses(nowMs: number): readonly BudgetStatus[] {
    return [...this.#open].flatMap(([connection, kept]) => statusOf(connection, kept.known, nowMs) ?? []);
  }

  /** Tells the store what was counted since it was last told. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const budget of this.#open.values()) await budget.refresh(true);
  }
}
