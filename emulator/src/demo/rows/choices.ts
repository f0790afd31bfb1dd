import type { ObjectDeclaration } from '../../schema/declare.ts';

/** The values of a picklist as the standard object declares them, so that demo data cannot drift from it. */
export function choices({ object }: ObjectDeclaration, field: string): readonly string[] {
  const values = object.fields.find((declared) => declared.name === field)?.picklistValues ?? [];
  if (values.length === 0) throw new Error(`${object.name}.${field} has no picklist values`);
  return values.map((value) => value.value);
}
