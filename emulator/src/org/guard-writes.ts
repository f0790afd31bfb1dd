import type { ObjectDescribe } from '../schema/types.ts';
import type { Store } from './store.ts';
import type { Column, StoredRow, Table } from './table.ts';
import { SalesforceError, type Transaction, type Values, type WriteOutcome } from './types.ts';
import { readOnly, unknownField } from './write-checks.ts';

type Right = 'createable' | 'updateable' | 'deletable' | 'undeletable' | 'mergeable';

/**
 * A transaction in which a user writes: what is asked of it must be within the user's view. What then happens to the
 * records (defaults, validation, uniqueness, cascades) is the org's doing and knows no permissions, as in Salesforce.
 *
 * @param seen  The store as the user sees it.
 */
export function guardWrites(transaction: Transaction, store: Store, seen: Store, mayPurge: () => boolean): Transaction {
  /** @throws {SalesforceError} unless the user may do what the object allows. */
  function require(object: string, ...rights: readonly Right[]): Table {
    const table = seen.requireTable(object);
    if (rights.some((right) => !has(table, right))) throw insufficientAccess();
    return table;
  }

  /** What nobody may do is refused further in, with an error of its own. */
  function has({ object }: Table, right: Right): boolean {
    const whole = store.schema.object(object.name) as ObjectDescribe;
    return object[right] || !whole[right];
  }

  /** The names of a write, and the records that it refers to. */
  function checkValues(table: Table, values: Values): void {
    const refused: string[] = [];
    // Of an object from which nothing is withheld every field may be written that anybody may write.
    const isWhole = table === store.table(table.name);
    for (const name of Object.keys(values)) {
      if (name === 'attributes') continue;
      const isPath = name.includes('.');
      const column = isPath ? lookupOf(table, name) : table.column(name);
      if (!column && !table.compound(name)) throw unknownField(table, name);
      if (!column) continue;
      const value = values[name];
      if (!isWhole && isReadOnly(table, column)) refused.push(column.name);
      else if (column.field.type === 'reference' && typeof value === 'string' && !isPath) checkReference(value);
    }
    if (refused.length > 0) throw readOnly(refused);
  }

  /** Made so by permission: the org's own field may be written, the user's may not. */
  function isReadOnly(table: Table, column: Column): boolean {
    const whole = store.schema.field(table.name, column.name);
    if (!whole || (!whole.createable && !whole.updateable)) return false;
    return !column.field.createable && !column.field.updateable;
  }

  /** The lookup of `Account.Ext__c` or `Lead:Who.Email`; the parent and its key must be there for the user as well. */
  function lookupOf(table: Table, path: string): Column {
    const dot = path.indexOf('.');
    const [typeName, relationship] = path.slice(0, dot).includes(':')
      ? (path.slice(0, dot).split(':') as [string, string])
      : [undefined, path.slice(0, dot)];
    const column = table.columns.find(({ field }) => field.relationshipName?.toLowerCase() === relationship.toLowerCase());
    const parent = seen.table(typeName ?? column?.field.referenceTo[0] ?? '');
    if (!column || !parent) throw unknownField(table, relationship);
    if (!parent.column(path.slice(dot + 1))) throw unknownField(parent, path.slice(dot + 1));
    return column;
  }

  function checkReference(id: string): void {
    if (!store.tableOfId(id) || seen.tableOfId(id)) return;
    const message = `insufficient access rights on cross-reference id: ${id}`;
    throw new SalesforceError('INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY', message);
  }

  /** Which rights an upsert needs shows only when it is done: it is tried, and undone if it did what the user may not. */
  function checkedUpsert(table: Table, key: Column, upsert: () => WriteOutcome): WriteOutcome {
    const keyIsReadOnly = isReadOnly(table, key);
    const mayCreate = has(table, 'createable');
    const mayUpdate = has(table, 'updateable');
    if (mayCreate && mayUpdate && !keyIsReadOnly) return upsert();
    const before = transaction.savepoint();
    const outcome = upsert();
    if (outcome.created ? mayCreate && !keyIsReadOnly : mayUpdate) return outcome;
    transaction.rollbackTo(before);
    throw outcome.created && mayCreate ? readOnly([key.name]) : insufficientAccess();
  }

  function shown(table: Table, row: Readonly<StoredRow>): StoredRow {
    return Object.fromEntries(table.columns.map(({ name }) => [name, row[name] ?? null]));
  }

  return {
    id: transaction.id,
    startedAtMs: transaction.startedAtMs,
    userId: transaction.userId,
    origin: transaction.origin,
    insert(object, values) {
      checkValues(require(object, 'createable'), values);
      return transaction.insert(object, values);
    },
    update(object, id, values) {
      checkValues(require(object, 'updateable'), values);
      return transaction.update(object, id, values);
    },
    upsert(object, externalIdField, externalId, values) {
      const table = require(object);
      const key = table.column(externalIdField);
      if (!key) {
        const message = `Provided external ID field does not exist or is not accessible: ${externalIdField}`;
        throw new SalesforceError('NOT_FOUND', message, { httpStatus: 404 });
      }
      if (!has(table, 'createable') && !has(table, 'updateable')) throw insufficientAccess();
      checkValues(table, values);
      return checkedUpsert(table, key, () => transaction.upsert(object, externalIdField, externalId, values));
    },
    delete(object, id) {
      require(object, 'deletable');
      return transaction.delete(object, id);
    },
    undelete(object, id) {
      require(object, 'undeletable');
      return transaction.undelete(object, id);
    },
    merge(object, masterId, loserIds, values) {
      const table = require(object, 'mergeable');
      if (values) checkValues(table, values);
      return transaction.merge(object, masterId, loserIds, values);
    },
    convertLead(id, conversion) {
      require('Lead', 'updateable');
      if (conversion?.accountId === undefined) require('Account', 'createable');
      if (conversion?.contactId === undefined) require('Contact', 'createable');
      if (conversion?.opportunityName !== null) require('Opportunity', 'createable');
      return transaction.convertLead(id, conversion);
    },
    purge(object, ids) {
      require(object, 'deletable');
      if (!mayPurge()) throw insufficientAccess();
      transaction.purge(object, ids);
    },
    row(object, id) {
      const table = seen.table(object);
      const row = table && transaction.row(object, id);
      return row && shown(table, row);
    },
    rows(object, field, id) {
      const table = seen.requireTable(object);
      if (!table.column(field)) throw unknownField(table, field);
      return transaction.rows(object, field, id).map((row) => shown(table, row));
    },
    see: (read) => transaction.see(read),
    savepoint: () => transaction.savepoint(),
    rollbackTo: (savepoint) => transaction.rollbackTo(savepoint),
    commit: () => transaction.commit(),
    rollback: () => transaction.rollback(),
  };
}

const insufficientAccess = () =>
  new SalesforceError('INSUFFICIENT_ACCESS_OR_READONLY', 'insufficient access rights on object id', { httpStatus: 403 });
