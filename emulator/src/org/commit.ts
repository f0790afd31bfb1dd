import { isPlatformEvent } from '../schema/platform-event.ts';
import { quoted } from './database.ts';
import type { Store } from './store.ts';
import type { Stored, StoredRow, Table } from './table.ts';
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

/**
 * The columns that it has a value in: an org's objects have a hundred, a record a dozen. The records of a table have one shape, whose
 * names V8 goes through many times faster than it finds each of a list of names.
 */
function insertRow(store: Store, table: Table, row: StoredRow): void {
  const names: string[] = [];
  const values: Stored[] = [];
  for (const name in row) {
    const value = row[name] ?? null;
    if (value === null) continue;
    names.push(name);
    values.push(value);
  }
  store.statement(insertions(table, names)).run(...values);
}

function updateRow(store: Store, table: Table, id: string, row: StoredRow, before: StoredRow): void {
  const names: string[] = [];
  const values: Stored[] = [];
  for (const name in row) {
    const value = row[name] ?? null;
    if (value === (before[name] ?? null)) continue;
    names.push(name);
    values.push(value);
  }
  if (names.length > 0) store.statement(updates(table, names)).run(...values, id);
}

type SqlOf = (table: Table, names: readonly string[]) => string;

const insertions = lastOf((table, names) => {
  return `INSERT INTO ${table.quotedName} (${names.map(quoted).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
});

const updates = lastOf((table, names) => {
  return `UPDATE ${table.quotedName} SET ${names.map((name) => `${quoted(name)} = ?`).join(', ')} WHERE "Id" = ?`;
});

/** Records that are written together mostly have the same columns. */
function lastOf(make: SqlOf): SqlOf {
  const made = new WeakMap<Table, { names: readonly string[]; sql: string }>();
  return (table, names) => {
    const last = made.get(table);
    if (last?.names.length === names.length && names.every((name, i) => name === last.names[i])) return last.sql;
    const sql = make(table, names);
    made.set(table, { names, sql });
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
