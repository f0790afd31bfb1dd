import {
  type FieldType,
  type FieldValue,
  type Found,
  type Lookup,
  type LookupSpec,
  newRow,
  type Row,
  textOf,
} from '@tidemark/core';
import type { SqliteClient } from './client.ts';
import type { SqliteLookup } from './config.ts';
import { quoted } from './identifiers.ts';
import { type SourceLayout, sourceLayout } from './source.ts';
import { formOf, MismatchError, type SqlValue } from './values.ts';

/** Two parameters a value, and SQLite takes 32,766. */
const valuesMax = 1000;

/** Finds rows of a table or view by one column, by the column's own idea of what is equal. */
export async function openLookup(client: SqliteClient, { lookup, key, fields }: LookupSpec<SqliteLookup>): Promise<Lookup> {
  const layout = await sourceLayout(client, {
    // The column need not identify a row here: it is what is looked for.
    from: { table: lookup.table, key },
    ...{ where: undefined, fields: [...fields], exclude: [], startAtMs: null },
  });
  return new TableLookup(client, layout, key);
}

class TableLookup implements Lookup {
  readonly valuesMax = valuesMax;
  readonly types: ReadonlyMap<string, FieldType>;
  readonly #client: SqliteClient;
  readonly #layout: SourceLayout;
  readonly #key: SourceLayout['columns'][number];

  constructor(client: SqliteClient, layout: SourceLayout, key: string) {
    this.#client = client;
    this.#layout = layout;
    this.#key = layout.columns.find(({ name }) => name === key)!;
    this.types = new Map(layout.columns.map(({ name, type }) => [name, type]));
  }

  async find(values: readonly FieldValue[]): Promise<ReadonlyMap<string, Found>> {
    const bound = values.flatMap((value, i) => {
      const stored = this.#bound(value);
      return stored === null ? [] : [{ i, stored }];
    });
    const found = new Map<string, Row[]>();
    if (bound.length === 0) return found;
    const { from, columns } = this.#layout;
    const names = columns.map(({ name }) => `t.${quoted(name)}`);
    const wanted = bound.map(() => '(?, ?)').join(', ');
    const read = await this.#client.call('readRows', {
      sql: `WITH w(i, v) AS (VALUES ${wanted}) SELECT ${names.join(', ')}, w.i FROM w JOIN ${from} t ON t.${quoted(this.#key.name)} = w.v
            ORDER BY w.i, ${names.join(', ')}`,
      parameters: bound.flatMap(({ i, stored }) => [i, stored]),
      fields: columns.map(({ type, affinity }) => ({ type, affinity })),
    });
    for (let r = 0; r < read.rowCount; r++) {
      const row = newRow();
      columns.forEach(({ name }, c) => {
        row[name] = read.columns[c]![r]!;
      });
      const text = textOf(values[Number(read.tails[r]![0])])!;
      found.set(text, [...(found.get(text) ?? []), row]);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** As the column keeps it; null for what it cannot hold, which is then in no row. */
  #bound(value: FieldValue): SqlValue | null {
    try {
      return formOf(this.#key.type, this.#key.affinity).bind(value);
    } catch (error) {
      if (error instanceof MismatchError) return null;
      throw error;
    }
  }
}
