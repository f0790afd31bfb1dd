import { type Org, SalesforceError } from '../org/types.ts';
import type { Schema } from '../schema/types.ts';
import { parseSoql } from '../soql/parse.ts';
import type { Condition, Operand, Select } from '../soql/syntax.ts';

/** A PushTopic's query, understood. */
export interface PushTopicQuery {
  readonly object: string;
  /** Fields of the SELECT clause, as the schema spells them. */
  readonly fields: readonly string[];
  readonly whereFields: readonly string[];
  /** The condition as it was written; empty when there is none. */
  readonly where: string;
}

/**
 * Reads a query as PushTopics may have it: fields of one object, `Id` among them, and a plain condition (Streaming API
 * guide, "PushTopic Queries" and "Unsupported PushTopic Queries").
 * @throws {SalesforceError} `INVALID_FIELD` and what else is wrong with a query.
 */
export function readPushTopicQuery(schema: Schema, soql: string): PushTopicQuery {
  const select = parseSoql(soql);
  if (hasUnsupportedClause(select)) throw unsupported('it may have a SELECT, a FROM and a WHERE clause only');
  const described = schema.object(select.from);
  if (!described) {
    throw new SalesforceError('INVALID_TYPE', `sObject type '${select.from}' is not supported.`);
  }
  const nameOf = (operand: Operand): string => {
    if (operand.kind !== 'path' || operand.path.length !== 1) throw unsupported(`'${operand.text}' is not supported`);
    const field = schema.field(described.name, operand.path[0] as string);
    if (!field) throw unsupported(`No such column '${operand.text}' on entity '${described.name}'`);
    return field.name;
  };
  const fields = select.items.map((item) => {
    if (item.kind !== 'value' || item.alias !== undefined) throw unsupported('the SELECT clause may name fields only');
    return nameOf(item.operand);
  });
  if (!fields.includes('Id')) throw unsupported('the SELECT clause must contain Id');
  const whereFields = new Set<string>();
  if (select.where) collectFields(select.where, (operand) => whereFields.add(nameOf(operand)));
  const where = /\bFROM\s+\w+\s+WHERE\s+([\s\S]+)$/i.exec(soql)?.[1] ?? '';
  return { object: described.name, fields: [...new Set(fields)], whereFields: [...whereFields], where };
}

const hasUnsupportedClause = ({ alias, groupBy, having, orderBy, limit, offset }: Select) =>
  alias !== undefined ||
  groupBy.length > 0 ||
  having !== undefined ||
  orderBy.length > 0 ||
  limit !== undefined ||
  offset !== undefined;

const unsupported = (why: string) => new SalesforceError('INVALID_FIELD', `Query of a PushTopic: ${why}`, { fields: ['Query'] });

function collectFields(condition: Condition, collect: (operand: Operand) => void): void {
  if (condition.kind === 'compare') collect(condition.operand);
  else if (condition.kind === 'not') collectFields(condition.item, collect);
  else if (condition.kind === 'in-query') throw unsupported('semi-joins and anti-joins are not supported');
  else for (const item of condition.items) collectFields(item, collect);
}

const idsPerQuery = 200;

/** Those of the records that the query's condition holds for, deleted ones too, with the fields it selects. */
export function matchingRecords(org: Org, query: PushTopicQuery, ids: readonly string[]): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>();
  const datetimes = query.fields.filter((name) => org.schema.field(query.object, name)?.type === 'datetime');
  for (let start = 0; start < ids.length; start += idsPerQuery) {
    const some = ids.slice(start, start + idsPerQuery);
    const named = `Id IN (${some.map((id) => `'${id}'`).join(', ')})`;
    const where = query.where === '' ? named : `(${query.where}) AND ${named}`;
    const soql = `SELECT ${query.fields.join(', ')} FROM ${query.object} WHERE ${where}`;
    const records = org.query(soql, { all: true }).page(0, some.length, 'v62.0') as Record<string, unknown>[];
    for (const { attributes: _, ...record } of records) {
      for (const name of datetimes) record[name] = isoDatetime(record[name]);
      found.set(String(record.Id), record);
    }
  }
  return found;
}

const isoDatetime = (value: unknown) => (typeof value === 'string' ? value.replace(/\+0000$/, 'Z') : value);
