import avro from 'avsc';
import { type AvroRecord, type ChangeEventHeader, eventNamespace, headerRecord, identify } from './avro-schema.ts';
import type { EventSchema } from './types.ts';

/** Fields by name; absent ones are null. */
export type EventRecord = Record<string, unknown>;

/**
 * Writes and reads the events of one schema. An Avro record is its fields one after the other, so that header and body
 * can be written apart: a body that several records share is written once.
 */
export interface RecordCodec {
  readonly schema: EventSchema;
  readonly record: AvroRecord;
  /** All fields but the header. */
  encodeBody(body: EventRecord): Buffer;
  decodeBody(payload: Uint8Array, from?: number): EventRecord;
  /** A body in which nothing is said: a null for each field. */
  readonly emptyBody: Uint8Array;
}

/** Commit numbers are beyond what a JavaScript number holds. */
const bigLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

const headerType = avro.Type.forSchema(
  {
    ...headerRecord,
    namespace: eventNamespace,
    fields: headerRecord.fields.map((field) => (field.name === 'commitNumber' ? { ...field, type: 'BigLong' } : field)),
  } as avro.Schema,
  { wrapUnions: false, registry: { [`${eventNamespace}.BigLong`]: bigLong } },
);

export const encodeHeader = (header: ChangeEventHeader): Buffer => headerType.toBuffer(header);

/** The header, and where the body begins. */
export function decodeHeader(payload: Uint8Array): { header: ChangeEventHeader; end: number } {
  const { value, offset } = headerType.decode(asBuffer(payload), 0);
  return { header: value as ChangeEventHeader, end: offset };
}

export function createRecordCodec(record: AvroRecord): RecordCodec {
  const fields = record.fields.filter((field) => field.name !== 'ChangeEventHeader');
  const bodyType = avro.Type.forSchema({ ...record, fields } as avro.Schema, { wrapUnions: false });
  return {
    schema: identify(record),
    record,
    encodeBody: (body) => bodyType.toBuffer(body),
    decodeBody(payload, from = 0) {
      const { value, offset } = bodyType.decode(asBuffer(payload), from);
      if (offset < 0) throw new Error(`the payload of a ${record.name} ends too early`);
      return value as EventRecord;
    },
    emptyBody: new Uint8Array(fields.length),
  };
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
