import type { Store } from '../org/store.ts';
import type { Stored, Table } from '../org/table.ts';
import { type QueryOptions, type QueryResult, SalesforceError, type TableResult } from '../org/types.ts';
import { toCsv } from '../org/values.ts';
import { isAggregated, isCount, runAggregate } from './aggregate.ts';
import { malformed } from './errors.ts';
import { tailSql } from './order.ts';
import { parseSoql } from './parse.ts';
import { expandFields, flatColumns, project } from './projection.ts';
import { createScope, fromClause, requireQueryable, type Scope } from './scope.ts';
import type { Condition, Select } from './syntax.ts';
import { createUserTime, timeZoneOf, type UserTime } from './user-time.ts';
import { checkCondition, whereSql } from './where.ts';

const pageSizeMax = 2000;
const pageSizeMaxLongText = 200;
/** Rows read at a time for a flat read. Between chunks no statement is open, so that writes and schema changes go on. */
const chunkRows = 4096;

export function runQuery(store: Store, soql: string, options: QueryOptions): QueryResult {
  const { select, table, all, time } = prepare(store, soql, options);
  if (isCount(select)) return countResult(store, table, select, { all, time });
  if (isAggregated(select)) {
    if (select.limit !== undefined && select.groupBy.length === 0)
      throw malformed('Non-grouped query that uses overall aggregate functions cannot also use LIMIT');
    const rows = runAggregate(store, table, select, { all, time });
    return { totalSize: rows.length, pageSizeMax, page: (offset, limit) => rows.slice(offset, offset + limit) };
  }
  checkUnboundedFields(select);
  const items = expandFields(table, select, true);
  const projection = project(createScope(store, table, soql, all), items, select.alias, { time });
  const rids = pickRows(store, table, select, { all, time });
  return {
    totalSize: rids.length,
    pageSizeMax: longTexts(table, items) >= 2 ? pageSizeMaxLongText : pageSizeMax,
    hasChildren: items.some(({ kind }) => kind === 'children'),
    page(offset, limit, version) {
      try {
        return projection.readAll([...rids.subarray(offset, offset + limit)], version);
      } catch (error) {
        throw isLostField(error) ? new SalesforceError('INVALID_QUERY_LOCATOR', 'invalid query locator') : error;
      }
    },
  };
}

export function runTable(store: Store, soql: string, options: QueryOptions): TableResult {
  const { select, table, all, time } = prepare(store, soql, options);
  if (isCount(select) || isAggregated(select)) throw malformed('Aggregate queries are not supported by the Bulk API');
  if (select.offset !== undefined) throw malformed('OFFSET is not supported by the Bulk API');
  if (select.items.some((item) => item.kind === 'fields' && item.scope !== 'STANDARD')) {
    throw malformed('FIELDS(ALL) and FIELDS(CUSTOM) are not supported by the Bulk API');
  }
  const scope = createScope(store, table, soql, all);
  const columns = flatColumns(scope, expandFields(table, select, false), select.alias);
  const { alias } = scope.root.tables[0]!;
  const selected = `SELECT ${alias}."_rid", ${columns.map((column) => column.sql).join(', ')}${fromClause(scope)}${scope.joins()}`;
  const kinds = columns.map((column) => column.type);
  // Compiled now, so that an error shows before a job is made of the query.
  pickSql(store, table, select, { all, time });
  const whole = select.where === undefined && select.orderBy.length === 0 && select.limit === undefined;
  const alive = table.softDeletes && !all ? ` AND ${alias}."IsDeleted" = 0` : '';

  function render(row: Stored[]): string[] {
    const cells: string[] = new Array(kinds.length);
    for (let i = 0; i < kinds.length; i++) {
      const value = row[i + 1]!;
      cells[i] = value === null ? '' : typeof value === 'string' ? value : toCsv(kinds[i]!, value);
    }
    return cells;
  }

  /** The whole object in the order of its rows, which never move. */
  function* scan(): Iterable<readonly string[]> {
    const statement = store.database.prepare(
      `${selected} WHERE ${alias}."_rid" > ?${alive} ORDER BY ${alias}."_rid" LIMIT ${chunkRows}`,
    );
    statement.setReturnArrays(true);
    for (let last = -1; ; ) {
      const rows = statement.all(last) as unknown as Stored[][];
      for (const row of rows) yield render(row);
      if (rows.length < chunkRows) return;
      last = rows.at(-1)![0] as number;
    }
  }

  /** Chosen rows: which ones is settled at the start, their values are read on the way. */
  function* chosen(): Iterable<readonly string[]> {
    const statement = store.database.prepare(`${selected} WHERE ${alias}."_rid" IN (SELECT value FROM json_each(?))`);
    statement.setReturnArrays(true);
    const rids = pickRows(store, table, select, { all, time });
    // Without an order, the order of the table is the quickest to read.
    if (select.orderBy.length === 0) rids.sort();
    for (let offset = 0; offset < rids.length; offset += chunkRows) {
      const wanted = [...rids.subarray(offset, offset + chunkRows)];
      const rows = new Map<number, Stored[]>();
      for (const row of statement.all(JSON.stringify(wanted)) as unknown as Stored[][]) rows.set(row[0] as number, row);
      for (const rid of wanted) {
        const row = rows.get(rid);
        if (row) yield render(row);
      }
    }
  }

  return { columns: columns.map((column) => column.name), rows: () => (whole ? scan() : chosen()) };
}

/** A field of the query was removed since it was asked. */
const isLostField = (error: unknown) => error instanceof Error && error.message.startsWith('no such column');

interface Run {
  all: boolean;
  time: UserTime;
}

function prepare(store: Store, soql: string, options: QueryOptions): Run & { select: Select; table: Table } {
  const select = parseSoql(soql);
  checkCondition(select);
  const table = requireQueryable(store, select.from, soql);
  return {
    select,
    table,
    all: options.all === true,
    time: createUserTime(store.clock.now(), () => timeZoneOf(store, options.userId)),
  };
}

function countResult(store: Store, table: Table, select: Select, run: Run): QueryResult {
  if (select.items.length > 1) throw malformed('COUNT() must be the only element in the SELECT list');
  if (select.orderBy.length > 0 || select.groupBy.length > 0) throw malformed('COUNT() cannot be used with ORDER BY or GROUP BY');
  const { sql, parameters } = pickSql(store, table, select, run);
  const found = store.database.prepare(`SELECT COUNT(*) AS n FROM (${sql})`).get(...parameters);
  return { totalSize: Number(found!.n), pageSizeMax, page: () => [] };
}

/** The statement that finds the rows of a query, in their order. */
export function pickSql(
  store: Store,
  table: Table,
  select: Select,
  run: Run,
): { sql: string; parameters: Stored[]; scope: Scope } {
  const scope = createScope(store, table, select.soql, run.all);
  const parameters: Stored[] = [];
  const context = { scope, alias: select.alias, time: run.time, parameters };
  const where = whereSql(context, select.where);
  const tail = tailSql(context, select);
  const { alias } = scope.root.tables[0]!;
  return { sql: `SELECT ${alias}."_rid"${fromClause(scope)}${scope.joins()}${where}${tail}`, parameters, scope };
}

/** The rows of a query as numbers: eight bytes each, however many. */
function pickRows(store: Store, table: Table, select: Select, run: Run): Float64Array {
  const { sql, parameters } = pickSql(store, table, select, run);
  const statement = store.database.prepare(sql);
  statement.setReturnArrays(true);
  let rids = new Float64Array(1024);
  let count = 0;
  for (const row of statement.iterate(...parameters) as unknown as Iterable<number[]>) {
    if (count === rids.length) {
      const grown = new Float64Array(rids.length * 2);
      grown.set(rids);
      rids = grown;
    }
    rids[count++] = row[0]!;
  }
  return rids.subarray(0, count);
}

/** `FIELDS(ALL)` and `FIELDS(CUSTOM)` have no bound of their own, so the query must have one. */
function checkUnboundedFields(select: Select): void {
  const unbounded = select.items.some((item) => item.kind === 'fields' && item.scope !== 'STANDARD');
  if (!unbounded || (select.limit !== undefined && select.limit <= 200)) return;
  if (select.where && idsNamed(select.where) <= 200) return;
  throw malformed('The SOQL FIELDS function must have a LIMIT of at most 200');
}

/** How many ids a condition asks for that asks for nothing else. */
function idsNamed(condition: Condition): number {
  if (condition.kind === 'or') return condition.items.reduce((sum, item) => sum + idsNamed(item), 0);
  const isNamed =
    condition.kind === 'compare' &&
    condition.operand.text.toLowerCase() === 'id' &&
    (condition.operator === 'IN' || condition.operator === '=');
  return isNamed ? condition.values.length : Number.POSITIVE_INFINITY;
}

/** Custom fields of long text: a query of two or more gets small pages. REST API Developer Guide, "Query". */
function longTexts(table: Table, items: Select['items']): number {
  return items.filter((item) => {
    if (item.kind !== 'value' || item.operand.kind !== 'path' || item.operand.path.length > 1) return false;
    const field = table.column(item.operand.text)?.field;
    return field?.custom === true && field.type === 'textarea' && field.length > 255;
  }).length;
}
