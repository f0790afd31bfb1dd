import { readFile, writeFile } from 'node:fs/promises';
import type { SchemaChange, SyncSchema } from '@tidemark/core';
import { Command, Option } from 'commander';
import { answer, type Cli, type CommonOptions, command, knownSync, withSession } from '../cli.ts';
import { jsonSchemaOf } from '../schema-types/json-schema.ts';
import { typeScriptOf } from '../schema-types/type-script.ts';
import type { Paint } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export function schemaCommand(cli: Cli): Command {
  return new Command('schema')
    .description('what sources and targets of syncs need: show or make it; types for whoever reads the targets')
    .addCommand(diffCommand(cli), { isDefault: true })
    .addCommand(applyCommand(cli))
    .addCommand(typesCommand(cli));
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

const formats = { ts: typeScriptOf, 'json-schema': jsonSchemaOf };
type Format = keyof typeof formats;

function typesCommand(cli: Cli): Command {
  return command(cli, 'types', 'types of the rows in the targets, from what the sources tell of their fields', [
    'tidemark schema types > src/crm-types.ts',
    'tidemark schema types contacts --format json-schema --out contacts.schema.json',
  ])
    .argument('[sync]', 'only this one')
    .addOption(new Option('--format <format>', 'what to write').choices(Object.keys(formats)).default('ts'))
    .option('--out <file>', 'write it there; the same metadata gives the same file, so that it can be committed')
    .action(async (sync: string | undefined, options: CommonOptions & { format: Format; out?: string }) => {
      const targets = await withSession(cli, options, ({ engine, config, signals }) => {
        if (sync !== undefined && config.pairings.has(sync)) {
          throw new UsageError(`${sync} is a two-way sync, whose tables have a shape of their own`, {
            hint: 'types are made of what one-way syncs leave in their targets: name one of those',
          });
        }
        return engine.describeTargets(sync === undefined ? undefined : knownSync(config, sync), signals.stop);
      });
      const text = formats[options.format](targets);
      const file = options.out === undefined ? null : await writeWhereDifferent(options.out, text);
      const { format } = options;
      answer(cli, options, file === null ? { format, text } : { format, ...file }, () =>
        file === null ? text : `${file.path} ${file.changed ? 'is written' : 'is as it was'}\n`,
      );
    });
}

/** A file that is as it should be keeps its time, so that nobody builds anew for it. */
async function writeWhereDifferent(path: string, text: string): Promise<{ readonly path: string; readonly changed: boolean }> {
  const changed = (await readFile(path, 'utf8').catch(() => null)) !== text;
  if (!changed) return { path, changed };
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${(error as Error).message}`, {
      hint: 'name a file in a folder that is there',
    });
  }
  return { path, changed };
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
