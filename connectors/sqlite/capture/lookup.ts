import type { SqliteClient } from '../client.ts';
import type { SqlValue } from '../values.ts';

/** Rows of what is committed, each value as SQLite keeps it; integers as bigint. */
export async function lookup(
  client: SqliteClient,
  sql: string,
  parameters: readonly SqlValue[],
): Promise<readonly (readonly SqlValue[])[]> {
  return (await client.call('readRows', { sql, parameters, fields: [] })).tails;
}
