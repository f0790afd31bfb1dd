import { foldedSql } from '../org/database.ts';
import type { Column, ColumnKind } from '../org/table.ts';
import { invalidField, malformed } from './errors.ts';
import { resolvePath, type Scope } from './scope.ts';
import type { Operand } from './syntax.ts';

/** An SQL expression and what it yields. */
export interface Value {
  readonly sql: string;
  readonly type: ColumnKind;
  /** Absent for computed values. */
  readonly column: Column | undefined;
  /** As written, for messages. */
  readonly text: string;
}

/** Text without regard to case, in the words of the index where there is one. */
export const foldedValue = ({ sql, column }: Value) => (column?.foldIndexed ? foldedSql(sql) : `fold(${sql})`);

const aggregates: ReadonlySet<string> = new Set(['COUNT', 'COUNT_DISTINCT', 'SUM', 'AVG', 'MIN', 'MAX']);

export function isAggregate(operand: Operand): boolean {
  return operand.kind === 'function' && aggregates.has(operand.name);
}

/** Date functions over ISO text, in UTC. Weeks of a month or year count from its first day. */
const dateFunctions: Record<string, (sql: string) => string> = {
  CALENDAR_YEAR: (sql) => number('%Y', sql),
  CALENDAR_MONTH: (sql) => number('%m', sql),
  CALENDAR_QUARTER: (sql) => `((${number('%m', sql)} + 2) / 3)`,
  FISCAL_YEAR: (sql) => number('%Y', sql),
  FISCAL_MONTH: (sql) => number('%m', sql),
  FISCAL_QUARTER: (sql) => `((${number('%m', sql)} + 2) / 3)`,
  DAY_IN_MONTH: (sql) => number('%d', sql),
  DAY_IN_WEEK: (sql) => `(${number('%w', sql)} + 1)`,
  DAY_IN_YEAR: (sql) => number('%j', sql),
  WEEK_IN_MONTH: (sql) => `((${number('%d', sql)} + 6) / 7)`,
  WEEK_IN_YEAR: (sql) => `((${number('%j', sql)} + 6) / 7)`,
  HOUR_IN_DAY: (sql) => number('%H', sql),
  DAY_ONLY: (sql) => `substr(${sql}, 1, 10)`,
};

function number(format: string, sql: string): string {
  return `CAST(strftime('${format}', ${sql}) AS INTEGER)`;
}

/** @throws {SalesforceError} `INVALID_FIELD`, `MALFORMED_QUERY` */
export function operandSql(scope: Scope, operand: Operand, alias: string | undefined, allowAggregates: boolean): Value {
  if (operand.kind === 'path') {
    const resolved = resolvePath(scope, operand.path, alias);
    if (resolved.kind === 'compound') {
      throw invalidField(scope.soql, operand.text, `field '${operand.text}' can not be filtered in a query call`);
    }
    return { sql: resolved.sql, type: resolved.type, column: resolved.column, text: operand.text };
  }
  if (isAggregate(operand)) {
    if (!allowAggregates) throw malformed(`unexpected token: '${operand.text}'`);
    return aggregateSql(scope, operand, alias);
  }
  const inner = operand.arguments[0];
  if (inner === undefined) throw malformed(`unexpected token: '${operand.text}'`);
  if (operand.name === 'TOLABEL' || operand.name === 'CONVERTTIMEZONE' || operand.name === 'FORMAT') {
    return { ...operandSql(scope, inner, alias, false), text: operand.text };
  }
  const dateFunction = dateFunctions[operand.name];
  if (!dateFunction) throw malformed(`the function ${operand.name} is not known to this emulator`);
  const value = operandSql(scope, inner, alias, false);
  if (value.type !== 'date' && value.type !== 'datetime') {
    throw invalidField(scope.soql, operand.text, `field ${value.text} does not support the function ${operand.name}`);
  }
  const type = operand.name === 'DAY_ONLY' ? 'date' : 'int';
  return { sql: dateFunction(value.sql), type, column: undefined, text: operand.text };
}

function aggregateSql(scope: Scope, operand: Extract<Operand, { kind: 'function' }>, alias: string | undefined): Value {
  const argument = operand.arguments[0];
  const text = operand.text;
  if (!argument) {
    if (operand.name !== 'COUNT') throw malformed(`unexpected token: '${text}'`);
    return { sql: 'COUNT(*)', type: 'int', column: undefined, text };
  }
  const value = operandSql(scope, argument, alias, false);
  const numeric = value.type === 'int' || value.type === 'double';
  const refuse = () => malformed(`field ${value.text} does not support aggregate operator ${operand.name}`);
  switch (operand.name) {
    case 'COUNT':
      return { sql: `COUNT(${value.sql})`, type: 'int', column: undefined, text };
    case 'COUNT_DISTINCT':
      return { sql: `COUNT(DISTINCT ${value.sql})`, type: 'int', column: undefined, text };
    case 'SUM':
    case 'AVG':
      if (!numeric) throw refuse();
      return {
        sql: `${operand.name}(${value.sql})`,
        type: operand.name === 'AVG' ? 'double' : value.type,
        column: undefined,
        text,
      };
    default:
      if (value.type === 'boolean') throw refuse();
      return { sql: `${operand.name}(${value.sql})`, type: value.type, column: undefined, text };
  }
}
