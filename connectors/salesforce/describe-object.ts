import {
  type DefinedFieldType,
  type DescribedField,
  type DescribedObject,
  type FieldDefinition,
  SyncError,
} from '@tidemark/core';
import type { Client } from './client.ts';
import { salesforceCode } from './errors.ts';
import { identifier } from './soql.ts';

/** REST API Developer Guide, "sObject Describe": what says how a field was made. */
interface FieldDescribe {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly custom: boolean;
  readonly calculated: boolean;
  readonly autoNumber: boolean;
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
  readonly extraTypeInfo?: string | null;
  readonly nillable: boolean;
  readonly unique: boolean;
  readonly externalId: boolean;
  readonly permissionable: boolean;
  readonly compoundFieldName?: string | null;
  readonly createable: boolean;
  readonly updateable: boolean;
  readonly referenceTo: readonly string[];
  readonly relationshipOrder: number | null;
  readonly picklistValues: readonly { readonly value: string; readonly active: boolean }[];
}

/** An object as it would be made anew; null when there is none, or none that this user sees. */
export async function describeObject(client: Client, name: string, signal: AbortSignal): Promise<DescribedObject | null> {
  try {
    const path = `/sobjects/${identifier(name)}/describe`;
    const { body } = await client.request({ method: 'GET', path, about: `describe of ${name}`, signal });
    const describe = body as { readonly name: string; readonly fields: readonly FieldDescribe[] };
    return { name: describe.name, fields: describe.fields.map(describedField) };
  } catch (error) {
    if (error instanceof SyncError && salesforceCode(error) === 'NOT_FOUND') return null;
    throw error;
  }
}

function describedField(field: FieldDescribe): DescribedField {
  const { name, createable, updateable } = field;
  return { name, definition: definitionOf(field), grantedAs: grantedAs(field), writable: createable || updateable };
}

/** The parts of an address, and of a place, are seen by whoever sees the whole. */
function grantedAs({ name, permissionable, compoundFieldName }: FieldDescribe): string | null {
  return permissionable ? (compoundFieldName ?? name) : null;
}

/** Describe's types that are made by one word of metadata. */
const plainTypes: { readonly [type: string]: DefinedFieldType } = {
  boolean: 'Checkbox',
  date: 'Date',
  datetime: 'DateTime',
  time: 'Time',
  email: 'Email',
  phone: 'Phone',
  url: 'Url',
};
const numberTypes: { readonly [type: string]: DefinedFieldType } = { double: 'Number', currency: 'Currency', percent: 'Percent' };

function definitionOf(field: FieldDescribe): FieldDefinition | null {
  const { label, custom, calculated, autoNumber, nillable, unique, externalId } = field;
  if (!custom || calculated || autoNumber) return null;
  const type = typeOf(field);
  if (type === null) return null;
  const required = !nillable && type.type !== 'Checkbox';
  return { ...type, label, ...(required && { required }), ...(unique && { unique }), ...(externalId && { externalId }) };
}

function typeOf(field: FieldDescribe): FieldDefinition | null {
  const { length, precision, scale } = field;
  const plain = plainTypes[field.type];
  if (plain !== undefined) return { type: plain };
  const number = numberTypes[field.type];
  if (number !== undefined) return { type: number, precision, scale };
  const values = field.picklistValues.filter(({ active }) => active).map(({ value }) => value);
  switch (field.type) {
    case 'string':
      return { type: 'Text', length };
    case 'textarea':
      if (length <= 255) return { type: 'TextArea' };
      return { type: field.extraTypeInfo === 'richtextarea' ? 'Html' : 'LongTextArea', length };
    case 'picklist':
      return { type: 'Picklist', values };
    case 'multipicklist':
      return { type: 'MultiselectPicklist', values };
    case 'reference':
      // A detail belongs to its master: how it does is not told.
      return field.relationshipOrder === null ? { type: 'Lookup', object: field.referenceTo[0] } : null;
    default:
      return null;
  }
}
