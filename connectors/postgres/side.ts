import {
  keyOf,
  keyParts,
  newRow,
  RequestRefusedError,
  type Row,
  type Side,
  type SideResult,
  type SideRow,
  type SideSpec,
  type SideWrite,
  type Source,
} from '@tidemark/core';
import { ATTEMPT, Attempts } from './attempts.ts';
import { captureNames } from './capture/definition.ts';
import { writtenBy } from './capture/own-writes.ts';
import { readTable } from './catalog.ts';
import type { PostgresConfig, PostgresSideSpec } from './config.ts';
import { type Client, type Pool, query, transaction } from './driver.ts';
import { isAboutARecord, rejectionOf } from './errors.ts';
import { quoteName } from './identifiers.ts';
import { qualified } from './layout.ts';
import type { LackingRight } from './rights.ts';
import { lackingForRows, refuseUnusableColumns } from './side-rights.ts';
import { describeRelation, type SourceColumn } from './source-schema.ts';
import { fromPostgres, toPostgresText } from './values.ts';
import { WRITE_SETTINGS } from './write.ts';

/** A side of a sync, or of none: then its writes are nobody's, so that a capture tells of them as of any program's. */
export type PostgresSideUse = Omit<SideSpec<PostgresSideSpec>, 'unit'> & { readonly unit: string | null };

export interface SideParts {
  readonly pool: Pool;
  readonly config: PostgresConfig;
  readonly spec: PostgresSideUse;
  openSource(spec: Parameters<typeof describeRelation>[2]): Promise<Source>;
}

/** One table as a side of a two-way sync: rows are locked from the reading to the commit. */
export async function openSide({ pool, config, spec, openSource }: SideParts, signal: AbortSignal): Promise<Side> {
  const { side, link, unit } = spec;
  const fields = [...new Set([...spec.fields, ...(link === null ? [] : [link])])];
  const read = { from: side, where: undefined, fields, exclude: [], startAtMs: null };
  const source = await openSource({ ...read, ...(unit === null ? {} : { unit }) });
  return transaction(pool, { readOnly: true, signal }, async (client) => {
    const described = await describeRelation(client, config, read);
    const table = await readTable(client, config.schema, side.table);
    if (table === null || !['r', 'p'].includes(table.kind)) {
      throw new RequestRefusedError(`${described.name} is no table, so that it cannot be a side of a two-way sync`);
    }
    if (unit !== null) {
      const read = described.columns.map(({ field }) => field.name);
      await refuseUnusableColumns(client, {
        schema: config.schema,
        table: side.table,
        read,
        written: writtenOf(spec),
        link,
        unit,
      });
    }
    const isUnique = link === null || (await hasUniqueIndex(client, config.schema, side.table, link));
    return new PostgresSide({ pool, config, spec, source, link, isUnique, unit, ...described });
  });
}

/** Columns that the sync sets. */
function writtenOf({ writes, link }: PostgresSideUse): readonly string[] {
  return [...writes, ...(link === null ? [] : [link])];
}

interface Opened {
  readonly pool: Pool;
  readonly config: PostgresConfig;
  readonly spec: PostgresSideUse;
  readonly source: Source;
  readonly link: string | null;
  readonly isUnique: boolean;
  readonly unit: string | null;
  readonly name: string;
  readonly columns: readonly SourceColumn[];
  readonly key: readonly SourceColumn[];
}

async function hasUniqueIndex(client: Client, schema: string, table: string, column: string): Promise<boolean> {
  const { rows } = await query(
    client,
    `SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL LIMIT 1`,
    [schema, table, column],
  );
  return rows.length > 0;
}

class PostgresSide implements Side {
  readonly source: Source;
  readonly link: string | null;
  readonly creates: Side['creates'];
  readonly #opened: Opened;

  constructor(opened: Opened) {
    const { source, link, isUnique, name, config, spec } = opened;
    this.#opened = opened;
    this.source = source;
    this.link = link;
    this.creates = isUnique
      ? { ok: true }
      : {
          ok: false,
          message: `the link ${link} of ${name} is not unique, so that a record could be made twice`,
          hint: `CREATE UNIQUE INDEX ON ${qualified(config.schema, spec.side.table)} (${quoteName(link!)})`,
        };
  }

  lackingRights(signal: AbortSignal): Promise<readonly LackingRight[]> {
    const { pool, config, spec } = this.#opened;
    const rows = { schema: config.schema, table: spec.side.table, written: writtenOf(spec) };
    return transaction(pool, { readOnly: true, signal }, (client) => lackingForRows(client, rows, spec.deletes ?? false));
  }

  async now(signal: AbortSignal): Promise<number> {
    return transaction(this.#opened.pool, { readOnly: true, signal }, async (client) => {
      const { rows } = await query(client, 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint');
      return Number(rows[0]![0]);
    });
  }

  merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]> {
    const { pool, unit } = this.#opened;
    const settings = [...WRITE_SETTINGS, ...(unit === null ? [] : [writtenBy([unit])])];
    return transaction(pool, { settings, savepoint: ATTEMPT, signal }, async (client) => {
      const rows = keys.length === 0 ? [] : await this.#locked(client, keys);
      const writes = await decide(new Map(rows.map((row) => [row.key, row])));
      const attempts = new Attempts(client);
      const results: SideResult[] = [];
      for (const write of writes) results.push(await this.#write(attempts, write));
      return results;
    });
  }

  async find(wanted: readonly Row[], signal: AbortSignal, caseless?: ReadonlySet<string>): Promise<readonly SideRow[]> {
    const { pool, columns } = this.#opened;
    const found = new Map<string, SideRow>();
    await transaction(pool, { readOnly: true, signal }, async (client) => {
      for (const [, rows] of Map.groupBy(wanted, (row) => Object.keys(row).join('\n'))) {
        const named = Object.keys(rows[0]!).map((name) => columns.find(({ field }) => field.name === name)!);
        // Compared as text: a value that its column cannot hold is in no row, and no error.
        const arrays = named.map((_, i) => `$${i + 1}::text[]`).join(', ');
        // `lower(column)` is what people make an index of.
        const same = (own: string, other: string, field: string) =>
          caseless?.has(field) ? `lower(${own}) = lower(${other})` : `${own} = ${other}`;
        const match = named.map(({ name, field }, i) => same(`s.${name}::text`, `wanted.v${i}`, field.name)).join(' AND ');
        const list = named.map((_, i) => `v${i}`).join(', ');
        const values = named.map((column) => rows.map((row) => this.#text(column, row)));
        const relation = `${this.#table()} s JOIN (SELECT DISTINCT * FROM unnest(${arrays}) AS w (${list})) wanted ON ${match}`;
        const { rows: texts } = await query(client, `SELECT ${this.#selection()} FROM ${relation}`, values);
        for (const row of texts) {
          const one = this.#row(row);
          found.set(one.key, one);
        }
      }
    });
    return [...found.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }

  /** In the order of their keys, so that two who lock the same rows do not wait for each other. */
  async #locked(client: Client, keys: readonly string[]): Promise<SideRow[]> {
    const { key } = this.#opened;
    const parts = keys.map((one) => this.#keyTexts(one));
    const arrays = key.map(({ type }, i) => `$${i + 1}::${type}[]`).join(', ');
    const names = key.map((_, i) => `k${i}`);
    const match = key.map(({ name }, i) => `s.${name} = wanted.${names[i]}`).join(' AND ');
    const { rows } = await query(
      client,
      `SELECT ${this.#selection()} FROM ${this.#table()} s
       WHERE EXISTS (SELECT 1 FROM unnest(${arrays}) AS wanted (${names.join(', ')}) WHERE ${match})
       ORDER BY ${key.map(({ name }) => `s.${name}`).join(', ')} FOR UPDATE OF s`,
      key.map((_, i) => parts.map((texts) => texts[i])),
    );
    return rows.map((texts) => this.#row(texts));
  }

  /** A refused record takes no other with it (P2). */
  async #write(attempts: Attempts, write: SideWrite): Promise<SideResult> {
    if (write.op === 'create' && !this.creates.ok) {
      return { status: 'rejected', reason: { code: 'cannot_create', message: this.creates.message } };
    }
    const { sql, values } = this.#statement(write);
    for (;;) {
      await attempts.begin();
      try {
        const { rows } = await attempts.query(sql, values);
        if (rows.length === 0) return { status: 'gone' };
        return { status: 'written', key: write.op === 'create' ? this.#keyOf(rows[0]!) : write.key };
      } catch (error) {
        await attempts.undo();
        if (attempts.isUnprepared(error)) continue;
        if (!isAboutARecord(error)) throw error;
        const named = this.#opened.columns.map(({ field }) => ({ field, rawName: field.name }));
        return { status: 'rejected', reason: rejectionOf(error, named) };
      }
    }
  }

  #statement(write: SideWrite): { sql: string; values: (string | null)[] } {
    const { key, columns } = this.#opened;
    const returning = `RETURNING ${key.map(({ name }) => name).join(', ')}`;
    const set = write.op === 'delete' ? [] : columns.filter(({ field }) => Object.hasOwn(write.row, field.name));
    const values = write.op === 'delete' ? [] : set.map((column) => this.#text(column, write.row));
    if (write.op === 'create') {
      const list = `(${set.map(({ name }) => name).join(', ')}) VALUES (${set.map(({ type }, i) => `$${i + 1}::${type}`).join(', ')})`;
      return { sql: `INSERT INTO ${this.#table()} ${list} ${returning}`, values };
    }
    const where = key.map(({ name, type }, i) => `${name} = $${set.length + i + 1}::${type}`).join(' AND ');
    const parameters = [...values, ...this.#keyTexts(write.key)];
    if (write.op === 'delete') return { sql: `DELETE FROM ${this.#table()} WHERE ${where} ${returning}`, values: parameters };
    const assign = set.map(({ name, type }, i) => `${name} = $${i + 1}::${type}`).join(', ');
    return { sql: `UPDATE ${this.#table()} SET ${assign} WHERE ${where} ${returning}`, values: parameters };
  }

  #table(): string {
    const { config, spec } = this.#opened;
    return qualified(config.schema, spec.side.table);
  }

  /** The fields, and when somebody else last wrote the row, as far as the log still tells. */
  #selection(): string {
    const { columns, key, config, spec } = this.#opened;
    const fields = columns.map(({ name, type }) => (type.endsWith('[]') ? `to_json(s.${name})` : `s.${name}`));
    const { log } = captureNames({ schema: config.schema, table: spec.side.table });
    const keyTexts = `ARRAY[${key.map(({ name }) => `s.${name}::text`).join(', ')}]`;
    const changedAt = spec.side.capture
      ? `(SELECT (extract(epoch FROM max(l.at)) * 1000)::bigint FROM ${log} l WHERE l.key = ${keyTexts} AND l.writer IS NULL)`
      : 'NULL';
    return [...fields, changedAt].join(', ');
  }

  #row(texts: readonly (string | null)[]): SideRow {
    const { columns, source } = this.#opened;
    const row = newRow();
    columns.forEach(({ field }, i) => {
      row[field.name] = fromPostgres(texts[i]!, field);
    });
    const told = texts[columns.length] ?? null;
    const stamp = source.stampField === undefined ? Number.NaN : Date.parse(String(row[source.stampField]));
    return {
      key: keyOf(row, source.schema.key)!,
      row,
      atMs: told === null ? (Number.isNaN(stamp) ? null : stamp) : Number(told),
    };
  }

  #text({ field, type }: SourceColumn, row: Readonly<Row>): string | null {
    return toPostgresText(row[field.name], field, type === 'bytea');
  }

  #keyTexts(key: string): string[] {
    const { source, key: columns } = this.#opened;
    return keyParts(key, source.schema.key).map(
      (part, i) =>
        toPostgresText(part, { type: columns[i]!.field.type === 'bytes' ? 'bytes' : 'text' }, columns[i]!.type === 'bytea')!,
    );
  }

  #keyOf(texts: readonly (string | null)[]): string {
    const row = newRow();
    this.#opened.key.forEach(({ field }, i) => {
      row[field.name] = fromPostgres(texts[i]!, field);
    });
    return keyOf(row, this.source.schema.key)!;
  }
}
