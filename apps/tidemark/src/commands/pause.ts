import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';

export function pauseCommand(cli: Cli): Command {
  return change(cli, 'pause', 'keep a sync from running by its schedule; a running start notices within a minute', true);
}

export function resumeCommand(cli: Cli): Command {
  return change(cli, 'resume', 'let a paused sync run by its schedule again, from where it stopped', false);
}

function change(cli: Cli, name: string, summary: string, paused: boolean): Command {
  return command(cli, name, summary, [`tidemark ${name} contacts`])
    .argument('<sync>')
    .action(async (sync: string, options: CommonOptions) => {
      await withSession(cli, options, ({ engine, config }) => engine.setPaused(knownSync(config, sync), paused));
      answer(cli, options, { sync, paused }, () => `${sync} is ${paused ? 'paused' : 'no longer paused'}\n`);
    });
}
