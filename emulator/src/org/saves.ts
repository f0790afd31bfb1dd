import { randomUUID } from 'node:crypto';
import { isPlatformEvent } from '../schema/platform-event.ts';
import { checkDuplicates } from './duplicate-rules.ts';
import { runRecordSave } from './record-save.ts';
import { type StampKind, stamp } from './stamps.ts';
import type { Column, Stored, StoredRow, Table } from './table.ts';
import { type FoundRow, isKey } from './transaction-view.ts';
import { SalesforceError, type Value, type Values, type WriteOutcome } from './types.ts';
import { checkValue, stampOf } from './values.ts';
import type { Workings } from './workings.ts';
import { applyAutoNumbers, changed, composeName, readValues, requireFields, withDefaults } from './write-checks.ts';

/** Creating and changing records: one save each, in the order of "Triggers and Order of Execution". */

/** @param key  The external id of an upsert, which has just been looked up, and no record has. */
export function insertRecord(
  workings: Workings,
  object: string,
  values: Values,
  key?: { readonly column: Column; readonly value: Stored },
): WriteOutcome {
  const { store, view, checks, locks, userId } = workings;
  const table = store.requireTable(object);
  if (!table.object.createable) throw refuseOperation(table, 'create');
  if (values.Id !== undefined || values.id !== undefined) {
    const message = 'cannot specify Id in an insert call';
    throw new SalesforceError('INVALID_FIELD_FOR_INSERT_UPDATE', message, { fields: ['Id'] });
  }
  const given = readValues(table, values, 'createable', checks.resolveParent);
  if (key) given[key.column.name] = key.value;
  const row = withDefaults(table, given, userId);
  composeName(table, row);
  const save = runRecordSave(workings, table, { kind: 'create', id: undefined, before: undefined, row, given });
  save?.before();
  const isGiven = ({ name }: Column) => given[name] !== undefined;
  checks.references(row, table.references.filter(isGiven));
  requireFields(table, row);
  const isFree = (column: Column) => column === key?.column && row[column.name] === key.value;
  checks.unique(
    table,
    '',
    row,
    table.uniques.filter((column) => isGiven(column) && !isFree(column)),
  );
  save?.validate();
  checkDuplicates(workings, table, undefined, row, undefined);
  const counter = store.nextCounter(table);
  const id = store.makeId(table, counter);
  applyAutoNumbers(table, row, counter);
  row._rid = counter;
  row.Id = id;
  stamp(store, table, row, userId);
  if (table.column('CreatedDate')) row.CreatedDate = stampOf(store.clock.now());
  if (table.column('CreatedById')) row.CreatedById = userId;
  if (isPlatformEvent(table.name)) row.EventUuid = randomUUID();
  locks.takeForWrite(table, id, 'create', row);
  view.put(table, id, row, undefined);
  save?.after(id, row);
  if (!isPlatformEvent(table.name)) return { id, created: true };
  for (const listener of store.eventListeners) listener({ object: table.name, id, row, userId });
  return { id, created: true, eventUuid: row.EventUuid as string };
}

export function updateRecord(workings: Workings, object: string, recordId: string, values: Values): WriteOutcome {
  const { checks } = workings;
  const found = checks.findAlive(object, recordId);
  const { table } = found;
  if (!table.object.updateable) throw refuseOperation(table, 'update');
  const changes = readValues(table, values, 'updateable', checks.resolveParent);
  saveChanges(workings, found, changes, 'user');
  return { id: found.id, created: false };
}

/** The save procedure of a record that is there: what a client changed, or what the org itself did. */
export function saveChanges(
  workings: Workings,
  { table, id, row: before }: FoundRow,
  changes: StoredRow,
  stamps: StampKind,
): void {
  const { store, view, checks, locks, userId } = workings;
  const row = changed(before, changes);
  composeName(table, row);
  const save = runRecordSave(workings, table, { kind: 'update', id, before, row, given: changes });
  save?.before();
  const isGiven = ({ name }: Column) => changes[name] !== undefined;
  requireFields(table, row, changes);
  checks.references(row, table.references.filter(isGiven));
  checks.unique(table, id, row, table.uniques.filter(isGiven));
  save?.validate();
  checkDuplicates(workings, table, id, row, before);
  locks.takeForWrite(table, id, 'update', row, before);
  stamp(store, table, row, userId, stamps);
  view.put(table, id, row, before);
  save?.after(id, row);
}

export function upsertRecord(
  workings: Workings,
  object: string,
  externalIdField: string,
  externalId: string,
  values: Values,
): WriteOutcome {
  const { store, view } = workings;
  const table = store.requireTable(object);
  const column = table.column(externalIdField);
  if (!column || !isKey(column)) {
    const message = `Provided external ID field does not exist or is not accessible: ${externalIdField}`;
    throw new SalesforceError('NOT_FOUND', message, { httpStatus: 404 });
  }
  if (column.name === 'Id') {
    return externalId === '' ? insertRecord(workings, object, values) : updateRecord(workings, object, externalId, values);
  }
  const key = checkValue(column, externalId);
  if (key === null) throw new SalesforceError('MISSING_ARGUMENT', `${column.name} not specified`);
  const found = view.matching(table, column, key);
  if (found.length > 1) {
    const message = `${column.name}: more than one record found for external id field: [${found.join(', ')}]`;
    throw new SalesforceError('MULTIPLE_CHOICES', message, { httpStatus: 300, fields: found });
  }
  if (found.length === 1) return updateRecord(workings, object, found[0]!, values);
  // Refused, with whatever else is.
  if (!column.field.createable) return insertRecord(workings, object, { ...values, [column.name]: key as Value });
  return insertRecord(workings, object, values, { column, value: key });
}

export function refuseOperation(table: Table, operation: string): SalesforceError {
  return new SalesforceError('INVALID_TYPE_FOR_OPERATION', `entity type ${table.name} does not support ${operation}`);
}
