import type { Describe } from '../describe.ts';

/** What it takes to read events of one schema: its Avro, and what the user may see of the object. */
export interface KeptSchema {
  readonly object: string;
  /** Null where JSON did without. */
  readonly avro: string | null;
  readonly describe: Describe | null;
  /** When the org told it: of two of one object the later counts. */
  readonly atMs: number;
}

export const keptSchemaText = (schema: KeptSchema): string =>
  JSON.stringify({ ...schema, describe: schema.describe === null ? null : ofUse(schema.describe) });

export const readKeptSchema = (text: string): KeptSchema => JSON.parse(text) as KeptSchema;

/** A describe is large: an object of 500 fields has a megabyte of picklist values. This is what reading events looks at. */
const ofObject = ['name', 'queryable', 'replicateable', 'updateable'] as const;
const ofField = [
  'name',
  'type',
  'length',
  'precision',
  'scale',
  'nillable',
  'calculated',
  'calculatedFormula',
  'filterable',
  'sortable',
  'referenceTo',
  'relationshipName',
  'compoundFieldName',
  'extraTypeInfo',
] as const;

function ofUse(describe: Describe): Describe {
  return { ...pick(describe, ofObject), fields: describe.fields.map((field) => pick(field, ofField)) };
}

function pick<T extends object>(from: T, names: readonly (keyof T)[]): T {
  return Object.fromEntries(names.filter((name) => name in from).map((name) => [name, from[name]])) as T;
}
