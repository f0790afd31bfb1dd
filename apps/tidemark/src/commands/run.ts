import type { RunReport } from '@tidemark/core';
import { type Command, InvalidArgumentError } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, type Session, syncNames, withSession } from '../cli.ts';
import { parseShow, SHOWN, shownOf, tellDryRun } from '../dry-run.ts';
import { showProgress } from '../progress.ts';
import { recordsOnStdout } from '../records-on-stdout.ts';
import { renderReport, succeeded } from '../run-text.ts';
import { UsageError } from '../usage-error.ts';

interface Options extends CommonOptions {
  readonly full?: boolean;
  readonly dryRun?: boolean;
  readonly show?: number;
  readonly all?: boolean;
  readonly sweepMax?: number;
  readonly ignoreBudget?: boolean;
}

export function runCommand(cli: Cli): Command {
  return command(cli, 'run', 'run a sync once: what changed since its last run, or everything', [
    'tidemark run contacts',
    'tidemark run contacts --full',
    'tidemark run --all --dry-run',
  ])
    .argument('[syncs...]', 'which ones, in this order')
    .option('--all', 'every sync of the configuration')
    .option('--full', 'read everything and compare, not only what changed')
    .option('--dry-run', 'tell record by record what would be written, and in how many API calls; write nothing')
    .option('--show <count>', `with --dry-run: how many of these records to list, or all (${SHOWN})`, parseShow)
    .option('--sweep-max <share>', 'share of the target that this run may delete, e.g. 50%', parseShare)
    .option('--ignore-budget', 'make API calls even if others are to have them')
    .action(async (names: readonly string[], options: Options) => {
      const documents = await withSession(cli, options, async (session) => {
        const syncs = chosen(session, names, options.all === true);
        const done: object[] = [];
        for (const sync of syncs) {
          if (session.signals.stop.aborted) break;
          done.push(await (options.dryRun ? dryRun : runOnce)(cli, session, sync, options));
        }
        return done;
      });
      if (options.json)
        cli.terminal.out(`${JSON.stringify(names.length === 1 && !options.all ? documents[0] : { runs: documents })}\n`);
    });
}

function chosen({ config }: Session, names: readonly string[], all: boolean): readonly string[] {
  if (all && names.length > 0) throw new UsageError('name syncs or say --all, not both');
  // What only comes as it is published cannot be run.
  if (all) return syncNames(config).filter((name) => (config.syncs.get(name)?.channel ?? null) === null);
  if (names.length === 0) {
    throw new UsageError('which sync?', { hint: `name one of: ${syncNames(config).join(', ')}; or say --all` });
  }
  return names.map((name) => knownSync(config, name));
}

async function runOnce(cli: Cli, session: Session, sync: string, options: Options): Promise<RunReport> {
  const taken = recordsOnStdout(session.config, sync);
  // Records on the screen are progress enough, and a bar would be drawn over them.
  const display = showProgress(sync, cli.terminal, cli.clock, taken || (options.json && !cli.terminal.live));
  cli.logLine = display.print;
  try {
    const report = await session.engine.run(sync, {
      ...runOptions(session, options),
      onProgress: (progress) => display.update(progress),
    });
    display.end();
    if (!succeeded(report)) cli.exitCode = 1;
    if (!options.json) answer(cli, options, report, (paint) => renderReport(report, paint), taken);
    return report;
  } finally {
    display.end();
    cli.logLine = cli.terminal.err;
  }
}

async function dryRun(cli: Cli, session: Session, sync: string, options: Options): Promise<object> {
  const { document, text } = await tellDryRun(cli, session, sync, { ...runOptions(session, options), ...shownOf(options) });
  if (!options.json) answer(cli, options, document, text);
  return document;
}

function runOptions({ signals }: Session, options: Options) {
  return {
    full: options.full === true,
    ignoreBudget: options.ignoreBudget === true,
    // A first signal lets the page under way end; the run ends after it.
    signal: new AbortController().signal,
    stop: signals.stop,
    ...(options.sweepMax === undefined ? {} : { sweepMax: options.sweepMax }),
  };
}

function parseShare(text: string): number {
  const share = text.endsWith('%') ? Number.parseFloat(text) / 100 : Number(text);
  if (text.trim() !== '' && share >= 0 && share <= 1) return share;
  throw new InvalidArgumentError('Write a share between 0% and 100%, e.g. 50%.');
}
