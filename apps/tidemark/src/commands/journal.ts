import type { Journaled } from '@tidemark/core';
import { formatDuration } from '@tidemark/core';
import type { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, withSession } from '../cli.ts';
import { formatTime, renderTable } from '../table.ts';

export function journalCommand(cli: Cli): Command {
  return command(cli, 'journal', 'which events are kept for a replay, and since when', ['tidemark journal']).action(
    async (options: CommonOptions) => {
      const journals = await withSession(cli, options, ({ engine }) => engine.journals());
      answer(cli, options, { journals }, () =>
        journals.length === 0 ? 'no events are kept: journal: 7d of a live sync keeps those of seven days\n' : render(journals),
      );
    },
  );
}

function render(journals: readonly Journaled[]): string {
  return renderTable(
    ['dataset', 'events', 'bytes', 'from', 'to', 'kept for', 'stream'],
    journals.map(({ dataset, events, bytes, firstAtMs, lastAtMs, retentionMs, stream }) => [
      dataset,
      events.toLocaleString('en-US'),
      bytes.toLocaleString('en-US'),
      formatTime(firstAtMs),
      formatTime(lastAtMs),
      formatDuration(retentionMs),
      stream,
    ]),
  );
}
