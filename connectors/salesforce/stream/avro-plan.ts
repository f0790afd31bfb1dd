import avro from 'avsc';
import { AvroBytes, type AvroType, arrayReader, passerOf, type Read, readerOf, repeatedText } from './avro-reader.ts';
import type { SchemaField } from './event-fields.ts';

/** Values of an event in the order of its schema's fields, with the change event's header apart. */
export interface AvroEvent {
  readonly header: ChangeEventHeader | null;
  /** Index 0 is the header's place; absent values are null. */
  readonly values: readonly unknown[];
}

/** What is read of it. */
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
  /** Good until they are read of another event. @throws the bytes are not of this schema */
  values(payload: Buffer, bodyAt: number): readonly unknown[];
}

/** @param json  An event schema as `GetSchema` answers it. @throws it is none */
export function createAvroPlan(json: string): AvroPlan {
  const schema = JSON.parse(json) as { name: string; fields: { name: string; doc?: string }[] };
  const type = avro.Type.forSchema(schema as never) as unknown as AvroType;
  if (type.typeName !== 'record') throw new TypeError(`the schema of ${schema.name} is no record`);
  const types = type.fields!.map((field) => field.type);
  const isChangeEvent = type.fields![0]?.name === 'ChangeEventHeader';
  const readHeader = isChangeEvent ? headerReader(types[0]!) : null;
  const first = isChangeEvent ? 1 : 0;
  const readers = types.map(readerOf);
  // The branch of null comes first in every union, so that an absent value is one zero byte, which is quicker seen than decoded.
  const nullFirst = types.map((each) => each.types?.[0]?.typeName === 'null');
  const from = new AvroBytes();
  const values: unknown[] = new Array(types.length).fill(null);
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
      if (readHeader === null) return { header: null, bodyAt: 0 };
      from.bytes = payload;
      from.at = 0;
      const header = readHeader(from);
      if (from.at > payload.length) throw new RangeError('the payload ends inside its header');
      return { header, bodyAt: from.at };
    },
    values(payload, bodyAt) {
      from.bytes = payload;
      from.at = bodyAt;
      for (let index = first; index < types.length; index++) {
        if (nullFirst[index] && payload[from.at] === 0) {
          values[index] = null;
          from.at++;
        } else values[index] = readers[index]!(from);
      }
      if (from.at !== payload.length) throw new RangeError('the payload is not as long as its schema says');
      return values;
    },
  };
}

/** In the order of `headerOf`. */
const headerFields: readonly (keyof ChangeEventHeader)[] = [
  'entityName',
  'recordIds',
  'changeType',
  'changeOrigin',
  'transactionKey',
  'commitTimestamp',
  'changedFields',
  'nulledFields',
  'diffFields',
];

/** The schema may have its fields in any order, and more of them. */
function headerReader(type: AvroType): Read<ChangeEventHeader> {
  const found: unknown[] = headerFields.map(() => undefined);
  const reads = type.fields!.map(({ name, type: each }) => {
    const place = (headerFields as readonly string[]).indexOf(name);
    return { place, read: place < 0 ? passerOf(each) : headerFieldReader(name, each) };
  });
  return (from) => {
    for (const { place, read } of reads) {
      const value = read(from);
      if (place >= 0) found[place] = value;
    }
    return headerOf(found);
  };
}

/** Neighbours are mostly of one transaction, and change the same fields. */
function headerFieldReader(name: string, type: AvroType): Read {
  if (name === 'recordIds') return readerOf(type);
  if (type.typeName === 'string') return repeatedText();
  if (type.itemsType?.typeName === 'string') return arrayReader(repeatedText());
  return readerOf(type);
}

/** A literal, so that all headers are alike. */
const headerOf = (found: readonly unknown[]): ChangeEventHeader => ({
  entityName: found[0] as string,
  recordIds: found[1] as readonly string[],
  changeType: found[2] as string,
  changeOrigin: found[3] as string,
  transactionKey: found[4] as string,
  commitTimestamp: found[5] as number,
  changedFields: found[6] as readonly string[],
  nulledFields: found[7] as readonly string[],
  diffFields: found[8] as readonly string[],
});

function plainBranch(type: AvroType): AvroType {
  return type.types?.find((branch) => branch.typeName !== 'null') ?? type;
}

function recordBranch(type: AvroType): AvroType | undefined {
  return type.types?.find((branch) => branch.typeName === 'record');
}
