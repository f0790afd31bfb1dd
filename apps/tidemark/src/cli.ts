import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import {
  type AnyConnector,
  type Clock,
  type Config,
  createFetch,
  createLog,
  didYouMean,
  Engine,
  type LogLevel,
  loadConfig,
  openStore,
  type RootLog,
  type Store,
} from '@tidemark/core';
import { Command, Help, type Option } from 'commander';
import { loadConnectors } from './connectors.ts';
import { InterruptedError } from './failure-report.ts';
import { recordsAside } from './records-on-stdout.ts';
import { listenForStop, type StopSignals } from './stop-signals.ts';
import { type Paint, painter, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export interface Cli {
  readonly terminal: Terminal;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** What the command that ran answers. */
  exitCode: number;
  /** Where log lines go while a progress bar is drawn. */
  logLine: (line: string) => void;
}

/** A command with the options that all of them take, and an example in its help. */
export function command(cli: Cli, name: string, summary: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(summary)
    .configureHelp({ visibleOptions: ownOptionsFirst })
    .option('-c, --config <file>', 'configuration file (also TIDEMARK_CONFIG)', cli.env.TIDEMARK_CONFIG || './tidemark.yaml')
    .option('--json', 'one JSON document on standard output; everything else goes to standard error')
    .option('--verbose', 'log every step')
    .addHelpText('after', `\n${examples.length > 1 ? 'Examples' : 'Example'}:\n${examples.map((e) => `  $ ${e}`).join('\n')}\n`);
}

/** What a command alone has is what its reader looks for. */
function ownOptionsFirst(command: Command): Option[] {
  const common = ['--config', '--json', '--verbose', '--help'];
  const options = new Help().visibleOptions(command);
  const isCommon = (option: Option) => common.includes(option.long ?? '');
  return [...options.filter((option) => !isCommon(option)), ...options.filter(isCommon)];
}

/** The answer of a command: a document for `--json`, text for people, which makes way for records (`stdoutTaken`). */
export function answer(
  cli: Cli,
  options: CommonOptions,
  document: unknown,
  text: (paint: Paint) => string,
  stdoutTaken = false,
): void {
  if (options.json) cli.terminal.out(`${JSON.stringify(document)}\n`);
  else if (stdoutTaken) cli.terminal.err(text(painter(cli.terminal.colourErr)));
  else cli.terminal.out(text(painter(cli.terminal.colourOut)));
}

export interface Session {
  readonly config: Config;
  readonly env: NodeJS.ProcessEnv;
  readonly connectors: readonly AnyConnector[];
  readonly engine: Engine;
  readonly store: Store;
  readonly log: RootLog;
  readonly signals: StopSignals;
}

/** Opens what a command needs, runs it, and closes everything again, whatever happens. */
export async function withSession<T>(
  cli: Cli,
  options: CommonOptions & { readonly logs?: boolean },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { config: written, env, connectors } = await readConfig(cli, options);
  const config = options.json ? recordsAside(written) : written;
  const log = openLog(cli, logLevel(config, options));
  for (const warning of config.warnings) log.warn({ place: warning.place, hint: warning.hint }, warning.message);
  await using store = await openStore(config.store.kind === 'sqlite' ? config.store.file : config.store.url);
  await using engine = new Engine({ config, store, clock: cli.clock, random: Math.random, log, fetch: createFetch(env) });
  using signals = listenForStop((why) => cli.logLine(`${why}\n`));
  await engine.refreshOrgs();
  try {
    return await work({ config: engine.config, env, connectors, engine, store, log, signals });
  } catch (error) {
    throw signals.stop.aborted ? new InterruptedError('stopped by request', { cause: error }) : error;
  }
}

/** The configuration, with the variables of an `.env` file beside it; the process's own count more. */
export async function readConfig(
  cli: Cli,
  options: CommonOptions,
): Promise<{ config: Config; env: NodeJS.ProcessEnv; connectors: readonly AnyConnector[] }> {
  const env = await environmentFor(cli, options.config);
  const { connectors, broken } = await loadConnectors();
  try {
    return { config: await loadConfig(options.config, { env, connectors }), env, connectors };
  } catch (error) {
    // The missing type may be one that is there and cannot be loaded.
    for (const { name, reason } of broken) cli.terminal.err(`warning: the connector ${name} cannot be loaded: ${reason}\n`);
    throw error;
  }
}

export async function environmentFor(cli: Cli, configFile: string): Promise<NodeJS.ProcessEnv> {
  const file = join(dirname(configFile), '.env');
  if (!existsSync(file)) return cli.env;
  return { ...parseEnv(await readFile(file, 'utf8')), ...cli.env };
}

export function openLog(cli: Cli, level: LogLevel): RootLog {
  return createLog({
    level,
    pretty: cli.terminal.live,
    colour: cli.terminal.colourErr,
    destination: { write: (line) => cli.logLine(line) },
  });
}

/** A command prints its own result; only a process that goes on for long tells of every run. */
function logLevel(config: Config, options: CommonOptions & { readonly logs?: boolean }): LogLevel {
  if (options.verbose) return 'debug';
  const { level } = config.log;
  return !options.logs && (level === 'info' || level === 'debug') ? 'warn' : level;
}

/** Of one-way and two-way syncs. */
export function syncNames({ syncs, pairings }: Config): readonly string[] {
  return [...syncs.keys(), ...pairings.keys()];
}

/** Refuses a name that the configuration does not have, before anything is contacted. */
export function knownSync(config: Config, name: string): string {
  const known = syncNames(config);
  if (known.includes(name)) return name;
  const meant = didYouMean(name, known);
  throw new UsageError(`there is no sync ${name} in ${config.file}`, {
    hint: `${meant === null ? '' : `did you mean ${meant}? `}it has: ${known.join(', ') || 'none'}`,
  });
}
