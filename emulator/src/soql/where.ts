import { fold } from '../org/database.ts';
import { normaliseId } from '../org/ids.ts';
import type { Stored } from '../org/table.ts';
import { dateRange } from './date-range.ts';
import { invalidField, invalidOperator, malformed, unexpectedToken } from './errors.ts';
import { foldedValue, isAggregate, operandSql, type Value } from './expression.ts';
import { likePattern } from './literal.ts';
import { aliveCondition, createScope, fromClause, requireQueryable, type Scope } from './scope.ts';
import type { Condition, Literal, Operator, Select } from './syntax.ts';
import type { UserTime } from './user-time.ts';

/** What compiling a condition needs besides the scope. Parameters are pushed in the order of their marks. */
export interface Context {
  readonly scope: Scope;
  readonly alias: string | undefined;
  readonly time: UserTime;
  readonly parameters: Stored[];
  /** Aggregates may stand in HAVING and nowhere else. */
  readonly having?: boolean;
}

/** @throws {SalesforceError} */
export function conditionSql(context: Context, condition: Condition): string {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const keyset = condition.kind === 'or' ? keysetSql(context, condition.items) : undefined;
      if (keyset !== undefined) return keyset;
      return `(${condition.items.map((item) => conditionSql(context, item)).join(condition.kind === 'and' ? ' AND ' : ' OR ')})`;
    }
    case 'not':
      // A comparison with null is false in SOQL, so its negation is true; in SQL both are null.
      return `(${conditionSql(context, condition.item)}) IS NOT TRUE`;
    case 'compare':
      return compareSql(context, condition.operand, condition.operator, condition.values);
    case 'in-query':
      return inQuerySql(context, condition);
  }
}

type Compare = Extract<Condition, { kind: 'compare' }>;

/**
 * `a > x OR (a = x AND b > y)`, by which clients read page after page, is one comparison of pairs: SQLite then starts in
 * the middle of the index, where the OR would make it read everything before.
 */
function keysetSql(context: Context, items: readonly Condition[]): string | undefined {
  if (items.length !== 2) return undefined;
  const first = items.find((item) => item.kind === 'compare');
  const pair = items.find((item) => item.kind === 'and');
  if (first?.kind !== 'compare' || pair?.kind !== 'and' || pair.items.length !== 2) return undefined;
  const [tie, second] = pair.items as [Condition, Condition];
  if (tie.kind !== 'compare' || second.kind !== 'compare' || tie.operator !== '=') return undefined;
  const direction = first.operator;
  if ((direction !== '>' && direction !== '<') || second.operator !== direction) return undefined;
  if (first.operand.text.toLowerCase() !== tie.operand.text.toLowerCase()) return undefined;
  if (JSON.stringify(first.values) !== JSON.stringify(tie.values)) return undefined;
  const plain = (compare: Compare): { sql: string; value: Stored } | undefined => {
    if (compare.operand.kind !== 'path') return undefined;
    const value = operandSql(context.scope, compare.operand, context.alias, false);
    if (value.type === 'text' || value.type === 'boolean' || compare.values[0]!.kind === 'range') return undefined;
    checkFilterable(context, value, compare.operator);
    const bound = bindable(context, value, compare.values[0]!);
    return bound === null ? undefined : { sql: value.sql, value: bound };
  };
  const [a, b] = [plain(first), plain(second)];
  if (!a || !b) return undefined;
  context.parameters.push(a.value, b.value);
  return `(${a.sql}, ${b.sql}) ${direction} (?, ?)`;
}

const textOnly: ReadonlySet<Operator> = new Set(['LIKE', 'INCLUDES', 'EXCLUDES']);
const orderings: ReadonlySet<Operator> = new Set(['<', '<=', '>', '>=']);

function checkFilterable(context: Context, value: Value, operator: Operator): void {
  const { soql } = context.scope;
  const field = value.column?.field;
  if (field && !field.filterable) {
    throw invalidField(soql, value.text, `field '${value.text}' can not be filtered in a query call`);
  }
  const multi = field?.type === 'multipicklist';
  if ((operator === 'INCLUDES' || operator === 'EXCLUDES') && !multi) {
    throw invalidOperator(soql, value.text, 'includes or excludes operator only valid on multipicklist field');
  }
  if ((textOnly.has(operator) && value.type !== 'text') || (orderings.has(operator) && (value.type === 'boolean' || multi))) {
    throw invalidOperator(soql, value.text, `invalid operator on ${field?.type ?? value.type} field`);
  }
}

function compareSql(context: Context, operand: Compare['operand'], operator: Operator, values: readonly Literal[]): string {
  const { scope } = context;
  if (isAggregate(operand) && !context.having) throw unexpectedToken(scope.soql, operand.text);
  const value = operandSql(scope, operand, context.alias, context.having === true);
  checkFilterable(context, value, operator);
  switch (operator) {
    case '=':
    case 'IN':
      return anyOf(context, value, values);
    case '!=':
    case 'NOT IN':
      // Unlike SQL, "is not x" is true of null.
      return `(${anyOf(context, value, values)}) IS NOT TRUE`;
    case 'LIKE':
      return likeSql(context, value, values[0]!);
    case 'INCLUDES':
      return includesSql(context, value, values);
    case 'EXCLUDES':
      return `(${includesSql(context, value, values)}) IS NOT TRUE`;
    default:
      return orderedSql(context, value, operator, values[0]!);
  }
}

/** One of these values, null among them. */
function anyOf(context: Context, value: Value, literals: readonly Literal[]): string {
  const parts: string[] = [];
  const plain: Stored[] = [];
  for (const literal of literals) {
    if (literal.kind === 'range') {
      const range = rangeOf(context, value, literal);
      context.parameters.push(range.start, range.end);
      // Ranges come first in the text, as their parameters do.
      parts.push(`(${value.sql} >= ? AND ${value.sql} < ?)`);
    } else {
      const bound = bindable(context, value, literal);
      if (bound === null) parts.push(`${value.sql} IS NULL`);
      else plain.push(bound);
    }
  }
  if (plain.length > 0) parts.push(equalsSql(context, value, plain));
  return parts.length === 1 ? parts[0]! : `(${parts.join(' OR ')})`;
}

const ascii = /^[\x20-\x7e\s]*$/;

function equalsSql(context: Context, value: Value, values: readonly Stored[]): string {
  const test = (left: string, bound: readonly Stored[]) => {
    context.parameters.push(...bound);
    return bound.length === 1 ? `${left} = ?` : `${left} IN (${bound.map(() => '?').join(', ')})`;
  };
  if (value.type !== 'text' || value.column?.field.caseSensitive) return test(value.sql, values);
  const texts = values as readonly string[];
  // SQLite's own folding is faster and right for ASCII; where there is an index it is on ours.
  if (!value.column?.foldIndexed && texts.every((text) => ascii.test(text))) {
    return test(`${value.sql} COLLATE NOCASE`, texts);
  }
  return test(foldedValue(value), texts.map(fold));
}

function orderedSql(context: Context, value: Value, operator: Operator, literal: Literal): string {
  if (literal.kind === 'range') {
    const range = rangeOf(context, value, literal);
    // After the whole span, or before it; the forms with `=` take the span in.
    context.parameters.push(operator === '<' || operator === '>=' ? range.start : range.end);
    return `${value.sql} ${operator === '<' || operator === '<=' ? '<' : '>='} ?`;
  }
  const bound = bindable(context, value, literal);
  if (bound === null) return 'FALSE';
  if (value.type !== 'text' || value.column?.field.caseSensitive) {
    context.parameters.push(bound);
    return `${value.sql} ${operator} ?`;
  }
  context.parameters.push(fold(bound as string));
  return `${foldedValue(value)} ${operator} ?`;
}

function likeSql(context: Context, value: Value, literal: Literal): string {
  if (literal.kind === 'null') return 'FALSE';
  if (literal.kind !== 'string') throw wrongType(context, value);
  const pattern = likePattern(literal.raw);
  if (value.column?.field.caseSensitive) {
    context.parameters.push(pattern);
    return `${value.sql} LIKE ? ESCAPE '\\'`;
  }
  const folded = fold(pattern);
  const text = foldedValue(value);
  // What stands before the first wildcard bounds the search, so that an index serves.
  const prefix = /^[^%_\\]*/.exec(folded)![0];
  if (prefix !== '' && value.column?.foldIndexed) {
    context.parameters.push(prefix, `${prefix}\u{10ffff}`, folded);
    return `(${text} >= ? AND ${text} < ? AND ${text} LIKE ? ESCAPE '\\')`;
  }
  context.parameters.push(folded);
  return `${text} LIKE ? ESCAPE '\\'`;
}

/** `'A;B'` asks for A and B together; several texts are alternatives. */
function includesSql(context: Context, value: Value, literals: readonly Literal[]): string {
  const alternatives = literals.map((literal) => {
    if (literal.kind !== 'string') throw wrongType(context, value);
    const wanted = literal.value.split(';').map((item) => {
      context.parameters.push(`;${fold(item)};`);
      return `instr(';' || fold(${value.sql}) || ';', ?) > 0`;
    });
    return `(${wanted.join(' AND ')})`;
  });
  return `(${alternatives.join(' OR ')})`;
}

function rangeOf(context: Context, value: Value, literal: Extract<Literal, { kind: 'range' }>): { start: string; end: string } {
  if (value.type !== 'date' && value.type !== 'datetime') throw wrongType(context, value);
  const range = dateRange(literal.name, literal.n, context.time.today());
  if (!range) throw unexpectedToken(context.scope.soql, literal.name);
  if (value.type === 'date') return range;
  return { start: context.time.startOf(range.start), end: context.time.startOf(range.end) };
}

const typeNames: Record<Value['type'], string> = {
  id: 'ID',
  text: 'string',
  boolean: 'boolean',
  int: 'int',
  double: 'double',
  date: 'date',
  datetime: 'dateTime',
  time: 'time',
};

function wrongType(context: Context, value: Value) {
  const quotes =
    value.type === 'text' || value.type === 'id' ? 'should be enclosed in quotes' : 'should not be enclosed in quotes';
  const message = `value of filter criterion for field '${value.text}' must be of type ${typeNames[value.type]} and ${quotes}`;
  return invalidField(context.scope.soql, value.text, message);
}

/** The literal in stored form; null also for the empty string, which Salesforce does not store. */
function bindable(context: Context, value: Value, literal: Literal): Stored {
  if (literal.kind === 'null') return value.type === 'boolean' ? 0 : null;
  switch (value.type) {
    case 'id': {
      if (literal.kind !== 'string') break;
      if (literal.value === '') return null;
      const id = normaliseId(literal.value);
      if (id === undefined) throw invalidOperator(context.scope.soql, value.text, `invalid ID field: ${literal.value}`);
      return id;
    }
    case 'text':
      if (literal.kind !== 'string') break;
      return literal.value === '' ? null : literal.value;
    case 'boolean':
      if (literal.kind !== 'boolean') break;
      return literal.value ? 1 : 0;
    case 'int':
    case 'double':
      if (literal.kind !== 'number') break;
      return literal.value;
    case 'date':
      if (literal.kind !== 'date') break;
      return literal.value;
    case 'datetime':
      if (literal.kind !== 'datetime') break;
      return literal.value;
    case 'time':
      break;
  }
  throw wrongType(context, value);
}

/** Semi-joins and anti-joins. SOQL Reference, "Semi-Joins with IN and Anti-Joins with NOT IN". */
function inQuerySql(context: Context, condition: Extract<Condition, { kind: 'in-query' }>): string {
  const { scope } = context;
  const { query, operand } = condition;
  const left = operandSql(scope, operand, context.alias, false);
  const item = query.items[0];
  if (left.type !== 'id') throw invalidOperator(scope.soql, left.text, 'The left operand must be an Id or a reference field');
  if (query.items.length !== 1 || item?.kind !== 'value' || item.operand.kind !== 'path') {
    throw malformed('The inner select of a semi join must select exactly one ID field');
  }
  if (query.orderBy.length > 0 || query.limit !== undefined || query.groupBy.length > 0) {
    throw malformed('ORDER BY, LIMIT and GROUP BY are not allowed in the inner select of a semi join');
  }
  if (scope.root.tables[0]!.table.name.toLowerCase() === query.from.toLowerCase()) {
    throw malformed('The inner and outer selects should not be on the same object type');
  }
  const inner = createScope(scope.store, requireQueryable(scope.store, query.from, scope.soql), scope.soql, scope.includeDeleted);
  const column = operandSql(inner, item.operand, query.alias, false);
  if (column.type !== 'id') throw malformed('The inner select of a semi join must select an ID field');
  // The inner condition's parameters come where its text stands: after everything before, before everything after.
  const where = whereSql({ ...context, scope: inner, alias: query.alias }, query.where, [`${column.sql} IS NOT NULL`]);
  const test = `${left.sql} IN (SELECT ${column.sql}${fromClause(inner)}${inner.joins()}${where})`;
  return condition.negated ? `(${test}) IS NOT TRUE` : test;
}

/** ` WHERE …` with the recycle bin left out, or nothing. Compile before reading `scope.joins()`. */
export function whereSql(context: Context, condition: Condition | undefined, first: readonly string[] = []): string {
  const alive = aliveCondition(context.scope);
  const parts = [...first, ...(condition ? [conditionSql(context, condition)] : []), ...(alive ? [alive] : [])];
  return parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`;
}

/** Rules about a whole condition that no part of it can see. */
export function checkCondition(select: Select): void {
  let subqueries = 0;
  const visit = (condition: Condition, underOr: boolean): void => {
    if (condition.kind === 'and' || condition.kind === 'or') {
      for (const item of condition.items) visit(item, underOr || condition.kind === 'or');
    } else if (condition.kind === 'not') visit(condition.item, underOr);
    else if (condition.kind === 'in-query') {
      subqueries++;
      if (underOr) throw malformed('Semi join sub-selects are not allowed with the OR operator');
      if (subqueries > 2) throw malformed('Maximum 2 semi join sub-selects are allowed');
      if (condition.query.where) refuseNested(condition.query.where);
    }
  };
  if (select.where) visit(select.where, false);
}

function refuseNested(condition: Condition): void {
  if (condition.kind === 'in-query') throw malformed('Nesting of semi join sub-selects is not supported');
  if (condition.kind === 'not') refuseNested(condition.item);
  if (condition.kind === 'and' || condition.kind === 'or') for (const item of condition.items) refuseNested(item);
}
