import { invalidField } from './errors.ts';
import { foldedValue, isAggregate, operandSql, type Value } from './expression.ts';
import type { Order, Select } from './syntax.ts';
import type { Context } from './where.ts';

/**
 * ` ORDER BY … LIMIT … OFFSET …`. Text is sorted without regard to case, picklists by the order of their values, nulls
 * come first unless said otherwise. SOQL Reference, "ORDER BY".
 */
export function tailSql(context: Context, select: Select): string {
  const order = select.orderBy.map((entry) => orderSql(context, entry));
  let sql = order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`;
  if (select.limit !== undefined || select.offset !== undefined) {
    context.parameters.push(select.limit ?? -1, select.offset ?? 0);
    sql += ' LIMIT ? OFFSET ?';
  }
  return sql;
}

function orderSql(context: Context, order: Order): string {
  const { scope } = context;
  const value = operandSql(scope, order.operand, context.alias, isAggregate(order.operand) && context.having === true);
  const field = value.column?.field;
  if (field && !field.sortable) {
    throw invalidField(scope.soql, value.text, `field '${value.text}' can not be sorted in a query call`);
  }
  const direction = order.descending ? ' DESC' : '';
  // SQLite puts nulls first going up and last going down; saying so where it changes nothing would keep it off the index.
  const isLookup = field?.type === 'reference';
  const nulls = isLookup ? 'FIRST' : (order.nulls ?? 'FIRST');
  const usual = order.descending ? 'LAST' : 'FIRST';
  const mayBeNull = field === undefined || field.nillable || order.operand.text.includes('.');
  return `${sortKey(context, value)}${direction}${nulls === usual || !mayBeNull ? '' : ` NULLS ${nulls}`}`;
}

function sortKey(context: Context, value: Value): string {
  if (value.type !== 'text') return value.sql;
  const field = value.column?.field;
  if (field?.type === 'picklist' && field.picklistValues.length > 0) {
    const cases = field.picklistValues.map((entry, i) => {
      context.parameters.push(entry.value);
      return `WHEN ? THEN ${i}`;
    });
    // Values that the list does not know come last, null stays null.
    return `CASE ${value.sql} ${cases.join(' ')} ELSE iif(${value.sql} IS NULL, NULL, ${cases.length}) END`;
  }
  return field?.caseSensitive ? value.sql : foldedValue(value);
}
