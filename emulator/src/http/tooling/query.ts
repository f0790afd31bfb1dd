import { createOrg } from '../../org/org.ts';
import { type Org, SalesforceError } from '../../org/types.ts';
import { createSchema } from '../../schema/schema.ts';
import type { FieldDescribe, Schema } from '../../schema/types.ts';
import { parseSoql } from '../../soql/parse.ts';
import type { Condition, Operand, Select } from '../../soql/syntax.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest } from '../errors.ts';
import { entityRows, fieldRows } from './definition-rows.ts';
import { kindOf, maySeeSetup } from './kinds.ts';
import { complexFields, toolingObjects } from './objects.ts';

export interface ToolingResult {
  readonly totalSize: number;
  readonly entityTypeName: string;
  readonly records: Record<string, unknown>[];
}

/** Replies are not paged: what is longer must be asked for in parts. */
const recordsMax = 2000;
const definitions: readonly string[] = ['EntityDefinition', 'FieldDefinition'];
const noId = '000000000000000AAA';

/**
 * Answers SOQL over what Setup holds. The rows are made when they are asked for, and put into an org of their own, so that
 * this is the same SOQL as everywhere.
 * @param path  What record addresses begin with: `/services/data/v62.0/tooling`.
 */
export function toolingRecords(soql: string, path: string, userId: string, context: EmulatorContext): ToolingResult {
  const select = parseSoql(soql);
  const declared = toolingObjects.find(({ object }) => object.name.toLowerCase() === select.from.toLowerCase())?.object;
  const org = createOrg({ schema: querySchema(maySeeSetup(userId, context)), clock: context.org.clock });
  try {
    if (declared && org.schema.object(declared.name)) fill(org, declared.name, context);
    if (declared?.name === 'FieldDefinition') requireEntity(select);
    const result = org.query(soql);
    if (result.totalSize > recordsMax && isDefinition(select.from)) throw tooMany(select.from);
    refuseMany(select, result.totalSize);
    const records = result.page(0, recordsMax, 'v0.0') as Record<string, unknown>[];
    return {
      totalSize: result.totalSize,
      entityTypeName: declared?.name ?? select.from,
      records: records.map((record) => shown(record, path)),
    };
  } finally {
    org.close();
  }
}

/** Whether SOQL over data may ask for it as well (Object Reference, EntityDefinition and FieldDefinition). */
export const asksForDefinitions = (soql: string): boolean =>
  /\bFROM\s+(EntityDefinition|FieldDefinition)\b/i.test(soql) && isDefinition(parseSoql(soql).from);

const isDefinition = (object: string) => definitions.some((name) => name.toLowerCase() === object.toLowerCase());

function fill(org: Org, object: string, context: EmulatorContext): void {
  const { schema } = context.org;
  if (!definitions.includes(object)) {
    org.load(object, kindOf(object)?.rows(context) ?? []);
    return;
  }
  org.load('EntityDefinition', entityRows(schema, context.toolingIds));
  if (object === 'FieldDefinition') org.load(object, fieldRows(schema, context.toolingIds));
}

/**
 * Definitions have names where others have ids: to the engine they are texts. What a user may not see is not there, which
 * the engine says in its own words.
 */
function querySchema(withSetup: boolean): Schema {
  const asText = (field: FieldDescribe): FieldDescribe => (field.type === 'id' ? { ...field, type: 'string' } : field);
  const visible = toolingObjects.filter(({ object }) => withSetup || definitions.includes(object.name));
  const objects = visible.map(({ object, links }) => {
    const fields = definitions.includes(object.name) ? object.fields.map(asText) : object.fields;
    return { object: { ...object, fields: [...fields] }, links };
  });
  return createSchema({ objects });
}

function shown(record: Record<string, unknown>, path: string): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) whole[name] = shownValue(name, value, path);
  const { attributes } = record as { attributes?: { type?: string; url?: string } };
  if (attributes?.url !== undefined) {
    const url = attributes.url.replace('/services/data/v0.0', path);
    whole.attributes = { ...attributes, url };
    if ('Id' in record && definitions.includes(attributes.type ?? '')) whole.Id = noId;
  }
  return whole;
}

function shownValue(name: string, value: unknown, path: string): unknown {
  if (complexFields.includes(name)) return typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
  const isParent = value !== null && typeof value === 'object' && 'attributes' in value;
  return isParent ? shown(value as Record<string, unknown>, path) : value;
}

const tooMany = (object: string) =>
  badRequest('EXCEEDED_ID_LIMIT', `${object} does not support queryMore(), use LIMIT to restrict the results to a single batch`);

/** Whole components are shown one at a time, "to protect performance" (Tooling API guide, FullName and Metadata). */
function refuseMany(select: Select, count: number): void {
  const asked = select.items.some((item) => item.kind === 'value' && /^(FullName|Metadata)$/i.test(item.operand.text));
  if (!asked || count <= 1) return;
  const message =
    'When retrieving results with Metadata or FullName fields, the query qualifications must specify no more than one ' +
    `row for retrieval. Result size: ${count}`;
  throw badRequest('MALFORMED_QUERY', message);
}

/** Fields are asked for object by object (Tooling API guide, "SOQL Operation Limitations"; the text is assumed). */
function requireEntity({ where }: Select): void {
  if (where && mentions(where, /^(EntityDefinition(Id|\.\w+)|DurableId)$/i)) return;
  throw new SalesforceError('MALFORMED_QUERY', 'a filter on a reified column is required [DurableId,EntityDefinitionId]');
}

function mentions(condition: Condition, name: RegExp): boolean {
  if ('items' in condition) return condition.items.some((item) => mentions(item, name));
  if (condition.kind === 'not') return mentions(condition.item, name);
  return names(condition.operand, name);
}

const names = (operand: Operand, name: RegExp): boolean => operand.kind === 'path' && name.test(operand.text);
