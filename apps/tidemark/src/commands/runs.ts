import type { Run } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { parseCount } from '../list-page.ts';
import { countWords } from '../run-text.ts';
import { formatTime, renderTable, roughly } from '../table.ts';

export function runsCommand(cli: Cli): Command {
  return command(cli, 'runs', 'the latest runs: window, result and counts', [
    'tidemark runs',
    'tidemark runs contacts --limit 50',
  ])
    .argument('[sync]', 'only this one')
    .option('-n, --limit <count>', 'how many', parseCount, 20)
    .action(async (sync: string | undefined, options: CommonOptions & { limit: number }) => {
      const runs = await withSession(cli, options, ({ store, config }) =>
        store.runs({ limit: options.limit, ...(sync === undefined ? {} : { sync: knownSync(config, sync) }) }),
      );
      answer(cli, options, { runs }, () => (runs.length === 0 ? 'no runs yet\n' : render(runs)));
    });
}

function render(runs: readonly Run[]): string {
  return renderTable(
    ['started', 'took', 'sync', 'kind', 'state', 'window from', 'records'],
    runs.map((run) => [
      formatTime(run.startedAtMs),
      run.finishedAtMs === null ? null : roughly(run.finishedAtMs - run.startedAtMs),
      run.sync,
      run.kind,
      run.state,
      formatTime(run.windowFromMs) ?? (run.kind === 'full' ? 'the beginning' : null),
      run.error === null ? countWords(run.counts) : `${countWords(run.counts)}; ${run.error.message}`,
    ]),
  );
}
