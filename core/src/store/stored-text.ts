/**
 * Keys and messages come from anywhere, and a database takes less than JavaScript does: Postgres has no NUL in a text, and UTF-8
 * no lone surrogate. Such a text, typically the very value for which a target refused a record, is kept as JSON behind a marker.
 */
const MARKER = '\u0001';

export function toStored(text: string): string {
  return text.startsWith(MARKER) || text.includes('\0') || !text.isWellFormed() ? MARKER + JSON.stringify(text) : text;
}

export function fromStored(stored: string): string {
  return stored.startsWith(MARKER) ? (JSON.parse(stored.slice(1)) as string) : stored;
}
