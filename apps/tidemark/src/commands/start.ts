import type { RunReport } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { recordsOnStdout } from '../records-on-stdout.ts';
import { succeeded } from '../run-text.ts';
import { UsageError } from '../usage-error.ts';

export function startCommand(cli: Cli): Command {
  return command(cli, 'start', 'run every scheduled sync until stopped (SIGINT or SIGTERM)', [
    'tidemark start',
    'tidemark start --config /etc/tidemark.yaml 2>> tidemark.log',
  ]).action(async (options: CommonOptions) => {
    const totals = await withSession(cli, { ...options, logs: true }, async ({ engine, config, log, signals }) => {
      const scheduled = [...config.syncs.values()].filter((sync) => sync.schedule !== null || sync.full !== null || sync.live);
      if (scheduled.length === 0) {
        throw new UsageError('no sync has a schedule, so there is nothing to start', {
          hint: 'give a sync every: 10s or cron:, or use tidemark run <sync>',
        });
      }
      log.info({ syncs: scheduled.map((sync) => sync.name) }, 'started');
      const runs = { done: 0, failed: 0, stdoutTaken: scheduled.some((sync) => recordsOnStdout(config, sync.name)) };
      const onRun = (report: RunReport) => {
        runs.done++;
        if (!succeeded(report)) runs.failed++;
      };
      await engine.start({ stop: signals.stop, signal: new AbortController().signal, onRun });
      log.info({ runs: runs.done, failed: runs.failed }, 'stopped');
      return runs;
    });
    // What failed meanwhile has been logged and is on record; being asked to stop is no failure.
    answer(
      cli,
      options,
      { runs: totals.done, failed: totals.failed },
      () => {
        const failed = totals.failed === 0 ? '' : `, ${totals.failed} of them with failures`;
        return `stopped after ${totals.done} ${totals.done === 1 ? 'run' : 'runs'}${failed}\n`;
      },
      totals.stdoutTaken,
    );
  });
}
