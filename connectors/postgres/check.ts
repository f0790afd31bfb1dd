import { type Problem, SyncError } from '@tidemark/core';
import type { PostgresConfig } from './config.ts';
import { type Pool, query, transaction } from './driver.ts';
import { quoteName } from './identifiers.ts';

const VERSION_MIN = 130_000;
const CHECK_MS = 4000;

/**
 * What keeps the connection from being used, whatever for, as far as it can be told without writing. Which rights a sync needs besides,
 * its target and its sides know.
 */
export async function checkConnection(pool: Pool, config: PostgresConfig, connection: string): Promise<readonly Problem[]> {
  const place = `connections.${connection}`;
  try {
    return await transaction(pool, { readOnly: true, settings: [`statement_timeout = ${CHECK_MS}`] }, async (client) => {
      const { rows } = await query(
        client,
        `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_user,
                pg_is_in_recovery(), (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1),
                pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()`,
        [config.schema],
      );
      const [number, version, user, standby, usage, encoding] = rows[0] as string[];
      const problems: Problem[] = [];
      const add = (severity: Problem['severity'], message: string, hint?: string) =>
        problems.push({ place, message, hint, severity });
      const schema = quoteName(config.schema);
      const role = quoteName(user!);
      if (Number(number) < VERSION_MIN) add('error', `PostgreSQL ${version} is too old`, 'Version 13 or later is needed.');
      if (encoding !== 'UTF8') add('error', `the database is encoded in ${encoding}`, 'Create it with ENCODING UTF8.');
      if (usage === null) add('error', `there is no schema ${schema}`, `CREATE SCHEMA ${schema} AUTHORIZATION ${role};`);
      else if (usage !== 't')
        add('error', `${role} may not use the schema ${schema}`, `GRANT USAGE ON SCHEMA ${schema} TO ${role};`);
      if (standby === 't') {
        add(
          'warning',
          'the server is a read-only standby',
          'It cannot be a target; and a source that polls here may miss rows that are committed late: use the primary.',
        );
      }
      return problems;
    });
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
  }
}

/** Tables and views of the schema, without our own. */
export function listTables(pool: Pool, config: PostgresConfig): Promise<readonly string[]> {
  return transaction(pool, { readOnly: true }, async (client) => {
    const { rows } = await query(
      client,
      `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
         AND c.relname NOT LIKE '\\_tidemark\\_%' AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname`,
      [config.schema],
    );
    return rows.map(([name]) => name!);
  });
}
