/** Of tables and columns of our own beside the user's. */
export const STAMP = '_tidemark_stamp';
export const DELETED_AT = '_tidemark_deleted_at';

/** A name as a quoted identifier: the only way in which a name gets into a statement. Callers have refused NUL before. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
