import type { Column, Table } from './table.ts';

/** A field of a record, or of one of its parents: `Amount`, `Account.Owner.Name`, `Owner:User.Email`. */
export interface FieldPath {
  /** The references on the way, and where each leads. */
  readonly steps: readonly { readonly column: Column; readonly parent: Table }[];
  readonly table: Table;
  readonly column: Column;
}

/** Relationships in one path ("Formula Field Limits and Restrictions": ten of them in one formula). */
const stepsMax = 10;

/** @returns nothing when a name on the way is not there, or leads to several objects and does not say which. */
export function followPath(tableOf: (object: string) => Table | undefined, object: string, path: string): FieldPath | undefined {
  let table = tableOf(object);
  const names = path.split('.');
  const last = names.pop()!;
  if (!table || names.length > stepsMax) return undefined;
  const steps: { column: Column; parent: Table }[] = [];
  for (const name of names) {
    const [relationship, type] = name.toLowerCase().split(':');
    const column: Column | undefined = table.columns.find(
      (entry) => entry.field.relationshipName?.toLowerCase() === relationship,
    );
    const targets: readonly string[] = column?.field.referenceTo ?? [];
    const target = type === undefined ? targets[0] : targets.find((entry) => entry.toLowerCase() === type);
    const parent = target === undefined ? undefined : tableOf(target);
    if (!column || !parent || (type === undefined && targets.length > 1)) return undefined;
    steps.push({ column, parent });
    table = parent;
  }
  const column = table.column(last);
  return column && { steps, table, column };
}
