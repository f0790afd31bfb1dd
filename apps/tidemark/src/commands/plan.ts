import type { BudgetStatus, SyncPlan } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, type Session, withSession } from '../cli.ts';
import { parseShow, SHOWN, shownOf, type ToldDryRun, tellDryRun } from '../dry-run.ts';
import type { Paint } from '../terminal.ts';

interface Options extends CommonOptions {
  readonly records?: boolean;
  readonly show?: number;
}

export function planCommand(cli: Cli): Command {
  return command(cli, 'plan', 'show what the next run would change and cost; writes nothing', [
    'tidemark plan',
    'tidemark plan contacts --verbose',
    'tidemark plan accounts --records',
  ])
    .argument('[sync]', 'only this one')
    .option('--records', 'read what it would read, and tell each record that it would write, and in how many API calls')
    .option('--show <count>', `with --records: how many to list, or all (${SHOWN})`, parseShow)
    .action(async (sync: string | undefined, options: Options) => {
      const { plans, days } = await withSession(cli, options, async (session) => {
        const { engine, config, signals } = session;
        const found = await engine.plan(sync === undefined ? undefined : knownSync(config, sync), signals.stop);
        const told = [];
        for (const plan of found)
          told.push({ plan, records: options.records ? await recordsOf(cli, session, plan, options) : null });
        return { plans: told, days: (await engine.budgets()).map((budget) => dayOf(budget, found, config)) };
      });
      const syncs = plans.map(({ plan, records }) => (records === null ? plan : { ...plan, dryRun: records.document }));
      answer(cli, options, { syncs, budgets: days }, (paint) => {
        const texts = plans.map(({ plan, records }) => render(plan, records, paint, options.verbose === true));
        return [...texts, ...days.map((day) => renderDay(day, paint))].join('\n');
      });
    });
}

/** Null where there is nothing to think through: events that are not published yet, a side that lacks what it needs to be read. */
async function recordsOf(cli: Cli, session: Session, plan: SyncPlan, options: Options): Promise<ToldDryRun | null> {
  const lacks = session.config.pairings.has(plan.sync) && plan.schemaChanges.length > 0;
  if (plan.kind === 'live' || lacks) return null;
  const { stop } = session.signals;
  return tellDryRun(cli, session, plan.sync, { signal: stop, stop, ...shownOf(options) });
}

/** A connection's calls, and what the schedules of these syncs make of them within a day. */
interface Day extends BudgetStatus {
  readonly scheduledPerDay: number;
  /** Those of them that bring what either side tells, and gather it while calls are short. */
  readonly gathering: readonly string[];
}

function dayOf(budget: BudgetStatus, plans: readonly SyncPlan[], { pairings }: Session['config']): Day {
  const calls = plans.map(({ dailyCalls }) => dailyCalls[budget.connection] ?? 0);
  const gathering = plans.flatMap(({ sync }) => {
    const pairing = pairings.get(sync);
    const isTold = pairing?.live && [pairing.left.connection, pairing.right.connection].includes(budget.connection);
    return isTold ? [sync] : [];
  });
  return { ...budget, scheduledPerDay: Math.ceil(calls.reduce((sum, each) => sum + each, 0)), gathering };
}

function renderDay({ connection, gathering, scheduledPerDay, share, reserve, ours, system }: Day, paint: Paint): string {
  const count = (calls: number) => calls.toLocaleString('en-US');
  const lines = [
    `${paint('bold', connection)}: these schedules read with about ${count(scheduledPerDay)} API calls in 24 hours`,
    `  our share is ${count(share)} of ${count(system.max)}, ${count(reserve)} of them for live work alone; ${count(ours)} are made`,
  ];
  if (gathering.length > 0) {
    lines.push(
      `  what ${gathering.join(', ')} is told goes across at once; when calls run short it is gathered, for 15 minutes at most`,
    );
  }
  if (scheduledPerDay > share - reserve) {
    lines.push(
      `  ${paint('yellow', '!')} that is more than there are: deltas will be made less often, so that the day's calls last`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Statements of a wide table fill the screen: they are shown when asked for, and with --json. */
function render(plan: SyncPlan, records: ToldDryRun | null, paint: Paint, statements: boolean): string {
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
  if (records !== null) return `${lines.join('\n')}\n${records.text(paint)}`;
  if (plan.kind !== 'live') lines.push(paint('dim', `  record by record: tidemark run ${plan.sync} --dry-run`));
  return `${lines.join('\n')}\n`;
}
