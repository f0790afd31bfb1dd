import type { DefinedField } from '../org/calculations.ts';
import { followPath } from '../org/field-path.ts';
import type { Scope } from './scope.ts';

/**
 * A call of the function that calculates the field. It sees fields that the viewer may not see, as formulas do ("Tips for
 * Building Formulas": a formula shows what follows from hidden fields), so its names are those of the whole org.
 */
export function calculatedSql(scope: Scope, object: string, alias: string, { sqlFunction, inputs }: DefinedField): string {
  const { whole } = scope.store;
  const values = inputs.map((input) => {
    const found = followPath(whole.table, object, input);
    // Its field has been removed since.
    if (!found) return 'NULL';
    let from = alias;
    for (const { column, parent } of found.steps) from = scope.join(parent, `${from}.${column.quotedName}`);
    const table = found.table.name;
    const further = whole.calculations.of(table, found.column.name);
    return further ? calculatedSql(scope, table, from, further) : `${from}.${found.column.quotedName}`;
  });
  return `${sqlFunction}(${values.join(', ')})`;
}
