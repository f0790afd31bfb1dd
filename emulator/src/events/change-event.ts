import type { ChangeEventHeader } from './avro-schema.ts';
import { decodeBitmaps, encodeBitmaps, type FieldBit } from './bitmap.ts';
import type { ChangeEventPlan } from './change-event-schema.ts';
import { changeEventJson } from './event-json.ts';
import type { StoredEvent } from './event-log.ts';
import type { StoredPayload } from './payload-store.ts';
import { decodeHeader, type EventRecord, encodeHeader } from './record-codec.ts';
import type { ChannelEvent } from './types.ts';

/** A change event as it lies on the bus and as most subscribers get it: bytes, read only when somebody wants JSON. */
export class ChangeEvent implements ChannelEvent, StoredEvent {
  readonly replayId: number;
  readonly publishedAtMs: number;
  readonly uuidFrom: number;
  readonly plan: ChangeEventPlan;
  /** Where its bytes lie: a view of them is made when they are read, for a view takes as much as all the rest of an event. */
  private readonly slab: Buffer;
  private readonly start: number;
  private readonly end: number;
  private readonly uuidOf: (id: number) => string;

  constructor(
    at: { replayId: number; publishedAtMs: number; uuidFrom: number },
    plan: ChangeEventPlan,
    payload: StoredPayload,
    uuidOf: (id: number) => string,
  ) {
    this.replayId = at.replayId;
    this.publishedAtMs = at.publishedAtMs;
    this.uuidFrom = at.uuidFrom;
    this.plan = plan;
    this.slab = payload.slab;
    this.start = payload.start;
    this.end = payload.end;
    this.uuidOf = uuidOf;
  }

  get bytes(): Uint8Array {
    return this.slab.subarray(this.start, this.end);
  }

  get schemaId(): string {
    return this.plan.codec.schema.id;
  }

  get eventName(): string {
    return this.plan.eventName;
  }

  get uuid(): string {
    return this.uuidOf(this.uuidFrom);
  }

  payload(): Uint8Array {
    return this.bytes;
  }

  json(): Record<string, unknown> {
    const { header, body } = readChangeEvent(this);
    return changeEventJson(this.plan, header, body);
  }
}

export function readChangeEvent({ plan, bytes }: ChangeEvent): { header: ChangeEventHeader; body: EventRecord } {
  const { header, end } = decodeHeader(bytes);
  return { header, body: plan.codec.decodeBody(bytes, end) };
}

/** What one subscriber gets beyond, or instead of, what lies on the bus. */
export interface View {
  /** Fields and parts that the user may not see. */
  readonly hidden: readonly FieldBit[];
  /** Values of fields that the channel adds, for the event's record; looked up when the event is delivered. */
  readonly enrich: ((recordId: string) => EventRecord) | undefined;
}

/** The event as one user sees it in one channel. Its bytes are made when they are asked for. */
export function viewOf(event: ChangeEvent, view: View): ChannelEvent {
  let made: { header: ChangeEventHeader; body: EventRecord } | undefined;
  const make = () => {
    made ??= applyView(event, view);
    return made;
  };
  return {
    replayId: event.replayId,
    schemaId: event.schemaId,
    eventName: event.eventName,
    uuid: event.uuid,
    publishedAtMs: event.publishedAtMs,
    payload() {
      const { header, body } = make();
      return Buffer.concat([encodeHeader(header), event.plan.codec.encodeBody(body)]);
    },
    json() {
      const { header, body } = make();
      return changeEventJson(event.plan, header, body);
    },
  };
}

function applyView(event: ChangeEvent, { hidden, enrich }: View): { header: ChangeEventHeader; body: EventRecord } {
  const { header, body } = readChangeEvent(event);
  const { fields } = event.plan;
  const changed = new Set(decodeBitmaps(header.changedFields).map(({ index }) => fields[index - 1]!.name));
  // Gaps and overflows are not enriched; what is whole already needs nothing (guide, "Enrich Change Events").
  if (enrich && (header.changeType === 'UPDATE' || header.changeType === 'DELETE')) {
    for (const [name, value] of Object.entries(enrich(header.recordIds[0]!))) if (!changed.has(name)) body[name] = value;
  }
  if (hidden.length === 0) return { header, body };
  for (const { index, part } of hidden) {
    const field = fields[index - 1]!;
    if (part === undefined) body[field.name] = null;
    else if (body[field.name]) body[field.name] = { ...(body[field.name] as EventRecord), [field.parts![part]!.name]: null };
  }
  const without = (bitmaps: readonly string[]) =>
    encodeBitmaps(decodeBitmaps(bitmaps).filter((bit) => !hidden.some((other) => covers(other, bit))));
  const { changedFields, nulledFields, diffFields } = header;
  const bits = { changedFields: without(changedFields), nulledFields: without(nulledFields), diffFields: without(diffFields) };
  return { header: { ...header, ...bits }, body };
}

const covers = (hidden: FieldBit, bit: FieldBit) =>
  hidden.index === bit.index && (hidden.part === undefined || hidden.part === bit.part);

/** Bits of what the user may not see, parts of compound fields one by one. */
export function hiddenFrom(plan: ChangeEventPlan, canSee: (field: string) => boolean): FieldBit[] {
  return plan.fields.flatMap(({ index, source, parts }): FieldBit[] => {
    if (!canSee(source)) return [{ index }];
    if (!parts) return [];
    return parts.flatMap(({ column }, part) => (column === undefined || canSee(column) ? [] : [{ index, part }]));
  });
}
