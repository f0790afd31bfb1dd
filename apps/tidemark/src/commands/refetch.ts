import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { recordsOnStdout } from '../records-on-stdout.ts';
import { renderReport, succeeded } from '../run-text.ts';

export function refetchCommand(cli: Cli): Command {
  return command(cli, 'refetch', 'read these records again and write them', ['tidemark refetch contacts 003000000000001AAA'])
    .argument('<sync>')
    .argument('<ids...>', 'keys of the records, as the source has them')
    .action(async (sync: string, ids: readonly string[], options: CommonOptions) => {
      const { report, taken } = await withSession(cli, options, async ({ engine, config, signals }) => ({
        report: await engine.refetch(knownSync(config, sync), [...new Set(ids)], { signal: signals.stop }),
        taken: recordsOnStdout(config, sync),
      }));
      if (!succeeded(report)) cli.exitCode = 1;
      answer(cli, options, report, (paint) => renderReport(report, paint), taken);
    });
}
