import type { Problem } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { renderProblem } from '../failure-report.ts';

export function checkCommand(cli: Cli): Command {
  return command(cli, 'check', 'check configuration, connections and permissions; changes nothing', [
    'tidemark check',
    'tidemark check --config crm.yaml --json',
  ]).action(async (options: CommonOptions) => {
    const problems = await withSession(cli, options, ({ engine, signals }) => engine.check(signals.stop));
    const errors = problems.filter((problem) => problem.severity === 'error').length;
    cli.exitCode = errors > 0 ? 1 : 0;
    answer(cli, options, { ok: errors === 0, problems }, (paint) => {
      const lines = problems.flatMap((problem: Problem) => renderProblem(problem, paint));
      if (errors === 0) lines.push(paint('green', 'ready: every connection answers and nothing is missing'));
      else lines.push(`${errors} ${errors === 1 ? 'thing is' : 'things are'} missing`);
      return `${lines.join('\n')}\n`;
    });
  });
}
