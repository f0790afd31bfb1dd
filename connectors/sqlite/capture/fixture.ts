import type { Batch, Change, Source, SourceSpec } from '@tidemark/core';
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
    open: (spec: Partial<Omit<SourceSpec<SqliteFrom>, 'from'>> & { from?: Partial<SqliteFrom> } = {}) =>
      connection.openSource!(
        {
          unit: 'sync',
          where: undefined,
          fields: null,
          exclude: [],
          startAtMs: null,
          ...spec,
          from: { ...from, ...spec.from },
        },
        signal,
      ),
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

export async function readAll(source: Source, from: string): Promise<{ changes: Change[]; checkpoint: string }> {
  const batches: Batch[] = [];
  for await (const batch of source.readDelta!(from, signal)) batches.push(batch);
  return { changes: batches.flatMap(({ changes }) => changes), checkpoint: batches.at(-1)?.checkpoint ?? from };
}

/** Each change as `upsert 1 name,data`, sorted. */
export function brief(changes: readonly Change[]): string[] {
  return changes.map(({ op, key, changed }) => [op, key, ...(changed === undefined ? [] : [changed.join()])].join(' ')).sort();
}
