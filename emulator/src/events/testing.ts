import avro from 'avsc';
import { createTestOrg, type TestOrg } from '../org/testing.ts';
import { createEventBus, type EventBusOptions } from './event-bus.ts';
import type { ChannelEvent, EventBus } from './types.ts';

/** An org with a bus, for tests. The clock stands. */
export interface BusOrg extends TestOrg {
  bus: EventBus;
}

export function createBusOrg(objects: readonly string[] = [], options: EventBusOptions = {}): BusOrg {
  const test = createTestOrg();
  const bus = createEventBus(test.org, options);
  bus.selectForChangeEvents(objects);
  return { ...test, bus };
}

/** Everything on a topic from the beginning. */
export function eventsOf({ bus, org }: BusOrg, topic: string, userId = org.adminUserId): ChannelEvent[] {
  const channel = bus.channel(topic);
  if (!channel) throw new Error(`there is no topic ${topic}`);
  return channel.read(0, 1_000_000, userId).events;
}

/** What a subscriber understands of an event, read with nothing but the schema and the guide. */
export interface ReadEvent {
  replayId: number;
  header: {
    entityName: string;
    recordIds: string[];
    changeType: string;
    changeOrigin: string;
    transactionKey: string;
    sequenceNumber: number;
    commitTimestamp: bigint;
    commitNumber: bigint;
    commitUser: string;
  };
  /** Names of fields and parts, `BillingAddress.Street`. */
  changed: string[];
  nulled: string[];
  diffs: string[];
  body: Record<string, unknown>;
}

/** Every long as a bigint, so that none is rounded. */
const long = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: () => Buffer.alloc(8),
  fromJSON: BigInt,
  toJSON: String,
  isValid: () => true,
  compare: () => 0,
});

/** Decodes a payload by the schema that the bus gives for its id, unions wrapped as Avro's JSON has them. */
export function decode(bus: EventBus, event: ChannelEvent): Record<string, unknown> {
  const schema = JSON.parse(bus.schema(event.schemaId)!.json);
  const type = avro.Type.forSchema(schema, { wrapUnions: true, registry: { long } });
  return type.fromBuffer(Buffer.from(event.payload())) as Record<string, unknown>;
}

export function readEvent(bus: EventBus, event: ChannelEvent): ReadEvent {
  const schema: AvroRecord = JSON.parse(bus.schema(event.schemaId)!.json);
  const { ChangeEventHeader: header, ...wrapped } = decode(bus, event) as { ChangeEventHeader: ReadEvent['header'] & Bitmaps };
  const { changedFields, nulledFields, diffFields, ...rest } = header;
  const names = (bitmaps: readonly string[]) => bitmaps.flatMap((bitmap) => namesIn(schema, bitmap));
  return {
    replayId: event.replayId,
    header: rest,
    changed: names(changedFields),
    nulled: names(nulledFields),
    diffs: names(diffFields),
    body: unwrap(wrapped) as Record<string, unknown>,
  };
}

interface Bitmaps {
  changedFields: string[];
  nulledFields: string[];
  diffFields: string[];
}
interface AvroRecord {
  fields: { name: string; type: unknown }[];
}

/** "Convert the hexadecimal value to binary; from right to left, each bit that is set is the field at that index." */
function namesIn(schema: AvroRecord, bitmap: string): string[] {
  const [parent, hex = ''] = bitmap.includes('-') ? bitmap.split('-') : [undefined, bitmap];
  const fields = parent === undefined ? schema.fields : partsOf(schema, Number(parent));
  const prefix = parent === undefined ? '' : `${schema.fields[Number(parent)]!.name}.`;
  return [...BigInt(hex).toString(2)].reverse().flatMap((digit, i) => (digit === '1' ? [prefix + fields[i]!.name] : []));
}

/** A named type is defined where it is first used, and only named later. */
function partsOf(schema: AvroRecord, index: number): AvroRecord['fields'] {
  const branches = schema.fields.flatMap(({ type }) => type as unknown[]);
  const own = (schema.fields[index]!.type as unknown[]).at(-1);
  const record = typeof own === 'string' ? branches.find((branch) => (branch as { name?: string }).name === own) : own;
  return (record as AvroRecord).fields;
}

function unwrap(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  const [key = '', content] = entries[0] ?? [];
  const isBranch = entries.length === 1 && /^(string|int|long|double|boolean|com\.sforce\.eventbus\.\w+)$/.test(key);
  if (isBranch) return unwrap(content);
  return Object.fromEntries(entries.map(([name, child]) => [name, unwrap(child)]));
}

export const notNull = (body: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
