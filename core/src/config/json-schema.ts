import { type ZodType, z } from 'zod';
import type { AnyConnector } from './config.ts';
import { inputSchema, type JsonSchema } from './connector-schema.ts';
import { hookSourceSchema } from './hook-schema.ts';
import { lookupExtras } from './lookup-schema.ts';
import { receiverSchema } from './notifications-schema.ts';
import { packageSchema } from './package-schema.ts';
import { pairingSchema, sideExtras } from './pairing-schema.ts';
import {
  customSourceSchema,
  httpSchema,
  logSchema,
  sourceExtras,
  stepSchemas,
  storeSchema,
  syncSchema,
  targetExtras,
  topSchema,
} from './schema.ts';

/** The JSON Schema by which editors complete and check `tidemark.yaml`. */
export function configJsonSchema(connectors: readonly AnyConnector[]): JsonSchema {
  const sorted = connectors.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const schema: JsonSchema = {
    ...own(topSchema),
    properties: {
      ...own(topSchema).properties,
      connections: {
        type: 'object',
        description: 'The systems to connect, by name',
        additionalProperties: { anyOf: sorted.flatMap(connectionJsonSchemas) },
      },
      syncs: {
        type: 'object',
        description: 'What is kept in sync, by name',
        additionalProperties: {
          anyOf: [syncJsonSchema(sorted), pairingJsonSchema(sorted)],
        },
      },
      store: own(storeSchema),
      log: own(logSchema),
      http: own(httpSchema),
      notifications: {
        ...own(topSchema).properties!.notifications,
        type: 'object',
        additionalProperties: own(receiverSchema),
      },
      package: own(packageSchema),
    },
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Tidemark configuration',
    ...(orVariable(schema) as JsonSchema),
  };
}

function syncJsonSchema(connectors: readonly AnyConnector[]): JsonSchema {
  const sync = own(syncSchema);
  return {
    ...sync,
    title: 'A one-way sync',
    properties: {
      ...sync.properties,
      from: {
        description: 'Where records come from: a connection, a module of your own, or whoever sends them to a hook',
        anyOf: [
          ...connectors.flatMap((c) => (c.from === undefined ? [] : [withExtras(c.from, sourceExtras, c)])),
          own(customSourceSchema),
          own(hookSourceSchema),
        ],
      },
      to: {
        description: 'Where they go',
        anyOf: connectors.flatMap((c) => (c.to === undefined ? [] : [withExtras(c.to, targetExtras, c)])),
      },
      steps: {
        type: 'array',
        description: 'What happens on the way, in order',
        items: { anyOf: stepJsonSchemas(connectors) },
      },
    },
  };
}

/** A lookup step says where to look in the words of its connector. */
function stepJsonSchemas(connectors: readonly AnyConnector[]): JsonSchema[] {
  const lookups = connectors.flatMap((c) => (c.lookup === undefined ? [] : [withExtras(c.lookup, lookupExtras, c)]));
  return Object.entries(stepSchemas).map(([kind, schema]) => {
    const step = own(schema);
    if (kind !== 'lookup' || lookups.length === 0) return step;
    const { description } = step.properties!.lookup!;
    return { ...step, properties: { ...step.properties, lookup: { ...(description && { description }), anyOf: lookups } } };
  });
}

function pairingJsonSchema(connectors: readonly AnyConnector[]): JsonSchema {
  const pairing = own(pairingSchema);
  const sides = connectors.flatMap((c) => (c.side === undefined ? [] : [withExtras(c.side, sideExtras, c)]));
  return {
    ...pairing,
    title: 'A two-way sync',
    properties: { ...pairing.properties, between: { ...pairing.properties?.between, items: { anyOf: sides } } },
  };
}

/** What a block of this connector holds, for the reference page. */
export interface ConnectorSchemas {
  readonly name: string;
  readonly summary: string;
  readonly connection: JsonSchema;
  readonly from: JsonSchema | null;
  readonly to: JsonSchema | null;
  readonly side: JsonSchema | null;
  readonly lookup: JsonSchema | null;
  /** Of a connection that stands for many orgs. */
  readonly orgs: JsonSchema | null;
}

export function connectorSchemas(connectors: readonly AnyConnector[]): ConnectorSchemas[] {
  return connectors
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((c) => ({
      name: c.name,
      summary: c.summary,
      connection: own(c.config),
      from: c.from === undefined ? null : own(c.from),
      to: c.to === undefined ? null : own(c.to),
      side: c.side === undefined ? null : own(c.side),
      lookup: c.lookup === undefined ? null : own(c.lookup),
      orgs: c.orgs === undefined ? null : own(c.orgs.config),
    }));
}

function connectionJsonSchemas({ name, summary, config, orgs }: AnyConnector): JsonSchema[] {
  const type: JsonSchema = { const: name, description: summary };
  const notes: JsonSchema = { type: 'string', description: 'Kept and shown in the generated documentation' };
  const one = withProperties(own(config), { type, notes }, ['type'], `A ${name} connection`);
  if (orgs === undefined) return [one];
  const many: JsonSchema = { const: true, description: 'It stands for many orgs, which `tidemark org` connects' };
  const title = `A ${name} connection that stands for many orgs`;
  return [one, withProperties(own(orgs.config), { type, orgs: many, notes }, ['type', 'orgs'], title)];
}

function withExtras(spec: ZodType, extras: z.ZodRawShape, connector: AnyConnector): JsonSchema {
  const own_ = own(z.strictObject(extras));
  return withProperties(own(spec), own_.properties ?? {}, own_.required ?? [], connector.name);
}

function withProperties(
  schema: JsonSchema,
  properties: { readonly [name: string]: JsonSchema },
  required: readonly string[],
  title: string,
): JsonSchema {
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return { title, anyOf: branches.map((b) => withProperties(b, properties, required, title)) };
  return {
    ...schema,
    type: 'object',
    title,
    properties: { ...properties, ...schema.properties },
    required: [...new Set([...required, ...(schema.required ?? [])])],
  };
}

function own(schema: ZodType): JsonSchema {
  const { $schema: _, ...rest } = inputSchema(schema);
  return rest;
}

const variable: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** `${VAR}` may stand for any number, switch or choice. */
function orVariable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(orVariable);
  if (typeof value !== 'object' || value === null) return value;
  const schema = Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k, k === 'default' || k === 'enum' ? v : orVariable(v)]),
  ) as JsonSchema;
  const { description, default: fallback, secret: _, ...rest } = schema;
  const plain =
    ['number', 'integer', 'boolean'].includes(String(rest.type)) || (rest.type === 'string' && rest.enum !== undefined);
  if (!plain) {
    // `secret` is ours; editors do not know it. A property may still be called that.
    return typeof schema.secret === 'boolean'
      ? Object.fromEntries(Object.entries(schema).filter(([k]) => k !== 'secret'))
      : schema;
  }
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [rest, variable],
  };
}
