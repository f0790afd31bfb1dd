import type { DatabaseSync } from 'node:sqlite';

/** A function in SQL: a text in small letters, of every alphabet. */
export const FOLDED = 'tidemark_folded';

export function addFolded(database: DatabaseSync): void {
  database.function(FOLDED, { deterministic: true }, (value) => (value === null ? null : String(value).toLowerCase()));
}
