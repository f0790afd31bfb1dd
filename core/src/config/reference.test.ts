import { expect, test } from 'vitest';
import { z } from 'zod';
import type { AnyConnector } from './config.ts';
import type { JsonSchema } from './connector-schema.ts';
import { configJsonSchema } from './json-schema.ts';
import { pairingSchema } from './pairing-schema.ts';
import { configReference } from './reference.ts';
import { syncSchema } from './schema.ts';

// One description of the configuration feeds its check, the editor's schema and the reference page.

const connector: AnyConnector = {
  name: 'crm',
  summary: 'An org',
  config: z.strictObject({
    retries: z.int().default(3).describe('How often'),
    auth: z.discriminatedUnion('flow', [
      z.strictObject({ flow: z.literal('token'), token: z.string().meta({ secret: true }).describe('The token') }),
      z.strictObject({ flow: z.literal('none') }),
    ]),
  }),
  from: z.strictObject({ object: z.string().describe('Its API name') }),
  to: z.strictObject({ object: z.string() }),
  side: z.strictObject({ object: z.string() }),
  open: () => ({ check: async () => [], async [Symbol.asyncDispose]() {} }),
};

const schema = configJsonSchema([connector]);
const at = (...path: (string | number)[]) =>
  path.reduce<unknown>((value, part) => (value as Record<string | number, unknown>)[part], schema);

test('the schema knows every type of connection and what it takes', () => {
  const crm = at('properties', 'connections', 'additionalProperties', 'anyOf', 0) as JsonSchema;
  expect(crm.properties).toMatchObject({ type: { const: 'crm' }, notes: { type: 'string' } });
  expect(crm.required).toEqual(expect.arrayContaining(['type', 'auth']));
  const [sync, pairing] = at('properties', 'syncs', 'additionalProperties', 'anyOf') as [JsonSchema, JsonSchema];
  expect(sync.required).toEqual(['from', 'to']);
  expect(sync.properties?.from?.anyOf?.[0]?.properties).toHaveProperty('object');
  expect(sync.properties?.from?.anyOf?.[1]?.required).toEqual(['run', 'key']);
  expect(sync.properties?.to?.anyOf?.[0]?.properties).toHaveProperty('key');
  const [side] = (pairing.properties!.between!.items as JsonSchema).anyOf!;
  expect(Object.keys(side!.properties!)).toEqual(expect.arrayContaining(['connection', 'link', 'object']));
});

test('a variable may stand where a number or a choice belongs', () => {
  const crm = at('properties', 'connections', 'additionalProperties', 'anyOf', 0) as JsonSchema;
  expect(crm.properties?.retries?.anyOf).toEqual([
    expect.objectContaining({ type: 'integer' }),
    { type: 'string', pattern: '\\$\\{' },
  ]);
  expect(crm.properties?.retries).toMatchObject({ default: 3, description: 'How often' });
});

test('the page lists every key of a sync that is in this version, and of every connector', () => {
  const page = configReference([connector]);
  for (const key of [...Object.keys(syncSchema.shape), ...Object.keys(pairingSchema.shape)])
    expect(page).toContain(`| \`${key}\` |`);
  expect(page).toContain('| `retries` | whole number | `3` | How often |');
  expect(page).toContain('| `auth.flow` | `token`, `none` | required |');
  expect(page).toContain('| `auth.token` | text |  | The token (token) |');
  expect(page).toContain('| `object` | text | required | Its API name |');
});
