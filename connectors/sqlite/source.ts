import {
  type Batch,
  type Change,
  type Clock,
  type DatasetSchema,
  type FieldSchema,
  type FieldType,
  keyOf,
  keyParts,
  NO_STAMP,
  newRow,
  type Page,
  RequestRefusedError,
  type Row,
  type Source,
  type SourceSpec,
} from '@tidemark/core';
import { CaptureReader, type openCapture } from './capture/reader.ts';
import type { SqliteClient } from './client.ts';
import type { SqliteFrom } from './config.ts';
import { quoted } from './identifiers.ts';
import { type Affinity, affinityOf } from './layout.ts';
import { decodePosition, encodePosition } from './position.ts';
import { type RowsRead, sourceForm } from './read-rows.ts';
import { formOf, type SqlValue } from './values.ts';

const pageSize = 5000;
const keysInAQuery = 200;

interface SourceColumn extends FieldSchema {
  readonly affinity: Affinity;
}

/** What the source reads, found out before it is read. */
export interface SourceLayout {
  /** The table, or the query in parentheses, as it stands after FROM. */
  readonly from: string;
  readonly name: string;
  readonly columns: readonly SourceColumn[];
  readonly key: readonly string[];
  readonly watermark: string | undefined;
  /** The watermark holds datetimes, so that it is the modification stamp as well. */
  readonly stamped: boolean;
}

/**
 * Reads a table or query.
 *
 * The delta goes by a watermark column, ties read again with every run. SQLite lets one writer at a time commit, so a stamp that
 * the database itself sets in the statement that writes (`DEFAULT CURRENT_TIMESTAMP`, a trigger) can tie with what was read but
 * never lie behind it, unless the machine's clock is set back. A stamp that an application makes before it waits for the write
 * lock can become visible late and would be missed until the next full run; nor does a delta see deletes.
 */
export class SqliteSource implements Source {
  readonly schema: DatasetSchema;
  readonly stampField?: string;
  readonly origin: string;
  readonly readDelta?: NonNullable<Source['readDelta']>;
  readonly waitForChange?: NonNullable<Source['waitForChange']>;
  readonly warnings: NonNullable<Source['warnings']>;
  readonly markKeeps?: true;
  readonly #capture: CaptureReader | undefined;
  readonly #client: SqliteClient;
  readonly #layout: SourceLayout;
  readonly #conditions: readonly string[];
  readonly #parameters: readonly SqlValue[];

  constructor(
    client: SqliteClient,
    layout: SourceLayout,
    spec: SourceSpec<SqliteFrom>,
    captured: Awaited<ReturnType<typeof openCapture>> | null,
    clock: Clock,
  ) {
    this.#client = client;
    this.#layout = layout;
    this.origin = `sqlite:${client.settings.path}`;
    this.schema = {
      name: layout.name,
      key: layout.key,
      fields: layout.columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
    };
    if (layout.stamped) this.stampField = layout.watermark!;
    const conditions = spec.where === undefined ? [] : [`(${spec.where}\n)`];
    const parameters: SqlValue[] = [];
    if (spec.startAtMs !== null) {
      if (!layout.stamped) {
        throw new RequestRefusedError(`${layout.name} has no watermark with datetimes, so that startAt means nothing`, {
          hint: 'Name a watermark column, or put the bound into where.',
        });
      }
      conditions.push(`julianday(${quoted(layout.watermark!)}) >= julianday(?)`);
      parameters.push(new Date(spec.startAtMs).toISOString());
    }
    this.#conditions = conditions;
    this.#parameters = parameters;
    this.warnings = captured?.warnings ?? [];
    if (layout.watermark !== undefined) this.readDelta = (from, signal) => this.#readDelta(from, signal);
    if (captured === null) return;
    const { facts } = captured;
    refuseOtherKey(layout, facts.captured.key);
    const capture = new CaptureReader({
      client,
      facts,
      unit: spec.unit ?? 'default',
      ignoreOwn: spec.from.own === 'ignore',
      clock,
      readCurrent: (keys) => this.#readCurrent(keys),
      refuseNullKeys: () => this.#refuseNullKeys([], []),
    });
    this.#capture = capture;
    this.markKeeps = true;
    this.readDelta = (from, signal) => capture.readDelta(from, signal);
    this.waitForChange = (from, signal) => capture.waitForChange(from, signal);
  }

  async estimate(): Promise<number | null> {
    const { tails } = await this.#select([], ['count(*)'], [], [], '');
    return Number(tails[0]![0]);
  }

  async mark(): Promise<string | null> {
    const { watermark } = this.#layout;
    if (this.#capture !== undefined) return this.#capture.mark();
    if (watermark === undefined) return null;
    const { tails } = await this.#select([], [`max(${quoted(watermark)})`], [], [], '');
    return encodePosition([tails[0]![0]!]);
  }

  async *readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page> {
    const keys = this.#layout.key.map(quoted);
    let after = resume === null ? null : decodePosition(resume, keys.length);
    await this.#refuseNullKeys([], []);
    for (;;) {
      signal.throwIfAborted();
      const beyond = after === null ? [] : [`(${keys.join(', ')}) > (${keys.map(() => '?').join(', ')})`];
      const read = await this.#select(
        this.#layout.columns,
        keys,
        beyond,
        after ?? [],
        `ORDER BY ${keys.join(', ')} LIMIT ${pageSize}`,
      );
      if (read.rowCount === 0) return;
      // One that came after the check: a page that goes on from a null would pass over the rows behind it.
      if (read.tails.some((key) => key.includes(null))) throw this.#nullKey();
      after = read.tails.at(-1)!;
      yield { position: encodePosition(after), announced: null, blocks: blocksOf(read) };
    }
  }

  async *#readDelta(from: string, signal: AbortSignal): AsyncIterable<Batch> {
    const watermark = quoted(this.#layout.watermark!);
    const order = [watermark, ...this.#layout.key.map(quoted)];
    let [bound] = decodePosition(from, 1);
    let after: readonly SqlValue[] | null = null;
    // A row without a watermark is read in full runs only: nothing says when it changed.
    const since = bound === null ? [`${watermark} IS NOT NULL`] : [`${watermark} >= ?`];
    const sinceParameters = bound === null ? [] : [bound!];
    // Before anything is written, as a full read does.
    await this.#refuseNullKeys(since, sinceParameters);
    for (;;) {
      signal.throwIfAborted();
      const beyond = after === null ? since : [`(${order.join(', ')}) > (${order.map(() => '?').join(', ')})`];
      const parameters = after ?? sinceParameters;
      const read = await this.#select(
        this.#layout.columns,
        order,
        beyond,
        parameters,
        `ORDER BY ${order.join(', ')} LIMIT ${pageSize}`,
      );
      if (read.rowCount === 0) return;
      after = read.tails.at(-1)!;
      // Only the watermark is kept: whoever goes on from here reads its ties again, those that came later among them.
      bound = after[0]!;
      yield { changes: this.#changes(read), checkpoint: encodePosition([bound]) };
      if (read.rowCount < pageSize) return;
    }
  }

  async readKeys(keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (let at = 0; at < keys.length; at += keysInAQuery) {
      signal.throwIfAborted();
      const part = keys.slice(at, at + keysInAQuery);
      const wanted = part.flatMap((key) => this.#boundKey(key) ?? []);
      const columns = this.#layout.key.map(quoted);
      const one = `(${columns.map(() => '?').join(', ')})`;
      const among = `(${columns.join(', ')}) IN (VALUES ${Array(wanted.length / columns.length)
        .fill(one)
        .join(', ')})`;
      const found =
        wanted.length === 0 ? [] : this.#changes(await this.#select(this.#layout.columns, this.#tail(), [among], wanted, ''));
      const byKey = new Map(found.map((change) => [change.key, change]));
      changes.push(...part.map((key): Change => byKey.get(key) ?? { op: 'delete', key, row: null, stampMs: NO_STAMP }));
    }
    return changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** For each key, by its values as they are stored, its row as it is now. */
  async #readCurrent(keys: readonly (readonly SqlValue[])[]): Promise<readonly Change[]> {
    const changes: Change[] = [];
    const columns = this.#layout.key.map(quoted);
    const one = `(${columns.map(() => '?').join(', ')})`;
    for (let at = 0; at < keys.length; at += keysInAQuery) {
      const part = keys.slice(at, at + keysInAQuery);
      const among = `(${columns.join(', ')}) IN (VALUES ${part.map(() => one).join(', ')})`;
      const found = this.#changes(await this.#select(this.#layout.columns, this.#tail(), [among], part.flat(), ''));
      const byKey = new Map(found.map((change) => [change.key, change]));
      for (const stored of part) {
        const key = this.#keyOfStored(stored);
        changes.push(byKey.get(key) ?? { op: 'delete', key, row: null, stampMs: NO_STAMP });
      }
    }
    return changes;
  }

  #keyOfStored(stored: readonly SqlValue[]): string {
    const row: Row = newRow();
    this.#layout.key.forEach((name, i) => {
      const { type, affinity } = this.#layout.columns.find((column) => column.name === name)!;
      row[name] = sourceForm(type, affinity)(stored[i]!);
    });
    return keyOf(row, this.#layout.key)!;
  }

  /** SQLite lets a primary key be null unless it says NOT NULL. Such a row can be neither paged over nor written anywhere. */
  async #refuseNullKeys(conditions: readonly string[], parameters: readonly SqlValue[]): Promise<void> {
    const test = `(${this.#layout.key.map((name) => `${quoted(name)} IS NULL`).join(' OR ')})`;
    const { rowCount } = await this.#select([], ['1'], [...conditions, test], parameters, 'LIMIT 1');
    if (rowCount > 0) throw this.#nullKey();
  }

  #nullKey(): RequestRefusedError {
    return new RequestRefusedError(`${this.#layout.name} has rows whose key (${this.#layout.key.join(', ')}) is null`, {
      hint: 'Choose another key, or leave those rows out with `where`.',
    });
  }

  #tail(): string[] {
    return this.#layout.watermark === undefined ? ['NULL'] : [quoted(this.#layout.watermark)];
  }

  #boundKey(key: string): SqlValue[] | null {
    try {
      const parts = keyParts(key, this.#layout.key);
      return this.#layout.key.map((name, i) => {
        const { type, affinity } = this.#layout.columns.find((column) => column.name === name)!;
        return formOf(type, affinity).bindText(parts[i]!);
      });
    } catch {
      // No row can have such a key: it is gone.
      return null;
    }
  }

  #select(
    fields: readonly SourceColumn[],
    tail: readonly string[],
    conditions: readonly string[],
    parameters: readonly SqlValue[],
    end: string,
  ): Promise<RowsRead> {
    const all = [...this.#conditions, ...conditions];
    const where = all.length === 0 ? '' : `WHERE ${all.join(' AND ')}`;
    const list = [...fields.map(({ name }) => quoted(name)), ...tail].join(', ');
    return this.#client.call('readRows', {
      sql: `SELECT ${list} FROM ${this.#layout.from} ${where} ${end}`,
      parameters: [...this.#parameters, ...parameters],
      fields: fields.map(({ type, affinity }) => ({ type, affinity })),
    });
  }

  #changes(read: RowsRead): Change[] {
    return Array.from({ length: read.rowCount }, (_, r): Change => {
      const row: Row = newRow();
      this.#layout.columns.forEach(({ name }, c) => {
        row[name] = read.columns[c]![r]!;
      });
      const key = keyOf(row, this.#layout.key);
      if (key === null) throw this.#nullKey();
      const stampMs = this.stampField === undefined ? NO_STAMP : Date.parse(String(row[this.stampField]));
      return { op: 'upsert', key, row, stampMs: Number.isNaN(stampMs) ? NO_STAMP : stampMs };
    });
  }
}

/** The log names a row by the primary key, of a row that is gone as well. */
function refuseOtherKey({ name, key }: SourceLayout, primaryKey: readonly string[]): void {
  if (key.join('\n') === primaryKey.join('\n')) return;
  throw new RequestRefusedError(`${name} is captured by its primary key (${primaryKey.join(', ')})`, {
    hint: 'Leave `key` out.',
  });
}

async function* blocksOf({ rowCount, columns }: RowsRead) {
  yield { rowCount, columns: columns.map((values) => ({ kind: 'values' as const, values })) };
}

/** Looks at the table or query: columns, key, and what its watermark holds. */
export async function sourceLayout(client: SqliteClient, spec: SourceSpec<SqliteFrom>): Promise<SourceLayout> {
  const { from } = spec;
  const facts = from.table === undefined ? null : await client.call('describeTable', from.table);
  if (facts?.kind === null) {
    const tables = await client.call('tables');
    throw new RequestRefusedError(`There is no table ${from.table} in ${client.settings.path}`, {
      hint: `It has: ${tables.slice(0, 20).join(', ') || 'no table at all'}.`,
    });
  }
  const relation = from.table === undefined ? `(${from.query!.replace(/;\s*$/, '')}\n)` : quoted(from.table);
  const found =
    facts === null
      ? (await client.call('queryColumns', `SELECT * FROM ${relation}`)).map((column) => ({
          ...column,
          key: 0,
          generated: false,
        }))
      : facts.columns;
  const strict = facts?.strict ?? false;
  const all = found
    .filter(({ name }) => !name.startsWith('_tidemark_'))
    .map(({ name, type }): SourceColumn => {
      const known = facts?.known.find((each) => each.column === name)?.type;
      return { name, type: known ?? typeOf(type, strict), nullable: true, affinity: affinityOf(type, strict && type !== '') };
    });
  const primary = found.filter(({ key }) => key > 0).sort((a, b) => a.key - b.key);
  const key = from.key === undefined ? primary.map(({ name }) => name) : [from.key].flat();
  const name = from.table ?? 'query';
  if (key.length === 0) {
    throw new RequestRefusedError(`${name} has no primary key`, { hint: 'Name the columns that identify a row as `key`.' });
  }
  const watermark = from.watermark;
  for (const wanted of [...key, ...(watermark === undefined ? [] : [watermark]), ...(spec.fields ?? [])]) {
    if (!all.some((column) => column.name === wanted)) {
      throw new RequestRefusedError(`${name} has no column ${wanted}`, {
        hint: `It has: ${all.map((column) => column.name).join(', ')}.`,
      });
    }
  }
  const stamped = watermark !== undefined && (await holdsDatetimes(client, relation, watermark, all));
  const columns = all
    .filter(
      ({ name: column }) =>
        key.includes(column) ||
        column === watermark ||
        (!spec.exclude.includes(column) && (spec.fields === null || spec.fields.includes(column))),
    )
    .map((column) => ({
      ...column,
      nullable: !key.includes(column.name),
      type: stamped && column.name === watermark ? ('datetime' as const) : column.type,
    }));
  return { from: relation, name, columns, key, watermark, stamped };
}

/** By what it holds; of an empty table by its declared type. Datetimes are mostly kept as TEXT, numbers can be anything. */
async function holdsDatetimes(
  client: SqliteClient,
  relation: string,
  watermark: string,
  columns: readonly SourceColumn[],
): Promise<boolean> {
  const { tails } = await client.call('readRows', {
    sql: `SELECT ${quoted(watermark)} FROM ${relation} WHERE ${quoted(watermark)} IS NOT NULL LIMIT 1`,
    parameters: [],
    fields: [],
  });
  const value = tails[0]?.[0];
  if (value === undefined) return ['text', 'datetime'].includes(columns.find(({ name }) => name === watermark)!.type);
  return typeof value === 'string' && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(value);
}

/** A canonical type for a declared one. SQLite knows five classes of storage; the rest is what people write. */
function typeOf(declared: string, strict: boolean): FieldType {
  const type = declared.toUpperCase();
  if (type.includes('BOOL')) return 'boolean';
  if (/DATETIME|TIMESTAMP/.test(type)) return 'datetime';
  if (type.includes('DATE')) return 'date';
  if (type.includes('TIME')) return 'time';
  if (type.includes('JSON')) return 'json';
  switch (affinityOf(declared, strict)) {
    case 'integer':
      return 'integer';
    case 'real':
      return 'double';
    case 'numeric':
      return 'decimal';
    case 'blob':
      return 'bytes';
    case 'any':
      return type.includes('BLOB') ? 'bytes' : 'text';
    default:
      return 'text';
  }
}
