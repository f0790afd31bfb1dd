import { type Command, InvalidArgumentError } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { formatTime, renderTable } from '../table.ts';

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
      answer(cli, options, { runs }, () =>
        renderTable(
          [
            'started',
            'sync',
            'kind',
            'state',
            'window from',
            'read',
            'created',
            'updated',
            'unchanged',
            'deleted',
            'failed',
            'error',
          ],
          runs.map((run) => [
            formatTime(run.startedAtMs),
            run.sync,
            run.kind,
            run.state,
            formatTime(run.windowFromMs),
            run.counts.read,
            run.counts.created,
            run.counts.updated,
            run.counts.unchanged,
            run.counts.deleted,
            run.counts.failed,
            run.error === null ? '' : run.error.message,
          ]),
        ),
      );
    });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Write a whole number above 0.');
}
