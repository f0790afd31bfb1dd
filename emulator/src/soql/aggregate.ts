import type { Store } from '../org/store.ts';
import type { ColumnKind, Stored, Table } from '../org/table.ts';
import { SalesforceError } from '../org/types.ts';
import { toRest } from '../org/values.ts';
import { invalidField, malformed } from './errors.ts';
import { isAggregate, operandSql } from './expression.ts';
import { tailSql } from './order.ts';
import { createScope, fromClause } from './scope.ts';
import type { Operand, Select } from './syntax.ts';
import type { UserTime } from './user-time.ts';
import { conditionSql, whereSql } from './where.ts';

/** An aggregate query cannot be paged. SOQL Reference, "GROUP BY Considerations". */
const groupsMax = 2000;

export function isAggregated(select: Select): boolean {
  return select.groupBy.length > 0 || select.items.some((item) => item.kind === 'value' && isAggregate(item.operand));
}

/** `SELECT COUNT() FROM …`: no records, only their number. */
export function isCount(select: Select): boolean {
  const item = select.items[0];
  return (
    item?.kind === 'value' &&
    item.operand.kind === 'function' &&
    item.operand.name === 'COUNT' &&
    item.operand.arguments.length === 0
  );
}

/** The rows of an aggregate query, as REST shows them. */
export function runAggregate(
  store: Store,
  table: Table,
  select: Select,
  options: { all: boolean; time: UserTime },
): Record<string, unknown>[] {
  const { soql } = select;
  const scope = createScope(store, table, soql, options.all);
  const parameters: Stored[] = [];
  const context = { scope, alias: select.alias, time: options.time, parameters };
  const grouped = new Set(select.groupBy.map((operand) => operand.text.toLowerCase()));
  const columns: { key: string; sql: string; type: ColumnKind }[] = [];
  let unnamed = 0;
  for (const item of select.items) {
    if (item.kind !== 'value') throw malformed('Grouped queries select fields and functions only');
    const { operand } = item;
    const value = operandSql(scope, operand, select.alias, true);
    if (!isAggregate(operand) && !grouped.has(operand.text.toLowerCase())) {
      throw malformed(`Field must be grouped or aggregated: ${operand.text}`);
    }
    const key = item.alias ?? (operand.kind === 'function' ? `expr${unnamed++}` : (value.column?.name ?? operand.text));
    if (columns.some((column) => column.key === key)) throw malformed(`duplicate alias: ${key}`);
    columns.push({ key, sql: value.sql, type: value.type });
  }
  const groups = select.groupBy.map((operand) => groupSql(select, scope, operand));
  const where = whereSql(context, select.where);
  const having = select.having ? ` HAVING ${conditionSql({ ...context, having: true }, select.having)}` : '';
  const tail = tailSql({ ...context, having: true }, resolveAliases(select));
  const sql = `SELECT ${columns.map((column) => column.sql).join(', ')}${fromClause(scope)}${scope.joins()}${where}${groups.length > 0 ? ` GROUP BY ${groups.join(', ')}` : ''}${having}${tail}`;
  const statement = store.database.prepare(sql);
  statement.setReturnArrays(true);
  const rows = statement.all(...parameters) as unknown as Stored[][];
  if (rows.length > groupsMax) {
    throw new SalesforceError(
      'EXCEEDED_ID_LIMIT',
      'Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch',
    );
  }
  return rows.map((row) => ({
    attributes: { type: 'AggregateResult' },
    ...Object.fromEntries(columns.map((column, i) => [column.key, toRest(column.type, row[i]!)])),
  }));
}

function groupSql(select: Select, scope: Parameters<typeof operandSql>[0], operand: Operand): string {
  if (operand.kind === 'function' && (operand.name === 'ROLLUP' || operand.name === 'CUBE')) {
    throw malformed(`GROUP BY ${operand.name} is not known to this emulator`);
  }
  const value = operandSql(scope, operand, select.alias, false);
  if (value.column && !value.column.field.groupable) {
    throw invalidField(select.soql, operand.text, `field '${operand.text}' can not be grouped in a query call`);
  }
  return value.sql;
}

/** `ORDER BY total` may name an alias of the SELECT list. */
function resolveAliases(select: Select): Select {
  const aliased = new Map<string, Operand>();
  for (const item of select.items) {
    if (item.kind === 'value' && item.alias !== undefined) aliased.set(item.alias.toLowerCase(), item.operand);
  }
  return {
    ...select,
    orderBy: select.orderBy.map((order) => ({
      ...order,
      operand: aliased.get(order.operand.text.toLowerCase()) ?? order.operand,
    })),
  };
}
