import type { Choice, Conflict, FieldValue } from '@tidemark/core';
import { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { moreOf, pageOf, parseCount, parseId } from '../list-page.ts';
import { renderConflict, renderConflicts } from '../pairing-text.ts';
import { renderReport, succeeded } from '../run-text.ts';
import { UsageError } from '../usage-error.ts';

export function conflictsCommand(cli: Cli): Command {
  return new Command('conflicts')
    .description('what both sides of a two-way sync changed: list, show or decide it')
    .addCommand(listCommand(cli), { isDefault: true })
    .addCommand(showCommand(cli))
    .addCommand(resolveCommand(cli));
}

function listCommand(cli: Cli): Command {
  return command(cli, 'list', 'open conflicts; with --all, also what was decided or overwritten by rule', [
    'tidemark conflicts list',
    'tidemark conflicts list accounts --all --limit 50',
  ])
    .argument('[sync]', 'only this one')
    .option('--all', 'settled ones and those being written as well')
    .option('-n, --limit <count>', 'the newest so many', parseCount, 100)
    .option('--before <id>', 'only those that are older than this one', parseId)
    .action(async (sync: string | undefined, options: CommonOptions & { all?: boolean; limit: number; before?: string }) => {
      const found = await withSession(cli, options, ({ engine, config }) =>
        engine.conflicts({
          ...(sync === undefined ? {} : { sync: knownSync(config, sync) }),
          ...(options.all ? {} : { state: 'open' as const }),
          ...(options.before === undefined ? {} : { before: options.before }),
          limit: options.limit + 1,
        }),
      );
      const page = pageOf(found, options.limit);
      const none = options.all ? 'no conflicts\n' : 'no open conflicts\n';
      answer(cli, options, { conflicts: page.shown, next: page.next }, (paint) =>
        found.length === 0 ? none : renderConflicts(page.shown) + toDo(page.shown) + moreOf(page, '--before', paint),
      );
    });
}

function toDo(conflicts: readonly Conflict[]): string {
  if (!conflicts.some(({ state }) => state === 'open')) return '';
  return 'to do for open ones: tidemark conflicts resolve <id> --take <connection>, or --value <json>; tidemark conflicts show <id> tells more\n';
}

function showCommand(cli: Cli): Command {
  return command(cli, 'show', 'one conflict with its values in full', ['tidemark conflicts show 17'])
    .argument('<id>', 'as `conflicts list` shows it')
    .action(async (id: string, options: CommonOptions) => {
      const { conflict, pairing } = await withSession(cli, options, async ({ engine, config }) => {
        const [found] = await engine.conflicts({ ids: [id] });
        return { conflict: found, pairing: config.pairings.get(found?.sync ?? '') };
      });
      if (conflict === undefined)
        throw new UsageError(`there is no conflict ${id}`, { hint: 'see tidemark conflicts list --all' });
      answer(cli, options, conflict, () => renderConflict(conflict, pairing));
    });
}

function resolveCommand(cli: Cli): Command {
  return command(cli, 'resolve', 'decide open conflicts: both sides get what is chosen', [
    'tidemark conflicts resolve 17 18 --take crm',
    'tidemark conflicts resolve 17 --value \'"Acme Ltd"\'',
  ])
    .argument('<ids...>', 'as `conflicts list` shows them')
    .option('--take <connection>', 'what this side has; of a record that one side deleted: whether it exists')
    .option('--value <json>', 'a value of your own, as JSON')
    .action(async (ids: readonly string[], options: CommonOptions & { take?: string; value?: string }) => {
      const choice = choiceOf(options);
      const { runs, stillOpen } = await withSession(cli, options, ({ engine, signals }) =>
        engine.resolveConflicts(ids, choice, { signal: new AbortController().signal, stop: signals.stop }),
      );
      if (!runs.every(succeeded) || stillOpen.length > 0) cli.exitCode = 1;
      answer(cli, options, { runs, stillOpen }, (paint) => {
        const again = stillOpen.map(
          ({ id, sync }) =>
            `conflict ${id} is still open: its record has changed since it was shown (tidemark conflicts show ${id}), or was refused (tidemark failures list ${sync})\n`,
        );
        return [...runs.map((report) => renderReport(report, paint)), ...again].join('\n');
      });
    });
}

function choiceOf({ take, value }: { take?: string; value?: string }): Choice {
  if ((take === undefined) === (value === undefined)) {
    throw new UsageError('which value?', { hint: 'give either --take <connection> or --value <json>' });
  }
  if (take !== undefined) return { side: take };
  try {
    return { value: JSON.parse(value!) as FieldValue };
  } catch {
    throw new UsageError(`--value ${value} is not JSON`, { hint: `text goes in quotes: --value '"${value}"'` });
  }
}
