import { newRow, type Row } from '@tidemark/core';
import type { ChangeEventHeader } from './avro-plan.ts';
import { readBitmaps } from './bitmap.ts';
import type { EventField, Leaf } from './event-fields.ts';

/** What an update says, apart from its values: made once for all events whose bitmaps are the same. */
export interface ChangeShape {
  readonly changes: readonly LeafChange[];
  /** Fields that changed without telling their value, whatever the event holds: diffs, and what is derived from changed parts. */
  readonly untold: readonly string[];
}

/** One field of the object, and where its new value stands. */
export interface LeafChange {
  /** In the event's values. */
  readonly index: number;
  /** Of a compound field; null for a value of its own. */
  readonly part: string | null;
  readonly leaf: Leaf;
  /** Cleared: the only case in which null is a value (Pub/Sub API guide, "Event Deserialization Considerations"). */
  readonly nulled: boolean;
}

export function readShape(
  fields: readonly EventField[],
  { changedFields, nulledFields, diffFields }: Pick<ChangeEventHeader, 'changedFields' | 'nulledFields' | 'diffFields'>,
): ChangeShape {
  const nulled = bitSet(nulledFields);
  const diffs = bitSet(diffFields);
  const changes: LeafChange[] = [];
  const untold = new Set<string>();
  for (const { index, part } of readBitmaps(changedFields)) {
    const field = fields[index];
    if (field === undefined) throw new RangeError(`field ${index} changed, and the schema has ${fields.length}`);
    const isNulled = nulled.has(bitKey(index, part)) || nulled.has(bitKey(index, null));
    const isDiff = diffs.has(bitKey(index, part)) || diffs.has(bitKey(index, null));
    const add = (leaf: Leaf | null, partName: string | null) => {
      if (leaf === null) return;
      if (isDiff) untold.add(leaf.name);
      else changes.push({ index, part: partName, leaf, nulled: isNulled });
    };
    if (field.parts === null) add(field.leaf, null);
    else if (part === null) {
      // A compound field changed as a whole: a text of its own (an Account's name), or all of its parts.
      for (const each of field.parts) add(each.leaf, each.name);
      if (field.leaf !== null) add(field.leaf, null);
    } else {
      const changed = field.parts[part];
      if (changed === undefined)
        throw new RangeError(`part ${part} of ${field.name} changed, and there are ${field.parts.length}`);
      add(changed.leaf, changed.name);
      if (field.derived !== null) untold.add(field.derived);
    }
  }
  return { changes, untold: [...untold] };
}

const bitKey = (index: number, part: number | null): string => (part === null ? `${index}` : `${index}-${part}`);

function bitSet(entries: readonly string[]): ReadonlySet<string> {
  return new Set(readBitmaps(entries).map(({ index, part }) => bitKey(index, part)));
}

/** The changed fields and their values. What changed and comes neither with a value nor as cleared is added to the untold ones. */
export function readChanges(shape: ChangeShape, values: readonly unknown[]): { row: Row; untold: readonly string[] } {
  const row = newRow();
  let untold = shape.untold;
  for (const { index, part, leaf, nulled } of shape.changes) {
    const value = values[index];
    const own = part === null ? wholeValue(value) : partValue(value, part);
    if (own !== null) row[leaf.name] = leaf.fromAvro(own);
    else if (nulled) row[leaf.name] = null;
    // A whole compound field stands for its parts or for a text, and not for both.
    // A text where parts were possible has none of them: the Name of a company.
    else if (part === null || !isText(value)) untold = [...untold, leaf.name];
  }
  return { row, untold };
}

/** Every field that the event knows. */
export function readWhole(
  fields: readonly EventField[],
  values: readonly unknown[],
  form: 'fromAvro' | 'fromJson',
): { row: Row; untold: readonly string[] } {
  const row = newRow();
  const untold: string[] = [];
  for (let index = 0; index < fields.length; index++) {
    const { leaf, parts, derived } = fields[index]!;
    const value = values[index];
    if (parts === null) {
      if (leaf !== null) row[leaf.name] = leaf[form](value ?? null);
      continue;
    }
    for (const part of parts) if (part.leaf !== null) row[part.leaf.name] = part.leaf[form](partValue(value, part.name));
    if (leaf === null) continue;
    if (isText(value)) row[leaf.name] = leaf[form](value);
    else if (derived !== null) untold.push(derived);
  }
  return { row, untold };
}

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
export const isText = (value: unknown): boolean => value !== null && value !== undefined && !isRecord(value);

const wholeValue = (value: unknown): unknown => (isText(value) ? value : null);

function partValue(value: unknown, part: string): unknown {
  return isRecord(value) ? (value[part] ?? null) : null;
}
