import { type BudgetStatus, describeBudget, type OrgView, type SyncOverview } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { renderTable, roughly } from '../table.ts';

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

export function orgListCommand(cli: Cli): Command {
  return command(cli, 'list', 'the orgs that are connected, and how they fare', [
    'tidemark org list',
    'tidemark org list customers --json',
    'tidemark org list --unhealthy',
  ])
    .argument('[connection]', 'only those of this connection')
    .option('--unhealthy', 'only those that need somebody')
    .action(async (connection: string | undefined, options: CommonOptions & { unhealthy?: boolean }) => {
      const all = await withSession(cli, options, async ({ engine }) => {
        const [orgs, syncs, budgets] = [await engine.orgs.list({ connection }), await engine.overview(), await engine.budgets()];
        return orgHealth(orgs, syncs, budgets);
      });
      const orgs = options.unhealthy ? all.filter(needsSomebody) : all;
      answer(cli, options, { orgs }, () => (orgs.length === 0 ? noOrgs(options.unhealthy) : render(orgs, cli.clock.now())));
    });
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

function noOrgs(unhealthy: boolean | undefined): string {
  return unhealthy ? 'all orgs are well\n' : 'no org is connected: tidemark org invite <connection> <name>\n';
}

function render(orgs: readonly OrgHealth[], nowMs: number): string {
  const table = renderTable(
    ['connection', 'org', 'state', 'syncs', 'unhealthy', 'failures', 'up to date', 'id'],
    orgs.map((org) => [
      org.connection,
      org.name,
      org.isReadable ? org.state : 'key lost',
      org.syncs,
      org.unhealthy.length === 0 ? null : org.unhealthy.join(', '),
      org.openFailures,
      org.lastSuccessAtMs === null ? null : `${roughly(nowMs - org.lastSuccessAtMs)} ago`,
      org.orgId,
    ]),
  );
  const details = orgs.flatMap((org) => [
    ...(org.state === 'revoked'
      ? [`${org.name}: ${org.reason ?? 'revoked'}`, `  to do: tidemark org invite ${org.connection} ${org.name}`]
      : []),
    ...(org.isReadable
      ? []
      : [
          `${org.name}: its token was encrypted with the key ${org.keyId}, which TIDEMARK_KEY does not hold`,
          '  to do: put that key behind the current one, or invite the org again',
        ]),
    ...(Object.keys(org.overrides).length === 0 ? [] : [`${org.name}: set for it alone: ${JSON.stringify(org.overrides)}`]),
    ...(org.budget === null ? [] : [`${org.name}: ${describeBudget(org.budget)}`]),
  ]);
  return details.length === 0 ? table : `${table}\n${details.join('\n')}\n`;
}
