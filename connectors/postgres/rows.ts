import {
  type Clock,
  type Comparison,
  type FieldValue,
  newRow,
  RequestRefusedError,
  type Rows,
  type RowsField,
  type RowsKind,
  type RowsPage,
  type RowsQuery,
  type RowsSpec,
  type Side,
  type SortedAt,
  type SortField,
  STORE_SCHEMA,
  SYSTEM_PREFIX,
  shortened,
  waysBehind,
} from '@tidemark/core';
import { readTable } from './catalog.ts';
import type { ExistingColumn } from './column-types.ts';
import type { PostgresConfig, PostgresFrom, PostgresSideSpec, PostgresTo } from './config.ts';
import { type Pool, query, transaction } from './driver.ts';
import { NAME_BYTES_MAX, quoteName } from './identifiers.ts';
import { DELETED_AT } from './layout.ts';
import { openSide } from './side.ts';
import { openSource } from './source.ts';
import { type Described, describeRelation, type SourceColumn } from './source-schema.ts';
import { fromPostgres, toPostgresText } from './values.ts';

/** A table or view, and the columns by which its rows are known where it does not say so itself. */
interface At {
  readonly schema: string;
  readonly table: string;
  readonly key: string | readonly string[] | undefined;
}

export const postgresRows: RowsKind<PostgresConfig> = {
  place(config, { as, spec }) {
    if (as === 'to') {
      const { table, schema = config.schema } = spec as PostgresTo;
      return placed({ schema, table: shortened(`${config.tablePrefix}${table}`, NAME_BYTES_MAX), key: undefined }, config);
    }
    const { table, key, watermark } = spec as PostgresFrom | PostgresSideSpec;
    return table === undefined ? null : placed({ schema: config.schema, table, key }, config, watermark);
  },
};

function placed(at: At, config: PostgresConfig, watermark: string | null = null): Omit<RowsSpec, 'mentions'> | null {
  if (at.schema === STORE_SCHEMA || at.table.startsWith(SYSTEM_PREFIX)) return null;
  return { name: at.schema === config.schema ? at.table : `${at.schema}.${at.table}`, at, watermark };
}

interface OpenParts {
  readonly pool: Pool;
  readonly config: PostgresConfig;
  readonly clock: Clock;
}

export async function openRows({ pool, config: own, clock }: OpenParts, spec: RowsSpec, signal: AbortSignal): Promise<Rows> {
  const { schema, table, key } = spec.at as At;
  const config = { ...own, schema };
  const from = { table, ...(key === undefined ? {} : { key: [key].flat() }) };
  const { described, existing } = await transaction(pool, { readOnly: true, signal }, async (client) => ({
    described: await describeRelation(client, config, { from, where: undefined, fields: null, exclude: [], startAtMs: null }),
    existing: (await readTable(client, schema, table))!,
  }));
  const isTable = ['r', 'p'].includes(existing.kind);
  const fields = described.columns
    .filter(({ field }) => !field.name.startsWith(SYSTEM_PREFIX))
    .map(({ field }) => fieldOf(field, existing.columns.get(field.name)!, isTable));
  const names = fields.map(({ name }) => name);
  const use = { side: { ...from, capture: false }, link: null, fields: names, writes: names, unit: null };
  const openFrom = (source: Parameters<typeof openSource>[2]) => openSource(pool, config, source, clock, signal);
  const side = isTable ? await openSide({ pool, config, spec: use, openSource: openFrom }, signal) : null;
  return new PostgresRows({ pool, described, fields, marks: existing.columns.has(DELETED_AT), side });
}

/** An array is read as JSON, and has another text where it is written. */
function fieldOf(field: SourceColumn['field'], column: ExistingColumn, isTable: boolean): RowsField {
  const writable = isTable && !column.generated && !column.baseType.endsWith('[]');
  return { ...field, writable, required: writable && column.notNull && !column.hasDefault };
}

interface PostgresRowsParts {
  readonly pool: Pool;
  readonly described: Described;
  readonly fields: readonly RowsField[];
  /** Rows may be marked as deleted. */
  readonly marks: boolean;
  /** Null for what is no table. */
  readonly side: Side | null;
}

class PostgresRows implements Rows {
  readonly schema: Rows['schema'];
  readonly merge?: Side['merge'];
  readonly #pool: Pool;
  readonly #described: Described;
  readonly #marks: boolean;

  constructor({ pool, described, fields, marks, side }: PostgresRowsParts) {
    this.#pool = pool;
    this.#described = described;
    this.#marks = marks;
    if (side !== null) this.merge = side.merge.bind(side);
    this.schema = { name: described.name, key: described.key.map(({ field }) => field.name), fields };
  }

  async page({ where, sort, fields, after, limit }: RowsQuery, signal: AbortSignal): Promise<RowsPage> {
    const values: (string | null)[] = [];
    // Without a cast: the server takes a parameter for what it is compared with.
    const bind = (text: string | null) => `$${values.push(text)}`;
    const conditions = where.map((comparison) => conditionOf(comparison, this.#column(comparison.field), bind));
    if (after !== null) conditions.push(this.#behind(sort, positionOf(after, sort.length), bind));
    if (this.#marks) conditions.push(`s.${quoteName(DELETED_AT)} IS NULL`);
    const columns = fields.map((name) => this.#column(name));
    const selected = [
      ...columns.map(({ name, type }) => (type.endsWith('[]') ? `to_json(s.${name})` : `s.${name}`)),
      ...sort.map(({ field }) => `s.${this.#column(field).name}::text`),
    ];
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.map((condition) => `(${condition})`).join(' AND ')}`;
    const order = sort.map((each) => this.#order(each)).join(', ');
    const { rows } = await transaction(this.#pool, { readOnly: true, signal }, (client) =>
      query(
        client,
        `SELECT ${selected.join(', ')} FROM ${this.#described.relation} ${filter} ORDER BY ${order} LIMIT ${limit + 1}`,
        values,
      ),
    );
    const last = rows.length > limit ? rows[limit - 1]! : null;
    return {
      rows: rows.slice(0, limit).map((texts) => {
        const row = newRow();
        columns.forEach(({ field }, i) => {
          row[field.name] = fromPostgres(texts[i]!, field);
        });
        return row;
      }),
      next: last === null ? null : JSON.stringify(last.slice(columns.length)),
    };
  }

  /** Null is the smallest; a column that has none is left in the order of its index. */
  #order({ field, descending }: SortField): string {
    const { name, field: schema } = this.#column(field);
    const nulls = schema.nullable ? ` NULLS ${descending ? 'LAST' : 'FIRST'}` : '';
    return `s.${name}${descending ? ' DESC' : ''}${nulls}`;
  }

  #behind(sort: readonly SortField[], position: readonly (string | null)[], bind: (text: string) => string): string {
    const equal = ({ field, value }: SortedAt<string | null>) => {
      const name = `s.${this.#column(field).name}`;
      return value === null ? `${name} IS NULL` : `${name} = ${bind(value)}`;
    };
    const past = ({ field, descending, value }: SortedAt<string | null>) => {
      const { name, field: schema } = this.#column(field);
      if (value === null) return descending ? 'false' : `s.${name} IS NOT NULL`;
      const beyond = `s.${name} ${descending ? '<' : '>'} ${bind(value)}`;
      return descending && schema.nullable ? `(${beyond} OR s.${name} IS NULL)` : beyond;
    };
    return waysBehind(sort, position)
      .map((way) => [...way.equal.map(equal), past(way.past)].join(' AND '))
      .join(' OR ');
  }

  #column(name: string): SourceColumn {
    return this.#described.columns.find(({ field }) => field.name === name)!;
  }
}

const operators = { eq: '=', ne: 'IS DISTINCT FROM', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

function conditionOf(comparison: Comparison, column: SourceColumn, bind: (text: string | null) => string): string {
  const name = `s.${column.name}`;
  const bound = (value: FieldValue) => bind(toPostgresText(value, column.field, column.type === 'bytea'));
  switch (comparison.is) {
    case 'null':
      return `${name} IS NULL`;
    case 'notNull':
      return `${name} IS NOT NULL`;
    case 'in':
      return `${name} IN (${comparison.values.map(bound).join(', ')})`;
    case 'starts':
      return `starts_with(${name}::text, ${bound(comparison.value)})`;
    case 'contains':
      return `position(${bound(comparison.value)}::text IN ${name}::text) > 0`;
    default:
      return `${name} ${operators[comparison.is]} ${bound(comparison.value)}`;
  }
}

/** Texts of the row's own values, with all that they say: as canonical values they may be shorter. */
function positionOf(after: string, length: number): (string | null)[] {
  try {
    const texts: unknown = JSON.parse(after);
    if (Array.isArray(texts) && texts.length === length && texts.every((text) => text === null || typeof text === 'string'))
      return texts;
  } catch {
    // Told below.
  }
  throw new RequestRefusedError('this is no position in such a list', { hint: 'begin again without it' });
}
