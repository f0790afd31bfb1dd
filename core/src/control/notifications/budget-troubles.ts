import { type AllowanceStatus, describeAllowance, keptAllowances } from '../allowances.ts';
import { type BudgetStatus, describeBudget } from '../budget/budget-status.ts';
import type { Findings, LookParts } from './find-troubles.ts';
import type { Trouble } from './notification.ts';

/** Before it is all used up there is still time to do something. */
const NEARLY = 0.9;

/** Connections whose calls, or other allowances, are nearly used up; those whose calls this process counts. */
export async function budgetTroubles({ config, store, clock, budgets }: LookParts): Promise<Findings> {
  const statuses = new Map(budgets.statuses(clock.now()).map((status) => [status.connection, status]));
  const allowances = (await keptAllowances(store)).filter(({ connection }) => config.connections.has(connection));
  const connections = new Set([...statuses.keys(), ...allowances.map(({ connection }) => connection)]);
  const troubles = [...connections].flatMap((connection): Trouble[] => {
    const texts = [
      budgetText(statuses.get(connection)),
      ...allowances.filter((each) => each.connection === connection).map(allowanceText),
    ].filter((text) => text !== null);
    if (texts.length === 0) return [];
    const hint = 'let syncs run less often, or raise budget: in the connection or what the system allows';
    return [
      {
        kind: 'budget_short',
        subject: connection,
        title: `${connection}: calls are short`,
        text: texts.join('. '),
        hint,
        sinceMs: null,
      },
    ];
  });
  return { troubles, lookedAt: (kind, subject) => kind === 'budget_short' && connections.has(subject) };
}

/** That loads of everything wait is how a budget is kept; that changes wait is what somebody has to know. */
function budgetText(status: BudgetStatus | undefined): string | null {
  if (status === undefined) return null;
  const { ours, share, system, waiting } = status;
  const isShort =
    waiting.some(({ priority }) => priority === 'live' || priority === 'delta') ||
    ours >= share * NEARLY ||
    system.used >= system.max * NEARLY;
  return isShort ? describeBudget(status) : null;
}

function allowanceText(status: AllowanceStatus): string | null {
  const { name, used, max, spentAtMs } = status;
  // Of requests the budget tells.
  return name !== 'requests' && (spentAtMs !== null || used >= max * NEARLY) ? describeAllowance(status) : null;
}
