import type { Row, StreamEvent, StreamOp } from '@tidemark/core';
import type { ChangeEventHeader } from './avro-plan.ts';
import { type ChangeShape, readChanges, readShape, readWhole } from './change-shape.ts';
import type { EventPlan, EventPlans } from './event-plans.ts';
import { readJsonChanges } from './json-change.ts';
import type { JsonPayload, RawEvent } from './transport.ts';

/** Turns what a transport brings into what the engine takes. */
export interface EventDecoder {
  /**
   * Null for an event of a dataset that nobody listens for.
   * @throws the payload is not of its schema, so that not even the record is known
   */
  decode(raw: RawEvent, position: string, signal: AbortSignal): StreamEvent | null | Promise<StreamEvent | null>;
}

/** Ops by change type; what is not told in full, or not known, is read. */
const ops: Readonly<Record<string, StreamOp>> = {
  CREATE: 'create',
  UPDATE: 'update',
  DELETE: 'delete',
  UNDELETE: 'undelete',
  GAP_OVERFLOW: 'overflow',
};

/** Instead of record ids, when a transaction changed more than is told (Change Data Capture Developer Guide, "Overflow Events"). */
const overflowId = /^0{15}/;

/** Kinds of updates of one schema that are remembered: an object of 500 fields may be changed in many ways. */
const shapesMax = 5_000;

type Common = Omit<StreamEvent, 'op' | 'row' | 'untold' | 'stampMs'>;

/** @param datasets  objects and platform events that somebody listens for */
export function createDecoder(plans: EventPlans, datasets: readonly string[]): EventDecoder {
  // Nearly always it is spelled as it was asked for.
  const wanted = new Set(datasets.flatMap((name) => [name, name.toLowerCase()]));
  const isWanted = (name: string) => wanted.has(name) || wanted.has(name.toLowerCase());

  function decodeAvro(raw: RawEvent, position: string, signal: AbortSignal): StreamEvent | null | Promise<StreamEvent | null> {
    const avro = plans.schema(raw.schemaId);
    if (avro === undefined) {
      return plans.loadSchema(raw.schemaId, signal).then(() => decodeAvro(raw, position, signal));
    }
    const payload = raw.payload as Uint8Array;
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    let parts: ReturnType<typeof avro.header>;
    try {
      parts = avro.header(bytes);
    } catch {
      const object = objectOf(avro);
      return isWanted(object) ? unreadableEvent(raw, object, position) : null;
    }
    const { header, bodyAt } = parts;
    if (!isWanted(header?.entityName ?? avro.name)) return null;
    if (header !== null && !tellsValues(header)) return untoldEvent(header, commonOf(header, position));
    const plan = plans.plan(raw.schemaId);
    if (plan === undefined) {
      return plans.loadPlan(raw.schemaId, header?.entityName ?? avro.name, signal).then(() => decodeAvro(raw, position, signal));
    }
    if (header === null) {
      try {
        return platformEvent(raw, plan, avro.values(bytes, 0), 'fromAvro', position);
      } catch {
        return unreadEvent(raw, bytes, plan, position);
      }
    }
    try {
      const values = avro.values(bytes, bodyAt);
      const lastModified = values[plan.lastModifiedAt] ?? (header.changeType === 'UPDATE' ? null : values[plan.createdAt]);
      const told =
        header.changeType === 'UPDATE' ? readChanges(shapeOf(plan, header), values) : readWhole(plan.fields, values, 'fromAvro');
      return toldEvent(header, position, plan, told, typeof lastModified === 'number' ? lastModified : null);
    } catch {
      // Which record it is about is known, and what happened to it can be read.
      return { ...commonOf(header, position), op: 'gap', row: null, untold: [], stampMs: null };
    }
  }

  async function decodeJson(raw: RawEvent, position: string, signal: AbortSignal): Promise<StreamEvent | null> {
    const payload = raw.payload as JsonPayload;
    const header = jsonHeader(payload);
    const name = header?.entityName ?? raw.name ?? (await plans.loadSchema(raw.schemaId, signal)).name;
    const schemaId = raw.schemaId === '' ? name : raw.schemaId;
    if (!isWanted(name)) return null;
    if (header !== null && !tellsValues(header)) return untoldEvent(header, commonOf(header, position));
    const plan = plans.plan(schemaId) ?? (await plans.loadPlan(schemaId, name, signal));
    if (header === null) {
      return platformEvent(
        raw,
        plan,
        plan.fields.map((field) => payload[field.name] ?? null),
        'fromJson',
        position,
      );
    }
    const isUpdate = header.changeType === 'UPDATE';
    const told = isUpdate
      ? readJsonChanges(plan.byName, header.changedFields, payload)
      : readWhole(
          plan.fields,
          plan.fields.map((field) => payload[field.name] ?? null),
          'fromJson',
        );
    const stamp = payload.LastModifiedDate ?? (isUpdate ? undefined : payload.CreatedDate);
    const stampMs = typeof stamp === 'string' ? Date.parse(stamp) : Number.NaN;
    return toldEvent(header, position, plan, told, Number.isNaN(stampMs) ? null : stampMs);
  }

  return {
    decode: (raw, position, signal) =>
      raw.payload instanceof Uint8Array ? decodeAvro(raw, position, signal) : decodeJson(raw, position, signal),
  };
}

function commonOf(header: ChangeEventHeader | null, position: string): Common {
  return {
    position,
    dataset: header?.entityName ?? '',
    keys: header?.recordIds ?? [],
    transaction: header?.transactionKey ?? '',
    committedAtMs: header?.commitTimestamp ?? 0,
    writer: header?.changeOrigin ?? '',
  };
}

/** Bytes that are not even a header of their schema: any record of the object may have changed, and nobody waits for ever (P5). */
function unreadableEvent(raw: RawEvent, object: string, position: string): StreamEvent {
  const common = { ...commonOf(null, position), dataset: object, transaction: `unread ${raw.replayId}` };
  return { ...common, op: 'overflow', keys: [], row: null, untold: [], stampMs: null };
}

/** `AccountChangeEvent` tells of Account, `Invoice__ChangeEvent` of Invoice__c. */
const objectOf = ({ name, isChangeEvent }: { readonly name: string; readonly isChangeEvent: boolean }): string =>
  isChangeEvent ? name.replace(/__ChangeEvent$/, '__c').replace(/ChangeEvent$/, '') : name;

const tellsValues = ({ changeType, recordIds }: ChangeEventHeader): boolean =>
  (changeType === 'UPDATE' || changeType === 'CREATE' || changeType === 'UNDELETE') && !recordIds.some(isWildcard);

/** All records of an object, whose field was converted (Change Data Capture Developer Guide, "Gap Events"). */
const isWildcard = (id: string): boolean => id.endsWith('*');

function untoldEvent(header: ChangeEventHeader, common: Common): StreamEvent {
  const nothing = { row: null, untold: [], stampMs: null };
  const op = ops[header.changeType] ?? 'gap';
  const anyRecord = op === 'overflow' || header.recordIds.some((id) => overflowId.test(id));
  if (anyRecord) return { ...common, ...nothing, op: 'overflow', keys: [] };
  if (!header.recordIds.some(isWildcard)) return { ...common, ...nothing, op };
  return { ...common, ...nothing, op: 'wildcard', keys: header.recordIds.map((id) => id.replace(/\*$/, '')) };
}

function toldEvent(
  header: ChangeEventHeader,
  position: string,
  plan: EventPlan,
  { row, untold }: { row: Row; untold: readonly string[] },
  stampMs: number | null,
): StreamEvent {
  const op = ops[header.changeType]!;
  if (op !== 'update' && plan.hasIsDeleted) row.IsDeleted = false;
  // Most events are made here: a literal is cheaper than spreading what all kinds have in common.
  return {
    position,
    dataset: header.entityName,
    op,
    keys: header.recordIds ?? [],
    row,
    untold,
    transaction: header.transactionKey ?? '',
    committedAtMs: header.commitTimestamp ?? 0,
    // The record's own stamps have whole seconds.
    stampMs: stampMs === null ? null : Math.floor(stampMs / 1000) * 1000,
    writer: header.changeOrigin ?? '',
  };
}

function shapeOf(plan: EventPlan, header: ChangeEventHeader): ChangeShape {
  const { changedFields, nulledFields, diffFields } = header;
  const key =
    nulledFields.length === 0 && diffFields.length === 0
      ? changedFields.length === 1
        ? changedFields[0]!
        : changedFields.join()
      : `${changedFields.join()}|${nulledFields.join()}|${diffFields.join()}`;
  let shape = plan.shapes.get(key);
  if (shape === undefined) {
    shape = readShape(plan.fields, header);
    if (plan.shapes.size >= shapesMax) plan.shapes.clear();
    plan.shapes.set(key, shape);
  }
  return shape;
}

/** An event that somebody published is a record that comes to be: its UUID is the same however often it is delivered. */
function platformEvent(
  raw: RawEvent,
  plan: EventPlan,
  values: readonly unknown[],
  form: 'fromAvro' | 'fromJson',
  position: string,
): StreamEvent {
  const { row } = readWhole(plan.fields, values, form);
  const key = keyOfEvent(raw);
  row.EventUuid = key;
  const createdAtMs = Date.parse(String(row.CreatedDate));
  return { ...published(key, plan, position), row, committedAtMs: createdAtMs, stampMs: createdAtMs };
}

/** Nobody checks what a client of Pub/Sub publishes: whatever it is, it must not keep the events behind it. */
function unreadEvent(raw: RawEvent, bytes: Buffer, plan: EventPlan, position: string): StreamEvent {
  const reason = `its content is not of the schema ${raw.schemaId} that it names`;
  const unread = { reason, raw: { SchemaId: raw.schemaId, Payload: bytes.toString('base64') } };
  return { ...published(keyOfEvent(raw), plan, position), row: null, unread, committedAtMs: 0, stampMs: null };
}

/** Before API version 52 CometD tells no UUID; a replay id then has to do, which is another one when the event is delivered twice. */
const keyOfEvent = ({ id, replayId }: RawEvent): string => (id === '' ? `replay ${replayId}` : id);

function published(key: string, { object }: EventPlan, position: string) {
  return { position, dataset: object, op: 'create' as const, keys: [key], untold: [], transaction: key, writer: '' };
}

/** What CometD and event relays send: numbers and names instead of bitmaps; some of them `recordId` instead of a list. */
function jsonHeader(payload: JsonPayload): ChangeEventHeader | null {
  const header = payload.ChangeEventHeader as (ChangeEventHeader & { recordId?: string }) | undefined;
  if (header === undefined) return null;
  const { entityName, recordIds, recordId, changeType, changeOrigin, transactionKey, commitTimestamp, changedFields } = header;
  return {
    entityName,
    recordIds: recordIds ?? (recordId === undefined ? [] : [recordId]),
    changeType,
    changeOrigin: changeOrigin ?? '',
    transactionKey,
    commitTimestamp: Number(commitTimestamp),
    changedFields: changedFields ?? [],
    nulledFields: [],
    diffFields: [],
  };
}
