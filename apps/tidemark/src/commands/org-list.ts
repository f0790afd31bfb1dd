import { describeBudget, needsSomebody, type OrgHealth, orgHealth } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { renderTable, roughly } from '../table.ts';

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
