import type { Store } from './store.ts';
import type { Table } from './table.ts';
import { type DeletedIds, SalesforceError, type UpdatedIds } from './types.ts';
import { restStamp, stampOf } from './values.ts';

/** What changed in a span of time, by id. REST API Developer Guide, "sObject Get Updated" and "sObject Get Deleted". */

const dayMs = 24 * 60 * 60 * 1000;
const minuteMs = 60 * 1000;
const updatedDaysMax = 30;
const deletedDaysMax = 15;
const idsMax = 600_000;

export function readUpdated(store: Store, object: string, startMs: number, endMs: number): UpdatedIds {
  const table = replicated(store, object);
  const span = checkSpan(store, startMs, endMs, updatedDaysMax);
  const alive = table.softDeletes ? ' AND "IsDeleted" = 0' : '';
  const sql = `SELECT "Id" FROM ${table.quotedName} WHERE "SystemModstamp" >= ? AND "SystemModstamp" < ?${alive} ORDER BY "SystemModstamp", "Id" LIMIT ?`;
  store.index(table, table.column('SystemModstamp'));
  const rows = store.statement(sql).all(stampOf(span.startMs), stampOf(span.endMs), idsMax + 1);
  refuseTooMany(rows.length);
  return { ids: rows.map((row) => String(row.Id)), latestDateCovered: latestDateCovered(store, span.endMs) };
}

export function readDeleted(store: Store, object: string, startMs: number, endMs: number): DeletedIds {
  const table = replicated(store, object);
  const span = checkSpan(store, startMs, endMs, deletedDaysMax);
  const sql =
    'SELECT id, deletedDate FROM "_Deletion" WHERE object = ? AND deletedDate >= ? AND deletedDate < ? ORDER BY deletedDate, id LIMIT ?';
  const rows = store.statement(sql).all(table.name, stampOf(span.startMs), stampOf(span.endMs), idsMax + 1);
  refuseTooMany(rows.length);
  return {
    deletedRecords: rows.map((row) => ({
      id: String(row.id),
      deletedDate: restStamp(Date.parse(String(row.deletedDate))),
    })),
    earliestDateAvailable: restStamp(toMinute(store.clock.now() - deletedDaysMax * dayMs)),
    latestDateCovered: latestDateCovered(store, span.endMs),
  };
}

/**
 * Up to when the answer is complete: never past now, and not past the start of a transaction that is still open, since
 * its records will appear with stamps from then on. Asking again from here loses nothing.
 */
function latestDateCovered(store: Store, endMs: number): string {
  return restStamp(Math.min(endMs, toMinute(store.clock.now()), ...store.openSince.values()));
}

function replicated(store: Store, object: string): Table {
  const table = store.requireTable(object);
  if (table.object.replicateable && table.column('SystemModstamp')) return table;
  throw new SalesforceError('INVALID_TYPE', `object type '${table.name}' is not replicateable`);
}

/** Seconds are ignored: 12:30:15 is read as 12:30:00. */
function checkSpan(store: Store, startMs: number, endMs: number, daysMax: number): { startMs: number; endMs: number } {
  const span = { startMs: toMinute(startMs), endMs: toMinute(endMs) };
  if (!Number.isFinite(startMs) || !Number.isFinite(endMs)) {
    throw new SalesforceError('INVALID_REPLICATION_DATE', 'start and end must be dates');
  }
  if (span.startMs >= span.endMs) {
    const message = 'The value for endDate must be at least one minute later than the value for startDate';
    throw new SalesforceError('INVALID_REPLICATION_DATE', message);
  }
  if (span.startMs < toMinute(store.clock.now() - daysMax * dayMs)) {
    throw new SalesforceError('INVALID_REPLICATION_DATE', `startDate cannot be more than ${daysMax} days ago`);
  }
  return span;
}

function refuseTooMany(count: number): void {
  if (count <= idsMax) return;
  throw new SalesforceError('EXCEEDED_ID_LIMIT', `more than ${idsMax} records changed: ask for a shorter span`);
}

function toMinute(ms: number): number {
  return Math.floor(ms / minuteMs) * minuteMs;
}
