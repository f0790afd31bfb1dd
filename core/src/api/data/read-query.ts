import type { Comparison, Rows, RowsQuery, SortField } from '../../model/rows.ts';
import type { FieldValue } from '../../model/value.ts';
import { badRequest, fieldNamed } from './bad-request.ts';
import { valueOfText } from './field-value.ts';

const LIMIT = 100;
const LIMIT_MAX = 1000;
/** Parameters of one statement are bounded, and nobody types more. */
const COMPARISONS_MAX = 50;
const VALUES_MAX = 200;

export const operators = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'starts', 'contains', 'null'] as const;
const ofTexts: readonly string[] = ['starts', 'contains'];

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a list is asked for, held against the table's own fields. @throws {StatedError} with the parameter and what it takes */
export function readQuery(query: Query, rows: Rows): RowsQuery {
  const where: Comparison[] = [];
  for (const [name, given] of Object.entries(query)) {
    const values = [given ?? []].flat();
    const [, field, operator = 'eq'] = /^filter\[(.+?)\](?:\[(\w+)\])?$/s.exec(name) ?? [];
    if (field !== undefined) where.push(...comparisonsOf(name, fieldNamed(field, name, rows), operator, values));
    else if (!['limit', 'after', 'sort', 'select'].includes(name)) {
      throw badRequest(name.slice(0, 80), 'is no parameter of this', 'it takes filter[<field>], sort, select, limit and after');
    }
  }
  if (where.length > COMPARISONS_MAX)
    throw badRequest('filter', `holds more than ${COMPARISONS_MAX} comparisons`, 'ask for less at once');
  const sort = sortOf(namesIn(query.sort), rows);
  return { where, sort, fields: readSelect(query.select, rows), after: afterOf(query.after, sort), limit: limitOf(query.limit) };
}

/** The fields that are wanted; all of them unless told. */
export function readSelect(select: Query[string], rows: Rows): readonly string[] {
  const names = namesIn(select);
  if (names.length === 0) return rows.schema.fields.map(({ name }) => name);
  return [...new Set(names.map((name) => fieldNamed(name, 'select', rows).name))];
}

/** The position as whoever pages is given it: it holds in the order in which it was told. */
export function cursorOf(position: string, sort: readonly SortField[]): string {
  return Buffer.from(JSON.stringify([textOf(sort), position])).toString('base64url');
}

function afterOf(after: Query[string], sort: readonly SortField[]): string | null {
  if (after === undefined) return null;
  try {
    const told: unknown = JSON.parse(Buffer.from(String(after), 'base64url').toString());
    if (Array.isArray(told) && told[0] === textOf(sort) && typeof told[1] === 'string') return told[1];
  } catch {
    // Told below.
  }
  throw badRequest('after', 'is no cursor of a list in this order', 'take next of the page before, with the same sort');
}

function textOf(sort: readonly SortField[]): string {
  return JSON.stringify(sort.map(({ field, descending }) => [field, descending]));
}

/** Ends with the key, so that each row has a place of its own. */
function sortOf(names: readonly string[], rows: Rows): readonly SortField[] {
  const wished = names.map((name): SortField => {
    const field = fieldNamed(name.replace(/^-/, ''), 'sort', rows);
    if (field.type === 'json') throw badRequest('sort', `${field.name} has no order`, 'sort by another field');
    return { field: field.name, descending: name.startsWith('-') };
  });
  const all = [...wished, ...rows.schema.key.map((field) => ({ field, descending: false }))];
  return all.filter(({ field }, i) => all.findIndex((each) => each.field === field) === i);
}

function limitOf(limit: Query[string]): number {
  if (limit === undefined) return LIMIT;
  const number = /^\d{1,4}$/.test(String(limit)) ? Number(limit) : 0;
  if (number >= 1 && number <= LIMIT_MAX) return number;
  throw badRequest('limit', `takes a whole number from 1 to ${LIMIT_MAX}`, `leave it out for ${LIMIT}`);
}

function comparisonsOf(
  place: string,
  { name: field, type }: Rows['schema']['fields'][number],
  operator: string,
  texts: readonly string[],
): Comparison[] {
  const is = operators.find((each) => each === operator);
  if (is === undefined) throw badRequest(place, `${operator} is no comparison`, `one of: ${operators.join(', ')}`);
  if (is === 'null') return texts.map((text) => ({ field, is: nullness(place, text) }));
  if (type === 'json')
    throw badRequest(place, `${field} holds JSON, which is not compared`, `ask with filter[${field}][null]=false`);
  if (ofTexts.includes(is) && type !== 'text')
    throw badRequest(place, `${field} holds ${type}, and ${is} is for text`, 'use eq, lt or gt');
  if (texts.length > VALUES_MAX) throw badRequest(place, `comes more than ${VALUES_MAX} times`, 'ask for less at once');
  const values = texts.map((text): NonNullable<FieldValue> => {
    const read = valueOfText(text, type);
    if ('wants' in read) throw badRequest(place, `takes ${read.wants}`, `${field} is of type ${type}`);
    return read.value!;
  });
  return is === 'in' ? [{ field, is, values }] : values.map((value) => ({ field, is, value }));
}

function nullness(place: string, text: string): 'null' | 'notNull' {
  if (text === 'true') return 'null';
  if (text === 'false') return 'notNull';
  throw badRequest(place, 'takes true or false', 'true finds rows without a value');
}

/** `a,b`, or one after the other. */
function namesIn(given: Query[string]): readonly string[] {
  return [given ?? []].flat().flatMap((names) => names.split(',').filter((name) => name !== ''));
}
