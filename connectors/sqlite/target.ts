import {
  type Change,
  type Checkpoints,
  type Clock,
  type Commit,
  type DeleteRule,
  InvariantError,
  type LastWrite,
  type Load,
  type LoadCommit,
  newRow,
  type Row,
  type SchemaChange,
  type Target,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
import type { SqliteClient } from './client.ts';
import type { SqliteTo } from './config.ts';
import { planHistory } from './history.ts';
import { historyOf } from './history-definition.ts';
import type { TableLayout } from './layout.ts';
import { SqliteLoad } from './load.ts';
import { planTable, type TablePlan } from './plan-table.ts';

/** Writes one table. Data, checkpoint and the check of the epoch are one transaction (P1, P11). */
export class SqliteTarget implements Target {
  readonly batchSizeMax = 5000;
  readonly compares = true;
  readonly checkpoints: Checkpoints;
  readonly #client: SqliteClient;
  readonly #spec: TargetSpec<SqliteTo>;
  readonly #table: string;
  readonly #clock: Clock;
  #layout: TableLayout | null = null;

  constructor(client: SqliteClient, spec: TargetSpec<SqliteTo>, tablePrefix: string, clock: Clock) {
    this.#client = client;
    this.#spec = spec;
    this.#table = tablePrefix + spec.to.table;
    this.#clock = clock;
    this.checkpoints = {
      acquire: (unit, signal) =>
        client.locked(async () => {
          signal?.throwIfAborted();
          return client.call('acquire', unit);
        }),
      read: (unit) => client.call('readCheckpoint', unit),
      write: (unit, epoch, checkpoint) => client.locked(() => client.call('writeCheckpoint', unit, epoch, checkpoint)),
    };
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return (await this.#planned()).changes;
  }

  async places(): Promise<ReadonlyMap<string, string>> {
    const { columns } = (await this.#planned()).layout;
    return new Map(columns.map(({ field, column }) => [field, column]));
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const seen = await this.#planned();
    if (seen.isDone) {
      this.#layout = seen.layout;
      return seen.changes;
    }
    return this.#client.locked(async () => {
      // Looked at again: another sync may have changed the table while this one waited.
      const { layout, changes } = await this.#planned();
      const statements = changes.flatMap(({ statement }) => (statement === undefined ? [] : [statement]));
      await this.#client.call('alter', layout, statements);
      this.#layout = layout;
      return changes;
    });
  }

  write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    return this.#client.locked(async () => {
      signal.throwIfAborted();
      const { unit, deletes } = this.#spec;
      const now = new Date(this.#clock.now()).toISOString();
      const request = { layout: this.layout, unit, epoch: commit.epoch, deletes, changes, now };
      const results = await this.#client.call('beginWrite', request);
      let checkpoint: string | null;
      try {
        checkpoint = await commit.settle(results);
      } catch (error) {
        await this.#client.call('rollbackWrite');
        throw error;
      }
      await this.#client.call('commitWrite', unit, checkpoint);
      return results;
    });
  }

  async beginLoad(commit: LoadCommit, signal: AbortSignal): Promise<Load> {
    signal.throwIfAborted();
    return SqliteLoad.begin(this.#client, this.layout, this.#spec, commit, this.#clock);
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    const layout = this.layout;
    const found = await this.#client.call('readKeys', layout, keys);
    return new Map(
      found.map(([key, values]) => {
        const row = newRow();
        layout.columns.forEach(({ field }, i) => {
          row[field] = values[i]!;
        });
        return [key, row];
      }),
    );
  }

  lastWrite(key: string): Promise<LastWrite | null> {
    return this.#client.call('lastWrite', this.layout, key);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #planned(): Promise<TablePlan> {
    const { schema, scope, history } = this.#spec;
    const facts = await this.#client.call('describeTable', this.#table);
    const planned = planTable(this.#table, schema, facts, scope);
    const kept = await this.#client.call('describeTable', historyOf(this.#table));
    const versions = planHistory(planned.layout, facts, kept, history);
    return {
      layout: { ...planned.layout, history: versions.kept },
      changes: [...planned.changes, ...versions.changes],
      isDone: planned.isDone && versions.changes.every(({ statement }) => statement === undefined),
    };
  }

  /** The sync that it is written for. */
  get unit(): string {
    return this.#spec.unit;
  }

  get deletes(): DeleteRule {
    return this.#spec.deletes;
  }

  get layout(): TableLayout {
    if (this.#layout === null) throw new InvariantError(`Table ${this.#table} is used before it was prepared`);
    return this.#layout;
  }
}
