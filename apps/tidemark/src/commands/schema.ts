import type { SchemaChange, SyncSchema } from '@tidemark/core';
import { Command } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import type { Paint } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export function schemaCommand(cli: Cli): Command {
  return new Command('schema')
    .description('what sources and targets of syncs need: show or make it')
    .addCommand(diffCommand(cli), { isDefault: true })
    .addCommand(applyCommand(cli));
}

function diffCommand(cli: Cli): Command {
  return command(cli, 'diff', 'what is missing in sources and targets, as statements; changes nothing', [
    'tidemark schema diff',
    'tidemark schema diff accounts > accounts.sql',
  ])
    .argument('[sync]', 'only this one')
    .action(async (sync: string | undefined, options: CommonOptions) => {
      const schemas = await withSession(cli, options, ({ engine, config, signals }) =>
        engine.planSchema(sync === undefined ? undefined : knownSync(config, sync), signals.stop),
      );
      // As SQL, so that it can be given to whoever has the rights.
      answer(cli, options, { syncs: schemas }, (paint) => schemas.map((schema) => script(schema, paint)).join('\n'));
    });
}

function applyCommand(cli: Cli): Command {
  return command(cli, 'apply', 'makes what is missing: target tables and columns, change logs and triggers of captured sources', [
    'tidemark schema apply accounts',
    'tidemark schema apply --remove accounts',
  ])
    .argument('[sync]', 'only this one')
    .option('--remove', "take away what was made in the sync's source; its target stays")
    .action(async (sync: string | undefined, options: CommonOptions & { remove?: boolean }) => {
      if (options.remove && sync === undefined) {
        throw new UsageError('which sync shall lose what was made in its source?', {
          hint: 'name one: schema apply --remove <sync>',
        });
      }
      const schemas = await withSession(cli, options, async ({ engine, config, signals }) => {
        const name = sync === undefined ? undefined : knownSync(config, sync);
        if (options.remove) return [await engine.removeSchema(name!, signals.stop)];
        return engine.applySchema(name, signals.stop);
      });
      answer(cli, options, { syncs: schemas }, (paint) =>
        schemas.map((schema) => done(schema, paint, options.remove === true)).join(''),
      );
    });
}

function script({ sync, source, target }: SyncSchema, paint: Paint): string {
  const part = (side: string, changes: readonly SchemaChange[]) => [
    `${commentOf(changes)} ${paint('bold', sync)}: the ${side} ${changes.length === 0 ? 'needs no change' : 'needs:'}`,
    ...changes.flatMap((change) => statement(change, commentOf(changes))),
  ];
  const parts = [
    ...part('source', source),
    ...(target === null ? ['-- the target is told of once the source is ready'] : part('target', target)),
  ];
  return `${parts.join('\n')}\n`;
}

/** What begins a comment where these statements are run. */
function commentOf(changes: readonly SchemaChange[]): string {
  return changes.some(({ language }) => language === 'mongosh') ? '//' : '--';
}

function statement(change: SchemaChange, comment: string): string[] {
  const code = change.statement === undefined ? [] : [`${change.statement.replace(/;\s*$/, '')};`];
  return [`${comment} ${change.summary}`, ...code];
}

function done({ sync, source, target }: SyncSchema, paint: Paint, removed: boolean): string {
  const lines = [...source, ...(target ?? [])].map(({ summary, informational }) => `  ${informational ? '!' : '+'} ${summary}`);
  if (lines.length === 0) lines.push(removed ? '  nothing was there' : '  nothing was missing');
  return `${paint('bold', sync)}:\n${lines.join('\n')}\n`;
}
