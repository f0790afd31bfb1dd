import { hostname } from 'node:os';
import type { RunReport } from '@tidemark/core';
import { type Command, InvalidArgumentError } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { recordsOnStdout } from '../records-on-stdout.ts';
import { succeeded } from '../run-text.ts';
import { serveHttp } from '../serve-http.ts';
import { UsageError } from '../usage-error.ts';
import { version } from '../version.ts';

interface Options extends CommonOptions {
  readonly port?: number | 'off';
  readonly host?: string;
}

export function startCommand(cli: Cli): Command {
  return command(cli, 'start', 'run every scheduled sync until stopped (SIGINT or SIGTERM)', [
    'tidemark start',
    'tidemark start --config /etc/tidemark.yaml --port 9400 2>> tidemark.log',
  ])
    .option(
      '--port <port>',
      'where /hooks, /metrics, /healthz and /readyz are answered, or off (default: 4600, or http.port)',
      parsePort,
    )
    .option('--host <address>', 'the address for them (default: this machine only, or http.host)')
    .action(async (options: Options) => {
      const totals = await withSession(cli, { ...options, logs: true }, async ({ engine, config, log, signals }) => {
        const scheduled = [...config.syncs.values(), ...config.pairings.values()].filter(
          (sync) => sync.schedule !== null || sync.full !== null || sync.live,
        );
        // Orgs may be connected while it runs.
        if (scheduled.length === 0 && config.orgs === null) {
          throw new UsageError('no sync has a schedule, so there is nothing to start', {
            hint: 'give a sync every: 10s or cron:, or use tidemark run <sync>',
          });
        }
        const http = { port: options.port ?? config.http.port, host: options.host ?? config.http.host };
        const notReady = () => (signals.stop.aborted ? ['it is stopping'] : []);
        await using served = await serveHttp({ engine, http, log, now: cli.clock.now, notReady, stop: signals.stop });
        log.info({ syncs: scheduled.map((sync) => sync.name) }, 'started');
        const runs = { done: 0, failed: 0, stdoutTaken: scheduled.some((sync) => recordsOnStdout(config, sync.name)) };
        const onRun = (report: RunReport) => {
          runs.done++;
          if (!succeeded(report)) runs.failed++;
          served.metrics?.observe(report);
        };
        const worker = { name: `${hostname()}:${process.pid}`, version: version() };
        await engine.start({ stop: signals.stop, signal: new AbortController().signal, onRun, worker });
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

function parsePort(text: string): number | 'off' {
  if (text === 'off') return 'off';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('Write a port, 0 for a free one, or off.');
}
