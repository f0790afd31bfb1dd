import { relative } from 'node:path';
import { createFetch } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, openLog } from '../cli.ts';
import { loadConnectors } from '../connectors.ts';
import type { DemoOutcome } from '../demo/run-demo.ts';
import { listenForStop } from '../stop-signals.ts';
import { renderTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';

interface DemoCommandOptions extends CommonOptions {
  readonly once?: boolean;
  readonly records: string;
}

export function demoCommand(cli: Cli): Command {
  return command(cli, 'demo', 'an org on this machine, kept in sync with a database before your eyes', [
    'tidemark demo',
    'tidemark demo --once --json',
  ])
    .option('--once', 'end when everything has been shown; exit code 1 when verify finds a difference')
    .option('--records <n>', 'records in the org', '20000')
    .action(async (options: DemoCommandOptions) => {
      const records = Number(options.records);
      if (!Number.isInteger(records) || records < 2000)
        throw new UsageError(`--records takes a whole number of at least 2000, not ${options.records}`);
      const keepRunning = cli.terminal.live && !options.once && !options.json;
      const log = openLog(cli, options.verbose ? 'info' : 'silent');
      using signals = listenForStop(() => cli.logLine('stopping\n'));
      const { connectors } = await loadConnectors();
      // It brings the emulator along, which no other command shall wait for.
      const { runDemo } = await import('../demo/run-demo.ts');
      const outcome = await runDemo({
        folder: process.cwd(),
        records,
        connectors,
        fetch: createFetch(cli.env),
        log,
        tell: (line) => cli.terminal.err(`${line}\n`),
        stop: signals.stop,
        keepRunning,
        onVerified: (verified) => {
          answer(cli, options, { syncs: verified.syncs, clean: verified.clean }, () => summary(verified, keepRunning));
        },
      });
      cli.exitCode = outcome.clean ? 0 : 1;
    });
}

function summary(outcome: DemoOutcome, keepRunning: boolean): string {
  const columns = ['sync', 'records', 'created', 'updated', 'unchanged', 'deleted', 'failed', 'verified', 'differences'] as const;
  const rows = outcome.syncs.map((sync) => columns.map((column) => sync[column]));
  const verdict = outcome.clean
    ? 'Verified: the database holds what the org holds, record by record.'
    : 'The database and the org differ: see the last column.';
  const config = relative(process.cwd(), outcome.config);
  const next = keepRunning
    ? `
The org is at ${outcome.orgUrl} and goes on being synced, once a second. In another terminal:

  npx tidemark status --config ${config}
  npx tidemark verify contacts --config ${config}
  npx tidemark failures list --config ${config}

The copy is ${relative(process.cwd(), outcome.database)}. Ctrl-C stops both.
`
    : '';
  return `\n${renderTable(columns, rows)}\n${verdict}\n${next}`;
}
