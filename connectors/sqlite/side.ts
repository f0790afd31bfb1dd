import {
  type Clock,
  ConfigError,
  keyOf,
  keyParts,
  newRow,
  type Problem,
  RequestRefusedError,
  type Row,
  type Side,
  type SideResult,
  type SideRow,
  type SideSpec,
  type SideWrite,
} from '@tidemark/core';
import { logOf } from './capture/definition.ts';
import { openCapture } from './capture/reader.ts';
import type { SqliteClient } from './client.ts';
import type { SqliteSideSpec } from './config.ts';
import { FOLDED } from './folded.ts';
import { quoted } from './identifiers.ts';
import type { RowsRead } from './read-rows.ts';
import type { SideAnswer, SideStatement } from './side-transaction.ts';
import { type SourceLayout, SqliteSource, sourceLayout } from './source.ts';
import { formOf, MismatchError, type SqlValue } from './values.ts';

const keysInAQuery = 200;

/** One table as a side of a two-way sync. SQLite lets one write at a time: its lock is held from the reading to the commit. */
export async function openSide(
  client: SqliteClient,
  { side, link, fields, writes, unit }: Omit<SideSpec<SqliteSideSpec>, 'unit'> & { readonly unit: string | null },
  clock: Clock,
): Promise<Side> {
  const capture = side.capture ? await openCapture(client, side.table) : null;
  const wanted = [...new Set([...fields, ...(link === null ? [] : [link])])];
  const spec = {
    from: { ...side, ...(capture === null ? {} : { own: 'include' as const }) },
    ...{ where: undefined, fields: wanted, exclude: [], startAtMs: null, ...(unit === null ? {} : { unit }) },
  };
  const layout = await sourceLayout(client, spec);
  const source = new SqliteSource(client, layout, spec, capture, clock);
  const { kind, uniques, columns } = await client.call('describeTable', side.table);
  if (kind === 'view') throw new RequestRefusedError(`${side.table} is a view, which cannot be a side of a two-way sync`);
  const generated = new Set(columns.filter((column) => column.generated).map(({ name }) => name));
  if (unit !== null) {
    refuseGenerated(
      side.table,
      [...writes, ...(link === null ? [] : [link])].filter((name) => generated.has(name)),
      unit,
    );
  }
  const isUnique = link === null || uniques.some((columns) => columns.length === 1 && columns[0] === link);
  const parts = { client, layout, source, link, unit, clock, captured: capture !== null, isUnique };
  return new SqliteSide(parts);
}

/** They would stop the sync at its first change: they are named before. */
function refuseGenerated(table: string, columns: readonly string[], unit: string): void {
  const problems = columns.map((column): Problem => {
    const message = `SQLite computes ${quoted(table)}.${quoted(column)} itself`;
    return { place: `syncs.${unit}.fields.${column}`, severity: 'error', message, hint: 'let it flow the other way only (to:)' };
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

interface SideParts {
  readonly client: SqliteClient;
  readonly layout: SourceLayout;
  readonly source: SqliteSource;
  readonly link: string | null;
  /** Null: its writes are no sync's, so that a capture tells of them as of any program's. */
  readonly unit: string | null;
  readonly clock: Clock;
  readonly captured: boolean;
  readonly isUnique: boolean;
}

class SqliteSide implements Side {
  readonly source: SqliteSource;
  readonly link: string | null;
  readonly creates: Side['creates'];
  readonly #parts: SideParts;

  constructor(parts: SideParts) {
    this.#parts = parts;
    this.source = parts.source;
    this.link = parts.link;
    const { name } = parts.layout;
    this.creates = parts.isUnique
      ? { ok: true }
      : {
          ok: false,
          message: `the link ${parts.link} of ${name} is not unique, so that a record could be made twice`,
          hint: `CREATE UNIQUE INDEX ${quoted(`${name}_${parts.link}`)} ON ${quoted(name)} (${quoted(parts.link!)})`,
        };
  }

  async now(): Promise<number> {
    return this.#parts.clock.now();
  }

  merge(
    keys: readonly string[],
    decide: (rows: ReadonlyMap<string, SideRow>) => Promise<readonly SideWrite[]>,
    signal: AbortSignal,
  ): Promise<readonly SideResult[]> {
    const { client, unit } = this.#parts;
    return client.locked(async () => {
      signal.throwIfAborted();
      const found = await client.call('beginMerge', unit, this.#readsOf(keys));
      try {
        const rows = new Map(found.flatMap((read) => this.#rows(read)).map((row) => [row.key, row]));
        const writes = await decide(rows);
        return this.#resultsOf(
          writes,
          await client.call(
            'finishMerge',
            writes.map((write) => this.#statementOf(write)),
          ),
        );
      } catch (error) {
        await client.call('rollbackWrite');
        throw error;
      }
    });
  }

  async find(wanted: readonly Row[], _: AbortSignal, caseless?: ReadonlySet<string>): Promise<readonly SideRow[]> {
    const { client, layout } = this.#parts;
    const found: SideRow[] = [];
    const inAnyCapitals = (row: Row) => Object.keys(row).some((name) => caseless?.has(name));
    for (const each of this.#readsInAnyCapitals(wanted.filter(inAnyCapitals), caseless)) {
      found.push(...this.#rows(await client.call('readRows', each)));
    }
    for (const each of wanted) {
      if (inAnyCapitals(each)) continue;
      const names = Object.keys(each);
      const values = this.#bound(names, each);
      // A value that the column cannot hold is in no row.
      if (values === null || values.includes(null)) continue;
      const where = names.map((name, i) => `t.${quoted(name)} = ?${i + 1}`).join(' AND ');
      const read = await client.call('readRows', { ...this.#select(where), parameters: values });
      found.push(...this.#rows(read));
    }
    return [...new Map(found.map((row) => [keyOf(row.row, layout.key)!, row])).values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }

  /** Some at a time: without an index of `lower(column)` each of these queries looks at the whole table. */
  #readsInAnyCapitals(wanted: readonly Row[], caseless: ReadonlySet<string> | undefined) {
    const bound = wanted.flatMap((row) => {
      const names = Object.keys(row);
      const values = this.#bound(names, row);
      if (values === null || values.includes(null)) return [];
      const folded = values.map((value, i) => (caseless?.has(names[i]!) ? String(value).toLowerCase() : value));
      return [{ names, folded, isAscii: /^\p{ASCII}*$/u.test(folded.join('')) }];
    });
    return [...Map.groupBy(bound, ({ names, isAscii }) => [...names, isAscii].join('\n')).values()].flatMap((alike) => {
      const { names, isAscii } = alike[0]!;
      // SQLite's own knows the capitals of ASCII alone.
      const fold = isAscii ? 'lower' : FOLDED;
      const columns = names.map((name) => (caseless?.has(name) ? `${fold}(t.${quoted(name)})` : `t.${quoted(name)}`));
      const one = `(${names.map(() => '?').join(', ')})`;
      return batchesOf(alike).map((batch) => {
        const where = `(${columns.join(', ')}) IN (VALUES ${batch.map(() => one).join(', ')})`;
        return { ...this.#select(where), parameters: batch.flatMap(({ folded }) => folded) };
      });
    });
  }

  #readsOf(keys: readonly string[]) {
    const { key } = this.#parts.layout;
    const reads = [];
    for (let at = 0; at < keys.length; at += keysInAQuery) {
      const bound = keys.slice(at, at + keysInAQuery).flatMap((each) => {
        const parts = keyParts(each, key);
        const values = this.#bound(key, Object.fromEntries(key.map((name, i) => [name, parts[i]!])));
        return values === null ? [] : [values];
      });
      if (bound.length === 0) continue;
      const one = `(${key.map(() => '?').join(', ')})`;
      const where = `(${key.map((name) => `t.${quoted(name)}`).join(', ')}) IN (VALUES ${bound.map(() => one).join(', ')})`;
      reads.push({ ...this.#select(where), parameters: bound.flat() });
    }
    return reads;
  }

  /** The fields, and when somebody else last wrote the row, as far as that is told. */
  #select(where: string) {
    const { layout, captured } = this.#parts;
    const match = layout.key.map((name, i) => `l.k${i} IS t.${quoted(name)}`).join(' AND ');
    const log = quoted(logOf(layout.name));
    const changedAt = captured ? `(SELECT max(l.at_ms) FROM ${log} l WHERE ${match} AND l.writer IS NULL)` : 'NULL';
    const columns = [...layout.columns.map(({ name }) => `t.${quoted(name)}`), changedAt].join(', ');
    const fields = layout.columns.map(({ type, affinity }) => ({ type, affinity }));
    return { sql: `SELECT ${columns} FROM ${quoted(layout.name)} t WHERE ${where}`, fields };
  }

  #rows({ rowCount, columns, tails }: RowsRead): SideRow[] {
    const { layout, source } = this.#parts;
    return Array.from({ length: rowCount }, (_, r): SideRow => {
      const row = newRow();
      layout.columns.forEach(({ name }, c) => {
        row[name] = columns[c]![r]!;
      });
      const told = tails[r]![0] ?? null;
      const stamp = source.stampField === undefined ? Number.NaN : Date.parse(String(row[source.stampField]));
      return { key: keyOf(row, layout.key)!, row, atMs: told === null ? (Number.isNaN(stamp) ? null : stamp) : Number(told) };
    });
  }

  /** Values as the columns want them; null when one of them cannot be held. */
  #bound(names: readonly string[], row: Readonly<Row>): SqlValue[] | null {
    try {
      return names.map((name) => {
        const { type, affinity } = this.#parts.layout.columns.find((column) => column.name === name)!;
        const value = row[name] ?? null;
        return value === null ? null : formOf(type, affinity).bind(value);
      });
    } catch (error) {
      if (error instanceof MismatchError) return null;
      throw error;
    }
  }

  #statementOf(write: SideWrite): SideStatement {
    const { layout } = this.#parts;
    const table = quoted(layout.name);
    const returning = `RETURNING ${layout.key.map(quoted).join(', ')}`;
    if (write.op === 'create') {
      if (!this.creates.ok) return { refused: { code: 'cannot_create', message: this.creates.message } };
      const names = Object.keys(write.row);
      const values = this.#bound(names, write.row);
      if (values === null) return mismatch;
      const list = `(${names.map(quoted).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
      return { sql: `INSERT INTO ${table} ${list} ${returning}`, parameters: values };
    }
    const parts = keyParts(write.key, layout.key);
    const key = this.#bound(layout.key, Object.fromEntries(layout.key.map((name, i) => [name, parts[i]!])));
    if (key === null) return mismatch;
    const where = layout.key.map((name) => `${quoted(name)} = ?`).join(' AND ');
    if (write.op === 'delete') return { sql: `DELETE FROM ${table} WHERE ${where} ${returning}`, parameters: key };
    const names = Object.keys(write.row);
    const values = this.#bound(names, write.row);
    if (values === null) return mismatch;
    const set = names.map((name) => `${quoted(name)} = ?`).join(', ');
    return { sql: `UPDATE ${table} SET ${set} WHERE ${where} ${returning}`, parameters: [...values, ...key] };
  }

  #resultsOf(writes: readonly SideWrite[], answers: readonly SideAnswer[]): SideResult[] {
    const { layout } = this.#parts;
    return answers.map((answer, i): SideResult => {
      if ('refused' in answer) return { status: 'rejected', reason: answer.refused };
      if (answer.key === null) return { status: 'gone' };
      const write = writes[i]!;
      if (write.op !== 'create') return { status: 'written', key: write.key };
      const row = newRow();
      layout.key.forEach((name, k) => {
        const value = answer.key![k]!;
        row[name] = typeof value === 'bigint' ? Number(value) : (value as string);
      });
      return { status: 'written', key: keyOf(row, layout.key)! };
    });
  }
}

function batchesOf<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / keysInAQuery) }, (_, i) =>
    items.slice(i * keysInAQuery, (i + 1) * keysInAQuery),
  );
}

const mismatch: SideStatement = { refused: { code: 'datatype_mismatch', message: 'a value is not of its column’s type' } };
