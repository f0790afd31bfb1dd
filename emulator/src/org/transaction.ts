import { applyPending, recordChanges } from './commit.ts';
import { convertLead } from './convert-lead.ts';
import { deleteRecord, purgeRecords, undeleteRecord } from './deletes.ts';
import { createLocks } from './locks.ts';
import { mergeRecords } from './merge.ts';
import { recalculate } from './recalculate.ts';
import { createRecordChecks } from './record-checks.ts';
import { insertRecord, updateRecord, upsertRecord } from './saves.ts';
import type { Store } from './store.ts';
import { createView, isDeleted } from './transaction-view.ts';
import { SalesforceError, type Transaction } from './types.ts';
import type { Workings } from './workings.ts';

export interface TransactionOptions {
  readonly userId: string;
  readonly origin: string;
  readonly allowDuplicates: boolean;
}

/** Writes that cause each other go no deeper ("Execution Governors and Limits", Apex Developer Guide: trigger depth). */
const depthMax = 16;

/**
 * Buffers its writes until `commit`, so that other transactions can come and go beside it. A record that it wrote is
 * locked until it ends, as rows are in Salesforce.
 */
export function beginTransaction(store: Store, id: string, options: TransactionOptions): Transaction {
  const { userId, origin, allowDuplicates } = options;
  const startedAtMs = store.clock.now();
  const commitsAtStart = store.commits;
  const view = createView(store);
  const locks = createLocks(store, id, origin);
  const checks = createRecordChecks(store, view);
  let depth = 0;
  let savepoints = 0;
  let over = false;
  let seen = false;
  store.openSince.set(id, startedAtMs);

  function ensureOpen(): void {
    if (over) throw new Error(`transaction ${id} is over`);
  }

  function undoTo(point: { writes: number; locks: number }): void {
    view.undoTo(point.writes);
    locks.undoTo(point.locks);
  }

  /** A write is whole or nothing, and so is each write that automation makes on its behalf. */
  function whole<T>(write: () => T): T {
    ensureOpen();
    if (seen) throw new Error('a read must not write');
    if (depth === depthMax) {
      throw new SalesforceError('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'maximum trigger depth exceeded');
    }
    if (depth === 0 && savepoints === 0) view.settle();
    const start = { writes: view.mark(), locks: locks.mark() };
    depth++;
    try {
      const result = write();
      if (depth === 1 && store.automations.size > 0) recalculate(workings, start.writes);
      return result;
    } catch (error) {
      undoTo(start);
      throw error;
    } finally {
      depth--;
    }
  }

  /** Others may have committed since: what was true at the time of a write need not be any more. */
  function checkAgain(): void {
    for (const [recordId, { table, row, before, purged }] of view.pending) {
      if (purged || isDeleted(row)) continue;
      const changed = table.references.filter(({ name }) => (row[name] ?? null) !== (before?.[name] ?? null));
      checks.references(row, changed);
      checks.unique(table, recordId, row, table.uniques);
    }
  }

  function end(): void {
    over = true;
    store.openSince.delete(id);
    locks.release();
    view.close();
  }

  const transaction: Transaction = {
    id,
    startedAtMs,
    userId,
    origin,
    insert: (object, values) => whole(() => insertRecord(workings, object, values)),
    update: (object, recordId, values) => whole(() => updateRecord(workings, object, recordId, values)),
    upsert: (object, field, key, values) => whole(() => upsertRecord(workings, object, field, key, values)),
    delete: (object, recordId) => whole(() => deleteRecord(workings, object, recordId)),
    undelete: (object, recordId) => whole(() => undeleteRecord(workings, object, recordId)),
    merge: (object, masterId, loserIds, values = {}) => whole(() => mergeRecords(workings, object, masterId, loserIds, values)),
    convertLead: (leadId, conversion = {}) => whole(() => convertLead(workings, leadId, conversion)),
    purge: (object, ids) => whole(() => purgeRecords(workings, object, ids)),
    row: (object, recordId) => view.look(store.requireTable(object), recordId),
    rows(object, field, recordId) {
      const table = store.requireTable(object);
      const column = table.column(field);
      if (column?.field.type !== 'reference') throw new TypeError(`'${field}' is no reference of '${object}'`);
      return view.children(table, column, recordId).map(({ row }) => row);
    },
    see(read) {
      if (over || seen || view.pending.size === 0) return read();
      seen = true;
      view.catchUp();
      try {
        return store.peek(() => applyPending(store, view.pending), read);
      } finally {
        seen = false;
      }
    },
    savepoint() {
      ensureOpen();
      savepoints++;
      return { transactionId: id, writes: view.mark(), locks: locks.mark() };
    },
    rollbackTo(savepoint) {
      ensureOpen();
      if (savepoint.transactionId !== id || savepoint.writes > view.mark()) {
        throw new Error('the savepoint is of another transaction, or of work that is undone already');
      }
      undoTo(savepoint);
    },
    commit() {
      ensureOpen();
      try {
        view.catchUp();
        if (store.commits !== commitsAtStart) checkAgain();
        if (view.pending.size > 0) {
          store.atomically(() => applyPending(store, view.pending));
          store.commitLog.append(() => recordChanges(view.pending), { userId, origin });
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
  const workings: Workings = { store, view, locks, checks, userId, allowDuplicates, transaction };
  return transaction;
}
