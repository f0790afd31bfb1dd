import { saveChanges } from './saves.ts';
import { stamp } from './stamps.ts';
import type { StoredRow } from './table.ts';
import { type FoundRow, isDeleted } from './transaction-view.ts';
import { type Recalculation, type RecalculationOptions, SalesforceError, type TouchedRecord, type Values } from './types.ts';
import { checkValue } from './values.ts';
import type { Workings } from './workings.ts';
import { unknownField } from './write-checks.ts';

/** Values that follow from values that follow …: a circle of them would never end. */
const roundsMax = 16;

/**
 * Lets automation recompute what follows from the records put since `mark`, and from what that changes in turn.
 */
export function recalculate(workings: Workings, mark: number): void {
  const automations = [...workings.store.automations].filter((automation) => automation.recalculate);
  if (automations.length === 0) return;
  const recalculation: Recalculation = {
    transaction: workings.transaction,
    lock(object, id) {
      const table = workings.store.requireTable(object);
      workings.locks.take([{ table, id }]);
    },
    store: (object, id, values, options = {}) => storeCalculated(workings, object, id, values, options),
  };
  let from = mark;
  for (let round = 0; ; round++) {
    const touched = touchedSince(workings, from);
    if (touched.length === 0) return;
    if (round === roundsMax) {
      throw new SalesforceError('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'calculated values never come to rest');
    }
    from = workings.view.mark();
    for (const automation of automations) automation.recalculate!(touched, recalculation);
  }
}

function touchedSince({ view }: Workings, mark: number): TouchedRecord[] {
  const touched: TouchedRecord[] = [];
  for (const [id, was] of view.since(mark)) {
    const { table, row, before, purged } = view.pending.get(id)!;
    if (was?.purged) continue;
    touched.push({ object: table.name, id, before: was ? was.row : before, after: row, purged });
  }
  return touched;
}

function storeCalculated(
  workings: Workings,
  object: string,
  recordId: string,
  values: Values,
  options: RecalculationOptions,
): void {
  const { store, view, checks, locks, userId } = workings;
  const found: FoundRow = checks.find(object, recordId);
  const { table, id, row } = found;
  const changes: StoredRow = {};
  for (const [name, value] of Object.entries(values)) {
    const column = table.column(name);
    if (!column) throw unknownField(table, name);
    const stored = checkValue(column, value);
    if (stored !== (row[column.name] ?? null)) changes[column.name] = stored;
  }
  if (Object.keys(changes).length === 0) return;
  const stamps = options.stamps ?? 'none';
  if (options.save && !isDeleted(row)) {
    saveChanges(workings, found, changes, stamps);
    return;
  }
  locks.take([{ table, id }]);
  const next = { ...row, ...changes };
  stamp(store, table, next, userId, stamps);
  view.put(table, id, next, row);
}
