import {
  type Batch,
  type Block,
  blockOfRows,
  type Change,
  type Clock,
  type DatasetSchema,
  type FieldSchema,
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
import { decodePosition } from './capture/position.ts';
import { CaptureReader, openCapture } from './capture/reader.ts';
import type { PostgresConfig, PostgresFrom } from './config.ts';
import { type Client, type Pool, query, transaction } from './driver.ts';
import { describeRelation, type SourceColumn } from './source-schema.ts';
import { fromPostgres, toPostgresText } from './values.ts';
import { advance, type Bound, boundNow, decodeCheckpoint, encodeCheckpoint, type WatermarkKind } from './watermark.ts';

const PAGE_ROWS = 5000;
/** Rows of one block inside a page. */
const BLOCK_ROWS = 1000;

interface Opened {
  readonly pool: Pool;
  readonly schema: DatasetSchema;
  readonly columns: readonly SourceColumn[];
  readonly key: readonly SourceColumn[];
  readonly watermark: SourceColumn | undefined;
  readonly kind: WatermarkKind | undefined;
  /** `"public"."orders" s` or `(SELECT …) s` */
  readonly relation: string;
  /** Conditions of the user's and `startAt`, joined by AND. */
  readonly conditions: readonly string[];
  readonly origin: string;
  readonly estimateSql: string | null;
  readonly warnings: NonNullable<Source['warnings']>;
  readonly capture: Omit<ConstructorParameters<typeof CaptureReader>[0], 'readCurrent'> | undefined;
}

export async function openSource(
  pool: Pool,
  config: PostgresConfig,
  spec: SourceSpec<PostgresFrom>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Source> {
  return transaction(pool, { readOnly: true, signal }, async (client) => {
    const described = await describeRelation(client, config, spec);
    const { columns, key, watermark } = described;
    const kind = watermark === undefined ? undefined : watermarkKind(watermark);
    const conditions = spec.where === undefined ? [] : [`(${spec.where}\n)`];
    if (spec.startAtMs !== null && watermark !== undefined && kind === 'time') {
      conditions.push(`s.${watermark.name} >= '${new Date(spec.startAtMs).toISOString()}'`);
    }
    const { from, unit = 'default' } = spec;
    const captured = from.capture ? await openCapture(client, config.schema, from.table!) : null;
    if (captured !== null) refuseOtherKey(described.name, captured.table.key, spec);
    if (captured !== null && spec.startAtMs !== null) {
      throw new RequestRefusedError(`${described.name} is captured without a watermark, so that startAt means nothing`, {
        hint: 'Put the bound into where.',
      });
    }
    const opened: Opened = {
      pool,
      schema: { name: described.name, fields: columns.map(({ field }) => field), key: key.map(({ field }) => field.name) },
      columns,
      key,
      watermark,
      kind,
      relation: described.relation,
      conditions,
      origin: await originOf(client),
      estimateSql: conditions.length === 0 ? described.estimateSql : null,
      warnings: [...(watermark?.zoneless ? [localTimes(watermark)] : []), ...(captured?.warnings ?? [])],
      capture: captured === null ? undefined : { pool, table: captured.table, unit, ignoreOwn: from.own === 'ignore', clock },
    };
    return new PostgresSource(opened);
  });
}

function watermarkKind({ field }: SourceColumn): WatermarkKind {
  if (field.type === 'datetime') return 'time';
  if (field.type === 'integer') return 'number';
  throw new RequestRefusedError(`The watermark ${field.name} is ${field.type}`, {
    hint: 'It has to be a timestamp or a whole number that grows with every change.',
  });
}

/** The log names a row by the primary key, of a row that is gone as well. */
function refuseOtherKey(name: string, primaryKey: readonly string[], { from }: SourceSpec<PostgresFrom>): void {
  if (from.key === undefined || [from.key].flat().join('\n') === primaryKey.join('\n')) return;
  throw new RequestRefusedError(`${name} is captured by its primary key (${primaryKey.join(', ')})`, {
    hint: 'Leave `key` out.',
  });
}

/** What the sessions write there is for them to know; only they can tell whether it is UTC. */
function localTimes({ field }: SourceColumn) {
  return {
    message: `the watermark ${field.name} is a timestamp without time zone`,
    hint: 'Local times jump back when daylight saving ends, and a delta passes over what changes in that hour. Make it a timestamptz, let every session that writes it have TimeZone UTC, or plan a full run after that night.',
  };
}

/** The cluster's own identifier where it may be read: it survives a new host name, and differs in a copy made by dump and restore. */
async function originOf(client: Client): Promise<string> {
  const { rows } = await query(
    client,
    `SELECT current_database(), CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
       THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE host(inet_server_addr()) || ':' || inet_server_port() END`,
  );
  return `postgres:${rows[0]![1]}/${rows[0]![0]}`;
}

class PostgresSource implements Source {
  readonly schema: DatasetSchema;
  readonly origin: string;
  readonly stampField?: string;
  readonly warnings: NonNullable<Source['warnings']>;
  readonly markKeeps?: true;
  readonly readDelta?: NonNullable<Source['readDelta']>;
  readonly waitForChange?: NonNullable<Source['waitForChange']>;
  readonly describeCheckpoint?: NonNullable<Source['describeCheckpoint']>;
  readonly #opened: Opened;
  readonly #capture: CaptureReader | undefined;

  constructor(opened: Opened) {
    this.#opened = opened;
    this.schema = opened.schema;
    this.origin = opened.origin;
    this.warnings = opened.warnings;
    if (opened.capture !== undefined) {
      const capture = new CaptureReader({
        ...opened.capture,
        readCurrent: (client, keys) => this.#readCurrent(client, keys),
      });
      this.#capture = capture;
      this.markKeeps = true;
      this.readDelta = (from, signal) => capture.readDelta(from, signal);
      this.waitForChange = (from, signal) => capture.waitForChange(from, signal);
      this.describeCheckpoint = (checkpoint) => ({ read: `all that snapshot ${decodePosition(checkpoint).snapshot} sees` });
    }
    if (opened.watermark === undefined) return;
    if (opened.kind === 'time') this.stampField = opened.watermark.field.name;
    this.readDelta = (from, signal) => this.#delta(from, signal);
    this.describeCheckpoint = (checkpoint): { [fact: string]: string } => {
      const { settled, seen } = decodeCheckpoint(checkpoint);
      return { settled: settled ?? 'from the beginning', read: seen ?? 'nothing yet' };
    };
  }

  async estimate(signal: AbortSignal): Promise<number | null> {
    const { pool, estimateSql } = this.#opened;
    if (estimateSql === null) return null;
    return transaction(pool, { readOnly: true, signal }, async (client) => {
      const { rows } = await query(client, estimateSql);
      const rowsEstimated = Number(rows[0]?.[0] ?? -1);
      return rowsEstimated < 0 ? null : rowsEstimated;
    });
  }

  async mark(signal: AbortSignal): Promise<string | null> {
    const { pool, watermark, kind, relation } = this.#opened;
    if (this.#capture !== undefined) return this.#capture.mark(signal);
    if (watermark === undefined) return null;
    return transaction(pool, { readOnly: true, signal }, async (client) =>
      encodeCheckpoint(advance(kind!, null, await boundNow(client, kind!, relation, watermark.name))),
    );
  }

  async *readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page> {
    if (resume === null) await this.#refuseNullKeys([], [], signal);
    let after = resume === null ? null : (JSON.parse(resume) as string[]);
    for (;;) {
      const { rows, last } = await this.#page(after === null ? [] : [this.#afterKey(after, 1)], after ?? [], keyNames, signal);
      if (rows.length === 0) return;
      after = last;
      yield { position: JSON.stringify(last), announced: rows.length, blocks: blocksOf(rows, this.schema.fields) };
      if (rows.length < PAGE_ROWS) return;
    }
  }

  async readKeys(keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]> {
    const { pool, key } = this.#opened;
    const texts = keys.map((one) =>
      keyParts(one, this.schema.key).map(
        (part, i) => toPostgresText(part, { type: key[i]!.field.type === 'bytes' ? 'bytes' : 'text' }, key[i]!.type === 'bytea')!,
      ),
    );
    const found = await transaction(pool, { readOnly: true, signal }, (client) => this.#readCurrent(client, texts));
    // A row whose own key is spelled differently is another record to whoever asked.
    return found.map((change, i) =>
      change.key === keys[i] ? change : { op: 'delete', key: keys[i]!, row: null, stampMs: NO_STAMP },
    );
  }

  /** For each key, by the texts of its columns, its row as it is now. */
  async #readCurrent(client: Client, keys: readonly (readonly string[])[]): Promise<readonly Change[]> {
    const { key, conditions, relation } = this.#opened;
    const arrays = key.map(({ type }, i) => `$${i + 1}::${type}[]`).join(', ');
    const names = key.map((_, i) => `_tidemark_key_${i}`);
    const wanted = names.map((name) => `wanted.${name}`);
    // The filter stands apart: names in it are the table's alone.
    const { rows } = await query(
      client,
      `SELECT s.${key[0]!.name} IS NOT NULL, ${wanted.join(', ')}, ${this.#selection()}
       FROM unnest(${arrays}) WITH ORDINALITY AS wanted (${names.join(', ')}, _tidemark_place)
       LEFT JOIN (SELECT * FROM ${relation} ${where(conditions)}) s ON ${key.map(({ name }, i) => `s.${name} = ${wanted[i]}`).join(' AND ')}
       ORDER BY wanted._tidemark_place`,
      key.map((_, i) => keys.map((parts) => parts[i]!)),
    );
    return rows.map((texts): Change => {
      if (texts[0] === 't') return this.#change(this.#row(texts.slice(1 + key.length)));
      const parts = newRow();
      key.forEach(({ field }, i) => {
        parts[field.name] = fromPostgres(texts[1 + i]!, field);
      });
      // No stamp: a row that a policy or `where` hid comes back with the one it had, and must not find a newer one (P12).
      return { op: 'delete', key: keyOf(parts, this.schema.key)!, row: null, stampMs: NO_STAMP };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /**
   * Everything from the settled bound on, once more: what has been read already costs a comparison in the target, and a row that
   * a long transaction commits late is not passed over (see watermark.ts). Its end is the state of now, so it comes to an end
   * also where rows change faster than they are read.
   */
  async *#delta(from: string, signal: AbortSignal): AsyncIterable<Batch> {
    const { pool, watermark, kind, relation } = this.#opened;
    const begun = decodeCheckpoint(from);
    const mark = watermark!.name;
    const bound: Bound = await transaction(pool, { readOnly: true, signal }, (client) => boundNow(client, kind!, relation, mark));
    const checkpoint = encodeCheckpoint(advance(kind!, begun, bound));
    const order = [mark, ...this.#opened.key.map(({ name }) => name)];
    const since = begun.settled === null ? [] : [`s.${mark} >= $1::${watermark!.type}`];
    const sinceValues = begun.settled === null ? [] : [begun.settled];
    await this.#refuseNullKeys([...since, `s.${mark} IS NOT NULL`], sinceValues, signal);
    let after: string[] | null = null;
    for (;;) {
      const conditions: string[] = [];
      const values: string[] = [];
      if (after !== null) {
        conditions.push(
          `(${order.map((name) => `s.${name}`).join(', ')}) > (${order.map((_, i) => `$${i + 1}::${i === 0 ? watermark!.type : this.#opened.key[i - 1]!.type}`).join(', ')})`,
        );
        values.push(...after);
      } else {
        conditions.push(...since);
        values.push(...sinceValues);
      }
      if (bound.newest !== null) {
        values.push(bound.newest);
        conditions.push(`s.${mark} <= $${values.length}::${watermark!.type}`);
      }
      const { rows, last } = await this.#page(conditions, values, () => order, signal, watermark);
      const done = rows.length < PAGE_ROWS;
      yield { changes: rows.map((row) => this.#change(row)), checkpoint: done ? checkpoint : null };
      if (done) return;
      after = last;
    }
  }

  #afterKey(after: readonly string[], from: number): string {
    const { key } = this.#opened;
    return `(${key.map(({ name }) => `s.${name}`).join(', ')}) > (${after.map((_, i) => `$${i + from}::${key[i]!.type}`).join(', ')})`;
  }

  /** One page in some order, and the texts by which the next one goes on. */
  async #page(
    conditions: readonly string[],
    values: readonly string[],
    order: (opened: Opened) => readonly string[],
    signal: AbortSignal,
    watermark?: SourceColumn,
  ): Promise<{ rows: Row[]; last: string[] }> {
    const { pool, relation } = this.#opened;
    const names = order(this.#opened).map((name) => `s.${name}`);
    // The raw texts of the order are read beside the values: a timestamp has more digits than its canonical form.
    const raw = names.map((name) => `${name}::text`).join(', ');
    const all = [
      ...this.#opened.conditions,
      ...conditions,
      ...(watermark === undefined ? [] : [`s.${watermark.name} IS NOT NULL`]),
    ];
    const { rows } = await transaction(pool, { readOnly: true, signal }, (client) =>
      query(
        client,
        `SELECT ${raw}, ${this.#selection()} FROM ${relation} ${where(all)} ORDER BY ${names.join(', ')} LIMIT ${PAGE_ROWS}`,
        values,
      ),
    );
    const last = rows.at(-1)?.slice(0, names.length) ?? [];
    return { rows: rows.map((row) => this.#row(row.slice(names.length))), last: last as string[] };
  }

  #selection(): string {
    // An array has a text form of its own; as JSON every system can read it.
    return this.#opened.columns.map(({ name, type }) => (type.endsWith('[]') ? `to_json(s.${name})` : `s.${name}`)).join(', ');
  }

  #row(texts: readonly (string | null)[]): Row {
    const row = newRow();
    this.schema.fields.forEach((field, i) => {
      row[field.name] = fromPostgres(texts[i]!, field);
    });
    return row;
  }

  #change(row: Row): Change {
    const stampMs = this.stampField === undefined ? NO_STAMP : Date.parse(String(row[this.stampField]));
    const key = keyOf(row, this.schema.key);
    // One that came after the check: the delta fails before a page goes on from it.
    if (key === null) throw this.#nullKey();
    return { op: 'upsert', key, row, stampMs: Number.isNaN(stampMs) ? NO_STAMP : stampMs };
  }

  /** A row without a key would be passed over in silence by paging. */
  async #refuseNullKeys(conditions: readonly string[], values: readonly string[], signal: AbortSignal): Promise<void> {
    const { pool, key, relation } = this.#opened;
    const nullable = key.filter(({ field }) => field.nullable);
    if (nullable.length === 0) return;
    const test = `(${nullable.map(({ name }) => `s.${name} IS NULL`).join(' OR ')})`;
    const { rows } = await transaction(pool, { readOnly: true, signal }, (client) =>
      query(client, `SELECT 1 FROM ${relation} ${where([...this.#opened.conditions, ...conditions, test])} LIMIT 1`, values),
    );
    if (rows.length > 0) throw this.#nullKey();
  }

  #nullKey(): RequestRefusedError {
    return new RequestRefusedError(`${this.schema.name} has rows whose key (${this.schema.key.join(', ')}) is null`, {
      hint: 'Choose another key, or leave those rows out with `where`.',
    });
  }
}

function keyNames(opened: Opened): readonly string[] {
  return opened.key.map(({ name }) => name);
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

async function* blocksOf(rows: readonly Row[], fields: readonly FieldSchema[]): AsyncGenerator<Block> {
  for (let at = 0; at < rows.length; at += BLOCK_ROWS) yield blockOfRows(rows.slice(at, at + BLOCK_ROWS), fields);
}
