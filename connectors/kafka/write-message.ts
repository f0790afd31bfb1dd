import {
  type Change,
  type DatasetSchema,
  type DeleteRule,
  keyParts,
  NO_STAMP,
  newRow,
  type Rejection,
  type Row,
} from '@tidemark/core';
import type { Outgoing } from './client/index.ts';
import { connectSchemaOf, toConnect } from './connect-schema.ts';
import { DELETED, KEY, OP, STAMP, SYNC } from './headers.ts';

export interface MessageSpec {
  readonly topic: string;
  readonly unit: string;
  readonly format: 'json' | 'json-schema';
  readonly schema: DatasetSchema;
  readonly deletes: DeleteRule;
}

/** A record as it goes into a topic, or why it cannot. */
export type Written = { readonly message: Outgoing } | { readonly rejected: Rejection };

/** Makes messages of one sync: the record's key as it is, its fields as JSON, and who wrote what in headers. */
export function messageWriter({ topic, unit, format, schema, deletes }: MessageSpec): (change: Change) => Written {
  const envelope = format === 'json' ? null : JSON.stringify(connectSchemaOf(schema));
  const gone = JSON.stringify(connectSchemaOf(withDeleted(schema)));
  const keyNames = JSON.stringify(schema.key);
  return ({ op, key, row, stampMs }) => {
    const headers = {
      [SYNC]: unit,
      [OP]: op,
      [KEY]: keyNames,
      ...(stampMs !== NO_STAMP && { [STAMP]: String(stampMs) }),
    };
    const message = (value: string | null) => ({ message: { topic, key, value, headers } });
    if (row === null) return message(deletes === 'mirror' ? null : goneValue(key));
    if (envelope === null) return message(JSON.stringify(row));
    const payload = newRow();
    for (const field of schema.fields) {
      const written = toConnect(field, row[field.name] ?? null);
      if (written === undefined) {
        return {
          rejected: { code: 'wrong_type', message: `${field.name} is no ${field.type}, and the schema of ${topic} says so` },
        };
      }
      payload[field.name] = written;
    }
    return message(`{"schema":${envelope},"payload":${JSON.stringify(payload)}}`);
  };

  /** The key's fields and a flag: for readers that a tombstone would tell too little. */
  function goneValue(key: string): string {
    const parts = keyParts(key, schema.key);
    const row: Row = newRow();
    for (const [i, name] of schema.key.entries()) row[name] = parts[i] ?? null;
    row[DELETED] = true;
    return envelope === null ? JSON.stringify(row) : `{"schema":${gone},"payload":${JSON.stringify(row)}}`;
  }
}

function withDeleted(schema: DatasetSchema): DatasetSchema {
  const fields = schema.fields
    .filter(({ name }) => schema.key.includes(name))
    .map((field) => ({ ...field, type: 'text' as const }));
  return { ...schema, fields: [...fields, { name: DELETED, type: 'boolean', nullable: true }] };
}
