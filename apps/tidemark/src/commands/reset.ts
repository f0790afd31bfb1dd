import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';

export function resetCommand(cli: Cli): Command {
  return command(cli, 'reset', 'forget how far a sync has come: its next run is full; rows and failures stay', [
    'tidemark reset contacts',
  ])
    .argument('<sync>')
    .action(async (sync: string, options: CommonOptions) => {
      await withSession(cli, options, ({ engine, config, signals }) => engine.reset(knownSync(config, sync), signals.stop));
      answer(cli, options, { sync, reset: true }, () => `${sync} is reset: its next run reads everything\n`);
    });
}
