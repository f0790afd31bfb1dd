import {
  type Change,
  type Commit,
  keyOf,
  type LastWrite,
  type Load,
  type LoadCommit,
  newRow,
  type Row,
  type SchemaChange,
  shortened,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import { lockSchema, PostgresCheckpoints } from './checkpoints.ts';
import type { PostgresConfig, PostgresTo } from './config.ts';
import { type Pool, type QueryResult, query, transaction } from './driver.ts';
import { NAME_BYTES_MAX } from './identifiers.ts';
import { DELETED_AT, inScope, type Layout, STAMP, scopeSettings } from './layout.ts';
import { openLoad } from './load.ts';
import { makeChange, type Place, type Preparation, planTable, rememberColumns } from './prepare.ts';
import type { LackingRight } from './rights.ts';
import { keyTexts } from './row-texts.ts';
import { lackingForTarget } from './target-rights.ts';
import { fromPostgres } from './values.ts';
import { writeChanges } from './write.ts';

/** One table that is kept equal to a dataset. */
export class PostgresTarget implements Target {
  readonly batchSizeMax = 10_000;
  readonly compares = true;
  readonly checkpoints: PostgresCheckpoints;
  readonly #pool: Pool;
  readonly #spec: TargetSpec<PostgresTo>;
  readonly #place: Place;
  #layout: Layout | undefined;

  constructor(pool: Pool, config: PostgresConfig, spec: TargetSpec<PostgresTo>) {
    this.#pool = pool;
    this.#spec = spec;
    this.#place = {
      schema: spec.to.schema ?? config.schema,
      table: shortened(`${config.tablePrefix}${spec.to.table}`, NAME_BYTES_MAX),
    };
    this.checkpoints = new PostgresCheckpoints(pool, config.schema);
  }

  async lackingRights(loads: boolean): Promise<readonly LackingRight[]> {
    return transaction(this.#pool, { readOnly: true }, (client) =>
      lackingForTarget(client, {
        checkpoints: this.checkpoints,
        schema: this.#place.schema,
        loads,
        plan: () => planTable(client, this.#place, this.#spec, this.checkpoints),
      }),
    );
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return (await this.#planned()).changes;
  }

  async places(): Promise<ReadonlyMap<string, string>> {
    const { columns } = (await this.#planned()).layout;
    return new Map(columns.map(({ field, rawName }) => [field.name, rawName]));
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const prepared = await transaction(this.#pool, { settings: ["lock_timeout = '30s'"] }, async (client) => {
      // Planned under the lock, so that two workers that start together do not both create the table.
      await lockSchema(client, this.#place.schema);
      await this.checkpoints.ensure(client);
      const planned = await planTable(client, this.#place, this.#spec, this.checkpoints);
      for (const change of planned.changes) await makeChange(client, this.#place, change);
      await rememberColumns(client, this.#spec.unit, planned.layout, this.checkpoints);
      return planned;
    });
    this.#layout = prepared.layout;
    return prepared.changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    return writeChanges(this.#pool, await this.layout(), this.#spec, this.checkpoints, changes, commit, signal);
  }

  async beginLoad(commit: LoadCommit, signal: AbortSignal): Promise<Load> {
    return openLoad({
      pool: this.#pool,
      layout: await this.layout(),
      spec: this.#spec,
      checkpoints: this.checkpoints,
      commit,
      signal,
    });
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const layout = await this.layout();
    const keyFields = this.#spec.schema.key;
    const live = layout.marks ? ` AND t.${DELETED_AT} IS NULL` : '';
    const rows = await this.#select(layout.columns.map(({ name }) => `t.${name}`).join(', '), keys, live);
    const found = new Map<string, Row>();
    for (const values of rows) {
      const row = newRow();
      layout.columns.forEach(({ field }, i) => {
        row[field.name] = fromPostgres(values[i]!, field);
      });
      found.set(keyOf(row, keyFields)!, row);
    }
    return found;
  }

  async lastWrite(key: string): Promise<LastWrite | null> {
    const { marks } = await this.layout();
    const msOf = (column: string) => `(extract(epoch FROM ${column}) * 1000)::bigint`;
    const [row] = await this.#select(`${msOf(`t.${STAMP}`)}, ${marks ? msOf(`t.${DELETED_AT}`) : 'NULL'}`, [key]);
    const [stampMs, deletedAtMs] = row ?? [];
    if (stampMs == null) return null;
    return { stampMs: Number(stampMs), deletedAtMs: deletedAtMs == null ? null : Number(deletedAtMs) };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Of the rows with these keys. @param further  what else has to be true of them */
  async #select(what: string, keys: readonly string[], further = ''): Promise<QueryResult['rows']> {
    const layout = await this.layout();
    const parts = keys.map((key) => keyTexts(key, layout.key, this.#spec.schema.key));
    const names = layout.key.map(({ name }) => name).join(', ');
    const arrays = layout.key.map(({ type }, i) => `$${i + 1}::${type.replace(/\(.*?\)/, '')}[]`);
    const { rows } = await transaction(this.#pool, { readOnly: true, settings: scopeSettings(layout) }, (client) =>
      query(
        client,
        `SELECT ${what} FROM ${layout.target} t JOIN unnest(${arrays.join(', ')}) AS wanted (${names}) USING (${names})
         WHERE true${further}${inScope(layout, 't')}`,
        layout.key.map((_, i) => parts.map((part) => part[i])),
      ),
    );
    return rows;
  }

  #planned(): Promise<Preparation> {
    return transaction(this.#pool, { readOnly: true }, (client) => planTable(client, this.#place, this.#spec, this.checkpoints));
  }

  /** The sync that it is written for. */
  get unit(): string {
    return this.#spec.unit;
  }

  /** Names of the key's fields in a record. */
  get keyFields(): readonly string[] {
    return this.#spec.schema.key;
  }

  /** Where the fields lie, of a table that is prepared. */
  async layout(): Promise<Layout> {
    if (this.#layout === undefined) await this.prepare();
    return this.#layout!;
  }
}
