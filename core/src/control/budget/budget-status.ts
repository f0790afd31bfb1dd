import { type Priority, priorities } from '../../base/caller.ts';
import type { Store } from '../../store/store.ts';
import { Budget } from './budget.ts';
import { type KeptReading, readingName } from './kept-budget.ts';

/** How a connection's calls stand, for people. Counts are calls within 24 hours. */
export interface BudgetStatus {
  readonly connection: string;
  /** Most of them that may be ours, and how many of these are for live work alone. */
  readonly share: number;
  readonly reserve: number;
  readonly ours: number;
  readonly byPriority: Readonly<Record<Priority, number>>;
  /** Of all clients, as the system last told. */
  readonly system: { readonly used: number; readonly max: number; readonly asOfMs: number };
  /** Ours, at the pace of the last four hours. */
  readonly perHour: number;
  /** When our share will be used up at that pace; null when it lasts for a day. */
  readonly spentAtMs: number | null;
  /** Work that has to wait now, and until when at least. */
  readonly waiting: readonly { readonly priority: Priority; readonly untilMs: number }[];
}

/** From what processes have told the store. Null of a connection that was never used, or whose system does not count. */
export async function budgetStatus(
  connection: string,
  store: Pick<Store, 'calls' | 'getValue'>,
  nowMs: number,
): Promise<BudgetStatus | null> {
  const reading = JSON.parse((await store.getValue(readingName(connection))) ?? 'null') as KeptReading | null;
  if (reading === null || reading.max === 0) return null;
  const budget = new Budget(reading.rules);
  budget.learn(reading);
  budget.ledger.replace([], await store.calls.read(connection));
  return statusOf(connection, budget, nowMs);
}

/** As a process counts them itself. Null while the system has not told how many it allows. */
export function statusOf(connection: string, budget: Budget, nowMs: number): BudgetStatus | null {
  const { reading } = budget;
  if (reading === null || reading.max === 0) return null;
  const { share, reserve } = budget.limits();
  return {
    ...{ connection, share, reserve },
    ours: budget.ledger.total(nowMs),
    byPriority: budget.ledger.byPriority(nowMs),
    system: { used: reading.used, max: reading.max, asOfMs: reading.atMs },
    perHour: budget.perHour(nowMs),
    spentAtMs: budget.spentAtMs(nowMs),
    waiting: priorities.flatMap((priority) => {
      const shortage = budget.shortage(priority, nowMs);
      return shortage === null ? [] : [{ priority, untilMs: shortage.untilMs }];
    }),
  };
}

/** `412 of our 2,500 calls of 24 hours are made (live 300, delta 112); the org's 5,000: 1,903 are used; 40 an hour`. */
export function describeBudget(status: BudgetStatus): string {
  const { ours, share, byPriority, system, perHour, spentAtMs, waiting } = status;
  const minute = (ms: number) => new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  const count = (value: number) => Math.round(value).toLocaleString('en-US');
  const kinds = priorities
    .filter((priority) => byPriority[priority] > 0)
    .map((priority) => `${priority} ${count(byPriority[priority])}`);
  const parts = [
    `${count(ours)} of our ${count(share)} calls of 24 hours are made${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`,
    `${count(system.used)} of all ${count(system.max)} are used, whoever made them`,
  ];
  if (perHour >= 1) {
    const end = spentAtMs === null ? 'which lasts' : `our share is used up by ${minute(spentAtMs)} at this pace`;
    parts.push(`${count(perHour)} more an hour, ${end}`);
  }
  for (const { priority, untilMs } of waiting) parts.push(`${priority} work waits until ${minute(untilMs)} at least`);
  return parts.join('; ');
}
