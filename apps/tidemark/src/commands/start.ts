import { hostname } from 'node:os';
import { Configuration, type RunReport } from '@tidemark/core';
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
      const totals: Totals = { done: 0, failed: 0, stdoutTaken: false };
      // A configuration that is taken over while it runs begins anew, as a restart would.
      while (await runUntilStopped(cli, options, totals));
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

interface Totals {
  done: number;
  failed: number;
  stdoutTaken: boolean;
}

/** @returns whether it goes on, by another configuration */
async function runUntilStopped(cli: Cli, options: Options, totals: Totals): Promise<boolean> {
  return withSession(cli, { ...options, logs: true }, async ({ engine, config, log, signals, env, connectors }) => {
    const scheduled = [...config.syncs.values(), ...config.pairings.values()].filter(
      (sync) => sync.schedule !== null || sync.full !== null || sync.live,
    );
    // Orgs may be connected while it runs.
    if (scheduled.length === 0 && config.orgs === null) {
      throw new UsageError('no sync has a schedule, so there is nothing to start', {
        hint: 'give a sync every: 10s or cron:, or use tidemark run <sync>',
      });
    }
    totals.stdoutTaken ||= scheduled.some((sync) => recordsOnStdout(config, sync.name));
    const reloading = new AbortController();
    const stop = AbortSignal.any([signals.stop, reloading.signal]);
    await using served = await serveHttp({
      engine,
      configuration: new Configuration({ config, env, connectors, reload: () => reloading.abort() }),
      http: { port: options.port ?? config.http.port, host: options.host ?? config.http.host },
      log,
      clock: cli.clock,
      showToken: cli.terminal.live ? (dashboard) => cli.logLine(`dashboard, for you: ${dashboard}\n`) : null,
      notReady: () => (stop.aborted ? ['it is stopping'] : []),
      stop,
    });
    log.info({ syncs: scheduled.map((sync) => sync.name) }, 'started');
    const runs = { done: 0, failed: 0 };
    const onRun = (report: RunReport) => {
      runs.done++;
      if (!succeeded(report)) runs.failed++;
      served.metrics?.observe(report);
    };
    const worker = { name: `${hostname()}:${process.pid}`, version: version() };
    await engine.start({ stop, signal: new AbortController().signal, onRun, worker });
    totals.done += runs.done;
    totals.failed += runs.failed;
    const goesOn = reloading.signal.aborted && !signals.stop.aborted;
    log.info({ runs: runs.done, failed: runs.failed }, goesOn ? 'going on by the new configuration' : 'stopped');
    return goesOn;
  });
}

function parsePort(text: string): number | 'off' {
  if (text === 'off') return 'off';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('Write a port, 0 for a free one, or off.');
}
