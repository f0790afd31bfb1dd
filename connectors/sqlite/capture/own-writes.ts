import type { DatabaseSync } from 'node:sqlite';
import { WRITER } from './definition.ts';

/** Inside a transaction: from here on what is written is ours, for these syncs. Costs nothing where no table is captured. */
export function writingFor(database: Pick<DatabaseSync, 'prepare'>, units: readonly string[]): void {
  if (!hasCaptures(database)) return;
  database.prepare(`INSERT OR REPLACE INTO ${WRITER} VALUES (1, ?)`).run(units.join(','));
}

/** Before its commit: what comes after it is not ours. A rollback says so by itself. */
export function writtenFor(database: Pick<DatabaseSync, 'prepare'>): void {
  if (hasCaptures(database)) database.prepare(`DELETE FROM ${WRITER}`).run();
}

function hasCaptures(database: Pick<DatabaseSync, 'prepare'>): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(WRITER) !== undefined;
}
