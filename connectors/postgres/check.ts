import { type Problem, SyncError } from '@tidemark/core';
import type { PostgresConfig } from './config.ts';
import { type Pool, query, transaction } from './driver.ts';
import { quoteName } from './identifiers.ts';

const VERSION_MIN = 130_000;
const CHECK_MS = 4000;

/** What keeps the connection from being used, as far as it can be told without writing. */
export async function checkConnection(pool: Pool, config: PostgresConfig, connection: string): Promise<readonly Problem[]> {
  const place = `connections.${connection}`;
  try {
    return await transaction(pool, { readOnly: true, settings: [`statement_timeout = ${CHECK_MS}`] }, async (client) => {
      const { rows } = await query(
        client,
        `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_user,
                has_database_privilege(current_database(), 'TEMPORARY'), pg_is_in_recovery(),
                (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1),
                (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1),
                pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()`,
        [config.schema],
      );
      const [number, version, user, temporary, standby, usage, create, encoding] = rows[0] as string[];
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
      // What only a target needs is a warning: the connection may be meant as a source.
      if (create === 'f') {
        add(
          'warning',
          `${role} may not create tables in the schema ${schema}, which a target needs`,
          `GRANT CREATE ON SCHEMA ${schema} TO ${role};`,
        );
      }
      if (temporary !== 't') {
        add(
          'warning',
          `${role} may not create temporary tables, which a target needs`,
          `GRANT TEMPORARY ON DATABASE … TO ${role};`,
        );
      }
      if (standby === 't') {
        add(
          'warning',
          'the server is a read-only standby',
          'It cannot be a target; and a source that polls here may miss rows that are committed late: use the primary.',
        );
      }
      for (const table of await unwritable(client, config.schema)) {
        add(
          'warning',
          `${role} may not write all of ${schema}.${quoteName(table)}`,
          `GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.${quoteName(table)} TO ${role};`,
        );
      }
      return problems;
    });
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [{ place, message: error.message, hint: error.hint, severity: 'error' }];
  }
}

/** Tables that a sync has written before and that this user may not write any more. */
async function unwritable(client: Parameters<typeof query>[0], schema: string): Promise<string[]> {
  const { rows } = await query(
    client,
    `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
       AND (c.relname = '_tidemark_checkpoints'
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = '_tidemark_stamp' AND NOT a.attisdropped))
       AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
     ORDER BY c.relname`,
    [schema],
  );
  return rows.map(([name]) => name!);
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
