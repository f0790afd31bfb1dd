import { kindOf, type StoredRow } from '../org/table.ts';
import type { FieldDescribe, ObjectDescribe } from '../schema/types.ts';
import { eventNamespace, nullable } from './avro-schema.ts';
import { createRecordCodec, type EventRecord, type RecordCodec } from './record-codec.ts';
import { type ValueForm, valueForms } from './value-forms.ts';

interface PlatformField {
  readonly name: string;
  readonly form: ValueForm;
}

/** How one platform event is written and read, for as long as its fields stay as they are. */
export interface PlatformEventPlan {
  readonly eventName: string;
  readonly codec: RecordCodec;
  readonly fields: readonly PlatformField[];
}

const doc: Partial<Record<FieldDescribe['type'], string>> = {
  boolean: 'Boolean',
  double: 'Double',
  date: 'DateOnly',
  datetime: 'DateTime',
  textarea: 'StringPlusClob',
};

/** Who and when are never null; every other field may be, even a required one (Pub/Sub API guide, example schema). */
export function planPlatformEvent(object: ObjectDescribe, fieldId: (field: FieldDescribe) => string): PlatformEventPlan {
  const own = object.fields.filter((field) => field.custom && kindOf(field) !== 'compound');
  const record = {
    type: 'record' as const,
    name: object.name,
    namespace: eventNamespace,
    fields: [
      { name: 'CreatedDate', type: 'long', doc: 'CreatedDate:DateTime' },
      { name: 'CreatedById', type: 'string', doc: 'CreatedBy:EntityId' },
      ...own.map((field) => nullable(field.name, valueForms(field).avro, `Data:${doc[field.type] ?? 'Text'}:${fieldId(field)}`)),
    ],
  };
  const fields = object.fields
    .filter((field) => field.name === 'CreatedDate' || field.name === 'CreatedById' || own.includes(field))
    .map((field) => ({ name: field.name, form: valueForms(field) }));
  return { eventName: object.name, codec: createRecordCodec(record), fields };
}

export function encodePlatformEvent(plan: PlatformEventPlan, row: StoredRow): Uint8Array {
  const body: EventRecord = {};
  for (const { name, form } of plan.fields) {
    const stored = row[name] ?? null;
    if (stored !== null) body[name] = form.toEvent(stored);
  }
  return plan.codec.encodeBody(body);
}

/** The event's fields in stored form, for filters. */
export function platformEventRow(plan: PlatformEventPlan, payload: Uint8Array): StoredRow {
  const body = plan.codec.decodeBody(payload);
  const row: StoredRow = {};
  for (const { name, form } of plan.fields) {
    const value = body[name] ?? null;
    row[name] = value === null ? null : form.fromEvent(value);
  }
  return row;
}

/** As CometD sends it under `data.payload`: every field, nulls too (Platform Events guide, "Subscribe with CometD"). */
export function platformEventJson(plan: PlatformEventPlan, payload: Uint8Array): Record<string, unknown> {
  const body = plan.codec.decodeBody(payload);
  return Object.fromEntries(
    plan.fields.map(({ name, form }) => {
      const value = body[name] ?? null;
      return [name, value === null ? null : form.toJson(value)];
    }),
  );
}
