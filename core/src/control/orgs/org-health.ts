import type { BudgetStatus } from '../budget/budget-status.ts';
import type { SyncOverview } from '../overview.ts';
import type { OrgView } from './orgs.ts';

/** An org, and how its syncs fare. */
export interface OrgHealth extends OrgView {
  readonly syncs: number;
  /** Names of syncs that fail, or whose records wait for somebody. */
  readonly unhealthy: readonly string[];
  readonly openFailures: number;
  /** When the one that is longest behind was read last; null while one of them never was. */
  readonly lastSuccessAtMs: number | null;
  readonly budget: BudgetStatus | null;
}

export function orgHealth(
  orgs: readonly OrgView[],
  syncs: readonly SyncOverview[],
  budgets: readonly BudgetStatus[],
): readonly OrgHealth[] {
  const byOrg = Map.groupBy(syncs, ({ sync }) => sync.slice(sync.lastIndexOf('@') + 1));
  const budgetOf = new Map(budgets.map((budget) => [budget.connection, budget]));
  return orgs.map((org) => {
    const own = byOrg.get(org.name) ?? [];
    const times = own.map(({ lastSuccessAtMs }) => lastSuccessAtMs);
    return {
      ...org,
      syncs: own.length,
      unhealthy: own.filter(({ health }) => health === 'failing' || health === 'attention').map(({ sync }) => sync),
      openFailures: own.reduce((sum, { openFailures }) => sum + openFailures, 0),
      lastSuccessAtMs: times.length === 0 || times.includes(null) ? null : Math.min(...(times as number[])),
      budget: budgetOf.get(`${org.connection}@${org.name}`) ?? null,
    };
  });
}

export function needsSomebody({ state, isReadable, unhealthy }: OrgHealth): boolean {
  return state === 'revoked' || !isReadable || unhealthy.length > 0;
}
