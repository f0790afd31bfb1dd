import type { Stored, StoredRow } from '../org/table.ts';
import { SalesforceError } from '../org/types.ts';
import { parseSoql } from '../soql/parse.ts';
import type { Condition, Literal, Operator } from '../soql/syntax.ts';

/** A channel member's filter: which events of its kind the channel carries. */
export interface EventFilter {
  /** Fields that it reads, as written. */
  readonly fields: readonly string[];
  matches(row: StoredRow): boolean;
}

const fieldsMax = 10;
const operators: ReadonlySet<Operator> = new Set<Operator>(['=', '!=', '<', '<=', '>', '>=', 'LIKE']);

/**
 * Reads a filter expression: a SOQL condition over at most ten fields of the event itself, with comparisons, LIKE, AND,
 * OR and NOT (Platform Events guide, "Filter Your Stream of Events").
 * @param fieldOf  The field's name as spelt in the schema.
 * @throws {TypeError}
 */
export function readFilter(expression: string, fieldOf: (name: string) => string | undefined): EventFilter {
  const condition = parse(expression);
  const fields = new Set<string>();
  const test = compile(condition, (path) => {
    const name = path.length === 1 ? fieldOf(path[0]!) : undefined;
    if (name === undefined) throw new TypeError(`a filter cannot use '${path.join('.')}': the event has no such field`);
    fields.add(name);
    return name;
  });
  if (fields.size > fieldsMax) throw new TypeError(`a filter can use ${fieldsMax} fields; this one uses ${fields.size}`);
  return { fields: [...fields], matches: test };
}

function parse(expression: string): Condition {
  try {
    const { where } = parseSoql(`SELECT Id FROM Event WHERE ${expression}`);
    if (where) return where;
  } catch (error) {
    if (!(error instanceof SalesforceError)) throw error;
    throw new TypeError(`the filter '${expression}' cannot be read: ${error.message}`);
  }
  throw new TypeError('the filter is empty');
}

type Test = (row: StoredRow) => boolean;

function compile(condition: Condition, field: (path: readonly string[]) => string): Test {
  switch (condition.kind) {
    case 'and': {
      const tests = condition.items.map((item) => compile(item, field));
      return (row) => tests.every((test) => test(row));
    }
    case 'or': {
      const tests = condition.items.map((item) => compile(item, field));
      return (row) => tests.some((test) => test(row));
    }
    case 'not': {
      const test = compile(condition.item, field);
      return (row) => !test(row);
    }
    case 'compare': {
      const { operand, operator, values } = condition;
      if (operand.kind !== 'path' || !operators.has(operator))
        throw new TypeError(`a filter cannot use '${operand.text} ${operator}'`);
      const name = field(operand.path);
      const wanted = comparable(values[0]!);
      const compare = comparison(operator, wanted);
      return (row) => compare(row[name] ?? null);
    }
    case 'in-query':
      throw new TypeError('a filter cannot ask a query');
  }
}

function comparable(literal: Literal): Stored {
  if (literal.kind === 'null') return null;
  if (literal.kind === 'boolean') return literal.value ? 1 : 0;
  if (literal.kind === 'range') throw new TypeError(`a filter cannot use the date '${literal.name}'`);
  return literal.value;
}

const fold = (value: Stored) => (typeof value === 'string' ? value.toLowerCase() : value);

function comparison(operator: Operator, literal: Stored): (value: Stored) => boolean {
  const wanted = fold(literal);
  if (operator === '=') return (value) => fold(value) === wanted;
  if (operator === '!=') return (value) => fold(value) !== wanted;
  if (operator === 'LIKE') {
    const pattern = likePattern(String(literal));
    return (value) => value !== null && pattern.test(String(value));
  }
  const holds = (order: number) =>
    operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
  return (value) => {
    const actual = fold(value);
    if (actual === null || wanted === null || typeof actual !== typeof wanted) return false;
    return holds(actual < wanted ? -1 : actual > wanted ? 1 : 0);
  };
}

function likePattern(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\(.)|([%_])|[.*+?^${}()|[\]\\]/gs, (found, escaped: string, wild: string) => {
    if (wild) return wild === '%' ? '.*' : '.';
    return `\\${escaped ?? found}`;
  });
  return new RegExp(`^${source}$`, 'is');
}
