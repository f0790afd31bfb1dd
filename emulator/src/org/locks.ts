import type { Store } from './store.ts';
import { type Column, isReferredTo, type Stored, type StoredRow, type Table } from './table.ts';
import { SalesforceError } from './types.ts';

/** A row that somebody wants to write, or to keep still while a child is written. */
export interface WantedRow {
  readonly object: string;
  readonly id: string;
  /** The transaction's; empty for what the server itself does. */
  readonly origin: string;
}

/** The rows that one transaction holds, until it ends. A real org waits ten seconds for another's; here nobody waits. */
export interface Locks {
  /** All of them or none. @throws {SalesforceError} `UNABLE_TO_LOCK_ROW` */
  take(rows: readonly { table: Table; id: string }[]): void;
  /** Before a record is written: itself, and the parents that the write holds still. */
  takeForWrite(
    table: Table,
    id: string,
    kind: 'create' | 'update' | 'delete' | 'undelete',
    row: StoredRow,
    before?: StoredRow,
  ): void;
  mark(): number;
  undoTo(mark: number): void;
  release(): void;
}

/** So many ids stand in the message; of the others it tells the number. */
const idsToldMax = 10;

export function createLocks(store: Store, transactionId: string, origin: string): Locks {
  const held: string[] = [];

  /** @throws {SalesforceError} what a contender refuses the row with. */
  function isContended(table: Table, id: string): boolean {
    const holder = store.locks.get(id);
    if (holder !== undefined) return holder !== transactionId;
    for (const contends of store.contenders) {
      const answer = contends({ object: table.name, id, origin });
      if (answer instanceof SalesforceError) throw answer;
      if (answer) return true;
    }
    return false;
  }

  function hold(id: string): void {
    if (store.locks.get(id) === transactionId) return;
    store.locks.set(id, transactionId);
    held.push(id);
  }

  function take(rows: readonly { table: Table; id: string }[]): void {
    const contended = rows.filter(({ table, id }) => isContended(table, id));
    if (contended.length > 0) throw unableToLock(contended.map(({ id }) => id));
    for (const { id } of rows) hold(id);
  }

  return {
    take,
    takeForWrite(table, id, kind, row, before) {
      const links = parentLinks(store, table);
      if (links.length === 0) {
        if (isContended(table, id)) throw unableToLock([id]);
        return hold(id);
      }
      const wanted = [{ table, id }];
      for (const { column, master } of links) {
        for (const parentId of lockedParents(kind, master, row[column.name], before?.[column.name])) {
          const parent = parentId !== id && store.tableOfId(parentId);
          if (parent) wanted.push({ table: parent, id: parentId });
        }
      }
      take(wanted);
    },
    mark: () => held.length,
    undoTo(mark) {
      for (const id of held.splice(mark)) store.locks.delete(id);
    },
    release() {
      // Mostly nobody else holds any.
      if (held.length === store.locks.size) store.locks.clear();
      else for (const id of held) store.locks.delete(id);
      held.length = 0;
    },
  };
}

function unableToLock(ids: readonly string[]): SalesforceError {
  const told = ids.slice(0, idsToldMax).join(',');
  const rest = ids.length > idsToldMax ? `, ... (${ids.length - idsToldMax} more)` : '';
  const message = `unable to obtain exclusive access to this record or ${ids.length} records: ${told}${rest}`;
  return new SalesforceError('UNABLE_TO_LOCK_ROW', message);
}

interface ParentLink {
  readonly column: Column;
  /** Master-detail: the master is held by every write of its details. */
  readonly master: boolean;
}

/**
 * The parents that a write holds still. A detail's master always ("Designing Record Access for Enterprise Scale",
 * Record-Level Locking); any other parent when the lookup begins to point at it and deleting the parent would do more
 * than empty the lookup (Record Locking Cheat Sheet).
 */
function lockedParents(kind: string, master: boolean, now: Stored | undefined, was: Stored | undefined): Set<string> {
  const parents = new Set<string>();
  const add = (id: Stored | undefined) => {
    if (typeof id === 'string') parents.add(id);
  };
  if (master) {
    add(now);
    add(was);
  } else if (kind === 'create' || kind === 'undelete' || (kind === 'update' && now !== was)) add(now);
  return parents;
}

const links = new WeakMap<Store, Map<Table, readonly ParentLink[]>>();

function parentLinks(store: Store, table: Table): readonly ParentLink[] {
  let known = links.get(store);
  if (!known) {
    const fresh = new Map<Table, readonly ParentLink[]>();
    // What deleting a parent does may be declared anew with any object.
    store.schema.onChange(() => fresh.clear());
    links.set(store, fresh);
    known = fresh;
  }
  let found = known.get(table);
  if (!found) {
    found = table.columns.flatMap((column): ParentLink[] => {
      if (!isReferredTo(column)) return [];
      const relations = column.field.referenceTo.flatMap((parent) =>
        (store.schema.object(parent)?.childRelationships ?? []).filter(
          (relation) => relation.childSObject === table.name && relation.field === column.name,
        ),
      );
      const holds = relations.some((relation) => relation.cascadeDelete || relation.restrictedDelete);
      return holds ? [{ column, master: isMasterDetail(column, relations) }] : [];
    });
    known.set(table, found);
  }
  return found;
}

/** A detail cannot be without its master. */
function isMasterDetail({ field }: Column, relations: readonly { cascadeDelete: boolean }[]): boolean {
  return !field.nillable && relations.some((relation) => relation.cascadeDelete);
}
