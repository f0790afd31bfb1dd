import { type CapturedSpec, openCaptured } from '@tidemark/testkit';
import type { SqliteFrom } from '../config.ts';
import { createFile } from '../fixture.ts';

export const signal = AbortSignal.timeout(600_000);

/** A table `items` in a file of its own, captured unless told otherwise. */
export async function createItems(create: string, options: { captured?: boolean } = {}) {
  const file = await createFile();
  for (const statement of create.split(';')) if (statement.trim() !== '') file.sql(statement);
  const from: SqliteFrom = { table: 'items', capture: true };
  const { connection } = file;
  const install = () => connection.prepareSource!(from, signal);
  if (options.captured !== false) await install();
  return {
    file,
    sql: file.sql,
    connection,
    install,
    plan: () => connection.planSource!(from),
    remove: () => connection.removeSource!(from, signal),
    open: (spec: CapturedSpec & { from?: Partial<SqliteFrom> } = {}) => openCaptured(connection, from, spec),
    async write(...statements: readonly string[]) {
      for (const statement of statements) file.sql(statement);
    },
    age: async (unit: string, days: number) =>
      file.sql('UPDATE _tidemark_consumers SET seen_at = seen_at - ? WHERE unit = ?', days, unit),
    /** What triggers have told and nobody has put away yet. */
    logged: () =>
      file
        .sql<{ op: string; k0: unknown; changed: string | null }>(
          "SELECT * FROM _tidemark_log_items WHERE op <> '-' ORDER BY seq",
        )
        .map(({ op, k0, changed }) => [op, k0, ...(changed === null ? [] : [JSON.parse(changed).join()])].join(' ').trim()),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
