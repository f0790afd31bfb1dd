import { childrenOf, deleteTree, type RelatedRow, setReference } from './deletes.ts';
import { runRecordSave } from './record-save.ts';
import { refuseOperation, updateRecord } from './saves.ts';
import type { FoundRow } from './transaction-view.ts';
import { type MergeOutcome, SalesforceError, type Values } from './types.ts';
import type { Workings } from './workings.ts';

/** Up to so many records go into one ("Merging Records", Apex Developer Guide). */
const losersMax = 2;

/**
 * Several records become one. To triggers it is a delete of the losers and then an update of the master; the children
 * that change parents run none ("Triggers and Merge Statements", Apex Developer Guide).
 */
export function mergeRecords(
  workings: Workings,
  object: string,
  masterId: string,
  loserIds: readonly string[],
  values: Values,
): MergeOutcome {
  const { checks, view, locks } = workings;
  const master = checks.findAlive(object, masterId);
  const { table } = master;
  // Older describes do not call cases mergeable.
  if (!table.object.mergeable && table.name !== 'Case') throw refuseOperation(table, 'merge');
  const losers = loserIds.map((id) => checks.findAlive(object, id));
  checkLosers(master, losers);
  const saves = losers.map((loser) => ({
    loser,
    run: runRecordSave(workings, table, { kind: 'delete', id: loser.id, before: loser.row, row: loser.row }),
  }));
  for (const { run } of saves) run?.before();
  const related: RelatedRow[] = losers.flatMap((loser) => [...childrenOf(workings, loser)]);
  locks.take([master, ...losers, ...related.map(({ child }) => child)]);
  for (const { child, column } of related) {
    // A master that belonged to its loser would belong to itself.
    setReference(workings, child, column, child.id === master.id ? null : master.id);
  }
  for (const loser of losers) {
    deleteTree(workings, { ...loser, row: view.look(table, loser.id)! });
    const row = view.look(table, loser.id)!;
    if (table.column('MasterRecordId')) view.put(table, loser.id, { ...row, MasterRecordId: master.id }, loser.row);
  }
  for (const { loser, run } of saves) run?.after(loser.id, view.look(table, loser.id)!);
  updateRecord(workings, object, master.id, values);
  const gone = new Set([master.id, ...losers.map(({ id }) => id)]);
  return {
    id: master.id,
    created: false,
    merged: losers.map(({ id }) => id),
    related: [...new Set(related.map(({ child }) => child.id))].filter((id) => !gone.has(id)),
  };
}

function checkLosers(master: FoundRow, losers: readonly FoundRow[]): void {
  const ids = new Set([master.id, ...losers.map(({ id }) => id)]);
  const refuse = (message: string) => new SalesforceError('INVALID_OPERATION', message);
  if (losers.length === 0 || losers.length > losersMax) throw refuse(`A merge takes one to ${losersMax} records to merge`);
  if (ids.size <= losers.length) throw refuse('The records of a merge must differ');
}
