import { type Clock, systemClock } from '@tidemark/core';
import { Command, CommanderError } from 'commander';
import type { Cli } from './cli.ts';
import { checkCommand } from './commands/check.ts';
import { conflictsCommand } from './commands/conflicts.ts';
import { demoCommand } from './commands/demo.ts';
import { docsCommand } from './commands/docs.ts';
import { emulatorCommand } from './commands/emulator.ts';
import { failuresCommand } from './commands/failures.ts';
import { initCommand } from './commands/init.ts';
import { journalCommand } from './commands/journal.ts';
import { notifyCommand } from './commands/notify.ts';
import { orgCommand } from './commands/org.ts';
import { packageCommand } from './commands/package.ts';
import { pauseCommand, resumeCommand } from './commands/pause.ts';
import { planCommand } from './commands/plan.ts';
import { refetchCommand } from './commands/refetch.ts';
import { replayCommand } from './commands/replay.ts';
import { resetCommand } from './commands/reset.ts';
import { rotateKeyCommand } from './commands/rotate-key.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { schemaCommand } from './commands/schema.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { verifyCommand } from './commands/verify.ts';
import { renderFailure, reportFailure } from './failure-report.ts';
import { startTelemetry } from './telemetry.ts';
import { painter, processTerminal, type Terminal } from './terminal.ts';
import { version } from './version.ts';

export interface MainOptions {
  readonly terminal?: Terminal;
  readonly env?: NodeJS.ProcessEnv;
  readonly clock?: Clock;
}

/**
 * The command line.
 *
 * @param argv  Arguments without node and script.
 * @returns     the exit code: 0 done, 1 it ran and something failed, 2 wrong usage or configuration.
 */
export async function main(argv: readonly string[], options: MainOptions = {}): Promise<number> {
  const env = options.env ?? process.env;
  const terminal = options.terminal ?? processTerminal(env);
  const cli: Cli = { terminal, env, clock: options.clock ?? systemClock, exitCode: 0, logLine: terminal.err };
  // Disposed after all else: what is said at the end is exported too.
  await using _telemetry = await startTelemetry(env, terminal.err);
  try {
    await createProgram(cli).parseAsync([...argv], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageFailure(error, argv, cli);
    const report = reportFailure(error);
    if (argv.includes('--json')) terminal.out(`${JSON.stringify(report.document)}\n`);
    terminal.err(renderFailure(report, painter(terminal.colourErr)));
    if (argv.includes('--verbose') && error instanceof Error) terminal.err(`${error.stack}\n`);
    return report.exitCode;
  }
}

export function createProgram(cli: Cli): Command {
  const program = new Command('tidemark')
    .description('Keeps Salesforce and your own systems in sync, in both directions, and never loses a record.')
    .version(version(), '-V, --version')
    .addHelpText('after', '\nExit codes: 0 done, 1 it ran and something failed, 2 wrong usage or configuration.\n');
  const commands = [
    initCommand,
    checkCommand,
    planCommand,
    schemaCommand,
    runCommand,
    startCommand,
    statusCommand,
    runsCommand,
    pauseCommand,
    resumeCommand,
    resetCommand,
    refetchCommand,
    replayCommand,
    journalCommand,
    failuresCommand,
    conflictsCommand,
    verifyCommand,
    tokenCommand,
    notifyCommand,
    docsCommand,
    packageCommand,
    orgCommand,
    rotateKeyCommand,
    emulatorCommand,
    demoCommand,
  ];
  for (const create of commands) program.addCommand(create(cli));
  for (const each of withSubcommands(program)) {
    each
      .exitOverride()
      .showSuggestionAfterError()
      .configureOutput({ writeOut: cli.terminal.out, writeErr: cli.terminal.err, getOutHasColors: () => cli.terminal.colourOut });
  }
  return program;
}

function withSubcommands(parent: Command): Command[] {
  return [parent, ...parent.commands.flatMap(withSubcommands)];
}

function usageFailure(error: CommanderError, argv: readonly string[], cli: Cli): number {
  // Commander has said it on standard error already.
  if (argv.includes('--json')) {
    const message = error.message.replace(/^error: /, '');
    cli.terminal.out(`${JSON.stringify({ error: { code: 'usage', message } })}\n`);
  }
  return 2;
}
