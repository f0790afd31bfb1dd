import type { ColumnKind } from '../org/table.ts';
import { parseDate } from '../org/values.ts';
import type { RollUpFilter } from '../schema/source/calculations.ts';

/** One value, or several that are alternatives, of the filter items of a roll-up as the Metadata API has them. */
const comparisons: Readonly<Record<string, string>> = {
  equals: '=',
  notEqual: '!=',
  lessThan: '<',
  lessOrEqual: '<=',
  greaterThan: '>',
  greaterOrEqual: '>=',
  includes: 'INCLUDES',
  excludes: 'EXCLUDES',
};
/** What stands before and after the text. */
const likes: Readonly<Record<string, readonly [before: string, after: string]>> = {
  contains: ['%', '%'],
  notContain: ['%', '%'],
  startsWith: ['', '%'],
};

/**
 * `<summaryFilterItems>` as a SOQL condition, or nothing when there are none. A comma separates values that are
 * alternatives ("Filter Operators").
 * @throws {TypeError}
 */
export function filterCondition(filters: readonly RollUpFilter[], kindOf: (field: string) => ColumnKind): string | undefined {
  if (filters.length === 0) return undefined;
  return filters.map((filter) => `(${oneFilter(filter, kindOf(filter.field))})`).join(' AND ');
}

function oneFilter({ field, operation, value, valueField }: RollUpFilter, kind: ColumnKind): string {
  if (valueField !== undefined) throw new TypeError(`a filter cannot compare with the field '${valueField}' here`);
  const values = value === '' ? [''] : value.split(',').map((one) => one.trim());
  const like = likes[operation];
  if (like) {
    const isNot = operation === 'notContain';
    const [before, after] = like;
    const tests = values.map((one) => `${field} LIKE '${before}${one.replaceAll(/['\\%_]/g, '\\$&')}${after}'`);
    return isNot ? tests.map((test) => `(NOT ${test})`).join(' AND ') : tests.join(' OR ');
  }
  const operator = comparisons[operation];
  if (operator === undefined) throw new TypeError(`a filter cannot use '${operation}'`);
  if (operator === 'INCLUDES' || operator === 'EXCLUDES') return `${field} ${operator} (${values.map(quoted).join(', ')})`;
  const join = operator === '!=' ? ' AND ' : ' OR ';
  return values.map((one) => `${field} ${operator} ${literal(one, kind)}`).join(join);
}

function literal(text: string, kind: ColumnKind): string {
  if (text === '') return 'null';
  switch (kind) {
    case 'boolean':
      return /^(true|1)$/i.test(text) ? 'TRUE' : 'FALSE';
    case 'int':
    case 'double':
      if (!/^-?\d+(\.\d+)?$/.test(text)) throw new TypeError(`a filter cannot compare a number with '${text}'`);
      return text;
    case 'date':
      return dayOf(text);
    case 'datetime':
      return `${dayOf(text)}T00:00:00Z`;
    default:
      return quoted(text);
  }
}

/** `2024-05-22`, or `5/22/2024` as an org of the United States writes it. */
function dayOf(text: string): string {
  const american = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text);
  const iso = american ? `${american[3]}-${american[1]!.padStart(2, '0')}-${american[2]!.padStart(2, '0')}` : text;
  const day = parseDate(iso);
  if (day === undefined) throw new TypeError(`a filter cannot compare a date with '${text}'`);
  return day;
}

const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
