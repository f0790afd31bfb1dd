import type { SyncStatus } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { formatTime, renderTable } from '../table.ts';

export function statusCommand(cli: Cli): Command {
  return command(cli, 'status', 'how every sync stands; exit code 1 while one fails or has open failures', [
    'tidemark status',
    'tidemark status contacts --json',
  ])
    .argument('[sync]', 'only this one')
    .action(async (sync: string | undefined, options: CommonOptions) => {
      const syncs = await withSession(cli, options, ({ engine, config }) =>
        engine.status(sync === undefined ? undefined : knownSync(config, sync)),
      );
      if (syncs.some((each) => each.openFailures > 0 || each.lastRun?.state === 'failed')) cli.exitCode = 1;
      answer(cli, options, { syncs }, () => render(syncs));
    });
}

function render(syncs: readonly SyncStatus[]): string {
  const table = renderTable(
    ['sync', 'state', 'last run', 'kind', 'last success', 'failures'],
    syncs.map((each) => [
      each.sync,
      each.paused ? 'paused' : (each.lastRun?.state ?? 'never run'),
      formatTime(each.lastRun?.startedAtMs ?? null),
      each.lastRun?.kind ?? null,
      formatTime(each.lastSuccess?.startedAtMs ?? null),
      each.openFailures,
    ]),
  );
  const details = syncs.flatMap((each) => [
    ...Object.entries(each.checkpoint).map(([fact, value]) => `${each.sync}: ${fact} ${value}`),
    ...(each.lastRun?.error
      ? [`${each.sync}: ${each.lastRun.error.message} (${each.lastRun.error.hint ?? each.lastRun.error.code})`]
      : []),
  ]);
  return details.length === 0 ? table : `${table}\n${details.join('\n')}\n`;
}
