import type { HookConfig, HookField } from '../../config/config.ts';
import { type Change, NO_STAMP } from '../../model/change.ts';
import { keyOf, newRow } from '../../model/value.ts';
import { LongNumber, readValue } from './hook-value.ts';
import { parseBody } from './parse-body.ts';

/** With this, a record says that it is no more. */
export const DELETED = '_tidemark_deleted';

/** Of a body in which everything is wrong, so many problems are told. */
const PROBLEMS_MAX = 20;

export interface RecordProblem {
  /** Its place in the array, from 0; null for the body as a whole. */
  readonly record: number | null;
  readonly field: string | null;
  readonly message: string;
}

export type ReadRecords =
  | { readonly changes: readonly Change[]; readonly problems: null }
  | { readonly changes: null; readonly problems: readonly RecordProblem[] };

/** One record or an array of them, each held against what the hook declares. All of them are right, or none is taken. */
export function readRecords(body: Uint8Array, hook: HookConfig): ReadRecords {
  const parsed = parseBody(body);
  if ('wrong' in parsed) return { changes: null, problems: [{ record: null, field: null, message: parsed.wrong }] };
  const records = Array.isArray(parsed.value) ? (parsed.value as unknown[]) : [parsed.value];
  if (records.length === 0) {
    return { changes: null, problems: [{ record: null, field: null, message: 'the array holds no record' }] };
  }
  const fields = new Map(hook.fields.map((field) => [field.name, field]));
  const changes: Change[] = [];
  const problems: RecordProblem[] = [];
  for (const [i, record] of records.entries()) {
    const before = problems.length;
    const add = (field: string | null, message: string) => problems.push({ record: i, field, message });
    if (typeof record !== 'object' || record === null || Array.isArray(record) || record instanceof LongNumber) {
      add(null, 'is no object with fields');
    } else {
      const change = readRecord(record as Record<string, unknown>, hook, fields, add);
      if (problems.length === before) changes.push(change);
    }
    if (problems.length >= PROBLEMS_MAX) break;
  }
  return problems.length === 0 ? { changes, problems: null } : { changes: null, problems: problems.slice(0, PROBLEMS_MAX) };
}

function readRecord(
  record: Readonly<Record<string, unknown>>,
  { key, extra, stamp }: HookConfig,
  fields: ReadonlyMap<string, HookField>,
  add: (field: string | null, message: string) => void,
): Change {
  const isDeleted = Object.hasOwn(record, DELETED) && record[DELETED] === true;
  const row = newRow();
  for (const field of fields.values()) {
    const { name, type, maxLength } = field;
    const given = Object.hasOwn(record, name) ? record[name] : undefined;
    row[name] = null;
    if (given === undefined || given === null) {
      if (isDeleted ? key.includes(name) : field.required) add(name, 'is required');
      continue;
    }
    const read = readValue(given, type);
    if ('wants' in read) add(name, `takes ${read.wants}`);
    else if (maxLength !== null && typeof read.value === 'string' && [...read.value].length > maxLength)
      add(name, `has more than ${maxLength} characters`);
    else if (read.value === '' && key.includes(name)) add(name, 'is empty, and identifies the record');
    else row[name] = read.value;
  }
  if (Object.hasOwn(record, DELETED) && typeof record[DELETED] !== 'boolean') add(DELETED, 'takes true or false');
  if (extra === 'refuse') {
    for (const name of Object.keys(record)) {
      if (!fields.has(name) && name !== DELETED) add(name, `is not known here; known are ${[...fields.keys()].join(', ')}`);
    }
  }
  const stampMs = stamp === null || row[stamp] == null ? NO_STAMP : Date.parse(String(row[stamp]));
  const identity = keyOf(row, key) ?? '';
  return isDeleted ? { op: 'delete', key: identity, row: null, stampMs } : { op: 'upsert', key: identity, row, stampMs };
}
