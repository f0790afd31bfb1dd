import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Clock,
  type Comparison,
  newRow,
  RequestRefusedError,
  type Row,
  type Rows,
  type RowsField,
  type RowsKind,
  type RowsPage,
  type RowsQuery,
  type RowsSpec,
  type Side,
  type SortedAt,
  type SortField,
  waysBehind,
} from '@tidemark/core';
import type { SqliteClient } from './client.ts';
import type { SqliteConfig, SqliteFrom, SqliteSideSpec, SqliteTo } from './config.ts';
import { DELETED_AT, quoted } from './identifiers.ts';
import { decodePosition, encodePosition } from './position.ts';
import type { RowsRead } from './read-rows.ts';
import { openSide } from './side.ts';
import { type SourceLayout, sourceLayout } from './source.ts';
import { formOf, MismatchError, type SqlValue } from './values.ts';

/** A table or view, and the columns by which its rows are known where it does not say so itself. */
interface At {
  readonly table: string;
  readonly key: string | readonly string[] | undefined;
}

export const sqliteRows: RowsKind<SqliteConfig> = {
  place({ path, tablePrefix }, { as, spec }, { baseDir, store }) {
    if (store.kind === 'sqlite' && whole(resolve(baseDir, path)) === whole(store.file)) return null;
    if (as === 'to') return placed({ table: `${tablePrefix}${(spec as SqliteTo).table}`, key: undefined }, undefined);
    const { table, key, watermark } = spec as SqliteFrom | SqliteSideSpec;
    return table === undefined ? null : placed({ table, key }, watermark);
  },
};

function placed(at: At, watermark: string | undefined): Omit<RowsSpec, 'mentions'> | null {
  if (/^(?:_tidemark_|sqlite_)/i.test(at.table)) return null;
  return { name: at.table, at, watermark: watermark ?? null };
}

/** One file, by whatever path. */
function whole(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

export async function openRows(client: SqliteClient, spec: RowsSpec, clock: Clock): Promise<Rows> {
  const { table, key } = spec.at as At;
  const from = { table, ...(key === undefined ? {} : { key: [key].flat() }) };
  const layout = await sourceLayout(client, { from, where: undefined, fields: null, exclude: [], startAtMs: null });
  const [facts, defaults] = await Promise.all([client.call('describeTable', table), defaultsOf(client, table)]);
  const fields = layout.columns.map(({ affinity: _, ...column }): RowsField => {
    const writable = facts.kind === 'table' && !facts.columns.some(({ name, generated }) => generated && name === column.name);
    const { notNull = false, given = false } = defaults.get(column.name) ?? {};
    return { ...column, nullable: !notNull, writable, required: writable && notNull && !given };
  });
  const marks = facts.columns.some(({ name }) => name === DELETED_AT);
  const names = fields.map(({ name }) => name);
  const use = { side: { ...from, capture: false }, link: null, fields: names, writes: names, unit: null };
  const side = facts.kind === 'view' ? null : await openSide(client, use, clock);
  return new SqliteRows({ client, layout, fields, marks, side });
}

/** Which columns may not be null, and which are given a value by the database: by a default, or as the number of the row. */
async function defaultsOf(client: SqliteClient, table: string) {
  const { tails } = await client.call('readRows', {
    sql: `SELECT name, "notnull" OR pk, dflt_value IS NOT NULL OR (pk AND upper(type) = 'INTEGER') FROM pragma_table_xinfo(?)`,
    parameters: [table],
    fields: [],
  });
  return new Map(tails.map(([name, notNull, given]) => [String(name), { notNull: notNull !== 0n, given: given !== 0n }]));
}

interface SqliteRowsParts {
  readonly client: SqliteClient;
  readonly layout: SourceLayout;
  readonly fields: readonly RowsField[];
  /** Rows may be marked as deleted. */
  readonly marks: boolean;
  /** Null for a view. */
  readonly side: Side | null;
}

class SqliteRows implements Rows {
  readonly schema: Rows['schema'];
  readonly merge?: Side['merge'];
  readonly #client: SqliteClient;
  readonly #layout: SourceLayout;
  readonly #marks: boolean;

  constructor({ client, layout, fields, marks, side }: SqliteRowsParts) {
    this.schema = { name: layout.name, key: layout.key, fields };
    this.#client = client;
    this.#layout = layout;
    this.#marks = marks;
    if (side !== null) this.merge = side.merge.bind(side);
  }

  async page({ where, sort, fields, after, limit }: RowsQuery): Promise<RowsPage> {
    const conditions = where.map((comparison) => this.#condition(comparison));
    if (after !== null) conditions.push(behind(sort, positionOf(after, sort.length)));
    if (this.#marks) conditions.push({ sql: `${quoted(DELETED_AT)} IS NULL`, values: [] });
    const columns = fields.map((name) => this.#column(name));
    const order = sort.map(({ field, descending }) => `${quoted(field)}${descending ? ' DESC' : ''}`).join(', ');
    const all = [...columns.map(({ name }) => name), ...sort.map(({ field }) => field)].map(quoted).join(', ');
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => `(${sql})`).join(' AND ')}`;
    const read = await this.#client.call('readRows', {
      sql: `SELECT ${all} FROM ${this.#layout.from} ${filter} ORDER BY ${order} LIMIT ${limit + 1}`,
      parameters: conditions.flatMap(({ values }) => values),
      fields: columns.map(({ type, affinity }) => ({ type, affinity })),
    });
    const rows = rowsOf(read, fields).slice(0, limit);
    return { rows, next: read.rowCount > limit ? encodePosition(read.tails[limit - 1]!) : null };
  }

  #condition(comparison: Comparison): Condition {
    const column = this.#column(comparison.field);
    const { type } = column;
    const name = quoted(column.name);
    const bound = (value: Row[string]) => bind(column, value);
    // Others write datetimes in other forms, which compare as instants and not as texts.
    const [left, right] = type === 'datetime' ? [`julianday(${name})`, 'julianday(?)'] : [name, '?'];
    switch (comparison.is) {
      case 'null':
        return { sql: `${name} IS NULL`, values: [] };
      case 'notNull':
        return { sql: `${name} IS NOT NULL`, values: [] };
      case 'in':
        return { sql: `${left} IN (${comparison.values.map(() => right).join(', ')})`, values: comparison.values.map(bound) };
      case 'starts':
        return { sql: `substr(${name}, 1, length(?)) = ?`, values: [bound(comparison.value), bound(comparison.value)] };
      case 'contains':
        return { sql: `instr(${name}, ?) > 0`, values: [bound(comparison.value)] };
      default:
        return { sql: `${left} ${operators[comparison.is]} ${right}`, values: [bound(comparison.value)] };
    }
  }

  #column(name: string): SourceLayout['columns'][number] {
    return this.#layout.columns.find((column) => column.name === name)!;
  }
}

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const operators = { eq: '=', ne: 'IS NOT', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

/** @throws {RequestRefusedError} the column cannot hold such a value, so that nothing can be compared with it */
function bind({ name, type, affinity }: SourceLayout['columns'][number], value: Row[string]): SqlValue {
  try {
    return formOf(type, affinity).bind(value);
  } catch (error) {
    if (!(error instanceof MismatchError)) throw error;
    throw new RequestRefusedError(`${name} cannot be compared with such a value`, { hint: `it holds ${type}` });
  }
}

/** @throws {RequestRefusedError} it is none of ours */
function positionOf(after: string, length: number): readonly SqlValue[] {
  try {
    const values = decodePosition(after, length);
    if (values.every(isBindable)) return values;
  } catch {
    // Told below.
  }
  throw new RequestRefusedError('this is no position in such a list', { hint: 'begin again without it' });
}

function isBindable(value: unknown): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value;
  return value === null || typeof value === 'string' || typeof value === 'number' || value instanceof Uint8Array;
}

/** SQLite takes null for the smallest as well. */
function behind(sort: readonly SortField[], position: readonly SqlValue[]): Condition {
  const values: SqlValue[] = [];
  const equal = ({ field, value }: SortedAt<SqlValue>) => {
    values.push(value);
    return `${quoted(field)} IS ?`;
  };
  const past = ({ field, descending, value }: SortedAt<SqlValue>) => {
    const name = quoted(field);
    if (value === null) return descending ? '0' : `${name} IS NOT NULL`;
    values.push(value);
    return descending ? `(${name} < ? OR ${name} IS NULL)` : `${name} > ?`;
  };
  const ways = waysBehind(sort, position).map((way) => [...way.equal.map(equal), past(way.past)].join(' AND '));
  return { sql: ways.join(' OR '), values };
}

function rowsOf({ rowCount, columns }: RowsRead, names: readonly string[]): Row[] {
  return Array.from({ length: rowCount }, (_, r) => {
    const row = newRow();
    names.forEach((name, c) => {
      row[name] = columns[c]![r]!;
    });
    return row;
  });
}
