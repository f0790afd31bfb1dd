import { DatabaseSync } from 'node:sqlite';

/**
 * How text is compared and sorted: without regard to case, in any script ("English locales", SOQL Reference, ORDER BY).
 * SQLite's own NOCASE knows ASCII only. Where capitals change the length (ß), small letters are kept apart.
 */
export function fold(text: string): string {
  const upper = text.toUpperCase();
  return upper.length === text.length ? upper : text.toLowerCase();
}

/**
 * `fold` of a stored column, for SQLite, which itself folds text that is plain ASCII: to ask us takes it longer. An index serves
 * whoever asks in the very same words.
 */
export const foldedSql = (column: string) =>
  `iif(length(${column}) < octet_length(${column}), fold(${column}), upper(${column}))`;

/** `"Name"`: names come from metadata that users write. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** @param path  A file, or `:memory:`. */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.function('fold', { deterministic: true }, (text) => (typeof text === 'string' ? fold(text) : text));
  // An emulated org need not survive a power cut; a crash of the process loses nothing with these.
  database.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA temp_store = FILE');
  // `%` and `_` are compared as SOQL does: case is folded by us, so LIKE itself must not.
  database.exec('PRAGMA case_sensitive_like = ON');
  return database;
}
