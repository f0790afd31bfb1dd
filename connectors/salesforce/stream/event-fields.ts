import type { FieldSchema, FieldType, FieldValue } from '@tidemark/core';
import { fieldSchema } from '../dataset.ts';
import type { Describe, DescribeField } from '../describe.ts';
import { fromRest } from '../values.ts';
import { isEventless } from './eventless-fields.ts';

/** A value of an event as a field of the object: which one, and how it becomes the engine's. */
export interface Leaf {
  /** As REST spells it: `BillingStreet`, where the event has `BillingAddress.Street`. */
  readonly name: string;
  fromAvro(value: unknown): FieldValue;
  fromJson(value: unknown): FieldValue;
}

/** A field of an event. Exactly one of `leaf` and `parts` can be what a value goes to; neither for what the user may not read. */
export interface EventField {
  readonly name: string;
  readonly leaf: Leaf | null;
  /** Of a compound field, in the order of its record; null entries are not synced. */
  readonly parts: readonly EventPart[] | null;
  /** The field that changes with any of the parts, and whose own value no event tells: a person's `Name`. */
  readonly derived: string | null;
}

export interface EventPart {
  readonly name: string;
  readonly leaf: Leaf | null;
}

/** What is known of an event's schema, whatever library has read it. */
export interface SchemaField {
  readonly name: string;
  /** Names of a compound field's parts; null for a plain one. */
  readonly parts: readonly string[] | null;
  /** The type beside null: `string`, `long`, … */
  readonly avroType: string;
  /** `CreatedDate:DateTime`, `Data:DateOnly:00N…`: tells dates and datetimes apart, which both are longs. */
  readonly doc: string;
}

/** The event's fields in the order of its schema, so that indexes of bitmaps fit. */
export function fieldsBySchema(schema: readonly SchemaField[], describe: Describe | null): EventField[] {
  const columns = new Map((describe?.fields ?? []).map((field) => [field.name, field]));
  return schema.map((field): EventField => {
    if (field.parts !== null) return compoundField(field.name, field.parts, columns);
    if (field.name === 'ChangeEventHeader') return { name: field.name, leaf: null, parts: null, derived: null };
    const column = columns.get(field.name);
    const leaf = describe === null ? leafOf(undescribed(field)) : column === undefined ? null : describedLeaf(column);
    return { name: field.name, leaf, parts: null, derived: null };
  });
}

/** The same without a schema, from what objects of this kind have in events: for JSON, whose values have names. */
export function fieldsByDescribe(describe: Describe): EventField[] {
  const columns = new Map(describe.fields.map((field) => [field.name, field]));
  const isCompound = (name: string) => name === 'Name' || ['address', 'location'].includes(columns.get(name)?.type ?? '');
  const partsOf = Map.groupBy(
    describe.fields.filter(({ name, compoundFieldName: of }) => of && of !== name && isCompound(of)),
    (field) => field.compoundFieldName!,
  );
  const isPart = (field: DescribeField) => partsOf.get(field.compoundFieldName ?? '')?.includes(field) ?? false;
  return describe.fields
    .filter((field) => !isPart(field) && (partsOf.has(field.name) || !isEventless(field)))
    .map((field) => {
      const parts = partsOf.get(field.name)?.map((part) => partName(field.name, part.name));
      if (parts !== undefined) return compoundField(field.name, parts, columns);
      return { name: field.name, leaf: describedLeaf(field), parts: null, derived: null };
    });
}

function compoundField(name: string, parts: readonly string[], columns: ReadonlyMap<string, DescribeField>): EventField {
  const leaves = parts.map((part): EventPart => {
    const column = partColumns(name, part)
      .map((candidate) => columns.get(candidate))
      .find((found) => found !== undefined);
    return { name: part, leaf: column === undefined ? null : describedLeaf(column) };
  });
  const whole = columns.get(name);
  const own = whole === undefined ? null : describedLeaf(whole);
  // `Account.Name` is a text for a company and a record for a person; an address has no value of its own that is synced.
  return { name, leaf: own, parts: leaves, derived: own === null ? null : name };
}

/** Where a part may stand flat: `BillingStreet`, `Place__Latitude__s` of `Place__c`, `FirstName` of `Name`. */
function partColumns(compound: string, part: string): string[] {
  if (compound.endsWith('__c')) return [`${compound.slice(0, -1)}${part}__s`, `${compound.slice(0, -1)}_${part}__s`];
  if (compound === 'Name') return [part];
  return [compound.endsWith('Address') ? compound.slice(0, -'Address'.length) + part : part, part];
}

function partName(compound: string, column: string): string {
  const custom = compound.endsWith('__c') ? /^.*?__([A-Za-z]+)__s$/.exec(column)?.[1] : undefined;
  if (custom !== undefined) return custom;
  const prefix = compound.endsWith('Address') ? compound.slice(0, -'Address'.length) : '';
  return column.startsWith(prefix) ? column.slice(prefix.length) : column;
}

function describedLeaf(field: DescribeField): Leaf | null {
  const schema = fieldSchema(field);
  return schema === null ? null : leafOf(schema);
}

function leafOf({ name, type }: Pick<FieldSchema, 'name' | 'type'>): Leaf {
  return {
    name,
    fromAvro: fromAvro[type] ?? ((value) => fromRest(value, { type })),
    fromJson: (value) => fromRest(value, { type }),
  };
}

/** Longs are milliseconds: since 1970 in UTC, at midnight for a date (recorded), of the day for a time (assumed). */
const fromAvro: { readonly [Type in FieldType]?: (value: unknown) => FieldValue } = {
  datetime: (value) => (value === null ? null : isoText(value as number)),
  date: (value) => (value === null ? null : new Date(value as number).toISOString().slice(0, 10)),
  time: (value) => (value === null ? null : new Date((value as number) % 86_400_000).toISOString().slice(11, 23)),
  text: (value) => (typeof value === 'string' ? (value === '' ? null : value) : value === null ? null : String(value)),
};

let lastMs = Number.NaN;
let lastText = '';

/** The records of a transaction, and of a second, have the same stamps. */
function isoText(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** A field that no describe tells of, as its event's schema shows it. */
function undescribed({ name, avroType, doc }: SchemaField): Pick<FieldSchema, 'name' | 'type'> {
  const long = /\bDateOnly\b/.test(doc) ? 'date' : /\bTimeOnly\b/.test(doc) ? 'time' : 'datetime';
  const types: Readonly<Record<string, FieldType>> = { long, int: 'integer', double: 'double', boolean: 'boolean' };
  return { name, type: types[avroType] ?? 'text' };
}
