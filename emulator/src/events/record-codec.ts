import avro from 'avsc';
import { type AvroRecord, type ChangeEventHeader, changeTypes, eventNamespace, headerRecord, identify } from './avro-schema.ts';
import { createAvroWriter } from './avro-writer.ts';
import { recordWriter } from './record-writer.ts';
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

/** One for all: an event is written in one go. */
const writer = createAvroWriter();

const changeTypeIndex = new Map(changeTypes.map((name, index) => [name, index]));

/** In the order of `headerRecord`. */
export function encodeHeader(header: ChangeEventHeader): Buffer {
  return encoded(() => {
    writer.string(header.entityName);
    writer.strings(header.recordIds);
    writer.long(changeTypeIndex.get(header.changeType)!);
    writer.string(header.changeOrigin);
    writer.string(header.transactionKey);
    writer.long(header.sequenceNumber);
    writer.long(header.commitTimestamp);
    writer.bigLong(header.commitNumber);
    writer.string(header.commitUser);
    writer.strings(header.nulledFields);
    writer.strings(header.diffFields);
    writer.strings(header.changedFields);
  });
}

/** What was begun and could not be written must not stand before what is written next. */
function encoded(write: () => void): Buffer {
  try {
    write();
    return writer.take();
  } catch (error) {
    writer.take();
    throw error;
  }
}

/** The header, and where the body begins. */
export function decodeHeader(payload: Uint8Array): { header: ChangeEventHeader; end: number } {
  const { value, offset } = headerType.decode(asBuffer(payload), 0);
  return { header: value as ChangeEventHeader, end: offset };
}

export function createRecordCodec(record: AvroRecord): RecordCodec {
  const fields = record.fields.filter((field) => field.name !== 'ChangeEventHeader');
  const bodyType = avro.Type.forSchema({ ...record, fields } as avro.Schema, { wrapUnions: false });
  const write = recordWriter(writer, fields);
  return {
    schema: identify(record),
    record,
    encodeBody: (body) => encoded(() => write(body)),
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
