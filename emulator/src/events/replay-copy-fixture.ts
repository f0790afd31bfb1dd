import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Org } from '../org/types.ts';
import type { ReadEvent } from './testing.ts';
import type { EventBus } from './types.ts';

// For tests: a subscriber's copy of the org's records, made of nothing but change events.

/** Records by object and id, fields and parts by name. */
export type Copy = Map<string, Record<string, unknown>>;
export const keyOf = (object: string, id: string) => `${object} ${id}`;

export function replayAvro(copy: Copy, { header, body, changed, nulled, diffs }: ReadEvent): void {
  for (const id of header.recordIds) {
    const key = keyOf(header.entityName, id);
    if (header.changeType === 'DELETE') copy.delete(key);
    else if (header.changeType === 'UPDATE') {
      const row = copy.get(key)!;
      for (const name of changed) {
        const value = nulled.includes(name) ? null : at(body, name);
        if (!nulled.includes(name)) expect(value).not.toBeNull();
        row[name] = diffs.includes(name) ? patched(String(row[name]), String(value)) : value;
      }
    } else copy.set(key, flat(body));
  }
}

/** CometD's form: what is there changed; what is null was cleared. */
export function replayJson(copy: Copy, payload: Record<string, unknown>): void {
  const { ChangeEventHeader: header, ...body } = payload as {
    ChangeEventHeader: { entityName: string; recordIds: string[]; changeType: string; changedFields: string[] };
  };
  for (const id of header.recordIds) {
    const key = keyOf(header.entityName, id);
    if (header.changeType === 'DELETE') copy.delete(key);
    else {
      const row = header.changeType === 'UPDATE' ? copy.get(key)! : {};
      const told = flat(body);
      if (header.changeType === 'UPDATE') {
        const names = Object.keys(told).map((name) => name.replace(/\.diff$/, ''));
        expect([...header.changedFields].sort()).toEqual(names.sort());
      }
      for (const [name, value] of Object.entries(told)) {
        const field = name.replace(/\.diff$/, '');
        row[field] = name === field ? value : patched(String(row[field]), String(value));
      }
      copy.set(key, row);
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const at = (body: Record<string, unknown>, name: string): unknown =>
  name.split('.').reduce<unknown>((value, key) => (isRecord(value) ? (value[key] ?? null) : null), body);

function flat(body: Record<string, unknown>): Record<string, unknown> {
  const parts = Object.entries(body).flatMap(([name, value]) =>
    isRecord(value) ? Object.entries(value).map(([part, content]) => [`${name}.${part}`, content]) : [[name, value]],
  );
  return Object.fromEntries(parts);
}

/** Splits the text at line ends, patches, and joins with the line end that gives the hash of the new text. */
function patched(before: string, diff: string): string {
  const rows = before.split(/\r?\n/);
  let shift = 0;
  for (const hunk of diff.split(/^@@ /m).slice(1)) {
    const [range = '', ...edits] = hunk.replace(/\n$/, '').split('\n');
    const [, start = 0, count = 0] = /^-(\d+),(\d+)/.exec(range)!.map(Number);
    const added = edits.filter((line) => line.startsWith('+')).map((line) => line.slice(1));
    rows.splice((count === 0 ? start : start - 1) + shift, count, ...added);
    shift += added.length - count;
  }
  const hash = /^\+\+\+ (\w+)$/m.exec(diff)![1];
  const texts = [rows.join('\n'), rows.join('\r\n')];
  const found = texts.find((text) => createHash('sha256').update(text).digest('hex') === hash);
  if (found === undefined) throw new Error('the diff does not lead to the text of its hash');
  return found;
}

interface AvroField {
  name: string;
  type: unknown[];
  doc: string;
}

/** The org's living records in the shape of the copies, made from REST replies and the schemas' docs. */
export function orgRows({ org, bus }: { org: Org; bus: EventBus }, objects: readonly string[]): { avro: Copy; json: Copy } {
  const avro: Copy = new Map();
  const json: Copy = new Map();
  for (const object of objects) {
    const channel = bus.channel(`/data/${object.replace(/__c$/, '__')}ChangeEvent`)!;
    const { fields } = JSON.parse(channel.schema().json) as { fields: AvroField[] };
    const columns = fields.slice(1).flatMap((field) => columnsOf(field));
    const found = org.query(`SELECT Id, ${columns.map(({ column }) => column).join(', ')} FROM ${object}`);
    for (const record of found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[]) {
      const key = keyOf(object, record.Id as string);
      avro.set(key, notNull(columns.map(({ name, doc, column }) => [name, avroValue(doc, record[column])])));
      json.set(key, notNull(columns.map(({ name, doc, column }) => [name, jsonValue(doc, record[column])])));
    }
  }
  return { avro, json };
}

function columnsOf({ name, doc }: AvroField): { name: string; doc: string; column: string }[] {
  const kind = doc.split(':')[1]!;
  const parts: Record<string, string[]> = {
    Address: ['Street', 'City', 'State', 'PostalCode', 'Country', 'Latitude', 'Longitude', 'GeocodeAccuracy'],
    Location: ['Latitude', 'Longitude'],
    PersonName: ['Salutation', 'FirstName', 'LastName'],
  };
  if (!parts[kind]) return [{ name, doc: kind, column: name }];
  return parts[kind].map((part) => {
    const column =
      kind === 'Address' ? name.replace(/Address$/, part) : kind === 'Location' ? name.replace(/__c$/, `__${part}__s`) : part;
    return { name: `${name}.${part}`, doc: 'Text', column };
  });
}

function avroValue(doc: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (doc === 'DateTime' || doc === 'DateOnly') return BigInt(Date.parse(String(value)));
  if (doc === 'TimeOnly') return BigInt(Date.parse(`1970-01-01T${value}`));
  return value;
}
const jsonValue = (doc: string, value: unknown): unknown =>
  doc === 'DateTime' && value ? new Date(String(value)).toISOString() : value;

const notNull = (entries: [string, unknown][]) =>
  Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
export const cleaned = (copy: Copy): Copy => new Map([...copy].map(([key, row]) => [key, notNull(Object.entries(row))]));
