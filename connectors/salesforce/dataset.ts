import { type DatasetSchema, type FieldSchema, type FieldType, RequestRefusedError } from '@tidemark/core';
import type { Describe, DescribeField } from './describe.ts';
import { fieldGrant } from './grants.ts';

/** One object as it is read: what is selected, and what can be told about its changes. */
export interface Dataset {
  /** API name. */
  readonly object: string;
  /** A field's name is what is selected for it: `Email`, or `Account.Name` of a parent. */
  readonly schema: DatasetSchema;
  /** Orders the changes; absent when no field can. */
  readonly stampField: string | undefined;
  /** Deleted records stay readable for a while, as `IsDeleted`. */
  readonly softDeletes: boolean;
  /** `getUpdated` answers for this object, so that a settled bound is known. */
  readonly replicateable: boolean;
  /** Whether the stamp tells every change. */
  readonly tellsChanges: boolean;
  /** Fields that are left out, and why. */
  readonly notes: readonly string[];
}

/** Describe's field types as ours. `null` cannot be synced; compound fields come in parts, which are fields of their own. */
const types: Readonly<Record<string, FieldType | null>> = {
  id: 'text',
  reference: 'text',
  string: 'text',
  textarea: 'text',
  picklist: 'text',
  multipicklist: 'text',
  combobox: 'text',
  phone: 'text',
  email: 'text',
  url: 'text',
  encryptedstring: 'text',
  anytype: 'text',
  datacategorygroupreference: 'text',
  boolean: 'boolean',
  int: 'integer',
  long: 'decimal',
  double: 'decimal',
  currency: 'decimal',
  percent: 'decimal',
  date: 'date',
  datetime: 'datetime',
  time: 'time',
  address: null,
  location: null,
  base64: null,
  complexvalue: null,
  json: 'text',
};

/** A field as the engine sees it; null when it cannot be synced. */
export function fieldSchema(field: DescribeField, name = field.name): FieldSchema | null {
  const type = types[field.type.toLowerCase()] === undefined ? 'text' : types[field.type.toLowerCase()]!;
  if (type === null) return null;
  // A field that is required today may be empty in older records, and one of a parent where there is none.
  const nullable = name !== 'Id';
  if (type === 'text') {
    const length = field.type === 'id' || field.type === 'reference' ? 18 : field.length;
    const reference = field.type === 'reference' ? { reference: true } : {};
    // To users without "View Encrypted Data" the org shows a mask, and tells nobody that it does.
    const masked = field.type === 'encryptedstring' ? { masked: true } : {};
    return { name, type, nullable, ...(length > 0 ? { length } : {}), ...reference, ...masked };
  }
  // A formula's result has as many digits as it comes to, whatever the scale with which it is shown.
  if (type === 'decimal' && (field.calculated || field.precision === 0)) {
    return { name, type: field.type === 'long' ? 'decimal' : 'double', nullable };
  }
  return type === 'decimal' ? { name, type, precision: field.precision, scale: field.scale, nullable } : { name, type, nullable };
}

/** The best stamp an object has. `LastModifiedDate` lacks changes made by the system, `CreatedDate` all of them. */
const stampFields = ['SystemModstamp', 'LastModifiedDate', 'CreatedDate'] as const;

/**
 * @param fields   As the user spells them; null for all of them.
 * @param describe Of another object, for fields of parents.
 */
export async function createDataset(
  object: Describe,
  wanted: { readonly fields: readonly string[] | null; readonly exclude: readonly string[] },
  describe: (object: string) => Promise<Describe>,
): Promise<Dataset> {
  if (!object.queryable) throw new RequestRefusedError(`${object.name} cannot be queried`);
  const byName = new Map(object.fields.map((field) => [field.name.toLowerCase(), field]));
  const stampField = stampFields.find((name) => {
    const field = byName.get(name.toLowerCase());
    return field?.filterable === true && field.sortable;
  });
  const notes: string[] = [];
  const always = ['Id', ...(stampField === undefined ? [] : [stampField])];
  const names = wanted.fields ?? object.fields.map((field) => field.name);
  const excluded = new Set(wanted.exclude.map((name) => name.toLowerCase()));
  const fields = new Map<string, FieldSchema>();
  const unknown: string[] = [];
  for (const name of [...always, ...names]) {
    const lower = name.toLowerCase();
    const canonical = byName.get(lower)?.name ?? name;
    if (fields.has(canonical) || (excluded.has(lower) && !always.includes(canonical))) continue;
    const found = await findField(object, name.split('.'), describe);
    if (found === undefined) {
      unknown.push(name);
      continue;
    }
    const schema = fieldSchema(found.field, found.path.join('.'));
    if (schema !== null) fields.set(schema.name, schema);
    else if (wanted.fields !== null || found.field.type === 'base64')
      notes.push(`${name} is left out: fields of type ${found.field.type} cannot be synced`);
  }
  if (unknown.length > 0) throw unknownFields(object, unknown);
  return {
    object: object.name,
    schema: { name: object.name, fields: [...fields.values()], key: ['Id'] },
    stampField,
    softDeletes: byName.has('isdeleted'),
    replicateable: object.replicateable && stampField === 'SystemModstamp',
    // Records that nobody can change, such as those of a field history, are told by when they were made.
    tellsChanges: stampField !== undefined && (stampField !== 'CreatedDate' || !object.updateable),
    notes,
  };
}

/** What an object tells of itself, of fields of which more or less is told. */
interface Told<Field> {
  readonly fields: readonly Field[];
}

/** The field at the end of a path such as `Account.Owner.Name`. */
export async function findField<Field extends Pick<DescribeField, 'name' | 'relationshipName' | 'referenceTo'>>(
  object: Told<Field>,
  path: readonly string[],
  describe: (object: string) => Promise<Told<Field>>,
): Promise<{ field: Field; path: readonly string[] } | undefined> {
  const [head, ...rest] = path;
  if (rest.length === 0) {
    const field = object.fields.find((candidate) => candidate.name.toLowerCase() === head!.toLowerCase());
    return field && { field, path: [field.name] };
  }
  const lookup = object.fields.find((candidate) => candidate.relationshipName?.toLowerCase() === head!.toLowerCase());
  if (lookup === undefined) return undefined;
  // An owner may be a user or a queue: the first kind of parent that has the field says what it looks like.
  for (const parent of lookup.referenceTo) {
    const found = await findField(await describe(parent), rest, describe);
    if (found !== undefined) return { field: found.field, path: [lookup.relationshipName!, ...found.path] };
  }
  return undefined;
}

export function unknownFields(object: Describe, names: readonly string[]): RequestRefusedError {
  const what = `${object.name} has no ${names.length === 1 ? 'field' : 'fields'} ${names.join(', ')}`;
  const squeezed = (text: string) => text.toLowerCase().replace(/__c$|[_\s]/g, '');
  const alike = names.flatMap((name) => object.fields.find((field) => squeezed(field.name) === squeezed(name))?.name ?? []);
  const spelling = alike.length === 0 ? 'Check the spelling' : `Did you mean ${alike.join(', ')}?`;
  // Of an event everybody sees every field.
  if (object.name.endsWith('__e')) return new RequestRefusedError(what, { hint: spelling });
  const grant = fieldGrant(object.name, names, 'readable');
  return new RequestRefusedError(what, { hint: `${spelling}, or the user lacks the permission to see it: ${grant}` });
}
