import { createHash } from 'node:crypto';
import {
  type Block,
  keyOf,
  type Load,
  type LoadCommit,
  type LoadCounts,
  newRow,
  type RejectedRow,
  RequestRefusedError,
  type TargetSpec,
} from '@tidemark/core';
import { writtenBy } from './capture/own-writes.ts';
import { lockSchema, type PostgresCheckpoints } from './checkpoints.ts';
import { type Client, type Pool, portions, query, transaction } from './driver.ts';
import {
  columnList,
  DELETED_AT,
  differs,
  inScope,
  type Layout,
  PLACE,
  qualified,
  STAMP,
  sameKey,
  scopeSettings,
} from './layout.ts';
import { latestStaged, mergeStaged } from './merge-load.ts';
import { PageWriter } from './page-writer.ts';
import { columnDefinitions } from './prepare.ts';
import { buildIndexes, copyGrants, isSwappable, swapIn } from './swap.ts';
import { canonicalText } from './values.ts';

/** Hash joins of a million rows stay in memory; only while a load is merged. */
const MERGE_SETTINGS = ['jit = off', "work_mem = '128MB'", "maintenance_work_mem = '256MB'", "lock_timeout = '30s'"];
const PORTION_ROWS = 5000;

export interface LoadContext {
  readonly pool: Pool;
  readonly layout: Layout;
  readonly spec: TargetSpec<unknown>;
  readonly checkpoints: PostgresCheckpoints;
  readonly commit: LoadCommit;
  readonly signal: AbortSignal;
}

/** A table beside the target that takes the rows of a load, and what is known of it. */
export interface Staging {
  /** Quoted, with the schema. */
  readonly name: string;
  /** It survives a crash of the server and may take the target's place. */
  readonly logged: boolean;
}

/**
 * Opens the load, or goes on with the one that was interrupted. Its rows lie in a table beside the target; how far it has come,
 * and how many rows that were, stands with the checkpoints. The rows are counted again before it goes on: a crash of the server
 * empties an unlogged table.
 */
export async function openLoad(context: LoadContext): Promise<PostgresLoad> {
  const { pool, layout, spec, checkpoints, commit, signal } = context;
  const name = stagingName(layout, spec.unit);
  return transaction(pool, { signal, settings: MERGE_SETTINGS }, async (client) => {
    await lockSchema(client, layout.schema);
    const { rows } = await query(
      client,
      `SELECT load_id, load_table, load_position, load_rows FROM ${checkpoints.table} WHERE unit = $1`,
      [spec.unit],
    );
    const [loadId, table, position, counted] = rows[0] ?? [];
    if (loadId === commit.loadId && table === name) {
      const found = await countStaged(client, layout.schema, name);
      if (found !== null && found.rows === Number(counted)) {
        await checkpoints.keep(client, spec.unit, commit.epoch, {});
        return new PostgresLoad(context, found.staging, position ?? null, found.rows, found.nextPlace);
      }
    }
    for (const old of new Set([table, name])) {
      if (old != null) await client.query(`DROP TABLE IF EXISTS ${qualified(layout.schema, old)}`);
    }
    const staging = { name: qualified(layout.schema, name), logged: await isSwappable(client, layout) };
    await client.query(
      `CREATE ${staging.logged ? '' : 'UNLOGGED '}TABLE ${staging.name}
       (${[`${PLACE} bigint NOT NULL`, ...columnDefinitions(layout)].join(', ')}) WITH (autovacuum_enabled = false)`,
    );
    if (staging.logged) await copyGrants(client, layout, staging.name);
    await checkpoints.keep(client, spec.unit, commit.epoch, {
      load_id: commit.loadId,
      load_table: name,
      load_position: null,
      load_rows: 0,
    });
    return new PostgresLoad(context, staging, null, 0, 0);
  });
}

/** One for each unit and shape: rows staged for other columns are of no use. */
function stagingName(layout: Layout, unit: string): string {
  const shape = JSON.stringify([unit, layout.target, columnDefinitions(layout)]);
  return `_tidemark_load_${createHash('sha256').update(shape).digest('hex').slice(0, 16)}`;
}

async function countStaged(client: Client, schema: string, name: string) {
  const staging = qualified(schema, name);
  const { rows } = await query(client, 'SELECT relpersistence FROM pg_class WHERE oid = to_regclass($1)', [staging]);
  if (rows.length === 0) return null;
  const counted = await query(client, `SELECT count(*), coalesce(max(${PLACE}) + 1, 0) FROM ${staging}`);
  const [count, nextPlace] = counted.rows[0]!;
  return { staging: { name: staging, logged: rows[0]![0] === 'p' }, rows: Number(count), nextPlace: Number(nextPlace) };
}

/** What a checkpoint says of a load that is under way, when none is. */
const noLoad = { load_id: null, load_table: null, load_position: null, load_rows: null };

export class PostgresLoad implements Load {
  readonly #context: LoadContext;
  readonly #staging: Staging;
  readonly #writer: PageWriter;
  #position: string | null;
  #rows: number;
  #analyzedRows = -1;
  #swapped = false;

  constructor(context: LoadContext, staging: Staging, position: string | null, rows: number, nextPlace: number) {
    this.#context = context;
    this.#staging = staging;
    this.#position = position;
    this.#rows = rows;
    this.#writer = new PageWriter(context.layout, context.spec.schema.key, context.commit.stampColumn, staging.name, nextPlace);
  }

  get position(): string | null {
    return this.#position;
  }

  get rows(): number {
    return this.#rows;
  }

  async writePage(
    blocks: AsyncIterable<Block>,
    position: string,
    reject: (rows: readonly RejectedRow[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    const { pool, spec, checkpoints, commit } = this.#context;
    const written = await transaction(pool, { signal }, async (client) => {
      const counts = await this.#writer.write(client, blocks, reject, signal);
      await checkpoints.keep(client, spec.unit, commit.epoch, { load_position: position, load_rows: this.#rows + counts.rows });
      return counts;
    });
    this.#rows += written.rows;
    this.#position = position;
    return written;
  }

  async countMissing(): Promise<{ missing: number; total: number }> {
    return transaction(this.#context.pool, { settings: this.#settings }, async (client) => {
      const total = await query(client, `SELECT count(*) FROM ${this.#context.layout.target} t WHERE ${this.#ours()}`);
      if (total.rows[0]![0] === '0') return { missing: 0, total: 0 };
      await this.#analyze(client);
      const missing = await query(client, `SELECT count(*) FROM ${this.#missing()}`);
      return { missing: Number(missing.rows[0]![0]), total: Number(total.rows[0]![0]) };
    });
  }

  async *missingKeys(): AsyncIterable<readonly string[]> {
    const { layout } = this.#context;
    const names = layout.key.map(({ name }) => `t.${name}`).join(', ');
    for await (const rows of portions(this.#context.pool, `SELECT ${names} FROM ${this.#missing()}`, [], this.#portion))
      yield rows.map((row) => this.#key(row));
  }

  async *differences(): AsyncIterable<{ key: string; kind: 'missing' | 'extra' | 'different' }> {
    const { layout } = this.#context;
    await transaction(this.#context.pool, {}, (client) => this.#analyze(client));
    const live = ` WHERE true${layout.marks ? ` AND a.${DELETED_AT} IS NULL` : ''}${inScope(layout, 'a')}`;
    const staged = latestStaged(layout, this.#staging.name);
    const keys = layout.key.map(({ name }) => `coalesce(t.${name}, i.${name})`).join(', ');
    const first = layout.key[0]!.name;
    const sql = `SELECT CASE WHEN t.${first} IS NULL THEN 'missing' WHEN i.${first} IS NULL THEN 'extra' ELSE 'different' END, ${keys}
      FROM (SELECT ${columnList(layout, 'a')} FROM ${layout.target} a${live}) t FULL JOIN ${staged} i ON ${sameKey(layout, 't', 'i')}
      WHERE t.${first} IS NULL OR (i.${first} IS NULL AND t.${STAMP} IS NOT NULL)
        OR (i.${first} IS NOT NULL AND ${differs({ ...layout, marks: false }, 't', 'i')})`;
    for await (const rows of portions(this.#context.pool, sql, [], this.#portion)) {
      for (const [kind, ...key] of rows) yield { key: this.#key(key), kind: kind as 'missing' | 'extra' | 'different' };
    }
  }

  async finish(end: Parameters<Load['finish']>[0]): Promise<LoadCounts> {
    const { pool, layout, spec, checkpoints, commit } = this.#context;
    const settings = [...this.#settings, writtenBy([spec.unit])];
    const counts = await transaction(pool, { signal: end.signal, settings }, async (client) => {
      const refuse = async (rows: readonly RejectedRow[]) => {
        if (end.reject !== undefined) return end.reject(rows);
        throw new RequestRefusedError(`The table refuses a staged row: ${rows[0]!.reason.message} (${rows[0]!.reason.code})`);
      };
      const swapped = this.#staging.logged ? await swapIn(client, layout, this.#staging.name, this.#rows) : null;
      if (swapped === null) await this.#analyze(client);
      const result =
        swapped === null
          ? await mergeStaged(client, layout, spec.schema.key, this.#staging.name, end.gone, refuse)
          : { created: swapped, updated: 0, unchanged: 0, deleted: 0 };
      if (swapped === null) await client.query(`DROP TABLE ${this.#staging.name}`);
      await checkpoints.keep(client, spec.unit, commit.epoch, {
        ...noLoad,
        ...(end.checkpoint === null ? {} : { checkpoint: end.checkpoint }),
      });
      this.#swapped = swapped !== null;
      return result;
    });
    return counts;
  }

  async settle(signal: AbortSignal): Promise<void> {
    const { pool, layout } = this.#context;
    if (this.#swapped) await transaction(pool, { signal, settings: MERGE_SETTINGS }, (client) => buildIndexes(client, layout));
  }

  async discard(): Promise<void> {
    const { pool, spec, checkpoints, commit } = this.#context;
    await transaction(pool, {}, async (client) => {
      await client.query(`DROP TABLE IF EXISTS ${this.#staging.name}`);
      await checkpoints.keep(client, spec.unit, commit.epoch, noLoad);
    });
    this.#rows = 0;
    this.#position = null;
  }

  /** What is staged stays: the load is gone on with, or thrown away, by the next one. */
  async [Symbol.asyncDispose](): Promise<void> {}

  get #settings(): readonly string[] {
    return [...MERGE_SETTINGS, ...scopeSettings(this.#context.layout)];
  }

  get #portion() {
    return { rows: PORTION_ROWS, settings: this.#settings };
  }

  /** Rows that a sweep may touch: written by a sync and not marked as deleted. */
  #ours(): string {
    const { layout } = this.#context;
    return `t.${STAMP} IS NOT NULL${layout.marks ? ` AND t.${DELETED_AT} IS NULL` : ''}${inScope(layout, 't')}`;
  }

  #missing(): string {
    const { layout } = this.#context;
    return `${layout.target} t WHERE ${this.#ours()} AND NOT EXISTS (SELECT FROM ${this.#staging.name} i WHERE ${sameKey(layout, 't', 'i')})`;
  }

  #key(texts: readonly (string | null)[]): string {
    const { layout, spec } = this.#context;
    const row = newRow();
    layout.key.forEach(({ field }, i) => {
      row[field.name] = texts[i] == null ? null : canonicalText(texts[i], field.type);
    });
    return keyOf(row, spec.schema.key)!;
  }

  /** Statistics of a table this new: without them a join of a million rows may be planned for a handful. */
  async #analyze(client: Client): Promise<void> {
    if (this.#analyzedRows === this.#rows) return;
    await client.query(`ANALYZE ${this.#staging.name}`);
    this.#analyzedRows = this.#rows;
  }
}
