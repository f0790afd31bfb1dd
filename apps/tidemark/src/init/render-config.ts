import type { FilledConnection } from './fill-connection.ts';

export interface SyncDraft {
  readonly name: string;
  readonly from: { readonly [key: string]: unknown };
  readonly to: { readonly [key: string]: unknown };
}

/** A first `tidemark.yaml`, to be read and changed by people. */
export function renderConfig(
  connections: readonly FilledConnection[],
  syncs: readonly SyncDraft[],
  options: { readonly every: string; readonly live?: boolean; readonly schema: string | null },
): string {
  const lines = [
    ...renderHead(connections, options.schema),
    'syncs:',
    ...syncs.flatMap(({ name, from, to }) => [
      `  ${name}:`,
      `    from: ${inline(from)}`,
      `    to: ${inline(to)}`,
      options.live ? '    live: true' : `    every: ${options.every}`,
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** All before the syncs. @param schema  where editors find the schema, from the configuration's folder */
export function renderHead(connections: readonly FilledConnection[], schema: string | null): string[] {
  return [
    ...(schema === null ? [] : [`# yaml-language-server: $schema=${schema}`]),
    '# What is kept in sync with what. `tidemark check` looks it over; docs/reference/config.md lists every key.',
    'connections:',
    ...connections.flatMap(({ name, type, block }) => [`  ${name}:`, `    type: ${type}`, ...blockLines(block, 4)]),
    '',
  ];
}

/** Names without values: safe to keep beside the code. */
export function renderEnvExample(variables: Iterable<string>): string {
  const lines = [...variables].map((name) => `${name}=`);
  return ['# Copy to .env (and keep that out of version control), or set these in the environment.', ...lines, ''].join('\n');
}

export function renderEnv(values: Iterable<readonly [name: string, value: string]>): string {
  return [...values].map(([name, value]) => `${name}=${quoted(value)}\n`).join('');
}

/** In quotes that the value does not hold itself; within single quotes nothing is interpreted. */
function quoted(value: string): string {
  if (/^[\w./:@%+=,-]*$/.test(value)) return value;
  const quote = ["'", '`', '"'].find((candidate) => !value.includes(candidate));
  return quote === undefined ? `"${value.replaceAll('"', '\\"')}"` : `${quote}${value}${quote}`;
}

function blockLines(block: { readonly [key: string]: unknown }, indent: number): string[] {
  return Object.entries(block).flatMap(([key, value]) =>
    isBlock(value)
      ? [`${' '.repeat(indent)}${scalar(key)}:`, ...blockLines(value, indent + 2)]
      : [`${' '.repeat(indent)}${scalar(key)}: ${scalar(value)}`],
  );
}

/** A block on one line. */
export function inline(block: { readonly [key: string]: unknown }): string {
  return `{ ${Object.entries(block)
    .map(([key, value]) => `${scalar(key)}: ${isBlock(value) ? inline(value) : scalar(value)}`)
    .join(', ')} }`;
}

/** JSON's strings are YAML's; a plain word needs no quotes. */
export function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const plain = /^(?:[A-Za-z_]|\.{0,2}\/)[\w./-]*$/.test(value) && !/^(?:true|false|null|yes|no|on|off|y|n|\.+|~)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function isBlock(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
