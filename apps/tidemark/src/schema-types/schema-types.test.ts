import { stripTypeScriptTypes } from 'node:module';
import { type DescribedTarget, type FieldDetails, fieldTypes, type TargetField } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { jsonSchemaOf } from './json-schema.ts';
import { typeScriptOf } from './type-script.ts';
import { typeNames } from './value-types.ts';

const field = (name: string, type: TargetField['schema']['type'], details: FieldDetails | null = null, more: object = {}) => ({
  name,
  isKey: false,
  origin: name,
  schema: { name, type, nullable: true, ...more },
  details,
});
const target = (fields: readonly TargetField[], more: Partial<DescribedTarget> = {}): DescribedTarget => ({
  sync: 'leads',
  from: 'Lead of crm',
  to: 'table leads of app',
  history: false,
  fields,
  ...more,
});
const picklist = (values: readonly string[], closed: boolean, separator?: string): FieldDetails => ({
  kind: 'picklist',
  label: 'Stage',
  values: { values, closed, ...(separator !== undefined && { separator }) },
});

test('picklists are unions, with an escape where other values may come; several values are a text that says so', () => {
  const text = typeScriptOf([
    target([
      field('open', 'text', picklist(['New', "Won't"], false)),
      field('closed', 'text', picklist(['A', 'B'], true)),
      field('many', 'text', picklist(['x', 'y'], true, ';')),
    ]),
  ]);
  expect(text).toContain("open: 'New' | 'Won\\'t' | (string & {}) | null;");
  expect(text).toContain("closed: 'A' | 'B' | null;");
  expect(text).toContain('many: string | null;');
  expect(text).toContain('Any number of "x", "y" (only these), with ; between them.');
});

test('what a type does not tell stands beside it: dates, long texts, lookups, what is worked out', () => {
  const details: FieldDetails = { kind: 'reference', label: 'Owner ID', references: ['Group', 'User'], help: 'who  keeps it' };
  const text = typeScriptOf([
    target([
      { ...field('id', 'text'), isKey: true, schema: { name: 'id', type: 'text', nullable: false, length: 18 } },
      field('at', 'datetime'),
      field('notes', 'text', null, { length: 32_000 }),
      field('owner_id', 'text', details),
      { ...field('total', 'double', { kind: 'double', calculated: true }), origin: 'Total__c' },
      { ...field('shout', 'text'), origin: null },
    ]),
  ]);
  expect(text).toBe(`// Made by \`tidemark schema types\`: run it again instead of editing.
// Values are as Tidemark has them in JSON; a driver may make others of some, e.g. a Date of a timestamp.

/** Lead of crm, in table leads of app: the sync leads. */
export interface Leads {
  /** Identifies the row. */
  id: string;
  /** As 2024-05-22T13:05:09.000Z, in UTC. */
  at: string | null;
  /** Up to 32000 characters. */
  notes: string | null;
  /** Owner ID (owner_id). who keeps it. The Id of Group or User. */
  owner_id: string | null;
  /** Total__c. Worked out by the source. */
  total: number | null;
  /** Made by the sync. */
  shout: string | null;
}
`);
});

test('of a table whose versions are kept there is a type for a version, too', () => {
  const described = [target([field('id', 'text')], { history: true })];
  expect(typeScriptOf(described)).toContain('export interface LeadsVersion extends Leads {');
  expect(JSON.parse(jsonSchemaOf(described)).$defs.LeadsVersion.allOf).toEqual([{ $ref: '#/$defs/Leads' }]);
});

test('syncs whose names come to one type have types of their own', () => {
  expect([...typeNames(['my-leads', 'my_leads', 'myLeads2', '1st', 'my-leads-version']).values()]).toEqual([
    'MyLeads',
    'MyLeads2',
    'MyLeads22',
    'Sync1st',
    'MyLeadsVersion2',
  ]);
});

const hostile = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('*/ x', "it's", '"', '\\', '$' + '{x}', '`', '\n// a', '\u2028', 'constructor'),
);
const described = fc.record({
  name: hostile,
  isKey: fc.boolean(),
  origin: fc.option(hostile),
  schema: fc.record({ name: hostile, type: fc.constantFrom(...fieldTypes), nullable: fc.boolean() }),
  details: fc.option(
    fc.record({
      kind: hostile,
      label: hostile,
      help: hostile,
      values: fc.record({ values: fc.uniqueArray(hostile, { minLength: 1, maxLength: 4 }), closed: fc.boolean() }),
      references: fc.array(hostile, { minLength: 1, maxLength: 3 }),
    }),
  ),
});

test('whatever an org calls its fields and values, the types are TypeScript and nothing else, and the schema is one', () =>
  fc.assert(
    fc.property(fc.uniqueArray(described, { selector: ({ name }) => name, maxLength: 6 }), hostile, (fields, sync) => {
      const targets = [target(fields, { sync, from: sync, to: sync, history: true })];
      expect(
        stripTypeScriptTypes(typeScriptOf(targets))
          .replace(/^\/\/.*$|\/\*\*[\s\S]*?\*\//gm, '')
          .trim(),
      ).toBe('');
      const rules = JSON.parse(jsonSchemaOf(targets));
      expect(() => z.fromJSONSchema(rules)).not.toThrow();
    }),
  ));
