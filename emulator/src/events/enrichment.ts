import { type Column, describeTable, type StoredRow } from '../org/table.ts';
import type { Org, Value } from '../org/types.ts';
import { storeUnchecked } from '../org/values.ts';
import { eventValue } from './capture-commit.ts';
import type { ChangeEventPlan, FieldPlan } from './change-event-schema.ts';
import type { EventRecord } from './record-codec.ts';

/**
 * Reads the values that a channel adds to its events: as they are when the event is delivered, deleted records too. A
 * replayed event shows the latest ones (Change Data Capture guide, "Enrich Change Events with Extra Fields").
 */
export function createEnrichment(
  org: Org,
  plan: ChangeEventPlan,
  fields: readonly FieldPlan[],
): (recordId: string) => EventRecord {
  const object = org.schema.object(plan.object);
  if (!object) return () => ({});
  const table = describeTable(object);
  const columns = fields
    .flatMap(({ source, parts }) => parts?.flatMap(({ column }) => column ?? []) ?? [source])
    .flatMap((name): Column[] => [table.column(name)].filter((column) => column !== undefined));
  // Fields may have been removed since the channel was defined.
  if (columns.length === 0) return () => ({});
  const names = columns.map(({ name }) => name).join(', ');
  return (recordId) => {
    const found = org.query(`SELECT ${names} FROM ${plan.object} WHERE Id = '${recordId}'`, { all: true });
    const [record] = found.page(0, 1, 'v62.0') as Record<string, Value>[];
    if (!record) return {};
    const row: StoredRow = {};
    for (const { name, kind } of columns) row[name] = storeUnchecked(kind, record[name] ?? null);
    const values: EventRecord = {};
    for (const field of fields) {
      const value = eventValue(field, row);
      if (value !== null) values[field.name] = value;
    }
    return values;
  };
}
