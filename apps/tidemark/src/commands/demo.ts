import type { Command } from 'commander';
import { type Cli, command } from '../cli.ts';
import { UsageError } from '../usage-error.ts';

export function demoCommand(cli: Cli): Command {
  return command(cli, 'demo', 'an org on this machine, kept in sync with a database before your eyes', ['tidemark demo --once'])
    .option('--once', 'end when everything has been shown; exit code 1 when verify finds a difference')
    .action(async () => {
      throw new UsageError('the demo is not in this version');
    });
}
