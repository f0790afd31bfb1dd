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
import type { PostgresConfig, PostgresLookup } from './config.ts';
import { type Pool, query, transaction } from './driver.ts';
import { type Described, describeRelation, type SourceColumn } from './source-schema.ts';
import { fromPostgres } from './values.ts';

/** Finds rows of a table or view by one column, by the column's own idea of what is equal. */
export async function openLookup(
  pool: Pool,
  config: PostgresConfig,
  { lookup, key, fields }: LookupSpec<PostgresLookup>,
  signal: AbortSignal,
): Promise<Lookup> {
  // The column need not identify a row here: it is what is looked for.
  const from = { table: lookup.table, key };
  const spec = { from, where: undefined, fields: [...fields], exclude: [], startAtMs: null };
  const described = await transaction(pool, { readOnly: true, signal }, (client) => describeRelation(client, config, spec));
  return new TableLookup(pool, described);
}

class TableLookup implements Lookup {
  readonly valuesMax = 5000;
  readonly types: ReadonlyMap<string, FieldType>;
  readonly #pool: Pool;
  readonly #described: Described;
  readonly #compared: Compared;

  constructor(pool: Pool, described: Described) {
    this.#pool = pool;
    this.#described = described;
    this.#compared = comparedAs(described.key[0]!);
    this.types = new Map(described.columns.map(({ field }) => [field.name, field.type]));
  }

  async find(values: readonly FieldValue[], signal: AbortSignal): Promise<ReadonlyMap<string, Found>> {
    const { relation, columns, key } = this.#described;
    const { type, column, holds } = this.#compared;
    const texts = values.map((value) => textOf(value)!);
    const found = new Map<string, Row[]>();
    const wanted = texts.flatMap((text, i) => (holds(text) ? [{ text, i }] : []));
    if (wanted.length === 0) return found;
    const selected = columns.map((each) => (each.type.endsWith('[]') ? `to_json(s.${each.name})` : `s.${each.name}`));
    const order = columns.map((each) => `s.${each.name}::text`);
    const { rows } = await transaction(this.#pool, { readOnly: true, signal }, (client) =>
      query(
        client,
        `SELECT w._tidemark_place, ${selected.join(', ')}
         FROM unnest($1::${type}[], $2::int[]) AS w (_tidemark_value, _tidemark_place)
         JOIN (SELECT * FROM ${relation}) s ON ${column(`s.${key[0]!.name}`)} = w._tidemark_value
         ORDER BY w._tidemark_place, ${order.join(', ')}`,
        [wanted.map(({ text }) => text), wanted.map(({ i }) => i)],
      ),
    );
    for (const [place, ...row] of rows) {
      const text = texts[Number(place)]!;
      found.set(text, [...(found.get(text) ?? []), this.#row(row)]);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #row(texts: readonly (string | null)[]): Row {
    const row = newRow();
    this.#described.columns.forEach(({ field }, i) => {
      row[field.name] = fromPostgres(texts[i]!, field);
    });
    return row;
  }
}

interface Compared {
  readonly type: string;
  readonly column: (name: string) => string;
  /** Whether the column can hold it: what it cannot hold is in no row, and must be no error. */
  readonly holds: (text: string) => boolean;
}

/** As the column is, so that its index serves, where its type is one of which every value can be told beforehand; else as text. */
function comparedAs({ type }: SourceColumn): Compared {
  const column = (name: string) => name;
  const noNul = (text: string) => !text.includes('\0');
  if (['smallint', 'integer', 'bigint'].includes(type)) {
    return { type: 'bigint', column, holds: (text) => /^-?\d{1,18}$/.test(text) };
  }
  if (type === 'uuid') {
    return { type, column, holds: (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) };
  }
  if (type === 'citext') return { type, column, holds: noNul };
  if (type === 'text' || type.startsWith('character varying')) return { type: 'text', column, holds: noNul };
  return { type: 'text', column: (name) => `${name}::text`, holds: noNul };
}
