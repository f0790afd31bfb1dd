import { statSync } from 'node:fs';
import type { ZodType } from 'zod';
import { registerSecret } from '../base/secrets.ts';
import type { AnyConnector, ConnectionConfig } from './config.ts';
import { inputSchema, secretPaths } from './connector-schema.ts';
import type { Path } from './located-yaml.ts';
import type { Report } from './report.ts';

/** A connection that stands for many orgs. */
export interface ManyOrgs {
  readonly name: string;
  readonly connector: AnyConnector;
  /** As it stands in the file, but for what all connections have. */
  readonly block: Readonly<Record<string, unknown>>;
  /** As the connector's schema for many orgs parsed it. */
  readonly config: unknown;
}

/** Checks each connection by its connector's schema. Those that are wrong are left out, and in the report. */
export function readConnections(
  blocks: Readonly<Record<string, unknown>>,
  connectors: readonly AnyConnector[],
  report: Report,
  file: string,
): { readonly connections: Map<string, ConnectionConfig>; readonly many: Map<string, ManyOrgs> } {
  const connections = new Map<string, ConnectionConfig>();
  const many = new Map<string, ManyOrgs>();
  for (const [name, block] of Object.entries(blocks)) {
    const path: Path = ['connections', name];
    checkName(name, path, report);
    if (!isBlock(block)) {
      report.error(path, 'takes a block of keys', 'at least type: and what that type needs');
      continue;
    }
    const { type, notes, orgs, ...rest } = block;
    const connector = findConnector(type, connectors, path, report);
    if (notes !== undefined && typeof notes !== 'string') report.error([...path, 'notes'], 'takes text');
    if (connector === null) continue;
    const schema = schemaOf(connector, orgs, path, report);
    if (schema === null) continue;
    const parsed = report.parse(schema, rest, path);
    guardSecrets(schema, rest, path, report, file);
    if (parsed === null) continue;
    if (orgs === true) many.set(name, { name, connector, block: rest, config: parsed.data });
    else {
      connections.set(name, { name, connector, config: parsed.data, notes: typeof notes === 'string' ? notes : null });
    }
  }
  return { connections, many };
}

function schemaOf({ name, config, orgs }: AnyConnector, many: unknown, path: Path, report: Report): ZodType | null {
  if (many === undefined || many === false) return config;
  if (many !== true) report.error([...path, 'orgs'], 'takes true', 'leave it out for one system');
  else if (orgs === undefined)
    report.error([...path, 'orgs'], `is nothing for a connection of type ${name}`, 'leave it out', 'key');
  return orgs?.config ?? null;
}

function findConnector(type: unknown, connectors: readonly AnyConnector[], path: Path, report: Report): AnyConnector | null {
  const names = connectors.map((c) => c.name).sort();
  if (typeof type !== 'string') {
    report.error([...path, 'type'], type === undefined ? 'is missing' : 'takes text', `one of: ${names.join(', ')}`);
    return null;
  }
  const connector = connectors.find((c) => c.name === type);
  if (connector === undefined) report.unknown([...path, 'type'], 'there is no such type of connection', type, names);
  return connector ?? null;
}

/** Masks secrets from here on. One that stands in the file as it is ends up in backups and in version control: a warning. */
export function guardSecrets(schema: ZodType, rest: unknown, path: Path, report: Report, file: string): void {
  for (const secret of secretPaths(inputSchema(schema), rest)) {
    const at = [...path, ...secret];
    const value = secret.reduce<unknown>((v, part) => (v as Record<string | number, unknown>)[part], rest);
    if (typeof value === 'string' && !isWithoutSecret(value)) keepSecret(value);
    if (report.yaml.variables(at).length > 0) continue;
    if (typeof value === 'string' && (value === '' || isWithoutSecret(value))) continue;
    const open = readableByOthers(file) ? '; others on this machine can read the file: chmod 600 it' : '';
    report.warn(at, 'is a secret in plain text', `put it into the environment and write \${NAME}${open}`);
  }
}

/** From here on neither log nor error shows it, however it got there. */
function keepSecret(value: string): void {
  registerSecret(value);
  const password = URL.canParse(value) ? new URL(value).password : '';
  if (password === '') return;
  registerSecret(password);
  try {
    registerSecret(decodeURIComponent(password));
  } catch {
    // Not percent-encoded after all: it is registered as it stands.
  }
}

/** A URL that names no password, or a path. */
function isWithoutSecret(text: string): boolean {
  if (/^\.{0,2}\/[^\s]*$/.test(text)) return true;
  if (!text.includes('://') || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.password === '' && !/(?:password|token|secret|key)=/i.test(url.search);
}

function readableByOthers(file: string): boolean {
  try {
    return process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
  } catch {
    return false;
  }
}

/** Names appear on command lines, in URLs and as metrics labels. */
export function checkName(name: string, path: Path, report: Report): void {
  if (/^[A-Za-z][\w-]{0,62}$/.test(name)) return;
  report.error(path, 'is not a usable name', 'begin with a letter; then letters, digits, - and _, 63 at most', 'key');
}

export function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
