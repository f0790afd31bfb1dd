import { normaliseId } from './ids.ts';
import type { Store } from './store.ts';
import type { Column, StoredRow, Table } from './table.ts';
import { type FoundRow, isDeleted, isKey, type TransactionView } from './transaction-view.ts';
import { SalesforceError } from './types.ts';
import { checkValue } from './values.ts';
import { unknownField } from './write-checks.ts';

/** Checks of a write that look at other records, as its transaction sees them. */
export interface RecordChecks {
  /** @param columns  Unique ones. @throws {SalesforceError} `DUPLICATE_VALUE` */
  unique(table: Table, id: string, row: StoredRow, columns: readonly Column[]): void;
  /** @throws {SalesforceError} when a reference leads nowhere, to the wrong object or into the recycle bin. */
  references(row: StoredRow, columns: readonly Column[]): void;
  /** `Account.Ext__c` or `Lead:Who.Email`: the parent's id, found by one of its lookup fields. */
  resolveParent(table: Table, key: string, value: string): { column: Column; id: string | null };
  /** @throws {SalesforceError} `MALFORMED_ID`, `INVALID_CROSS_REFERENCE_KEY` */
  find(object: string, id: string): FoundRow;
  /** As `find`. @throws {SalesforceError} `ENTITY_IS_DELETED` too. */
  findAlive(object: string, id: string): FoundRow;
}

export function createRecordChecks(store: Store, view: TransactionView): RecordChecks {
  function unique(table: Table, id: string, row: StoredRow, columns: readonly Column[]): void {
    for (const column of columns) {
      const value = row[column.name];
      if (value === null || value === undefined) continue;
      const twin = view.matching(table, column, value).find((other) => other !== id);
      if (twin === undefined) continue;
      const message = `duplicate value found: ${column.name} duplicates value on record with id: ${twin.slice(0, 15)}`;
      throw new SalesforceError('DUPLICATE_VALUE', message, { fields: [column.name] });
    }
  }

  function references(row: StoredRow, columns: readonly Column[]): void {
    for (const column of columns) {
      const value = row[column.name];
      if (typeof value !== 'string') continue;
      const { referenceTo, label } = column.field;
      const target = store.tableOfId(value);
      if (!target || (referenceTo.length > 0 && !referenceTo.includes(target.name))) {
        // An org may refer to objects that this schema leaves out; what cannot be known is let pass.
        if (!target && !referenceTo.every((name) => store.table(name))) continue;
        const message = `${label}: id value of incorrect type: ${value}`;
        throw new SalesforceError('MALFORMED_ID', message, { fields: [column.name] });
      }
      const state = view.stateOf(target, value);
      if (state === 'absent') {
        throw new SalesforceError('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', { fields: [column.name] });
      }
      if (state === 'deleted') throw new SalesforceError('ENTITY_IS_DELETED', 'entity is deleted', { fields: [column.name] });
    }
  }

  function resolveParent(table: Table, key: string, value: string): { column: Column; id: string | null } {
    const [path, fieldName] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)];
    const [typeName, relationship] = path.includes(':') ? (path.split(':') as [string, string]) : [undefined, path];
    const column = table.columns.find((entry) => entry.field.relationshipName?.toLowerCase() === relationship.toLowerCase());
    const parentName = typeName ?? column?.field.referenceTo[0];
    const parent = parentName === undefined ? undefined : store.table(parentName);
    if (!column || !parent) throw unknownField(table, relationship);
    const parentColumn = parent.column(fieldName);
    if (!parentColumn) throw unknownField(parent, fieldName);
    if (!column.field[table.object.createable ? 'createable' : 'updateable']) throw unknownField(table, relationship);
    if (value === '') return { column, id: null };
    if (!isKey(parentColumn)) {
      const message = `${fieldName} is not an External ID or indexed field for ${parent.name}`;
      throw new SalesforceError('INVALID_FIELD', message);
    }
    const found = view.matching(parent, parentColumn, checkValue(parentColumn, value));
    if (found.length === 1) return { column, id: found[0]! };
    const message =
      found.length === 0
        ? `Foreign key external ID: ${value} not found for field ${parentColumn.name} in entity ${parent.name}`
        : `More than one record found for external id field: [${found.join(', ')}]`;
    throw new SalesforceError('INVALID_FIELD', message);
  }

  function find(object: string, recordId: string): FoundRow {
    const table = store.requireTable(object);
    const id = normaliseId(recordId);
    if (id === undefined || (table.object.keyPrefix !== null && !id.startsWith(table.object.keyPrefix))) {
      const message = `${table.object.label} ID: id value of incorrect type: ${recordId}`;
      throw new SalesforceError('MALFORMED_ID', message, { fields: ['Id'] });
    }
    const row = view.look(table, id);
    if (!row) throw new SalesforceError('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', { httpStatus: 404 });
    return { table, id, row };
  }

  return {
    unique,
    references,
    resolveParent,
    find,
    findAlive(object, id) {
      const found = find(object, id);
      if (isDeleted(found.row)) throw new SalesforceError('ENTITY_IS_DELETED', 'entity is deleted', { httpStatus: 404 });
      return found;
    },
  };
}
