import { z } from 'zod';
import type { AnyConnector } from './config.ts';
import { inputSchema, type JsonSchema } from './connector-schema.ts';
import { configJsonSchema, connectorSchemas } from './json-schema.ts';
import { lookupExtras } from './lookup-schema.ts';
import { sideExtras } from './pairing-schema.ts';

/** The reference page of the configuration, from the same schemas that check it. */
export function configReference(connectors: readonly AnyConnector[]): string {
  const top = configJsonSchema(connectors).properties!;
  const [sync, pairing] = (top.syncs!.additionalProperties as JsonSchema).anyOf as [JsonSchema, JsonSchema];
  const custom = sync.properties!.from!.anyOf!.at(-1)!;
  const steps = (sync.properties!.steps!.items as JsonSchema).anyOf!;
  const later: string[] = [];
  const parts = [
    '# Configuration',
    '',
    'Generated from the schemas that check `tidemark.yaml`. Do not edit: run `node tools/generate.ts`.',
    '',
    'The first line `# yaml-language-server: $schema=…/docs/tidemark.schema.json` makes an editor complete and check the file.',
    `Any value may hold \`\${NAME}\` or \`\${NAME:-default}\` from the environment or an \`.env\` file beside the configuration;`,
    '`$${` stands for a literal `${`. Durations are written `10s`, `5m`, `1h30m` or `P1D`.',
    '',
    '## Top level',
    '',
    table(top, ['connections', 'syncs']),
    '### store',
    '',
    table(top.store!.properties!, []),
    '### log',
    '',
    table(top.log!.properties!, []),
    '### http',
    '',
    table(top.http!.properties!, []),
    '### notifications',
    '',
    '`notifications.<name>`, with either `webhook` or `email` (docs/operations.md):',
    '',
    ...blocks(top.notifications!.additionalProperties as JsonSchema),
    '## A sync',
    '',
    table(without(sync.properties!, later), sync.required ?? []),
    ...['full', 'retry'].flatMap((name) => [`### ${name}`, '', table(sync.properties![name]!.properties!, [])]),
    '### A step',
    '',
    'Each step has exactly one of `filter`, `map`, `run`, `lookup` and `compare`.',
    '',
    table(Object.assign({}, ...steps.map((s) => s.properties!)) as Properties, []),
    '### A lookup',
    '',
    '`lookup`, besides what its connection takes to say where to look:',
    '',
    table(inputSchema(z.strictObject(lookupExtras)).properties!, ['connection', 'key', 'by']),
    '`compare` takes `against: target` and is the last step: records that are in the target just as they arrive are not written.',
    '',
    '### A source of your own',
    '',
    '`from` with `run` instead of `connection`:',
    '',
    table(custom.properties!, custom.required ?? []),
    '## A two-way sync',
    '',
    table(pairing.properties!, pairing.required ?? []),
    "A field of `fields` is the name of the first side's field, or a block:",
    '',
    table(pairFieldBlock(pairing).properties!, ['field']),
    'Each side of `between`, besides what its connection takes:',
    '',
    table(sideBlock(), ['connection']),
    '## package',
    '',
    'What [`tidemark package`](../salesforce-package.md) writes besides what syncs tell of it.',
    '',
    ...packageTables(top.package!),
    '## Connections, by type',
    '',
  ];
  for (const connector of connectorSchemas(connectors)) {
    parts.push(
      `### ${connector.name}`,
      '',
      `${connector.summary}.`,
      '',
      '`connections.<name>`, besides `type`:',
      '',
      ...blocks(connector.connection),
    );
    if (connector.orgs !== null) {
      parts.push('With `orgs: true` it stands for many orgs (docs/many-orgs.md), and `auth` takes:', '');
      parts.push(...blocks(connector.orgs.properties!.auth!));
    }
    if (connector.from !== null) parts.push('`from`, besides `connection`:', '', ...blocks(connector.from));
    if (connector.to !== null) parts.push('`to`, besides `connection` and `key`:', '', ...blocks(connector.to));
    if (connector.lookup !== null) parts.push('`lookup`, besides the keys of a lookup step:', '', ...blocks(connector.lookup));
    if (connector.side !== null)
      parts.push('a side of `between`, besides `connection` and `link`:', '', ...blocks(connector.side));
  }
  return `${parts
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

function pairFieldBlock(pairing: JsonSchema): JsonSchema {
  const field = pairing.properties!.fields!.additionalProperties as JsonSchema;
  return field.anyOf!.find(({ properties }) => properties !== undefined)!;
}

function sideBlock(): Properties {
  return inputSchema(z.strictObject(sideExtras)).properties!;
}

function packageTables(schema: JsonSchema): string[] {
  const each = (name: string) => schema.properties![name]!.additionalProperties as JsonSchema;
  const field = (each('objects').properties!.fields!.additionalProperties as JsonSchema).anyOf!;
  const parts: [string, JsonSchema][] = [
    ['Each of `objects`:', each('objects')],
    ['Each of `events`:', each('events')],
    ['Each of `flows`:', each('flows')],
    ['A field is its type with its size, such as `Text(40)` or `Number(8, 0)`, or a block:', field.at(-1)!],
  ];
  const tables = parts.flatMap(([title, { properties, required }]) => [title, '', table(properties!, required ?? [])]);
  return [table(schema.properties!, schema.required ?? []), ...tables];
}

type Properties = { readonly [name: string]: JsonSchema };

/** A block as a table; alternatives as one table each. */
function blocks(schema: JsonSchema): string[] {
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return branches.flatMap((branch, i) => [...(i === 0 ? [] : ['or', '']), ...blocks(branch)]);
  const properties = schema.properties ?? {};
  return Object.keys(properties).length === 0 ? ['nothing.', ''] : [table(flatten(properties), schema.required ?? [])];
}

/** Blocks in blocks as `auth.flow`, with the alternatives that need them. */
function flatten(properties: Properties): Properties {
  const flat: Record<string, JsonSchema> = {};
  for (const [name, schema] of Object.entries(properties)) {
    const branches = (schema.anyOf ?? schema.oneOf ?? [schema]).filter((b) => b.properties !== undefined);
    if (branches.length === 0) {
      flat[name] = schema;
      continue;
    }
    if (schema.description !== undefined || schema.default !== undefined) flat[name] = schema;
    for (const branch of branches) {
      const tag = Object.entries(branch.properties!).find(([, s]) => s.const !== undefined);
      for (const [inner, s] of Object.entries(flatten(branch.properties!))) {
        const path = `${name}.${inner}`;
        const before = flat[path];
        if (inner === tag?.[0]) {
          flat[path] = { ...s, const: undefined, enum: [...(before?.enum ?? []), s.const], required: ['yes'] };
          continue;
        }
        const when = branches.length > 1 && tag !== undefined ? `${inner === tag[0] ? '' : `${String(tag[1].const)}`}` : '';
        const description = [s.description, when === '' ? '' : `(${when})`].filter(Boolean).join(' ');
        flat[path] =
          before === undefined ? { ...s, description } : { ...before, description: `${before.description ?? ''} (${when})` };
      }
    }
  }
  return flat;
}

function table(properties: Properties, required: readonly string[]): string {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const fallback =
      schema.default === undefined || schema.default === '' ? '' : `\`${JSON.stringify(schema.default).replaceAll('"', '')}\``;
    const need = required.includes(name) || schema.required?.[0] === 'yes' ? 'required' : fallback;
    return `| \`${name}\` | ${typeWords(schema)} | ${need} | ${(schema.description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ')} |`;
  });
  return ['| key | takes | default | |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function typeWords(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((v) => `\`${String(v)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) {
    const kinds = branches.filter((b) => b.pattern !== '\\$\\{').map(typeWords);
    return [...new Set(kinds)].join(' or ');
  }
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'integer':
      return 'whole number';
    case 'number':
      return 'number';
    case 'boolean':
      return '`true`, `false`';
    case 'array': {
      const item = schema.items;
      return typeof item === 'object' && !Array.isArray(item) ? `list of ${typeWords(item as JsonSchema)}` : 'list';
    }
    case 'object':
      return 'block';
    default:
      return 'anything';
  }
}

function without(properties: Properties, names: readonly string[]): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}
