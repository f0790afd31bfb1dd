import { type CapturedSpec, openCaptured } from '@tidemark/testkit';
import type { PostgresFrom } from '../config.ts';
import type { TestDatabase } from '../fixture.ts';

export const signal = AbortSignal.timeout(600_000);

let made = 0;

/** A table `items` in a schema of its own, captured unless told otherwise. */
export async function createItems(database: TestDatabase, columns: string, options: { captured?: boolean } = {}) {
  const schema = `capture_${++made}`;
  const table = `${schema}.items`;
  await database.script(`CREATE SCHEMA ${schema}; CREATE TABLE ${table} (${columns})`);
  const connection = database.connect({ schema });
  const from: PostgresFrom = { table: 'items', capture: true };
  const install = () => connection.prepareSource!(from, signal);
  if (options.captured !== false) await install();
  return {
    schema,
    table,
    connection,
    install,
    plan: () => connection.planSource!(from),
    remove: () => connection.removeSource!(from, signal),
    open: (spec: CapturedSpec & { from?: Partial<PostgresFrom> } = {}) => openCaptured(connection, from, spec),
    async write(...statements: readonly string[]) {
      for (const statement of statements) await database.script(statement.replaceAll(/\bitems\b/g, table));
    },
    age: (unit: string, days: number) =>
      database.sql(`UPDATE ${schema}._tidemark_consumers SET seen_at = seen_at - $2 * interval '1 day' WHERE unit = $1`, [
        unit,
        days,
      ]),
    /** What triggers have told and nobody has put away yet. */
    logged: async () =>
      (
        await database.sql(
          `SELECT op, array_to_string(key, '/'), array_to_string(changed, ',') FROM ${schema}._tidemark_log_items ORDER BY seq`,
        )
      ).map((row) => row.filter((text) => text !== null).join(' ')),
    async [Symbol.asyncDispose]() {},
  };
}
