import { type DatasetSchema, type FieldSchema, type FieldType, type FieldValue, fieldAs } from '@tidemark/core';

/** A field as Kafka Connect's JsonConverter writes it. */
export interface ConnectField {
  readonly field: string;
  readonly type: string;
  readonly optional: boolean;
  readonly name?: string;
}

export interface ConnectSchema {
  readonly type: 'struct';
  readonly name?: string;
  readonly optional?: boolean;
  readonly fields: readonly ConnectField[];
}

interface Logical {
  readonly type: string;
  readonly name?: string;
  /** Of a value in canonical form. */
  write(value: FieldValue): FieldValue;
  /** Of what was written; what it cannot be is left to the check of its type. */
  read(value: FieldValue): FieldValue;
}

const DAY_MS = 86_400_000;
const same = (value: FieldValue) => value;
const number = (value: FieldValue, make: (value: number) => string): FieldValue =>
  typeof value === 'number' && Number.isSafeInteger(value) && Math.abs(value) <= 8.64e15 ? make(value) : value;
const iso = (ms: number) => new Date(ms).toISOString();

/**
 * Types of ours as Connect knows them.
 * @see Apache Kafka, `org.apache.kafka.connect.json.JsonConverter` and `org.apache.kafka.connect.data`
 */
const LOGICAL: Readonly<Record<FieldType, Logical>> = {
  text: { type: 'string', write: same, read: same },
  boolean: { type: 'boolean', write: same, read: same },
  integer: { type: 'int64', write: same, read: same },
  double: { type: 'double', write: same, read: same },
  // Connect's own decimal has one scale for all values of a field.
  decimal: { type: 'string', name: 'tidemark.Decimal', write: String, read: same },
  bytes: { type: 'bytes', write: same, read: same },
  json: { type: 'string', name: 'io.debezium.data.Json', write: (value) => JSON.stringify(value), read: parsed },
  date: {
    type: 'int32',
    name: 'org.apache.kafka.connect.data.Date',
    write: (value) => Date.parse(String(value)) / DAY_MS,
    read: (value) => number(value, (days) => iso(days * DAY_MS).slice(0, 10)),
  },
  datetime: {
    type: 'int64',
    name: 'org.apache.kafka.connect.data.Timestamp',
    write: (value) => Date.parse(String(value)),
    read: (value) => number(value, iso),
  },
  time: {
    type: 'int32',
    name: 'org.apache.kafka.connect.data.Time',
    write: (value) => Date.parse(`1970-01-01T${value}Z`),
    read: (value) => number(value, (ms) => iso(ms).slice(11, 23)),
  },
};

/** Types of Connect that stand for one of ours though we do not write them. */
const OTHERS: Readonly<Record<string, FieldType>> = {
  int8: 'integer',
  int16: 'integer',
  int32: 'integer',
  float: 'double',
  float32: 'double',
  float64: 'double',
  struct: 'json',
  array: 'json',
  map: 'json',
};

export function connectSchemaOf({ name, fields, key }: DatasetSchema): ConnectSchema {
  return {
    type: 'struct',
    name,
    optional: false,
    fields: fields.map((field) => {
      const { type, name: logical } = LOGICAL[field.type];
      return { field: field.name, type, optional: !key.includes(field.name), ...(logical !== undefined && { name: logical }) };
    }),
  };
}

/** What is written of a value; undefined when it is none of its field's type. */
export function toConnect({ type }: FieldSchema, value: FieldValue): FieldValue | undefined {
  const checked = fieldAs(type, value);
  return checked === undefined || checked === null ? checked : LOGICAL[type].write(checked);
}

/** The type of a field that somebody else may have described. */
export function typeOf({ type, name }: ConnectField): FieldType {
  const ours = (Object.keys(LOGICAL) as FieldType[]).find((each) => LOGICAL[each].type === type && LOGICAL[each].name === name);
  // A logical type that we do not know is what it is made of.
  const plain = (Object.keys(LOGICAL) as FieldType[]).find(
    (each) => LOGICAL[each].type === type && LOGICAL[each].name === undefined,
  );
  return ours ?? plain ?? OTHERS[type] ?? 'json';
}

/** A value as its schema says it was written, in canonical form as far as that goes. */
export function fromConnect(field: ConnectField, value: FieldValue): FieldValue {
  const type = typeOf(field);
  return LOGICAL[type].name === field.name ? LOGICAL[type].read(value) : value;
}

/** The schema and the record of a message with an envelope; null for any other. */
export function envelopeOf(value: FieldValue): { readonly schema: ConnectSchema; readonly payload: FieldValue } | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { schema, payload } = value as { schema?: FieldValue; payload?: FieldValue };
  if (payload === undefined || typeof schema !== 'object' || schema === null) return null;
  const { type, fields } = schema as { type?: FieldValue; fields?: FieldValue };
  if (type !== 'struct' || !Array.isArray(fields)) return null;
  return { schema: schema as unknown as ConnectSchema, payload };
}

function parsed(value: FieldValue): FieldValue {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as FieldValue;
  } catch {
    return value;
  }
}
