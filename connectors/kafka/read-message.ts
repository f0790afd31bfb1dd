import {
  type Change,
  type DatasetSchema,
  type FieldValue,
  fieldAs,
  keyOf,
  NO_STAMP,
  newRow,
  parseExact,
  type Row,
  textOf,
  type UnreadRecord,
} from '@tidemark/core';
import type { KafkaMessage } from './client/index.ts';
import { type ConnectSchema, envelopeOf, fromConnect } from './connect-schema.ts';
import { DELETED, OP, STAMP } from './headers.ts';

/** What is kept of a message that cannot be read. */
const RAW_MAX = 10_000;

/** Fields of a message by name, as JSON has them. */
export interface Content {
  readonly fields: { readonly [name: string]: FieldValue };
  /** Where the message describes itself. */
  readonly schema: ConnectSchema | null;
}

/** Reads messages of a topic as changes of records. */
export function messageReader(
  topic: string,
  { fields, key: keyNames }: DatasetSchema,
): (message: KafkaMessage) => { readonly change: Change } | { readonly unread: UnreadRecord } {
  return (message) => {
    const given = keyRow(message.key, keyNames);
    const isGone = (row: Row) => {
      const key = keyOf(row, keyNames);
      if (key === null) return unread('has no key: nothing tells which record it is about');
      return { change: { op: 'delete', key, row: null, stampMs: stampOf(message) } } as const;
    };
    if (message.value === null) return isGone(given);
    const content = contentOf(message.value);
    if (typeof content === 'string') return unread(content);
    const found = content.fields;
    const row: Row = newRow();
    for (const { name, type } of fields) {
      const value = Object.hasOwn(found, name) ? found[name]! : (given[name] ?? null);
      const read = fieldAs(type, value);
      if (read === undefined) return unread(`its ${name} is no ${type}`);
      row[name] = read;
    }
    if (found[DELETED] === true || message.headers.get(OP) === 'delete') return isGone(row);
    const key = keyOf(row, keyNames);
    if (key === null) return unread(`has no ${keyNames.join(', ')}, neither in its value nor as its key`);
    return { change: { op: 'upsert', key, row, stampMs: stampOf(message) } };

    function unread(reason: string): { readonly unread: UnreadRecord } {
      const { partition, offset } = message;
      const raw: Row = { topic, partition, offset, key: rawText(message.key), value: rawText(message.value) };
      return { unread: { key: `${topic}/${partition}/${offset}`, reason: `The message ${reason}`, raw } };
    }
  };
}

/** The fields of a value, or why there are none. */
export function contentOf(value: Buffer): Content | string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    return 'is not UTF-8';
  }
  const json = parseExact(text);
  if (json === null) return 'is not JSON';
  const envelope = envelopeOf(json.value);
  const record = envelope === null ? json.value : envelope.payload;
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return 'is no object with fields';
  const fields = record as { readonly [name: string]: FieldValue };
  if (envelope === null) return { fields, schema: null };
  const read = Object.assign(newRow(), fields);
  for (const field of envelope.schema.fields) read[field.field] = fromConnect(field, fields[field.field] ?? null);
  return { fields: read, schema: envelope.schema };
}

/** What the message's own key tells: one field as text, several as a JSON array, or JSON with their names. */
function keyRow(key: Buffer | null, names: readonly string[]): Row {
  const row: Row = newRow();
  if (key === null) return row;
  const text = key.toString();
  const json = /^[[{]/.test(text) ? parseExact(text)?.value : undefined;
  const content = envelopeOf(json ?? null)?.payload ?? json;
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
    const fields = content as { readonly [name: string]: FieldValue };
    if (names.every((name) => Object.hasOwn(fields, name))) return Object.assign(row, fields);
  }
  if (names.length === 1) row[names[0]!] = text;
  else if (Array.isArray(content) && content.length === names.length) {
    for (const [i, name] of names.entries()) row[name] = textOf(content[i] as FieldValue);
  }
  return row;
}

function stampOf({ headers }: KafkaMessage): number {
  const stampMs = Number(headers.get(STAMP) ?? NO_STAMP);
  return Number.isSafeInteger(stampMs) ? stampMs : NO_STAMP;
}

function rawText(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString().slice(0, RAW_MAX);
}
