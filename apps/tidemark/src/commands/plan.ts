import type { SyncPlan } from '@tidemark/core';
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
      const plans = await withSession(cli, options, ({ engine, config, signals }) =>
        engine.plan(sync === undefined ? undefined : knownSync(config, sync), signals.stop),
      );
      answer(cli, options, { syncs: plans }, (paint) =>
        plans.map((plan) => render(plan, paint, options.verbose === true)).join('\n'),
      );
    });
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
  if (plan.schemaChanges.length === 0) lines.push('  the target needs no change');
  for (const change of plan.schemaChanges) {
    lines.push(`  ${change.informational ? paint('yellow', '!') : '+'} ${change.summary}`);
    if (statements && change.statement !== undefined)
      lines.push(...change.statement.split('\n').map((line) => paint('dim', `      ${line}`)));
  }
  return `${lines.join('\n')}\n`;
}
