import type { ChildRelationship } from '../schema/types.ts';
import { fold } from './database.ts';
import { normaliseId } from './ids.ts';
import type { Store } from './store.ts';
import type { Column, Stored, StoredRow, Table } from './table.ts';
import { type RecordChange, SalesforceError, type Transaction, type Value, type Values, type WriteOutcome } from './types.ts';
import { checkValue, stampOf } from './values.ts';
import { applyDefaults, composeName, isReference, readValues, requireFields, unknownField } from './write-checks.ts';

/** A record as this transaction sees it. */
interface Pending {
  readonly table: Table;
  readonly row: StoredRow;
  /** What the database holds; absent for a new record. */
  readonly before: StoredRow | undefined;
  purged: boolean;
}

/**
 * Buffers its writes until `commit`, so that other transactions can come and go beside it. A record that it wrote is
 * locked until it ends, as rows are in Salesforce.
 */
export function beginTransaction(store: Store, id: string, by: { userId: string; origin: string }): Transaction {
  const { userId } = by;
  const startedAtMs = store.clock.now();
  const commitsAtStart = store.commits;
  const pending = new Map<string, Pending>();
  /** Unique and external id values of pending records: `Account.Ext__c.VALUE` to record ids. */
  const keys = new Map<string, Set<string>>();
  const held = new Set<string>();
  let over = false;
  store.openSince.set(id, startedAtMs);

  // --- what this transaction sees ---

  function look(table: Table, recordId: string): StoredRow | undefined {
    const own = pending.get(recordId);
    if (own) return own.purged ? undefined : own.row;
    return store.row(table, recordId);
  }

  const isDeleted = (row: StoredRow) => row.IsDeleted === 1;

  function lock(recordId: string): void {
    const holder = store.locks.get(recordId);
    if (holder !== undefined && holder !== id) {
      const message = `unable to obtain exclusive access to this record or 1 records: ${recordId}`;
      throw new SalesforceError('UNABLE_TO_LOCK_ROW', message);
    }
    store.locks.set(recordId, id);
    held.add(recordId);
  }

  /** The record with its new values. The map keeps the order of first writes, which is the order of applying. */
  function put(table: Table, recordId: string, row: StoredRow): void {
    const own = pending.get(recordId);
    if (own) track(own, -1);
    const entry: Pending = { table, row, before: own ? own.before : store.row(table, recordId), purged: false };
    pending.set(recordId, entry);
    track(entry, 1);
  }

  function track(entry: Pending, by: 1 | -1): void {
    for (const column of entry.table.columns) {
      if (!isKey(column)) continue;
      const value = entry.row[column.name];
      if (value === null || value === undefined) continue;
      const key = keyOf(entry.table, column, value);
      const ids = keys.get(key) ?? new Set();
      if (by === 1) keys.set(key, ids.add(String(entry.row.Id)));
      else ids.delete(String(entry.row.Id));
    }
  }

  /** Records with this value in a unique or external id field; those in the recycle bin do not count. */
  function matching(table: Table, column: Column, value: Stored): string[] {
    const own = [...(keys.get(keyOf(table, column, value)) ?? [])].filter((recordId) => {
      const entry = pending.get(recordId)!;
      return !entry.purged && !isDeleted(entry.row);
    });
    const alive = table.softDeletes ? ' AND "IsDeleted" = 0' : '';
    const test = column.foldIndexed ? `fold(${column.quotedName}) = fold(?)` : `${column.quotedName} = ?`;
    const stored = store.statement(`SELECT "Id" FROM ${table.quotedName} WHERE ${test}${alive}`).all(value);
    return [...own, ...stored.map((row) => String(row.Id)).filter((recordId) => !pending.has(recordId))];
  }

  // --- checks that look at other records ---

  function checkUnique(table: Table, recordId: string, row: StoredRow, columns: readonly Column[]): void {
    for (const column of columns) {
      const value = row[column.name];
      if (!column.field.unique || column.name === 'Id' || value === null || value === undefined) continue;
      const twin = matching(table, column, value).find((other) => other !== recordId);
      if (twin === undefined) continue;
      const message = `duplicate value found: ${column.name} duplicates value on record with id: ${twin.slice(0, 15)}`;
      throw new SalesforceError('DUPLICATE_VALUE', message, { fields: [column.name] });
    }
  }

  function checkReferences(_table: Table, row: StoredRow, columns: readonly Column[]): void {
    for (const column of columns) {
      const value = row[column.name];
      if (!isReference(column) || typeof value !== 'string') continue;
      const { referenceTo, label } = column.field;
      const target = store.tableOfId(value);
      if (!target || (referenceTo.length > 0 && !referenceTo.includes(target.name))) {
        // An org may refer to objects that this schema leaves out; what cannot be known is let pass.
        if (!target && !referenceTo.every((name) => store.table(name))) continue;
        const message = `${label}: id value of incorrect type: ${value}`;
        throw new SalesforceError('MALFORMED_ID', message, { fields: [column.name] });
      }
      const parent = look(target, value);
      if (!parent) {
        throw new SalesforceError('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', { fields: [column.name] });
      }
      if (isDeleted(parent)) throw new SalesforceError('ENTITY_IS_DELETED', 'entity is deleted', { fields: [column.name] });
    }
  }

  /** `Account.Ext__c` or `Lead:Who.Email`: the parent's id, found by one of its lookup fields. */
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
    const found = matching(parent, parentColumn, checkValue(parentColumn, value));
    if (found.length === 1) return { column, id: found[0]! };
    const message =
      found.length === 0
        ? `Foreign key external ID: ${value} not found for field ${parentColumn.name} in entity ${parent.name}`
        : `More than one record found for external id field: [${found.join(', ')}]`;
    throw new SalesforceError('INVALID_FIELD', message);
  }

  function find(object: string, recordId: string): { table: Table; id: string; row: StoredRow } {
    const table = store.requireTable(object);
    const full = normaliseId(recordId);
    if (full === undefined || (table.object.keyPrefix !== null && !full.startsWith(table.object.keyPrefix))) {
      const message = `${table.object.label} ID: id value of incorrect type: ${recordId}`;
      throw new SalesforceError('MALFORMED_ID', message, { fields: ['Id'] });
    }
    const row = look(table, full);
    if (!row) throw new SalesforceError('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', { httpStatus: 404 });
    return { table, id: full, row };
  }

  const entityIsDeleted = () => new SalesforceError('ENTITY_IS_DELETED', 'entity is deleted', { httpStatus: 404 });

  function refuseOperation(table: Table, operation: string): SalesforceError {
    const message = `entity type ${table.name} does not support ${operation}`;
    return new SalesforceError('INVALID_TYPE_FOR_OPERATION', message);
  }

  // --- stamps ---

  /** `SystemModstamp` always moves; who and when of the last edit only when a user made it. */
  function stamp(table: Table, row: StoredRow, byUser = true): void {
    const now = stampOf(store.clock.now());
    const set = (name: string, value: Stored) => {
      if (table.column(name)) row[name] = value;
    };
    set('SystemModstamp', now);
    if (!byUser) return;
    set('LastModifiedDate', now);
    set('LastModifiedById', userId);
  }

  // --- children of a record ---

  function children(table: Table, relation: ChildRelationship, parentId: string): { table: Table; id: string; row: StoredRow }[] {
    const child = store.table(relation.childSObject);
    const column = child?.column(relation.field);
    if (!child || !column) return [];
    const found: { table: Table; id: string; row: StoredRow }[] = [];
    for (const [recordId, entry] of pending) {
      if (entry.table.name === child.name && !entry.purged && entry.row[column.name] === parentId) {
        found.push({ table: child, id: recordId, row: entry.row });
      }
    }
    const stored = store.statement(`SELECT * FROM ${child.quotedName} WHERE ${column.quotedName} = ?`).all(parentId);
    for (const row of stored as StoredRow[]) {
      if (!pending.has(String(row.Id))) found.push({ table: child, id: String(row.Id), row });
    }
    return found.filter((entry) => entry.table.name !== table.name || entry.id !== parentId);
  }

  const relationsOf = (table: Table) => store.schema.object(table.name)?.childRelationships ?? [];

  /** Everything that a delete touches, found and locked before anything is changed. */
  function planDelete(table: Table, recordId: string, plan: Map<string, () => void>): void {
    if (plan.has(recordId)) return;
    lock(recordId);
    plan.set(recordId, () => {
      const row = { ...look(table, recordId)!, IsDeleted: 1 };
      stamp(table, row);
      put(table, recordId, row);
    });
    for (const relation of relationsOf(table)) {
      for (const child of children(table, relation, recordId)) {
        if (isDeleted(child.row) || plan.has(child.id)) continue;
        if (relation.cascadeDelete && child.table.softDeletes) planDelete(child.table, child.id, plan);
        else if (relation.restrictedDelete) throw associated(recordId, child.table, child.id);
        else planClear(child.table, child.id, relation.field, plan);
      }
    }
  }

  function associated(recordId: string, child: Table, childId: string): SalesforceError {
    const kind = child.object.labelPlural.toLowerCase();
    const message = `Your attempt to delete ${recordId} could not be completed because it is associated with the following ${kind}: ${childId}`;
    return new SalesforceError('DELETE_FAILED', message);
  }

  /** A lookup to a deleted record is emptied. */
  function planClear(table: Table, recordId: string, field: string, plan: Map<string, () => void>): void {
    const column = table.column(field);
    if (!column?.field.nillable) return;
    lock(recordId);
    plan.set(`${recordId}.${field}`, () => {
      const row = { ...look(table, recordId)!, [column.name]: null };
      stamp(table, row, false);
      put(table, recordId, row);
    });
  }

  function undeleteTree(table: Table, recordId: string, row: StoredRow): void {
    lock(recordId);
    checkUnique(table, recordId, row, table.columns);
    const deletedAt = row.SystemModstamp;
    const alive = { ...row, IsDeleted: 0 };
    stamp(table, alive);
    put(table, recordId, alive);
    // What went with it comes back with it: children deleted in the same moment.
    for (const relation of relationsOf(table)) {
      if (!relation.cascadeDelete) continue;
      for (const child of children(table, relation, recordId)) {
        if (isDeleted(child.row) && child.row.SystemModstamp === deletedAt) undeleteTree(child.table, child.id, child.row);
      }
    }
  }

  // --- applying ---

  function apply(): void {
    for (const [recordId, { table, row, before, purged }] of pending) {
      if (purged) {
        if (before) store.statement(`DELETE FROM ${table.quotedName} WHERE "Id" = ?`).run(recordId);
      } else if (!before) {
        const names = table.columns.filter((column) => row[column.name] !== undefined && row[column.name] !== null);
        const columns = ['"_rid"', ...names.map((column) => column.quotedName)];
        const sql = `INSERT INTO ${table.quotedName} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
        store.statement(sql).run(row._rid!, ...names.map((column) => row[column.name]!));
      } else {
        const names = table.columns.filter((column) => (row[column.name] ?? null) !== (before[column.name] ?? null));
        if (names.length === 0) continue;
        const assignments = names.map((column) => `${column.quotedName} = ?`).join(', ');
        store
          .statement(`UPDATE ${table.quotedName} SET ${assignments} WHERE "Id" = ?`)
          .run(...names.map((column) => row[column.name] ?? null), recordId);
      }
      logDeletion(recordId, table, row, before, purged);
    }
  }

  function logDeletion(recordId: string, table: Table, row: StoredRow, before: StoredRow | undefined, purged: boolean): void {
    const gone = purged || isDeleted(row);
    const wasGone = before !== undefined && isDeleted(before);
    if (gone && !wasGone) {
      store
        .statement('INSERT OR REPLACE INTO "_Deletion" VALUES (?, ?, ?)')
        .run(recordId, table.name, row.SystemModstamp ?? stampOf(store.clock.now()));
    } else if (!gone && wasGone) {
      store.statement('DELETE FROM "_Deletion" WHERE id = ?').run(recordId);
    }
  }

  /** What the commit did, record by record; a record that came and went again did not happen. */
  function recordChanges(): RecordChange[] {
    const changes: RecordChange[] = [];
    for (const [recordId, { table, row, before, purged }] of pending) {
      const kind = kindOfChange(row, before, purged);
      if (kind) changes.push({ object: table.name, id: recordId, kind, before, after: row });
    }
    return changes;
  }

  function end(): void {
    over = true;
    store.openSince.delete(id);
    for (const recordId of held) store.locks.delete(recordId);
  }

  function ensureOpen(): void {
    if (over) throw new Error(`transaction ${id} is over`);
  }

  // --- the interface ---

  function insert(object: string, values: Values): WriteOutcome {
    ensureOpen();
    const table = store.requireTable(object);
    if (!table.object.createable) throw refuseOperation(table, 'create');
    if (values.Id !== undefined || values.id !== undefined) {
      const message = 'cannot specify Id in an insert call';
      throw new SalesforceError('INVALID_FIELD_FOR_INSERT_UPDATE', message, { fields: ['Id'] });
    }
    const row = readValues(table, values, 'createable', (key, value) => resolveParent(table, key, value));
    const given = table.columns.filter((column) => row[column.name] !== undefined);
    checkReferences(table, row, given);
    requireFields(table, row);
    checkUnique(table, '', row, given);
    const counter = store.nextCounter(table);
    const recordId = store.makeId(table, counter);
    applyDefaults(table, row, userId, String(counter).padStart(8, '0'));
    row._rid = counter;
    row.Id = recordId;
    composeName(table, row);
    stamp(table, row);
    if (table.column('CreatedDate')) row.CreatedDate = stampOf(store.clock.now());
    if (table.column('CreatedById')) row.CreatedById = userId;
    lock(recordId);
    put(table, recordId, row);
    return { id: recordId, created: true };
  }

  function update(object: string, recordId: string, values: Values): WriteOutcome {
    ensureOpen();
    const { table, id: full, row } = find(object, recordId);
    if (!table.object.updateable) throw refuseOperation(table, 'update');
    if (isDeleted(row)) throw entityIsDeleted();
    const changes = readValues(table, values, 'updateable', (key, value) => resolveParent(table, key, value));
    const given = table.columns.filter((column) => changes[column.name] !== undefined);
    requireFields(table, changes, new Set(given.map((column) => column.name)));
    checkReferences(table, changes, given);
    checkUnique(table, full, changes, given);
    lock(full);
    const next = { ...row, ...changes };
    composeName(table, next);
    stamp(table, next);
    put(table, full, next);
    return { id: full, created: false };
  }

  return {
    id,
    startedAtMs,
    insert,
    update,
    upsert(object, externalIdField, externalId, values) {
      ensureOpen();
      const table = store.requireTable(object);
      const column = table.column(externalIdField);
      if (!column || !isKey(column)) {
        const message = `Provided external ID field does not exist or is not accessible: ${externalIdField}`;
        throw new SalesforceError('NOT_FOUND', message, { httpStatus: 404 });
      }
      if (column.name === 'Id') return externalId === '' ? insert(object, values) : update(object, externalId, values);
      const key = checkValue(column, externalId);
      if (key === null) throw new SalesforceError('MISSING_ARGUMENT', `${column.name} not specified`);
      const found = matching(table, column, key);
      if (found.length > 1) {
        const message = `${column.name}: more than one record found for external id field: [${found.join(', ')}]`;
        throw new SalesforceError('MULTIPLE_CHOICES', message, { httpStatus: 300, fields: found });
      }
      if (found.length === 1) return update(object, found[0]!, values);
      return insert(object, { ...values, [column.name]: key as Value });
    },
    delete(object, recordId) {
      ensureOpen();
      const { table, id: full, row } = find(object, recordId);
      if (!table.object.deletable || !table.softDeletes) throw refuseOperation(table, 'delete');
      if (isDeleted(row)) throw entityIsDeleted();
      const plan = new Map<string, () => void>();
      planDelete(table, full, plan);
      for (const step of plan.values()) step();
      return { id: full, created: false };
    },
    undelete(object, recordId) {
      ensureOpen();
      const { table, id: full, row } = find(object, recordId);
      if (!isDeleted(row)) throw new SalesforceError('UNDELETE_FAILED', 'Entity is not in the recycle bin');
      undeleteTree(table, full, row);
      return { id: full, created: false };
    },
    purge(object, ids) {
      ensureOpen();
      for (const recordId of ids) {
        const { table, id: full, row } = find(object, recordId);
        lock(full);
        if (!isDeleted(row) && table.softDeletes) {
          const plan = new Map<string, () => void>();
          planDelete(table, full, plan);
          for (const step of plan.values()) step();
        } else put(table, full, row);
        pending.get(full)!.purged = true;
      }
    },
    commit() {
      ensureOpen();
      try {
        if (store.commits !== commitsAtStart) {
          for (const [recordId, { table, row, before, purged }] of pending) {
            if (purged || isDeleted(row)) continue;
            const changed = table.columns.filter((column) => (row[column.name] ?? null) !== (before?.[column.name] ?? null));
            checkReferences(table, row, changed);
            checkUnique(table, recordId, row, table.columns);
          }
        }
        if (pending.size > 0) {
          store.atomically(apply);
          store.commitLog.append(recordChanges(), by);
        }
      } finally {
        end();
      }
    },
    rollback() {
      ensureOpen();
      end();
    },
  };
}

function kindOfChange(row: StoredRow, before: StoredRow | undefined, purged: boolean): RecordChange['kind'] | undefined {
  const wasAlive = before !== undefined && before.IsDeleted !== 1;
  if (purged) return before && 'purge';
  if (row.IsDeleted === 1) return wasAlive ? 'delete' : undefined;
  if (!before) return 'create';
  return wasAlive ? 'update' : 'undelete';
}

/** Fields by which records are found: external ids, unique fields, lookup fields such as Email. */
function isKey(column: Column): boolean {
  const { field } = column;
  return field.externalId || field.unique || field.idLookup || column.name === 'Id';
}

function keyOf(table: Table, column: Column, value: Stored): string {
  const text = typeof value === 'string' && column.foldIndexed ? fold(value) : String(value);
  return `${table.name}.${column.name}.${text}`;
}
