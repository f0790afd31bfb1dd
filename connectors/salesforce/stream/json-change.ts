import { newRow, type Row } from '@tidemark/core';
import { isRecord, isText } from './change-shape.ts';
import type { EventField } from './event-fields.ts';
import type { JsonPayload } from './transport.ts';

/**
 * The changed fields of an update as CometD tells it: names instead of bitmaps, an explicit null for what was cleared, an object with
 * `diff` for a long text. Change Data Capture Developer Guide, "Change Event Message Structure"; recorded messages of a Contact and a
 * Lead, the latter naming parts as changed whose values it does not hold.
 */
export function readJsonChanges(
  fields: ReadonlyMap<string, EventField>,
  changedFields: readonly string[],
  payload: JsonPayload,
): { row: Row; untold: readonly string[] } {
  const row = newRow();
  const untold = new Set<string>();
  for (const name of changedFields) {
    const dot = name.indexOf('.');
    const field = fields.get(dot < 0 ? name : name.slice(0, dot));
    if (field === undefined) continue;
    const value = payload[field.name];
    const part = dot < 0 ? null : name.slice(dot + 1);
    if (field.parts !== null && (part !== null || !isText(value))) {
      for (const { name: own, leaf } of field.parts) {
        if (leaf === null || (part !== null && part !== own)) continue;
        if (value === null) row[leaf.name] = null;
        else if (isRecord(value) && Object.hasOwn(value, own)) row[leaf.name] = leaf.fromJson(value[own]);
        else untold.add(leaf.name);
      }
      if (field.derived !== null) untold.add(field.derived);
    } else if (field.leaf !== null) {
      if (value === undefined || (isRecord(value) && Object.hasOwn(value, 'diff'))) untold.add(field.leaf.name);
      else row[field.leaf.name] = field.leaf.fromJson(value);
    }
  }
  return { row, untold: [...untold] };
}
