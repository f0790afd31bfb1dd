import { isPlatformEvent } from '../schema/platform-event.ts';
import type { Store } from './store.ts';
import type { Column, Stored, StoredRow, Table } from './table.ts';
import { isDeleted, type Pending } from './transaction-view.ts';
import type { RecordChange } from './types.ts';
import { stampOf } from './values.ts';

type PendingRecords = ReadonlyMap<string, Pending>;

/** Puts a transaction's records into the database. Within an SQLite transaction: the caller's. */
export function applyPending(store: Store, pending: PendingRecords): void {
  for (const [id, { table, row, before, purged }] of pending) {
    if (isPlatformEvent(table.name)) continue;
    if (purged) {
      if (before) store.statement(`DELETE FROM ${table.quotedName} WHERE "Id" = ?`).run(id);
    } else if (!before) insertRow(store, table, row);
    else updateRow(store, table, id, row, before);
    logDeletion(store, id, table, row, before, purged);
  }
}

/** The columns that it has a value in: an org's objects have a hundred, a record a dozen. */
function insertRow(store: Store, table: Table, row: StoredRow): void {
  const columns: Column[] = [];
  const values: Stored[] = [row._rid!];
  for (const column of table.columns) {
    const value = row[column.name] ?? null;
    if (value === null) continue;
    columns.push(column);
    values.push(value);
  }
  store.statement(insertions(table, columns)).run(...values);
}

function updateRow(store: Store, table: Table, id: string, row: StoredRow, before: StoredRow): void {
  const columns: Column[] = [];
  const values: Stored[] = [];
  for (const column of table.columns) {
    const value = row[column.name] ?? null;
    if (value === (before[column.name] ?? null)) continue;
    columns.push(column);
    values.push(value);
  }
  if (columns.length > 0) store.statement(updates(table, columns)).run(...values, id);
}

type SqlOf = (table: Table, columns: readonly Column[]) => string;

const insertions = lastOf((table, columns) => {
  const names = ['"_rid"', ...columns.map(({ quotedName }) => quotedName)];
  return `INSERT INTO ${table.quotedName} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
});

const updates = lastOf((table, columns) => {
  return `UPDATE ${table.quotedName} SET ${columns.map(({ quotedName }) => `${quotedName} = ?`).join(', ')} WHERE "Id" = ?`;
});

/** Records that are written together mostly have the same columns. */
function lastOf(make: SqlOf): SqlOf {
  const made = new WeakMap<Table, { columns: readonly Column[]; sql: string }>();
  return (table, columns) => {
    const last = made.get(table);
    if (last?.columns.length === columns.length && columns.every((column, i) => column === last.columns[i])) return last.sql;
    const sql = make(table, columns);
    made.set(table, { columns, sql });
    return sql;
  };
}

/** What `sObject Get Deleted` answers from; it outlives the recycle bin. */
function logDeletion(
  store: Store,
  id: string,
  table: Table,
  row: StoredRow,
  before: StoredRow | undefined,
  purged: boolean,
): void {
  if (purged && !before) return;
  const gone = purged || isDeleted(row);
  const wasGone = before !== undefined && isDeleted(before);
  if (gone && !wasGone) {
    const deletedDate = row.SystemModstamp ?? stampOf(store.clock.now());
    store.statement('INSERT OR REPLACE INTO "_Deletion" VALUES (?, ?, ?)').run(id, table.name, deletedDate);
  } else if (!gone && wasGone) {
    store.statement('DELETE FROM "_Deletion" WHERE id = ?').run(id);
  }
}

/** What the commit did, record by record; a record that came and went again did not happen. */
export function recordChanges(pending: PendingRecords): RecordChange[] {
  const changes: RecordChange[] = [];
  for (const [id, { table, row, before, purged }] of pending) {
    const kind = kindOfChange(row, before, purged);
    if (kind) changes.push({ object: table.name, id, kind, before, after: row });
  }
  return changes;
}

export function kindOfChange(row: StoredRow, before: StoredRow | undefined, purged: boolean): RecordChange['kind'] | undefined {
  const wasAlive = before !== undefined && !isDeleted(before);
  if (purged) return before && 'purge';
  if (isDeleted(row)) return wasAlive ? 'delete' : undefined;
  if (!before) return 'create';
  return wasAlive ? 'update' : 'undelete';
}
