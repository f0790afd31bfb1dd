import { existsSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { type AnyConnector, didYouMean, parseConfig, parseDuration } from '@tidemark/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { answer, type Cli, type CommonOptions, command, environmentFor, openLog } from '../cli.ts';
import { loadConnectors } from '../connectors.ts';
import { renderProblem } from '../failure-report.ts';
import { type Ask, askOnTerminal, QuestionsEndedError } from '../init/ask.ts';
import { checkOwnWork } from '../init/check-own-work.ts';
import { namingKey, tableName } from '../init/dataset-names.ts';
import { fillConnection } from '../init/fill-connection.ts';
import { importHerokuConnect } from '../init/heroku-connect/import-heroku-connect.ts';
import { renderConfig, type SyncDraft } from '../init/render-config.ts';
import { schemaPath } from '../init/schema-path.ts';
import { testConnections } from '../init/test-connections.ts';
import { writeFiles } from '../init/write-files.ts';
import { UsageError } from '../usage-error.ts';

interface Options extends CommonOptions {
  readonly source: string;
  readonly from?: string;
  readonly target?: string;
  readonly objects?: readonly string[];
  readonly every: string;
  readonly live?: boolean;
  readonly set?: ReadonlyMap<string, string>;
  readonly sf?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

export function initCommand(cli: Cli): Command {
  return command(cli, 'init', 'write a first configuration, once its connections have been tested', [
    'tidemark init',
    'tidemark init --sf my-sandbox --objects Account,Contact',
    'tidemark init --from heroku-connect my-app-export.json',
    'SF_CLIENT_ID=… SF_CLIENT_SECRET=… tidemark init --yes --set crm.loginUrl=https://acme.my.salesforce.com --set app.path=./crm.db',
  ])
    .argument('[export]', 'with --from: the file that holds the other configuration')
    .addOption(
      new Option('--from <system>', 'turn the configuration of another system into one of ours; no connection is tested').choices(
        ['heroku-connect'],
      ),
    )
    .option('--source <type>', 'where records come from', 'salesforce')
    .option('--target <type>', 'where they go (default: sqlite)')
    .option('--objects <names>', 'what to keep in sync, by commas', (text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    )
    .option('--every <duration>', 'how often', parseEvery, '10s')
    .option('--live', 'follow the change events of the org instead (into sqlite or postgres)')
    .option('--set <connection.key=value>', 'a setting of a connection (crm and app); secrets come from the environment', collect)
    .option('--sf <user>', "use the sf CLI's login of this user name or alias")
    .option('--force', 'overwrite a configuration that is there')
    .option('-y, --yes', 'ask nothing: take flags, environment and defaults')
    .action(async (exported: string | undefined, options: Options) => {
      try {
        if (exported !== undefined || options.from !== undefined) await importFrom(cli, exported, options);
        else await init(cli, options, cli.terminal.interactive && !options.yes && !options.json ? askOnTerminal : null);
      } catch (error) {
        if (!(error instanceof QuestionsEndedError)) throw error;
        cli.terminal.err('stopped; nothing was written\n');
        cli.exitCode = EXIT_INTERRUPTED;
      }
    });
}

const EXIT_INTERRUPTED = 130;

async function importFrom(cli: Cli, exported: string | undefined, options: Options): Promise<void> {
  if (exported === undefined || options.from === undefined) {
    const hint = 'tidemark init --from heroku-connect my-app-export.json';
    throw new UsageError(exported === undefined ? 'which export?' : `${exported}: of which system is it?`, { hint });
  }
  const file = resolve(options.config);
  refuseExisting(file, options.force === true);
  await importHerokuConnect(cli, exported, { ...options, config: file });
}

/** Exported for tests, which answer the questions themselves. */
export async function init(cli: Cli, options: Options, ask: Ask | null): Promise<void> {
  const file = resolve(options.config);
  // First, so that nobody answers questions for nothing.
  refuseExisting(file, options.force === true);
  const env = await environmentFor(cli, file);
  const { connectors } = await loadConnectors();
  const source = findConnector(connectors, options.source, 'from');
  if (ask !== null) cli.terminal.err('Nothing is written before both sides have been tested. Ctrl-C stops.\n\n');

  const set = new Map(options.set);
  if (options.sf !== undefined) set.set('crm.auth.flow', 'sf-cli').set('crm.auth.username', options.sf);
  const from = await fillConnection('crm', source, { set, env, ask });
  const targets = connectors.filter((c) => c.to !== undefined && c.name !== 'memory').map((c) => c.name);
  const targetType =
    options.target ??
    (ask === null ? 'sqlite' : await ask.choose('Where do the records go?', targets, 'sqlite', summaries(connectors)));
  const target = findConnector(connectors, targetType, 'to');
  const to = await fillConnection('app', target, { set, env, ask });
  const lacking = [
    ...from.lacking,
    ...to.lacking,
    ...[...set.keys()].map((key) => `${key}: there is no such setting, remove it`),
  ];
  if (lacking.length > 0) throw new UsageError('some settings are missing or wrong', { hint: `\n    ${lacking.join('\n    ')}` });

  const typed = new Map(
    [...from.variables, ...to.variables].flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])),
  );
  const fullEnv = { ...env, ...Object.fromEntries(typed) };
  const connections = [from, to];
  const draft = renderConfig(connections, [], { every: options.every, schema: null }).replace(/syncs:\n$/, 'syncs: {}\n');
  const config = parseConfig(draft, { file, env: fullEnv, connectors });
  if (ask !== null) cli.terminal.err('Testing both sides …\n');
  const { problems, datasets } = await testConnections(
    config,
    'crm',
    cli,
    fullEnv,
    openLog(cli, options.verbose ? 'debug' : 'warn'),
  );
  const errors = problems.filter((problem) => problem.severity === 'error');
  if (errors.length > 0) {
    cli.exitCode = 1;
    answer(cli, options, { written: [], problems }, (paint) => {
      const lines = problems.flatMap((problem) => renderProblem(problem, paint));
      return `${lines.join('\n')}\nnothing was written\n`;
    });
    return;
  }

  const objects = await chooseObjects(options, source, datasets, ask);
  const { every, live = false } = options;
  const text = renderConfig(connections, draftSyncs(objects, source, target), { every, live, schema: schemaPath(file) });
  checkOwnWork(text, { file, env: fullEnv, connectors });
  const written = await writeFiles(file, text, connections, typed, options.force === true, ask);
  answer(cli, options, { written: written.map((path) => relative(process.cwd(), path)), problems }, (paint) => {
    const lines = [`${paint('green', 'Connected')}, and written: ${written.map((path) => basename(path)).join(', ')}`];
    lines.push(...problems.flatMap((problem) => renderProblem(problem, paint)));
    const unset = [...typed.keys()].filter(() => !written.some((path) => basename(path) === '.env'));
    if (unset.length > 0) lines.push(`set ${unset.join(', ')} in the environment or in .env`);
    if (options.live) lines.push(`first: tidemark check --select, which selects ${objects.join(', ')} for Change Data Capture`);
    lines.push('next: tidemark plan, then tidemark run --all, then tidemark start');
    return `${lines.join('\n')}\n`;
  });
}

function summaries(connectors: readonly AnyConnector[]): ReadonlyMap<string, string> {
  return new Map(connectors.map(({ name, summary }) => [name, summary]));
}

function refuseExisting(file: string, force: boolean): void {
  if (force || !existsSync(file)) return;
  throw new UsageError(`${relative(process.cwd(), file)} is there already`, {
    hint: 'say --force to overwrite it, or --config to write another',
  });
}

function findConnector(connectors: readonly AnyConnector[], type: string, side: 'from' | 'to'): AnyConnector {
  const fitting = connectors.filter((connector) => connector[side] !== undefined);
  const found = fitting.find((connector) => connector.name === type);
  if (found !== undefined) return found;
  const hint = `one of: ${fitting.map((connector) => connector.name).join(', ')}`;
  throw new UsageError(`${type} is no ${side === 'from' ? 'source' : 'target'}`, { hint });
}

async function chooseObjects(
  options: Options,
  source: AnyConnector,
  datasets: readonly string[] | null,
  ask: Ask | null,
): Promise<readonly string[]> {
  const usual = ['Account', 'Contact'].filter((name) => datasets === null || datasets.includes(name));
  let objects = options.objects;
  if (objects === undefined && ask !== null && datasets !== null)
    objects = await ask.chooseMany('What is kept in sync?', datasets, usual);
  if (objects === undefined && ask !== null) objects = [await ask.text('What is kept in sync?')];
  if (objects === undefined && source.name === 'salesforce') objects = usual;
  if (objects === undefined || objects.length === 0)
    throw new UsageError('what is to be kept in sync?', { hint: '--objects with names, by commas' });
  for (const name of objects) {
    if (datasets === null || datasets.includes(name)) continue;
    const meant = didYouMean(name, datasets);
    throw new UsageError(`the source has no ${name} that this user may read`, {
      hint: meant === null ? 'check the name, and the rights of the user' : `did you mean ${meant}?`,
    });
  }
  return objects;
}

function draftSyncs(objects: readonly string[], source: AnyConnector, target: AnyConnector): SyncDraft[] {
  const fromKey = namingKey(source, 'from') ?? 'object';
  const toKey = namingKey(target, 'to');
  return objects.map((object) => {
    const name = tableName(object);
    return {
      name,
      from: { connection: 'crm', [fromKey]: object },
      to: { connection: 'app', ...(toKey === null ? {} : { [toKey]: datasetName(target, toKey, name) }) },
    };
  });
}

/** A file has an ending, a path of a server begins at its root. */
function datasetName(target: AnyConnector, key: string, name: string): string {
  if (key !== 'path' && key !== 'file') return name;
  const file = `${name}.jsonl`;
  return target.to?.safeParse({ [key]: file }).success === false ? `/${name}` : file;
}

function collect(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write connection.key=value.');
  return new Map(before).set(text.slice(0, at), text.slice(at + 1));
}

function parseEvery(text: string): string {
  if ((parseDuration(text) ?? 0) >= 1000) return text;
  throw new InvalidArgumentError('Write a duration of at least 1s, such as 10s or 5m.');
}
