import avro from 'avsc';
import type { SchemaField } from './event-fields.ts';

/** Values of an event in the order of its schema's fields, with the change event's header apart. */
export interface AvroEvent {
  readonly header: ChangeEventHeader | null;
  /** Index 0 is the header's place; absent values are null. */
  readonly values: readonly unknown[];
}

/** As Avro has it; `commitNumber` is left out: it is larger than a number holds and nobody needs it. */
export interface ChangeEventHeader {
  readonly entityName: string;
  readonly recordIds: readonly string[];
  readonly changeType: string;
  readonly changeOrigin: string;
  readonly transactionKey: string;
  readonly commitTimestamp: number;
  readonly changedFields: readonly string[];
  readonly nulledFields: readonly string[];
  readonly diffFields: readonly string[];
}

/** Reads events of one schema. */
export interface AvroPlan {
  /** Of the record: `AccountChangeEvent`, `Order_Shipped__e`. */
  readonly name: string;
  readonly isChangeEvent: boolean;
  readonly fields: readonly SchemaField[];
  /** @throws the bytes are not of this schema */
  header(payload: Buffer): { readonly header: ChangeEventHeader | null; readonly bodyAt: number };
  /** @throws the bytes are not of this schema */
  values(payload: Buffer, bodyAt: number): unknown[];
}

/** Public members of avsc's types that its declarations leave out. */
interface AvroType {
  readonly typeName: string;
  readonly name: string | undefined;
  readonly fields?: readonly { readonly name: string; readonly type: AvroType }[];
  readonly types?: readonly AvroType[];
  decode(buffer: Buffer, position: number): { value: unknown; offset: number };
}

/** `commitNumber` needs all of 64 bits, over which avsc stumbles: its bytes are read and forgotten. */
const forgottenLong = avro.types.LongType.__with({
  fromBuffer: () => 0,
  toBuffer: () => Buffer.alloc(8),
  fromJSON: Number,
  toJSON: Number,
  isValid: () => true,
  compare: () => 0,
} as never);

/** @param json  An event schema as `GetSchema` answers it. @throws it is none */
export function createAvroPlan(json: string): AvroPlan {
  const schema = JSON.parse(json) as { name: string; fields: { name: string; doc?: string }[] };
  const type = avro.Type.forSchema(schema as never, { typeHook: forgetCommitNumber() }) as unknown as AvroType;
  if (type.typeName !== 'record') throw new TypeError(`the schema of ${schema.name} is no record`);
  const types = type.fields!.map((field) => field.type);
  const isChangeEvent = type.fields![0]?.name === 'ChangeEventHeader';
  const headerType = isChangeEvent ? types[0]! : null;
  const first = isChangeEvent ? 1 : 0;
  // The branch of null comes first in every union, so that an absent value is one zero byte, which is quicker seen than decoded.
  const nullFirst = types.map((each) => each.types?.[0]?.typeName === 'null');
  return {
    name: type.name!.slice(type.name!.lastIndexOf('.') + 1),
    isChangeEvent,
    fields: type.fields!.map((field, index) => ({
      name: field.name,
      doc: schema.fields[index]!.doc ?? '',
      avroType: plainBranch(field.type).typeName,
      parts: index < first ? null : (recordBranch(field.type)?.fields?.map((part) => part.name) ?? null),
    })),
    header(payload) {
      if (headerType === null) return { header: null, bodyAt: 0 };
      const { value, offset } = headerType.decode(payload, 0);
      if (offset < 0) throw new RangeError('the payload ends inside its header');
      return { header: value as ChangeEventHeader, bodyAt: offset };
    },
    values(payload, bodyAt) {
      const values: unknown[] = new Array(types.length);
      values[0] = null;
      let at = bodyAt;
      for (let index = first; index < types.length; index++) {
        if (nullFirst[index] && payload[at] === 0) {
          values[index] = null;
          at++;
          continue;
        }
        const { value, offset } = types[index]!.decode(payload, at);
        if (offset < 0) throw new RangeError('the payload ends inside a field');
        values[index] = value;
        at = offset;
      }
      if (at !== payload.length) throw new RangeError('the payload is longer than its schema says');
      return values;
    },
  };
}

function plainBranch(type: AvroType): AvroType {
  return type.types?.find((branch) => branch.typeName !== 'null') ?? type;
}

function recordBranch(type: AvroType): AvroType | undefined {
  return type.types?.find((branch) => branch.typeName === 'record');
}

/** Types are made inside out: the header's record is seen before its fields, and they are changed before they are made. */
function forgetCommitNumber() {
  return (schema: unknown): never => {
    const record = schema as { name?: string; fields?: { name: string; type: unknown }[] };
    if (record.name === 'ChangeEventHeader' && Array.isArray(record.fields)) {
      for (const field of record.fields) if (field.name === 'commitNumber') field.type = forgottenLong;
    }
    return undefined as never;
  };
}
