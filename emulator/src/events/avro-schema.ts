import avro from 'avsc';
import type { EventSchema } from './types.ts';

/** The part of Avro's schema language that events use (Apache Avro specification, "Schema Declaration"). */
export type AvroType = string | AvroNamed | AvroArray | readonly AvroType[];
export interface AvroArray {
  type: 'array';
  items: AvroType;
}
export type AvroNamed = AvroRecord | { type: 'enum'; name: string; symbols: readonly string[] };
export interface AvroRecord {
  type: 'record';
  name: string;
  namespace?: string;
  fields: readonly AvroField[];
}
export interface AvroField {
  name: string;
  type: AvroType;
  doc?: string;
  default?: null;
}

export const eventNamespace = 'com.sforce.eventbus';

/**
 * The schema with its id: the MD5 of the parsing canonical form, as URL-safe base64 without padding. The canonical form
 * leaves out `doc` and `default`, so that only what changes the bytes changes the id.
 * @see Pub/Sub API guide, "Event Schemas"; the ids of two recorded schemas are reproduced by it
 */
export function identify(schema: AvroRecord): EventSchema {
  const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: false });
  return { id: type.fingerprint('md5').toString('base64url'), json: JSON.stringify(schema) };
}

/** Every field of an event but the system ones may be null, and is when nothing is said of it. */
export const nullable = (name: string, type: AvroType, doc: string): AvroField => ({
  name,
  type: ['null', ...(Array.isArray(type) ? (type as readonly AvroType[]) : [type as AvroType])],
  doc,
  default: null,
});

export const part = (name: string, type: 'string' | 'double'): AvroField => ({ name, type: ['null', type], default: null });

export type ChangeType =
  | 'CREATE'
  | 'UPDATE'
  | 'DELETE'
  | 'UNDELETE'
  | 'GAP_CREATE'
  | 'GAP_UPDATE'
  | 'GAP_DELETE'
  | 'GAP_UNDELETE'
  | 'GAP_OVERFLOW'
  | 'SNAPSHOT';

/** In the order of the enum. */
export const changeTypes: readonly ChangeType[] = [
  'CREATE',
  'UPDATE',
  'DELETE',
  'UNDELETE',
  'GAP_CREATE',
  'GAP_UPDATE',
  'GAP_DELETE',
  'GAP_UNDELETE',
  'GAP_OVERFLOW',
  'SNAPSHOT',
];

/** In the order of the wire (Change Data Capture guide, "Change Event Header Fields"; recorded schemas). */
export interface ChangeEventHeader {
  entityName: string;
  recordIds: string[];
  changeType: ChangeType;
  changeOrigin: string;
  transactionKey: string;
  sequenceNumber: number;
  commitTimestamp: number;
  commitNumber: bigint;
  commitUser: string;
  nulledFields: string[];
  diffFields: string[];
  changedFields: string[];
}

const list: AvroArray = { type: 'array', items: 'string' };

export const headerRecord: AvroRecord = {
  type: 'record',
  name: 'ChangeEventHeader',
  fields: [
    { name: 'entityName', type: 'string' },
    { name: 'recordIds', type: list },
    { name: 'changeType', type: { type: 'enum', name: 'ChangeType', symbols: changeTypes } },
    { name: 'changeOrigin', type: 'string' },
    { name: 'transactionKey', type: 'string' },
    { name: 'sequenceNumber', type: 'int' },
    { name: 'commitTimestamp', type: 'long' },
    { name: 'commitNumber', type: 'long' },
    { name: 'commitUser', type: 'string' },
    { name: 'nulledFields', type: list },
    { name: 'diffFields', type: list },
    { name: 'changedFields', type: list },
  ],
};
