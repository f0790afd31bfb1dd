import { quoted, STAMP } from './identifiers.ts';

/** A table whose rows' versions are kept. */
export interface HistoryLayout {
  readonly table: string;
  /** Columns of the table's key. */
  readonly key: readonly string[];
  /** All that are kept, those of the key and of ours included. */
  readonly columns: readonly string[];
}

/** What tells of a version besides its values. */
export const historyColumns = [
  { name: 'valid_from', type: 'TEXT NOT NULL' },
  { name: 'valid_to', type: 'TEXT' },
  { name: 'operation', type: 'TEXT NOT NULL' },
  { name: 'ended_by', type: 'TEXT' },
] as const;

export const historyOf = (table: string) => `${table}_history`;

const events = ['insert', 'update', 'delete'] as const;
const triggerOf = (event: string, table: string) => `_tidemark_history_${event}_${table}`;

export function historyTriggerNames(table: string): string[] {
  return events.map((event) => triggerOf(event, table));
}

/** Understood by any SQLite that a program may be built with: the triggers run in its library, not in ours. */
const time = (...of: string[]) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${of.join(', ')})`;
const NOW = time(`'now'`);

/** One version of a row is open: the index sees to it, and finds it among however many there are. */
export function createHistory(
  { table, key, columns }: HistoryLayout,
  typeOf: (column: string) => string,
  strict: boolean,
): string[] {
  const name = quoted(historyOf(table));
  const keys = key.map(quoted).join(', ');
  const kept = columns.map((column) => `${quoted(column)} ${typeOf(column)}`.trimEnd());
  const own = historyColumns.map((column) => `${column.name} ${column.type}`);
  return [
    `CREATE TABLE ${name} (${[...kept, ...own].join(', ')}, PRIMARY KEY (${keys}, valid_from))${strict ? ' STRICT' : ''}`,
    `CREATE UNIQUE INDEX ${quoted(`${historyOf(table)}_open`)} ON ${name} (${keys}) WHERE valid_to IS NULL`,
  ];
}

/**
 * One for each kind of statement, for the key that it has touched. A version ends where the row is gone or not equal to it any more,
 * and one begins where a row has none that is open: so a write that changes nothing leaves nothing, and what was missed is made good with
 * the next write of the row. The row is read from the table: a trigger of somebody else's may have written it once more since.
 */
export function historyTriggers(layout: HistoryLayout): { readonly name: string; readonly sql: string }[] {
  const { table, key } = layout;
  const history = quoted(historyOf(table));
  const of = (row: string) => sameKey(key, history, row);
  const rekeyed = key.map((name) => `OLD.${quoted(name)} COLLATE BINARY IS NOT NEW.${quoted(name)}`).join(' OR ');
  const standing = [end(layout, of('NEW')), begin(layout, `${sameKey(key, 't', 'NEW')} AND`)];
  const bodies = {
    insert: standing,
    update: [end(layout, `${of('OLD')} AND (${rekeyed})`), ...standing],
    delete: [end(layout, of('OLD'))],
  };
  return events.map((event) => {
    const name = triggerOf(event, table);
    const body = bodies[event].map((statement) => `${statement};`).join(' ');
    return { name, sql: `CREATE TRIGGER ${quoted(name)} AFTER ${event.toUpperCase()} ON ${quoted(table)} BEGIN ${body} END` };
  });
}

/** Afterwards the open versions are the rows of the table: what was written while no trigger told of it. */
export function catchUp(layout: HistoryLayout): string[] {
  return [end(layout, 'true'), begin(layout, '')];
}

/** Never before it began, and so never empty, though the clock be set back. Only what any SQLite knows: no UPDATE FROM. */
function end(layout: HistoryLayout, which: string): string {
  const { table, key } = layout;
  const history = quoted(historyOf(table));
  const stands = (and: string) => `EXISTS (SELECT 1 FROM ${quoted(table)} AS t WHERE ${sameKey(key, history, 't')}${and})`;
  const to = `max(${NOW}, ${time(`${history}.valid_from`, `'+0.001 seconds'`)})`;
  return (
    `UPDATE ${history} SET valid_to = ${to}, ended_by = CASE WHEN ${stands('')} THEN 'update' ELSE 'delete' END ` +
    `WHERE ${which} AND ${history}.valid_to IS NULL AND NOT ${stands(` AND ${equal(layout, history, 't')}`)}`
  );
}

/** It begins where the last one ended, so that there is no hole between two. After a delete, or with another key, a row is a new one. */
function begin({ table, key, columns }: HistoryLayout, which: string): string {
  const history = quoted(historyOf(table));
  const names = columns.map(quoted);
  const last = (what: string) =>
    `(SELECT ${what} FROM ${history} AS l WHERE ${sameKey(key, 'l', 't')} ORDER BY l.valid_from DESC LIMIT 1)`;
  const operation = `CASE ${last('l.ended_by')} WHEN 'update' THEN 'update' ELSE 'insert' END`;
  return (
    `INSERT INTO ${history} (${names.join(', ')}, valid_from, operation) ` +
    `SELECT ${names.map((name) => `t.${name}`).join(', ')}, max(${NOW}, ifnull(${last('l.valid_to')}, '')), ${operation} ` +
    `FROM ${quoted(table)} AS t WHERE ${which} NOT EXISTS (SELECT 1 FROM ${history} AS h WHERE ${sameKey(key, 'h', 't')} AND h.valid_to IS NULL)`
  );
}

/** The history's columns come first: their collation tells every difference, whatever the user's own table has. */
function sameKey(key: readonly string[], a: string, b: string): string {
  return key.map((name) => `${a}.${quoted(name)} = ${b}.${quoted(name)}`).join(' AND ');
}

/** A stamp alone makes no version: it moves with every look at the record. One comparison of rows, since an expression may not be deep. */
function equal({ key, columns }: HistoryLayout, history: string, row: string): string {
  const compared = columns.filter((column) => column !== STAMP && !key.includes(column)).map(quoted);
  const of = (alias: string) => `(${compared.map((name) => `${alias}.${name}`).join(', ')})`;
  return `${of(history)} IS ${of(row)}`;
}
