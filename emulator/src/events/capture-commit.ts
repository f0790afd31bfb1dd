import type { StoredRow } from '../org/table.ts';
import type { CommittedTransaction, RecordChange } from '../org/types.ts';
import { isPlatformEvent } from '../schema/platform-event.ts';
import type { ChangeEventHeader, ChangeType } from './avro-schema.ts';
import { encodeBitmaps, type FieldBit } from './bitmap.ts';
import { type ChangeEventPlan, type FieldPlan, sameStored } from './change-event-schema.ts';
import type { EventRecord } from './record-codec.ts';
import { diffText } from './text-diff.ts';

/** One change event before it is on the bus. */
export interface CapturedEvent {
  readonly plan: ChangeEventPlan;
  readonly header: ChangeEventHeader;
  readonly body: Uint8Array;
  /** The rows as they are after the change, in the order of `recordIds`. None of a gap or an overflow. */
  readonly rows: readonly StoredRow[];
}

export interface CaptureLimits {
  /** A larger event becomes a gap event. */
  eventBytesMax: number;
  /** Changes of one transaction that give events; what is beyond is told as an overflow, once for each object. */
  changesMax: number;
}

export const captureLimits: CaptureLimits = { eventBytesMax: 1_048_576, changesMax: 100_000 };

/** An overflow names no record (guide, "Overflow Events"). */
export const noRecordId = '000000000000000AAA';

/** Saves work through records in chunks of this size; equal changes are assumed to be merged within one. */
const mergedRecordsMax = 200;

/**
 * The change events of one transaction, in its order. Equal updates and deletes of one object's records are one event
 * with several ids. Sequence numbers count what is not captured, too, and so have gaps.
 * @param planOf  Undefined for an object that is not selected.
 */
export function captureCommit(
  committed: CommittedTransaction,
  planOf: (object: string) => ChangeEventPlan | undefined,
  limits: CaptureLimits,
): CapturedEvent[] {
  const captured: CapturedEvent[] = [];
  const merged = new Map<string, { header: ChangeEventHeader; rows: StoredRow[] }>();
  const overflown = new Map<string, ChangeEventPlan>();
  let sequenceNumber = 0;
  let spent = 0;
  for (const change of committed.changes) {
    if (isPlatformEvent(change.object)) continue;
    const plan = planOf(change.object);
    if (!plan) {
      sequenceNumber++;
      continue;
    }
    const told = tellChange(plan, change);
    if (!told) continue;
    spent += told.cost;
    if (spent > limits.changesMax) {
      overflown.set(plan.object, plan);
      continue;
    }
    const canMerge = committed.changes.length > 1 && (told.changeType === 'UPDATE' || told.changeType === 'DELETE');
    const key = canMerge ? mergeKey(plan, told) : '';
    const twin = canMerge ? merged.get(key) : undefined;
    if (twin && twin.header.recordIds.length < mergedRecordsMax) {
      twin.header.recordIds.push(change.id);
      twin.rows.push(change.after);
      continue;
    }
    const header = headerOf(committed, plan.object, told.changeType, [change.id], ++sequenceNumber, told);
    if (told.body.length > limits.eventBytesMax) {
      captured.push({ plan, header: asGap(header), body: plan.codec.emptyBody, rows: [] });
      continue;
    }
    const rows = [change.after];
    captured.push({ plan, header, body: told.body, rows });
    if (canMerge) merged.set(key, { header, rows });
  }
  for (const plan of overflown.values()) {
    const header = headerOf(committed, plan.object, 'GAP_OVERFLOW', [noRecordId], ++sequenceNumber);
    captured.push({ plan, header, body: plan.codec.emptyBody, rows: [] });
  }
  return captured;
}

type Bitmaps = Pick<ChangeEventHeader, 'changedFields' | 'nulledFields' | 'diffFields'>;

interface ToldChange extends Bitmaps {
  changeType: ChangeType;
  body: Uint8Array;
  /** What it counts against the limit of a transaction: each field of an update counts. */
  cost: number;
}

const noBits: Bitmaps = { changedFields: [], nulledFields: [], diffFields: [] };

function mergeKey(plan: ChangeEventPlan, told: ToldChange): string {
  if (told.changeType === 'DELETE') return `${plan.object} DELETE`;
  const bits = [told.changedFields, told.nulledFields, told.diffFields].map((bitmaps) => bitmaps.join()).join(' ');
  return `${plan.object} ${bits} ${Buffer.from(told.body.buffer, told.body.byteOffset, told.body.length).toString('latin1')}`;
}

export function headerOf(
  committed: Omit<CommittedTransaction, 'changes'>,
  object: string,
  changeType: ChangeType,
  recordIds: string[],
  sequenceNumber: number,
  bits: Bitmaps = noBits,
): ChangeEventHeader {
  return {
    entityName: object,
    recordIds,
    changeType,
    changeOrigin: committed.origin,
    transactionKey: committed.key,
    sequenceNumber,
    // Recorded ones are whole seconds.
    commitTimestamp: Math.floor(committed.committedAtMs / 1000) * 1000,
    commitNumber: committed.commitNumber,
    commitUser: committed.userId,
    nulledFields: bits.nulledFields,
    diffFields: bits.diffFields,
    changedFields: bits.changedFields,
  };
}

/** The same change told without its values. */
export function asGap(header: ChangeEventHeader): ChangeEventHeader {
  const changeType = header.changeType.startsWith('GAP_') ? header.changeType : (`GAP_${header.changeType}` as ChangeType);
  return { ...header, ...noBits, changeType };
}

function tellChange(plan: ChangeEventPlan, change: RecordChange): ToldChange | undefined {
  const { before, after, kind } = change;
  if (kind === 'create' || kind === 'undelete') {
    const body = plan.codec.encodeBody(wholeBody(plan, after));
    return { ...noBits, changeType: kind === 'create' ? 'CREATE' : 'UNDELETE', body, cost: 1 };
  }
  if (kind === 'update') return tellUpdate(plan, before!, after);
  // Emptying the recycle bin is no change; to remove a living record is to delete it.
  if (kind === 'purge' && (!before || before.IsDeleted === 1)) return undefined;
  return { ...noBits, changeType: 'DELETE', body: plan.codec.emptyBody, cost: 1 };
}

function wholeBody(plan: ChangeEventPlan, row: StoredRow): EventRecord {
  const body: EventRecord = {};
  for (const field of plan.fields) {
    const value = eventValue(field, row);
    if (value !== null) body[field.name] = value;
  }
  return body;
}

/** A field's value of a row as the event has it; a compound field without any part is null. */
export function eventValue({ parts, form, source }: FieldPlan, row: StoredRow): unknown {
  if (!parts) {
    const stored = row[source] ?? null;
    return stored === null ? null : form.toEvent(stored);
  }
  const record: EventRecord = {};
  let empty = true;
  for (const { name, column } of parts) {
    const stored = column === undefined ? null : (row[column] ?? null);
    record[name] = stored;
    if (stored !== null) empty = false;
  }
  return empty ? null : record;
}

function tellUpdate(plan: ChangeEventPlan, before: StoredRow, after: StoredRow): ToldChange | undefined {
  const changed: FieldBit[] = [];
  const nulled: FieldBit[] = [];
  const diffs: FieldBit[] = [];
  const body: EventRecord = {};
  for (const field of plan.fields) {
    if (field.parts) {
      tellParts(field, before, after, { changed, nulled, body });
      continue;
    }
    const { index, name, source } = field;
    if (sameStored(before[source], after[source])) continue;
    changed.push({ index });
    const stored = after[source] ?? null;
    if (stored === null) {
      nulled.push({ index });
      continue;
    }
    const diff = field.isLongText && diffText(String(before[source] ?? ''), String(stored));
    if (diff) diffs.push({ index });
    body[name] = diff || field.form.toEvent(stored);
  }
  if (changed.length === 0) return undefined;
  addEditDate(plan, after, changed, body);
  return {
    changeType: 'UPDATE',
    body: plan.codec.encodeBody(body),
    cost: changed.length,
    changedFields: encodeBitmaps(changed),
    nulledFields: encodeBitmaps(nulled),
    diffFields: encodeBitmaps(diffs),
  };
}

/**
 * An edit shows its date even when the edit before it was made in the same second and the value did not change. What the
 * server does by itself moves `SystemModstamp` alone.
 */
function addEditDate(plan: ChangeEventPlan, after: StoredRow, changed: FieldBit[], body: EventRecord): void {
  const field = plan.editDate;
  const date = after.LastModifiedDate ?? null;
  if (!field || date === null || date !== after.SystemModstamp || body[field.name] !== undefined) return;
  changed.push({ index: field.index });
  body[field.name] = field.form.toEvent(date);
}

function tellParts(
  { parts, index, name, wholeOnly }: FieldPlan,
  before: StoredRow,
  after: StoredRow,
  told: { changed: FieldBit[]; nulled: FieldBit[]; body: EventRecord },
): void {
  const differs = parts!.map(({ column }) => column !== undefined && !sameStored(before[column], after[column]));
  if (!differs.includes(true)) return;
  const record: EventRecord = {};
  parts!.forEach((part, i) => {
    if (!differs[i] && !(wholeOnly && part.column !== undefined)) return;
    const stored = after[part.column!] ?? null;
    told.changed.push({ index, part: i });
    if (stored === null) told.nulled.push({ index, part: i });
    record[part.name] = stored;
  });
  told.body[name] = record;
}
