import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { FieldType } from '@tidemark/core';
import { historyTriggerNames } from './history-definition.ts';
import { DELETED_AT, quoted, STAMP } from './identifiers.ts';
import type { TableFacts, TableLayout } from './layout.ts';

type Row = Record<string, SQLOutputValue>;

/** Everything that has to be known about a table before it is written or read. */
export function describeTable(database: DatabaseSync, table: string): TableFacts {
  const all = (sql: string, ...values: string[]) => database.prepare(sql).all(...values) as Row[];
  const [entry] = all("SELECT type, strict FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE", table);
  const indexes = all('SELECT name, "unique", partial FROM pragma_index_list(?)', table);
  const columns = all('SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid', table);
  const columnsOf = (index: Row) =>
    all('SELECT name FROM pragma_index_info(?) ORDER BY seqno', String(index.name)).map(({ name }) => String(name ?? ''));
  const primary = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
  const hasOwn = all("SELECT 1 FROM sqlite_schema WHERE name = '_tidemark_columns'").length > 0;
  const known = hasOwn ? all('SELECT field, column_name, type FROM _tidemark_columns WHERE table_name = ?', table) : [];
  return {
    kind: entry === undefined ? null : entry.type === 'view' ? 'view' : 'table',
    strict: entry?.strict === 1,
    columns: columns.map(({ name, type, pk, hidden }) => ({
      name: String(name),
      type: String(type),
      key: Number(pk),
      generated: Number(hidden) > 1,
    })),
    uniques: [
      ...(primary.length > 0 ? [primary.map(({ name }) => String(name))] : []),
      ...indexes.filter(({ unique, partial }) => unique === 1 && partial === 0).map(columnsOf),
    ],
    indexed: indexes.filter(({ partial }) => partial === 0).map((index) => columnsOf(index)[0] ?? ''),
    indexNames: all("SELECT name FROM sqlite_schema WHERE type = 'index'").map(({ name }) => String(name)),
    triggers: all("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE", table).map(
      ({ name, sql }) => ({ name: String(name), sql: String(sql) }),
    ),
    known: known.map((row) => ({ field: String(row.field), column: String(row.column_name), type: row.type as FieldType })),
  };
}

/** The statement that makes a table of ours. One form for tables and their staging, so that one can take the other's place. */
export function createTable(table: string, columns: readonly { name: string; type: string }[], key: readonly string[]): string {
  const own = columns.map(({ name, type }) => `${quoted(name)} ${type}`);
  return `CREATE TABLE ${quoted(table)} (${own.join(', ')}, PRIMARY KEY (${key.map(quoted).join(', ')})) STRICT`;
}

export const systemColumns = [
  { name: STAMP, type: 'TEXT' },
  { name: DELETED_AT, type: 'TEXT' },
];

/**
 * Whether the table is still as we made it, so that nothing of the user's is lost when a staged table takes its place. The triggers
 * that keep its history are ours, too.
 */
export function isAsWeMadeIt(database: DatabaseSync, layout: TableLayout): boolean {
  const { table } = layout;
  const { columns, triggers } = describeTable(database, table);
  const made = createTable(table, columns, keyColumns(layout));
  const found = database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table)?.sql;
  const ours = layout.history === undefined ? [] : historyTriggerNames(table);
  return found === made && triggers.every(({ name }) => ours.includes(name));
}

/** Whether the rows of a load may be all that there is in the table. */
export function mayTakePlace(database: DatabaseSync, layout: TableLayout): boolean {
  return layout.scope === undefined && isAsWeMadeIt(database, layout);
}

/** The statement for a load's staging table: all of the table's columns where it may take the table's place. */
export function createStaging(database: DatabaseSync, staging: string, layout: TableLayout): string {
  const columns = mayTakePlace(database, layout)
    ? describeTable(database, layout.table).columns
    : // ANY keeps what was bound; the merge lets the user's own column types apply.
      [...layout.columns.map(({ column }) => ({ name: column, type: 'ANY' })), ...systemColumns];
  return createTable(staging, columns, keyColumns({ ...layout, scope: undefined }));
}

export function keyColumns({ scope, columns, key }: TableLayout): string[] {
  const own = key.map((index) => columns[index]!.column);
  return scope === undefined ? own : [scope.column, ...own];
}
