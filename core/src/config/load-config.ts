import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import type { AnyConnector, Config, StoreConfig, SyncConfig } from './config.ts';
import { readData } from './data-access.ts';
import { checkDatasets } from './datasets.ts';
import type { Environment } from './environment.ts';
import { locateYaml } from './located-yaml.ts';
import { readReceivers } from './notifications-read.ts';
import { isForEach, readOrgs } from './orgs.ts';
import { readPackage } from './package-read.ts';
import type { PairingConfig } from './pairing.ts';
import { inParts } from './parts.ts';
import { guardSecrets, isBlock, readConnections } from './read-connections.ts';
import { checkHookPaths, connectionForHooks } from './read-hook.ts';
import { readPairing } from './read-pairing.ts';
import { readSync } from './read-sync.ts';
import { Report } from './report.ts';
import { httpSchema, logSchema, storeSchema, topSchema } from './schema.ts';

export interface LoadOptions {
  readonly env: Environment;
  readonly connectors: readonly AnyConnector[];
}

/**
 * Reads and checks a configuration file.
 * @throws {ConfigError} with every problem at once, each with its place and what to do. No value of the environment is shown.
 */
export async function loadConfig(file: string, options: LoadOptions): Promise<Config> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw fileError(file, error.code);
  });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([{ place: file, message: 'is not UTF-8 text', hint: 'save it as UTF-8', severity: 'error' }]);
  }
  return parseConfig(text, { ...options, file });
}

/** The same for a text that is not in a file yet; `file` names it in messages, and its folder is where paths start. */
export function parseConfig(text: string, options: LoadOptions & { readonly file: string }): Config {
  const file = resolve(options.file);
  const baseDir = dirname(file);
  const { yaml, problems } = locateYaml(text, options.file, options.env);
  const syntaxWrong = problems.length > 0 && yaml.value === null;
  if (syntaxWrong) throw new ConfigError(problems);
  if (!isBlock(yaml.value)) {
    const message = yaml.value === null ? 'the file is empty' : 'the file must hold a block of keys';
    throw new ConfigError([{ place: options.file, message, hint: 'begin with connections: and syncs:', severity: 'error' }]);
  }
  const report = new Report(yaml);
  report.found(problems);

  const top = yaml.value;
  report.parse(topSchema, top, []);
  const connectionBlocks = isBlock(top.connections) ? top.connections : {};
  const syncBlocks = isBlock(top.syncs) ? top.syncs : {};
  const { connections, many } = readConnections(connectionBlocks, options.connectors, report, file);
  const store = report.parse(storeSchema, top.store ?? {}, ['store'])?.data;
  if (isBlock(top.store)) guardSecrets(storeSchema, { url: top.store.url }, ['store'], report, file);
  const storeConfig = store && readStore(store.url, baseDir, report);
  const declared = Object.keys(connectionBlocks);
  const context = { report, connections, declared, many: new Set(many.keys()), baseDir, file };
  if (Object.values(syncBlocks).some(hasHook) && storeConfig != null) {
    const forHooks = connectionForHooks(storeConfig, options.connectors);
    if (forHooks !== null) connections.set(forHooks.name, forHooks);
  }
  const syncs = new Map<string, SyncConfig>();
  const pairings = new Map<string, PairingConfig>();
  for (const [name, block] of Object.entries(syncBlocks)) {
    if (isForEach(block)) continue;
    if (isBlock(block) && 'between' in block) {
      const pairing = readPairing(name, block, context);
      if (pairing !== null) pairings.set(name, pairing);
      continue;
    }
    const sync = readSync(name, block, context);
    if (sync !== null) syncs.set(name, sync);
  }
  const orgs = readOrgs({ many, blocks: syncBlocks, context, yaml, env: options.env });
  // Of all orgs one: what clashes for it does so for each.
  const every = new Map([...syncs, ...(orgs?.sample ?? []).map((sync): [string, SyncConfig] => [sync.name, sync])]);
  checkDatasets(every, connections, report);
  checkWatermarkKeys(every, report);
  checkHookPaths(every, report);
  const log = report.parse(logSchema, top.log ?? {}, ['log'])?.data;
  const http = report.parse(httpSchema, top.http ?? {}, ['http'])?.data;
  const synced = { connections, syncs: every.values(), pairings: pairings.values(), hasOrgs: orgs !== null };
  const data =
    storeConfig == null
      ? new Map()
      : readData(http?.data ?? {}, { ...synced, surroundings: { baseDir, store: storeConfig } }, report);
  const notifications = readReceivers(top.notifications, report, file);
  const ownPackage = readPackage(top.package, declared, report);

  const errors = report.problems.filter((p) => p.severity === 'error');
  const isWhole = storeConfig != null && log !== undefined && http !== undefined && ownPackage !== null;
  if (errors.length > 0 || !isWhole) {
    throw new ConfigError(inFileOrder(report.problems));
  }
  return {
    file,
    baseDir,
    connections,
    syncs: new Map([...syncs.values()].flatMap(inParts).map((sync) => [sync.name, sync])),
    pairings,
    orgs: orgs?.templates ?? null,
    store: storeConfig,
    log: { level: log.level },
    http: { port: http.port ?? null, host: http.host ?? null, data },
    notifications,
    package: ownPackage,
    notes: typeof top.notes === 'string' ? top.notes : null,
    warnings: inFileOrder(report.problems),
  };
}

/** One that names no place of its own for what comes in. */
function hasHook(sync: unknown): boolean {
  return isBlock(sync) && isBlock(sync.from) && 'hook' in sync.from && !('connection' in sync.from);
}

function readStore(url: string, baseDir: string, report: Report): StoreConfig | null {
  if (/^postgres(?:ql)?:\/\//.test(url)) {
    if (URL.canParse(url)) return { kind: 'postgres', url };
    report.error(['store', 'url'], 'is not a valid postgres:// URL', 'percent-encode special characters of the password');
    return null;
  }
  const path = url.replace(/^(?:sqlite|file):(?:\/\/)?/, '');
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    report.error(['store', 'url'], 'is of a kind that cannot keep state', 'use a file path for SQLite, or postgres://…');
    return null;
  }
  return { kind: 'sqlite', file: path === ':memory:' ? path : resolve(baseDir, path) };
}

function checkWatermarkKeys(syncs: ReadonlyMap<string, SyncConfig>, report: Report): void {
  const owners = new Map<string, string>();
  for (const sync of syncs.values()) {
    const other = owners.get(sync.watermarkKey);
    if (other === undefined) owners.set(sync.watermarkKey, sync.name);
    else report.error(['syncs', sync.name, 'watermarkKey'], `is the checkpoint of sync ${other}`, 'give each sync its own');
  }
}

/** By line and column, so that a reader can go from top to bottom. */
function inFileOrder<T extends { readonly place: string }>(problems: readonly T[]): T[] {
  const position = ({ place }: T) => {
    const [, line, column] = /:(\d+):(\d+)(?::|$)/.exec(place) ?? [];
    return Number(line ?? 0) * 100_000 + Number(column ?? 0);
  };
  return problems.toSorted((a, b) => position(a) - position(b));
}

function fileError(file: string, code: string | undefined): ConfigError {
  const shown = relative(process.cwd(), file) || file;
  const say = (message: string, hint: string) =>
    new ConfigError([{ place: shown.startsWith('..') ? file : shown, message, hint, severity: 'error' }]);
  if (code === 'ENOENT') return say('there is no such file', 'write one with `tidemark init`, or name another with --config');
  if (code === 'EISDIR') return say('is a folder', 'name the file in it');
  if (code === 'EACCES' || code === 'EPERM') return say('may not be read by this user', 'check the rights of the file');
  return say(`cannot be read (${code ?? 'unknown reason'})`, 'check the disk and the path');
}
