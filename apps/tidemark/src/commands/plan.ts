import type { BudgetStatus, SyncPlan } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import type { Paint } from '../terminal.ts';

export function planCommand(cli: Cli): Command {
  return command(cli, 'plan', 'show what the next run would change and cost; writes nothing', [
    'tidemark plan',
    'tidemark plan contacts --verbose',
  ])
    .argument('[sync]', 'only this one')
    .action(async (sync: string | undefined, options: CommonOptions) => {
      const { plans, days } = await withSession(cli, options, async ({ engine, config, signals }) => {
        const found = await engine.plan(sync === undefined ? undefined : knownSync(config, sync), signals.stop);
        return { plans: found, days: (await engine.budgets()).map((budget) => dayOf(budget, found)) };
      });
      answer(cli, options, { syncs: plans, budgets: days }, (paint) =>
        [...plans.map((plan) => render(plan, paint, options.verbose === true)), ...days.map((day) => renderDay(day, paint))].join(
          '\n',
        ),
      );
    });
}

/** A connection's calls, and what the schedules of these syncs make of them within a day. */
interface Day extends BudgetStatus {
  readonly scheduledPerDay: number;
}

function dayOf(budget: BudgetStatus, plans: readonly SyncPlan[]): Day {
  const calls = plans.map(({ dailyCalls }) => dailyCalls[budget.connection] ?? 0);
  return { ...budget, scheduledPerDay: Math.ceil(calls.reduce((sum, each) => sum + each, 0)) };
}

function renderDay({ connection, scheduledPerDay, share, reserve, ours, system }: Day, paint: Paint): string {
  const count = (calls: number) => calls.toLocaleString('en-US');
  const lines = [
    `${paint('bold', connection)}: these schedules read with about ${count(scheduledPerDay)} API calls in 24 hours`,
    `  our share is ${count(share)} of ${count(system.max)}, ${count(reserve)} of them for live work alone; ${count(ours)} are made`,
  ];
  if (scheduledPerDay > share - reserve) {
    lines.push(
      `  ${paint('yellow', '!')} that is more than there are: deltas will be made less often, so that the day's calls last`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Statements of a wide table fill the screen: they are shown when asked for, and with --json. */
function render(plan: SyncPlan, paint: Paint, statements: boolean): string {
  const next =
    plan.kind === 'live'
      ? 'events are brought as they are published'
      : `the next run is ${plan.kind}${plan.reason === null ? '' : ` (${plan.reason})`}`;
  const lines = [`${paint('bold', plan.sync)}: ${next}`];
  if (plan.rows !== null) lines.push(`  about ${plan.rows.toLocaleString('en-US')} rows in the source`);
  if (plan.apiCalls !== null) lines.push(`  about ${plan.apiCalls.toLocaleString('en-US')} API calls`);
  if (plan.fullCalls !== null && plan.kind !== 'full')
    lines.push(`  a full run takes about ${plan.fullCalls.toLocaleString('en-US')}`);
  if (plan.schemaChanges.length === 0) lines.push('  the target needs no change');
  for (const change of plan.schemaChanges) {
    lines.push(`  ${change.informational ? paint('yellow', '!') : '+'} ${change.summary}`);
    if (statements && change.statement !== undefined)
      lines.push(...change.statement.split('\n').map((line) => paint('dim', `      ${line}`)));
  }
  if (plan.kind !== 'live') lines.push(paint('dim', `  record by record: tidemark run ${plan.sync} --dry-run`));
  return `${lines.join('\n')}\n`;
}
