import type { ChildRelationship } from '../schema/types.ts';
import { runRecordSave } from './record-save.ts';
import { refuseOperation } from './saves.ts';
import { stamp } from './stamps.ts';
import { type Column, isReferredTo, type StoredRow, type Table } from './table.ts';
import { type FoundRow, isDeleted } from './transaction-view.ts';
import { SalesforceError, type WriteOutcome } from './types.ts';
import type { Workings } from './workings.ts';

/** Deleting, undeleting and purging: records and what hangs on them. */

export function deleteRecord(workings: Workings, object: string, recordId: string): WriteOutcome {
  const { checks } = workings;
  const found = checks.findAlive(object, recordId);
  const { table, id } = found;
  if (!table.object.deletable || !table.softDeletes) throw refuseOperation(table, 'delete');
  const save = runRecordSave(workings, table, { kind: 'delete', id, before: found.row, row: found.row });
  save?.before();
  deleteTree(workings, found);
  save?.after(id, found.row);
  return { id, created: false };
}

export function undeleteRecord(workings: Workings, object: string, recordId: string): WriteOutcome {
  const { table, id, row } = workings.checks.find(object, recordId);
  if (!isDeleted(row)) throw new SalesforceError('UNDELETE_FAILED', 'Entity is not in the recycle bin');
  const save = runRecordSave(workings, table, { kind: 'undelete', id, before: row, row });
  const revived = undeleteTree(workings, { table, id, row });
  // Only now: they may refer to each other.
  for (const record of revived) emptyDeadLookups(workings, record);
  // There are no before-undelete triggers.
  save?.after(id, workings.view.look(table, id)!);
  return { id, created: false };
}

export function purgeRecords(workings: Workings, object: string, ids: readonly string[]): void {
  const { checks, locks, view } = workings;
  for (const recordId of ids) {
    const found = checks.find(object, recordId);
    const { table, id } = found;
    if (!isDeleted(found.row) && table.softDeletes) deleteTree(workings, found);
    else locks.take([{ table, id }]);
    view.put(table, id, view.look(table, id)!, found.row, true);
  }
}

/** A record with all that its end touches: found, checked and locked before anything is changed. */
export function deleteTree(workings: Workings, root: FoundRow): void {
  const { store, view, locks, userId } = workings;
  const doomed = new Map([[root.id, root]]);
  const related: RelatedRow[] = [];
  // A map tells what is added to it on the way.
  for (const record of doomed.values()) {
    for (const relative of childrenOf(workings, record)) {
      const { relation, child } = relative;
      if (!relation.cascadeDelete || !child.table.softDeletes) related.push(relative);
      else if (!doomed.has(child.id)) doomed.set(child.id, child);
    }
  }
  // What is deleted along with it restricts nothing.
  const left = related.filter(({ child }) => !doomed.has(child.id));
  const guard = left.find(({ relation }) => relation.restrictedDelete);
  if (guard) throw associated(root.id, guard.child);
  const cleared = left.filter(({ column }) => column.field.nillable);
  for (const { table, id, row } of doomed.values()) locks.takeForWrite(table, id, 'delete', row);
  locks.take(cleared.map(({ child }) => child));
  for (const { table, id, row } of doomed.values()) {
    const gone = { ...row, IsDeleted: 1 };
    stamp(store, table, gone, userId);
    view.put(table, id, gone, row);
  }
  // A lookup to a deleted record is emptied.
  for (const { child, column } of cleared) setReference(workings, child, column, null);
}

/** A change of a reference that no user made. The record may have been changed since it was found: one may have several. */
export function setReference({ store, view, userId }: Workings, child: FoundRow, column: Column, id: string | null): void {
  const row = { ...view.look(child.table, child.id)!, [column.name]: id };
  stamp(store, child.table, row, userId, 'system');
  view.put(child.table, child.id, row, child.row);
}

/** @returns the record and all that came back with it. */
function undeleteTree(workings: Workings, root: FoundRow): FoundRow[] {
  const { store, view, checks, locks, userId } = workings;
  const { table, id, row } = root;
  const alive: StoredRow = { ...row, IsDeleted: 0 };
  if (table.column('MasterRecordId')) alive.MasterRecordId = null;
  const parents = table.references.filter(({ field }) => !field.nillable);
  checks.references(alive, parents);
  checks.unique(table, id, alive, table.uniques);
  locks.takeForWrite(table, id, 'undelete', alive);
  stamp(store, table, alive, userId);
  view.put(table, id, alive, row);
  const revived = [root];
  // What went with it comes back with it: children deleted in the same moment.
  for (const { relation, child } of childrenOf(workings, root, true)) {
    if (relation.cascadeDelete && isDeleted(child.row) && child.row.SystemModstamp === row.SystemModstamp) {
      revived.push(...undeleteTree(workings, child));
    }
  }
  return revived;
}

/** The recycle bin keeps lookups as they were; what comes out of it does not refer to what is deleted or gone by now. */
function emptyDeadLookups(workings: Workings, record: FoundRow): void {
  const { store, view } = workings;
  const row = view.look(record.table, record.id)!;
  for (const column of record.table.columns) {
    const id = row[column.name];
    if (!isReferredTo(column) || !column.field.nillable || typeof id !== 'string') continue;
    const parent = store.tableOfId(id);
    if (parent && view.stateOf(parent, id) !== 'alive') setReference(workings, record, column, null);
  }
}

export interface RelatedRow {
  readonly relation: ChildRelationship;
  readonly column: Column;
  readonly child: FoundRow;
}

/** Every record that refers to this one, once for each reference; a record's reference to itself is no child. */
export function* childrenOf(workings: Workings, { table, id }: FoundRow, deletedToo = false): Iterable<RelatedRow> {
  const { store, view } = workings;
  for (const relation of store.schema.object(table.name)?.childRelationships ?? []) {
    const childTable: Table | undefined = store.table(relation.childSObject);
    const column = childTable?.column(relation.field);
    if (!childTable || !column) continue;
    for (const child of view.children(childTable, column, id)) {
      if (child.id !== id && (deletedToo || !isDeleted(child.row))) yield { relation, column, child };
    }
  }
}

function associated(id: string, child: FoundRow): SalesforceError {
  const kind = child.table.object.labelPlural.toLowerCase();
  const message = `Your attempt to delete ${id} could not be completed because it is associated with the following ${kind}: ${child.id}`;
  return new SalesforceError('DELETE_FAILED', message);
}
