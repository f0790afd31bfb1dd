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

/** A describe is large: an object of 500 fields has a megabyte of picklist values, child relationships, record types. */
function ofUse(describe: Describe): Describe {
  return { ...slim(describe), fields: describe.fields.map(slim) };
}

function slim<T extends object>(of: T): T {
  const isSmall = (value: unknown) =>
    typeof value !== 'object' || value === null || (Array.isArray(value) && value.every((each) => typeof each === 'string'));
  return Object.fromEntries(Object.entries(of).filter(([, value]) => isSmall(value))) as T;
}
