import type { DatasetSchema, FieldDetails } from '@tidemark/core';
import type { Client } from './client.ts';
import { findField } from './dataset.ts';
import { identifier } from './soql.ts';

/** REST API Developer Guide, "sObject Describe": what says what a field is for. */
interface ToldField {
  readonly name: string;
  readonly label: string;
  readonly inlineHelpText: string | null;
  readonly type: string;
  readonly extraTypeInfo?: string | null;
  readonly calculated: boolean;
  readonly nillable: boolean;
  readonly defaultedOnCreate: boolean;
  readonly unique: boolean;
  readonly referenceTo: readonly string[];
  readonly relationshipName: string | null;
  readonly restrictedPicklist: boolean;
  readonly picklistValues: readonly { readonly value: string }[];
}

interface ToldObject {
  readonly fields: readonly ToldField[];
}

/** What the org tells of the fields of a dataset, those of parents included. Not kept: a describe holds a thousand picklist values. */
export async function describeFields(
  client: Client,
  { name, fields }: DatasetSchema,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FieldDetails>> {
  const asked = new Map<string, Promise<ToldObject>>();
  const describe = (object: string): Promise<ToldObject> => {
    const known = asked.get(object) ?? askFor(client, object, signal);
    asked.set(object, known);
    return known;
  };
  const details = new Map<string, FieldDetails>();
  for (const field of fields) {
    const found = await findField(await describe(name), field.name.split('.'), describe);
    if (found !== undefined) details.set(field.name, detailsOf(found.field));
  }
  return details;
}

async function askFor(client: Client, object: string, signal: AbortSignal): Promise<ToldObject> {
  const path = `/sobjects/${identifier(object)}/describe`;
  const { body } = await client.request({ method: 'GET', path, about: `describe of ${object}`, signal });
  return body as ToldObject;
}

function detailsOf(field: ToldField): FieldDetails {
  const { label, inlineHelpText, type, extraTypeInfo, calculated, nillable, defaultedOnCreate, unique, referenceTo } = field;
  const values = choicesOf(field);
  return {
    label,
    kind: extraTypeInfo ?? type,
    ...(inlineHelpText && { help: inlineHelpText }),
    ...(values && { values }),
    ...(referenceTo.length > 0 && { references: referenceTo }),
    ...(calculated && { calculated }),
    ...(!nillable && !defaultedOnCreate && { required: true }),
    ...(unique && { unique }),
  };
}

/** A combobox proposes values, and takes any. */
function choicesOf({ type, picklistValues, restrictedPicklist }: ToldField): FieldDetails['values'] {
  if (!['picklist', 'multipicklist', 'combobox'].includes(type) || picklistValues.length === 0) return undefined;
  const values = picklistValues.map(({ value }) => value);
  const closed = restrictedPicklist && type !== 'combobox';
  return type === 'multipicklist' ? { values, closed, separator: ';' } : { values, closed };
}
