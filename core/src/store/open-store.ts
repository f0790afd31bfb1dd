import { RequestRefusedError } from '../base/errors.ts';
import { migrate } from './migrate.ts';
import { openPostgresDatabase } from './postgres-database.ts';
import { sqlStore } from './sql-store.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import type { Store } from './store.ts';
import type { Database } from './tables.ts';

/**
 * Opens the state store, made or brought up to date as needed: `postgres://…` on a server, anything else (`sqlite:…`, a path)
 * in a file. Never puts the url into a message: it may carry a password.
 * @throws {RequestRefusedError} it cannot be opened, or a newer Tidemark made it.
 */
export async function openStore(url: string): Promise<Store> {
  const database = await openDatabase(url);
  try {
    await migrate(database);
  } catch (error) {
    await database.db.destroy();
    throw database.translate(error);
  }
  return sqlStore(database);
}

export async function openDatabase(url: string): Promise<Database> {
  if (/^postgres(ql)?:/i.test(url)) return openPostgresDatabase(url);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !/^(sqlite|file):/i.test(url)) {
    const scheme = url.slice(0, url.indexOf(':'));
    throw new RequestRefusedError(`a state store of the kind ${scheme} is not known`, { hint: 'use postgres://… or a file' });
  }
  return openSqliteDatabase(url.replace(/^sqlite:(\/\/)?/i, ''));
}
