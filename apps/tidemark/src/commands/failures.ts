import { type Failure, type RunReport, remedyOf, type Store } from '@tidemark/core';
import { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, type Session, withSession } from '../cli.ts';
import { moreOf, pageOf, parseCount, parseId } from '../list-page.ts';
import { recordsOnStdout } from '../records-on-stdout.ts';
import { renderReport, succeeded } from '../run-text.ts';
import { formatTime, renderTable, shortened } from '../table.ts';
import type { Paint } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export function failuresCommand(cli: Cli): Command {
  return new Command('failures')
    .description('records that a target refused: list, retry or discard them')
    .addCommand(listCommand(cli), { isDefault: true })
    .addCommand(retryCommand(cli))
    .addCommand(discardCommand(cli));
}

function listCommand(cli: Cli): Command {
  return command(cli, 'list', 'records with an open failure, and why', [
    'tidemark failures list',
    'tidemark failures list contacts --json',
  ])
    .argument('[sync]', 'only this one')
    .option('--rows', "with --json: the records' values as well")
    .option('-n, --limit <count>', 'so many at most', parseCount, 1000)
    .option('--after <id>', 'only those that come after this one', parseId, '0')
    .action(async (sync: string | undefined, options: CommonOptions & { rows?: boolean; limit: number; after: string }) => {
      const found = await withSession(cli, options, ({ store, config }) =>
        store.failures({
          ...(sync === undefined ? {} : { sync: knownSync(config, sync) }),
          afterId: options.after,
          limit: options.limit + 1,
        }),
      );
      const page = pageOf(found, options.limit);
      const failures = page.shown.map((failure) => ({
        ...(options.rows ? failure : withoutRow(failure)),
        remedy: remedyOf(failure),
      }));
      answer(cli, options, { failures, next: page.next }, (paint) =>
        found.length === 0 ? 'no open failures\n' : renderFailures(page.shown) + moreOf(page, '--after', paint),
      );
    });
}

/** A message may repeat a long value; --json has it whole. */
const MESSAGE_CHARACTERS = 160;

function renderFailures(failures: readonly Failure[]): string {
  const table = renderTable(
    ['id', 'sync', 'key', 'refused by', 'code', 'attempts', 'since', 'next attempt', 'message'],
    failures.map((f) => [
      f.id,
      f.sync,
      f.key,
      f.place,
      f.code,
      f.attempts,
      formatTime(f.firstAtMs),
      formatTime(f.nextAttemptAtMs),
      shortened(f.message, MESSAGE_CHARACTERS),
    ]),
  );
  const remedies = new Set(failures.map((failure) => `${failure.code}: ${remedyOf(failure)}`));
  const toDo = [...remedies].map((remedy) => `to do for ${remedy}\n`).join('');
  const again = 'a mended record is tried again by itself, or now by tidemark failures retry <id>';
  return `${table}${toDo}${again}; to give it up: tidemark failures discard <id>\n`;
}

function retryCommand(cli: Cli): Command {
  return command(cli, 'retry', 'try failing records again, now', [
    'tidemark failures retry --all',
    'tidemark failures retry 17 18',
  ])
    .argument('[ids...]', 'ids as `failures list` shows them')
    .option('--sync <name>', 'all of this sync')
    .option('--all', 'all of every sync')
    .action(async (ids: readonly string[], options: CommonOptions & Selection) => {
      let taken = false;
      const reports = await withSession(cli, options, async (session) => {
        const done: RunReport[] = [];
        for (const [sync, failures] of groupBySync(await select(session, ids, options))) {
          if (session.signals.stop.aborted) break;
          taken ||= recordsOnStdout(session.config, sync);
          const retried = failures.map((failure) => failure.id);
          done.push(await session.engine.retry(knownSync(session.config, sync), { ids: retried, signal: session.signals.stop }));
        }
        return done;
      });
      if (!reports.every(succeeded)) cli.exitCode = 1;
      const text = (paint: Paint) =>
        reports.length === 0 ? 'no open failures\n' : reports.map((report) => renderReport(report, paint)).join('\n');
      answer(cli, options, { runs: reports }, text, taken);
    });
}

function discardCommand(cli: Cli): Command {
  return command(cli, 'discard', 'give up failing records: the target keeps what it has of them', [
    'tidemark failures discard 17',
    'tidemark failures discard --sync contacts',
  ])
    .argument('[ids...]', 'ids as `failures list` shows them')
    .option('--sync <name>', 'all of this sync')
    .option('--all', 'all of every sync')
    .action(async (ids: readonly string[], options: CommonOptions & Selection) => {
      const discarded = await withSession(cli, options, async (session) => {
        const failures = await select(session, ids, options);
        await session.store.removeFailures(failures.map((failure) => failure.id));
        return failures;
      });
      answer(cli, options, { discarded: discarded.map(withoutRow) }, () => `${discarded.length} discarded\n`);
    });
}

interface Selection {
  readonly sync?: string;
  readonly all?: boolean;
}

/** Exactly what was named: an id that is not there is a mistake, and nothing is done. */
async function select({ store, config }: Session, ids: readonly string[], { sync, all }: Selection): Promise<readonly Failure[]> {
  const ways = [ids.length > 0, sync !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) throw new UsageError('which failures?', { hint: 'give ids, or --sync <name>, or --all' });
  if (sync !== undefined) return store.failures({ sync: knownSync(config, sync) });
  if (all) return store.failures({});
  const named = ids.find((id) => config.syncs.has(id) || config.pairings.has(id));
  if (named !== undefined)
    throw new UsageError(`${named} is a sync and not the id of a failure`, { hint: `all failures of it: --sync ${named}` });
  return byIds(store, ids);
}

async function byIds(store: Store, ids: readonly string[]): Promise<readonly Failure[]> {
  const found = await store.failures({ ids });
  const lacking = ids.filter((id) => !found.some((failure) => failure.id === id));
  if (lacking.length > 0)
    throw new UsageError(`there is no open failure ${lacking.join(', ')}`, { hint: 'see tidemark failures list' });
  return found;
}

function groupBySync(failures: readonly Failure[]): Map<string, Failure[]> {
  return Map.groupBy(failures, (failure) => failure.sync) as Map<string, Failure[]>;
}

/** Values may be personal: they are shown only when asked for. */
function withoutRow(failure: Failure): Omit<Failure, 'row'> {
  const { row: _, ...rest } = failure;
  return rest;
}
