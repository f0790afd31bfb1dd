import { isPlatformEvent } from '../schema/platform-event.ts';
import { cachedBy } from './cached-by.ts';
import { fold, foldedSql } from './database.ts';
import type { Store } from './store.ts';
import type { Column, Stored, StoredRow, Table } from './table.ts';

/** A record as its transaction sees it. */
export interface Pending {
  readonly table: Table;
  readonly row: StoredRow;
  /** What the database holds; absent for a new record. */
  readonly before: StoredRow | undefined;
  readonly purged: boolean;
}

export interface FoundRow {
  readonly table: Table;
  readonly id: string;
  readonly row: StoredRow;
}

/** What one transaction has written so far, laid over what the database holds. */
export interface TransactionView {
  /** By record id, in the order of first writes, which is the order of applying. */
  readonly pending: ReadonlyMap<string, Pending>;
  look(table: Table, id: string): StoredRow | undefined;
  /** What `look` would tell of a record that is only referred to, for a fraction of its price. */
  stateOf(table: Table, id: string): 'alive' | 'deleted' | 'absent';
  /** Records with this value in a unique or external id field; those in the recycle bin do not count. */
  matching(table: Table, column: Column, value: Stored): string[];
  /** Records of `table` whose reference is `parentId`, deleted ones too. */
  children(table: Table, column: Column, parentId: string): FoundRow[];
  /** The record with its new values. @param before  What `look` gave first: what the database holds, if this is the first write. */
  put(table: Table, id: string, row: StoredRow, before: StoredRow | undefined, purged?: boolean): void;
  /** What was written under an earlier schema, under the present one: values of fields that went or changed their type are gone. */
  catchUp(): void;
  /** A point to which `undoTo` can return. */
  mark(): number;
  undoTo(mark: number): void;
  /** The records put since `mark`, each once, with what they were then. */
  since(mark: number): Map<string, Pending | undefined>;
  /** Nobody will undo what is there now. */
  settle(): void;
  /** The transaction is over: what it wrote need not be kept for as long as somebody may hold it. */
  close(): void;
}

export const isDeleted = (row: StoredRow) => row.IsDeleted === 1;

export function createView(store: Store): TransactionView {
  const pending = new Map<string, Pending>();
  /** By table and column name. Made when somebody first looks by that column: most writes look by none or one. */
  const indexes = new Map<string, Map<string, ValueIndex>>();
  /** What each put replaced, oldest first. */
  const journal: { id: string; replaced: Pending | undefined }[] = [];

  function track(entry: Pending, by: 1 | -1): void {
    for (const index of indexes.get(entry.table.name)?.values() ?? []) note(index, entry.row, by);
  }

  function indexOf(table: Table, column: Column): ValueIndex {
    let ofTable = indexes.get(table.name);
    if (!ofTable) {
      ofTable = new Map();
      indexes.set(table.name, ofTable);
    }
    let index = ofTable.get(column.name);
    if (!index) {
      index = { column, ids: new Map() };
      ofTable.set(column.name, index);
      for (const entry of pending.values()) if (entry.table.name === table.name) note(index, entry.row, 1);
    }
    return index;
  }

  function* own(table: Table, column: Column, value: Stored): Iterable<[string, Pending]> {
    if (pending.size === 0) return;
    const ids =
      column.name === 'Id'
        ? [value as string].filter((id) => pending.has(id))
        : idsIn(indexOf(table, column), keyOf(column, value));
    for (const id of ids) {
      const entry = pending.get(id)!;
      if (!entry.purged) yield [id, entry];
    }
  }

  return {
    pending,
    look(table, id) {
      const entry = pending.get(id);
      if (entry) return entry.purged ? undefined : entry.row;
      return store.row(table, id);
    },
    stateOf(table, id) {
      const entry = pending.get(id);
      if (entry?.purged || isPlatformEvent(table.name)) return 'absent';
      if (entry) return isDeleted(entry.row) ? 'deleted' : 'alive';
      const row = store.statement(stateSql(table)).get(id);
      return row ? (isDeleted(row as StoredRow) ? 'deleted' : 'alive') : 'absent';
    },
    matching(table, column, value) {
      const found: string[] = [];
      for (const [id, entry] of own(table, column, value)) if (!isDeleted(entry.row)) found.push(id);
      store.index(table, column);
      const stored = store.statement(matchingSql(table)(column)).all(keyOf(column, value));
      for (const { Id: id } of stored) if (!pending.has(id as string)) found.push(id as string);
      return found;
    },
    children(table, column, parentId) {
      const found: FoundRow[] = [];
      for (const [id, entry] of own(table, column, parentId)) found.push({ table, id, row: entry.row });
      for (const row of store.rowsReferringTo(table, column, parentId)) {
        if (!pending.has(row.Id as string)) found.push({ table, id: row.Id as string, row });
      }
      return found;
    },
    put(table, id, row, before, purged = false) {
      const replaced = pending.get(id);
      journal.push({ id, replaced });
      if (replaced) track(replaced, -1);
      const entry: Pending = { table, row, before: replaced ? replaced.before : before, purged };
      pending.set(id, entry);
      track(entry, 1);
    },
    catchUp() {
      let current: Table | undefined;
      for (const [id, entry] of pending) {
        // Mostly they are all of one table, and nothing has changed.
        if (entry.table === current) continue;
        const table = store.table(entry.table.name) ?? entry.table;
        current = table;
        if (table === entry.table) continue;
        const lost = entry.table.columns.filter(({ name, kind }) => table.column(name)?.kind !== kind).map(({ name }) => name);
        const { row, before } = entry;
        pending.set(id, { ...entry, table, row: without(row, lost), before: before && without(before, lost) });
      }
    },
    mark: () => journal.length,
    undoTo(mark) {
      while (journal.length > mark) {
        const { id, replaced } = journal.pop()!;
        track(pending.get(id)!, -1);
        if (!replaced) {
          pending.delete(id);
          continue;
        }
        pending.set(id, replaced);
        track(replaced, 1);
      }
    },
    since(mark) {
      const touched = new Map<string, Pending | undefined>();
      for (let i = mark; i < journal.length; i++) {
        const { id, replaced } = journal[i]!;
        if (!touched.has(id)) touched.set(id, replaced);
      }
      return touched;
    },
    settle() {
      journal.length = 0;
    },
    close() {
      pending.clear();
      indexes.clear();
      journal.length = 0;
    },
  };
}

function without(row: StoredRow, names: readonly string[]): StoredRow {
  const rest = { ...row };
  for (const name of names) delete rest[name];
  return rest;
}

/** Which records have which value in one column. Mostly it is one, which needs no set. */
interface ValueIndex {
  readonly column: Column;
  readonly ids: Map<Stored, string | Set<string>>;
}

function idsIn({ ids }: ValueIndex, key: Stored): Iterable<string> {
  const found = ids.get(key);
  return typeof found === 'string' ? [found] : (found ?? []);
}

function note({ column, ids }: ValueIndex, row: StoredRow, by: 1 | -1): void {
  const value = row[column.name];
  if (value === null || value === undefined) return;
  const key = keyOf(column, value);
  const id = row.Id as string;
  const found = ids.get(key);
  if (by === -1) {
    if (found === id) ids.delete(key);
    else if (typeof found === 'object') found.delete(id);
  } else if (found === undefined) ids.set(key, id);
  else if (typeof found === 'object') found.add(id);
  else if (found !== id) ids.set(key, new Set([found, id]));
}

const stateSql = cachedBy((table: Table) => {
  const deleted = table.softDeletes ? '"IsDeleted"' : '0 AS "IsDeleted"';
  return `SELECT ${deleted} FROM ${table.quotedName} WHERE "Id" = ?`;
});

const matchingSql = cachedBy((table: Table) =>
  cachedBy((column: Column) => {
    const alive = table.softDeletes ? ' AND "IsDeleted" = 0' : '';
    const test = `${column.foldIndexed ? foldedSql(column.quotedName) : column.quotedName} = ?`;
    return `SELECT "Id" FROM ${table.quotedName} WHERE ${test}${alive}`;
  }),
);

/** Fields by which records are found: external ids, unique fields, lookup fields such as Email. */
export function isKey(column: Column): boolean {
  const { field } = column;
  return field.externalId || field.unique || field.idLookup || column.name === 'Id';
}

/** Text that is looked up without regard to case is kept so. */
function keyOf(column: Column, value: Stored): Stored {
  return typeof value === 'string' && column.foldIndexed ? fold(value) : value;
}
