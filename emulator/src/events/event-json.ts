import type { ChangeEventHeader } from './avro-schema.ts';
import { decodeBitmaps, type FieldBit } from './bitmap.ts';
import type { ChangeEventPlan, FieldPlan } from './change-event-schema.ts';
import type { EventRecord } from './record-codec.ts';

/**
 * A change event as CometD sends it under `data.payload`: names instead of bitmaps, only what changed, datetimes as text
 * (recorded messages of a Contact, a Lead and a User; Change Data Capture guide, "Change Event Message Structure").
 */
export function changeEventJson(plan: ChangeEventPlan, header: ChangeEventHeader, body: EventRecord): Record<string, unknown> {
  const changed = decodeBitmaps(header.changedFields);
  const diffs = new Set(decodeBitmaps(header.diffFields).map(({ index }) => index));
  const payload: Record<string, unknown> = {};
  for (const bit of changed) setChanged(payload, plan.fields[bit.index - 1]!, bit, body);
  // Whole records, and the enriched fields of an update.
  for (const field of plan.fields) {
    const value = body[field.name];
    if (!(field.name in payload) && value !== null && value !== undefined) payload[field.name] = fullValue(field, value);
  }
  for (const index of diffs) {
    const { name } = plan.fields[index - 1]!;
    payload[name] = { diff: payload[name] };
  }
  payload.ChangeEventHeader = headerJson(header, changed, plan);
  return payload;
}

function setChanged(payload: Record<string, unknown>, field: FieldPlan, { part }: FieldBit, body: EventRecord): void {
  const value = body[field.name] ?? null;
  if (part === undefined) {
    payload[field.name] = value === null ? null : fullValue(field, value);
    return;
  }
  const { name } = field.parts![part]!;
  payload[field.name] ??= {};
  (payload[field.name] as Record<string, unknown>)[name] = (value as EventRecord | null)?.[name] ?? null;
}

function fullValue(field: FieldPlan, value: unknown): unknown {
  if (field.parts === undefined || typeof value !== 'object') return field.form.toJson(value);
  return Object.fromEntries(Object.entries(value as EventRecord).filter(([, content]) => content !== null));
}

/** In the order of recorded messages; nulled and diff fields are told by the values themselves. */
function headerJson(header: ChangeEventHeader, changed: readonly FieldBit[], plan: ChangeEventPlan): Record<string, unknown> {
  return {
    commitNumber: exactNumber(header.commitNumber),
    commitUser: header.commitUser,
    sequenceNumber: header.sequenceNumber,
    entityName: header.entityName,
    changeType: header.changeType,
    changedFields: changed.map((bit) => nameOf(plan, bit)),
    changeOrigin: header.changeOrigin,
    transactionKey: header.transactionKey,
    commitTimestamp: header.commitTimestamp,
    recordIds: header.recordIds,
  };
}

/** `LastModifiedDate`, `Name.LastName`. */
function nameOf(plan: ChangeEventPlan, { index, part }: FieldBit): string {
  const field = plan.fields[index - 1]!;
  return part === undefined ? field.name : `${field.name}.${field.parts![part]!.name}`;
}

/** A number that `JSON.stringify` writes with all its digits: recorded ones have more than a JavaScript number holds. */
export function exactNumber(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.toString());
}
