import type { TableLayout } from './layout.ts';

/** Of tables and columns of our own beside the user's. */
export const STAMP = '_tidemark_stamp';
export const DELETED_AT = '_tidemark_deleted_at';

/** A text as a literal. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What has to be true of a row of ours besides all else: ` AND t."org_id" = 'acme'`. Nothing where nobody shares the table. */
export function inScope({ scope }: Pick<TableLayout, 'scope'>, alias?: string): string {
  if (scope === undefined) return '';
  return ` AND ${alias === undefined ? '' : `${alias}.`}${quoted(scope.column)} = ${literal(scope.value)}`;
}

/** The column and its value, as an insert names them after its own: `, "org_id"` and `, 'acme'`. */
export function scopeOfInsert({ scope }: Pick<TableLayout, 'scope'>): { readonly column: string; readonly value: string } {
  if (scope === undefined) return { column: '', value: '' };
  return { column: `, ${quoted(scope.column)}`, value: `, ${literal(scope.value)}` };
}

/** Columns of the key, as a conflict names them. */
export function conflictOf({ scope, columns, key }: TableLayout): string {
  const own = key.map((index) => columns[index]!.column);
  return [...(scope === undefined ? [] : [scope.column]), ...own].map(quoted).join(', ');
}

/** A name as a quoted identifier: the only way in which a name gets into a statement. Callers have refused NUL before. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
