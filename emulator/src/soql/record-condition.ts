import { fold } from '../org/database.ts';
import { normaliseId } from '../org/ids.ts';
import type { ColumnKind, Stored } from '../org/table.ts';
import { SalesforceError } from '../org/types.ts';
import { dateRange } from './date-range.ts';
import { parseSoql } from './parse.ts';
import type { Condition, Literal, Operator } from './syntax.ts';

/** A SOQL condition asked of one record that is at hand, instead of a table. */
export type RecordTest<R> = (record: R) => boolean;

export interface ConditionRules<R> {
  /** @throws {TypeError} when there is no such field. */
  field(path: string): { readonly kind?: ColumnKind; read(record: R): Stored };
  /** All when absent. */
  operators?: ReadonlySet<Operator>;
  /** Absent: `TODAY` and its kin cannot be used. */
  now?: () => number;
}

/** @throws {TypeError} says what of it cannot be used. */
export function readCondition<R>(expression: string, rules: ConditionRules<R>): RecordTest<R> {
  return compile(parse(expression), rules);
}

function parse(expression: string): Condition {
  try {
    const { where } = parseSoql(`SELECT Id FROM Event WHERE ${expression}`);
    if (where) return where;
  } catch (error) {
    if (!(error instanceof SalesforceError)) throw error;
    throw new TypeError(`the condition '${expression}' cannot be read: ${error.message}`);
  }
  throw new TypeError('the condition is empty');
}

function compile<R>(condition: Condition, rules: ConditionRules<R>): RecordTest<R> {
  switch (condition.kind) {
    case 'and': {
      const tests = condition.items.map((item) => compile(item, rules));
      return (record) => tests.every((test) => test(record));
    }
    case 'or': {
      const tests = condition.items.map((item) => compile(item, rules));
      return (record) => tests.some((test) => test(record));
    }
    case 'not': {
      const test = compile(condition.item, rules);
      return (record) => !test(record);
    }
    case 'compare': {
      const { operand, operator, values } = condition;
      const known = rules.operators?.has(operator) ?? true;
      if (operand.kind !== 'path' || !known) throw new TypeError(`a condition cannot use '${operand.text} ${operator}' here`);
      const { kind, read } = rules.field(operand.text);
      const test = comparison(
        operator,
        values.map((value) => literalTest(value, kind, operator, rules.now)),
      );
      return (record) => test(read(record));
    }
    case 'in-query':
      throw new TypeError('a condition on a record cannot ask a query');
  }
}

/** How a value stands to one literal: before it, the same, after it; nothing when they cannot be compared. */
interface LiteralTest {
  readonly order: (value: Stored) => number | undefined;
  /** Of a text, for LIKE and INCLUDES. */
  readonly text: string;
}

const folded = (value: Stored) => (typeof value === 'string' ? fold(value) : value);

function literalTest(
  literal: Literal,
  kind: ColumnKind | undefined,
  operator: Operator,
  now: (() => number) | undefined,
): LiteralTest {
  const text = literal.kind === 'string' ? (operator === 'LIKE' ? literal.raw : literal.value) : '';
  if (literal.kind === 'range') {
    if (!now) throw new TypeError(`a condition cannot use the date '${literal.name}' here`);
    const order = (value: Stored) => {
      const range = dateRange(literal.name, literal.n, now());
      if (!range || typeof value !== 'string') return undefined;
      const day = value.slice(0, 10);
      return day < range.start ? -1 : day >= range.end ? 1 : 0;
    };
    return { text, order };
  }
  const wanted = folded(wantedValue(literal, kind));
  const order = (value: Stored) => {
    const actual = folded(value);
    if (actual === wanted) return 0;
    if (actual === null || wanted === null || typeof actual !== typeof wanted) return undefined;
    return actual < wanted ? -1 : 1;
  };
  return { text, order };
}

function wantedValue(literal: Exclude<Literal, { kind: 'range' }>, kind: ColumnKind | undefined): Stored {
  if (literal.kind === 'null') return kind === 'boolean' ? 0 : null;
  if (literal.kind === 'boolean') return literal.value ? 1 : 0;
  if (literal.kind !== 'string') return literal.value;
  if (literal.value === '') return null;
  return kind === 'id' ? (normaliseId(literal.value) ?? literal.value) : literal.value;
}

function comparison(operator: Operator, literals: readonly LiteralTest[]): (value: Stored) => boolean {
  const equals = (value: Stored) => literals.some(({ order }) => order(value) === 0);
  const { order, text } = literals[0]!;
  const ordered = (holds: (order: number) => boolean) => (value: Stored) => {
    const found = value === null ? undefined : order(value);
    return found !== undefined && holds(found);
  };
  switch (operator) {
    case '=':
    case 'IN':
      return equals;
    case '!=':
    case 'NOT IN':
      return (value) => !equals(value);
    case '<':
      return ordered((found) => found < 0);
    case '<=':
      return ordered((found) => found <= 0);
    case '>':
      return ordered((found) => found > 0);
    case '>=':
      return ordered((found) => found >= 0);
    case 'LIKE': {
      const pattern = likePattern(text);
      return (value) => value !== null && pattern.test(String(value));
    }
    case 'INCLUDES':
      return (value) => includes(value, literals);
    case 'EXCLUDES':
      return (value) => !includes(value, literals);
  }
}

/** `'A;B'` asks for both; several texts are alternatives. */
function includes(value: Stored, literals: readonly LiteralTest[]): boolean {
  const chosen = new Set(fold(String(value ?? '')).split(';'));
  return literals.some(({ text }) =>
    fold(text)
      .split(';')
      .every((item) => chosen.has(item)),
  );
}

function likePattern(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\(.)|([%_])|[.*+?^${}()|[\]\\]/gs, (found, escaped: string, wild: string) => {
    if (wild) return wild === '%' ? '.*' : '.';
    return `\\${escaped ?? found}`;
  });
  return new RegExp(`^${source}$`, 'is');
}
