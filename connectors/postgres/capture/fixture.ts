import type { Batch, Change, Source, SourceSpec } from '@tidemark/core';
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
    open: (spec: Partial<Omit<SourceSpec<PostgresFrom>, 'from'>> & { from?: Partial<PostgresFrom> } = {}) =>
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
    logged: async () =>
      (
        await database.sql(
          `SELECT op, array_to_string(key, '/'), array_to_string(changed, ',') FROM ${schema}._tidemark_log_items ORDER BY seq`,
        )
      ).map((row) => row.filter((text) => text !== null).join(' ')),
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
