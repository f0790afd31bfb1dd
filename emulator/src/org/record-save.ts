import type { StoredRow, Table } from './table.ts';
import type { RecordSave, Value } from './types.ts';
import { checkValue } from './values.ts';
import type { Workings } from './workings.ts';
import { composeName, unknownField } from './write-checks.ts';

/** The moments of one save at which the org's automation has its say. */
export interface RecordSaveRun {
  before(): void;
  validate(): void;
  after(id: string, row: StoredRow): void;
}

interface SaveFacts {
  kind: RecordSave['kind'];
  id: string | undefined;
  before: StoredRow | undefined;
  row: StoredRow;
  /** The columns that are written; grows with what automation sets. */
  given?: StoredRow;
}

/** @returns nothing when there is no automation, which is the common case and must not cost. */
export function runRecordSave(workings: Workings, table: Table, facts: SaveFacts): RecordSaveRun | undefined {
  if (workings.store.automations.size === 0) return undefined;
  const automations = [...workings.store.automations].filter(({ objects }) => objects?.includes(table.name) !== false);
  if (automations.length === 0) return undefined;
  const { kind, before } = facts;
  let settable = false;
  const save = {
    object: table.name,
    id: facts.id,
    kind,
    before,
    row: facts.row,
    transaction: workings.transaction,
    set(field: string, value: Value): void {
      if (!settable || !facts.given) throw new Error('fields are set in beforeSave, of a record that is created or updated');
      const column = table.column(field);
      if (!column || (column.kind === 'id' && column.name === 'Id')) throw unknownField(table, field);
      const stored = checkValue(column, value);
      facts.row[column.name] = stored;
      facts.given[column.name] = stored;
      composeName(table, facts.row);
    },
  };
  return {
    before() {
      settable = true;
      for (const automation of automations) automation.beforeSave?.(save);
      settable = false;
    },
    validate() {
      for (const automation of automations) automation.validate?.(save);
    },
    after(id, row) {
      // Triggers that ran before it may have changed the record again; each is told what was saved here.
      const saved: RecordSave = { ...save, id, row };
      for (const automation of automations) automation.afterSave?.(saved);
    },
  };
}
