import { sql } from 'kysely';
import { RequestRefusedError } from '../base/errors.ts';
import { type Migration, migrations } from './migrations.ts';
import type { Database } from './tables.ts';

/**
 * Brings the database to this code's version, in one transaction. Processes that start together wait for each other.
 * @throws {RequestRefusedError} the database was made by a newer version: nothing was changed.
 */
export async function migrate(database: Database, to: readonly Migration[] = migrations): Promise<void> {
  const newest = to.at(-1)?.version ?? 0;
  await database.db.transaction().execute(async (transaction) => {
    await database.lockForMigration(transaction);
    const table = sql.table('store_version');
    await sql`create table if not exists ${table} (version integer not null)`.execute(transaction);
    const found = await sql<{ version: number }>`select version from ${table}`.execute(transaction);
    const version = found.rows[0]?.version ?? 0;
    if (version > newest) {
      throw new RequestRefusedError(`the state store has version ${version}, and this Tidemark knows versions up to ${newest}`, {
        hint: 'run the newer Tidemark that wrote it, or point this one at another store',
      });
    }
    for (const migration of to.filter((step) => step.version > version)) await migration.up(transaction, database.dialect);
    if (found.rows.length === 0) await sql`insert into ${table} (version) values (${newest})`.execute(transaction);
    else if (version < newest) await sql`update ${table} set version = ${newest}`.execute(transaction);
  });
}
