import type { Change, Clock, Commit, Load, LoadCommit, Row, SchemaChange, Target, TargetSpec, WriteResult } from '@tidemark/core';
import type { FileTo } from './config.ts';
import { CsvIndex } from './csv-index.ts';
import { CsvLoad } from './csv-load.ts';
import { CsvTable, type Line } from './csv-table.ts';
import type { Place } from './place.ts';

/**
 * The dataset as a table: one line for each record, always whole. Each batch writes the file anew beside the old one and puts it in
 * its place, so that readers see no half of anything; memory depends on the batch, time on the file. A full run is loaded, and
 * writes the file once.
 */
export class CsvTarget implements Target {
  /** Large, because each batch costs a rewrite. */
  readonly batchSizeMax = 50_000;
  readonly compares = false;
  readonly #table: CsvTable;
  readonly #index: CsvIndex;

  constructor(place: Place, spec: TargetSpec<FileTo>, clock: Clock) {
    this.#table = new CsvTable(place, spec, clock);
    this.#index = new CsvIndex(this.#table);
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return (await this.#table.layout()).changes;
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const { changes, columns } = await this.#table.layout();
    if (changes.some(({ informational }) => informational !== true)) {
      await this.#table.replace(columns, this.#table.lines(), () => true);
    }
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const statuses = new Map<string, WriteResult['status']>();
    if (changes.length > 0) {
      const byKey = new Map(changes.map((change) => [change.key, change]));
      const { columns } = await this.#table.layout();
      const differs = () => [...statuses.values()].some((status) => status !== 'unchanged');
      await this.#table.replace(columns, this.#merged(byKey, statuses), differs);
    }
    const results = changes.map(({ key }): WriteResult => ({ status: statuses.get(key) as 'updated' }));
    await commit.settle(results);
    return results;
  }

  async beginLoad(commit: LoadCommit, signal: AbortSignal): Promise<Load> {
    signal.throwIfAborted();
    return CsvLoad.begin(this.#table, commit);
  }

  read(keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    return this.#index.read(keys);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#index.close();
  }

  /** The lines as they shall be, and into `statuses` what became of each change. */
  async *#merged(byKey: ReadonlyMap<string, Change>, statuses: Map<string, WriteResult['status']>): AsyncGenerator<Line> {
    for await (const line of this.#table.lines()) {
      const key = this.#table.keyOf(line);
      const change = key === null ? undefined : byKey.get(key);
      const after = change === undefined ? line : this.#apply(line, change);
      if (change !== undefined) {
        const changed = change.op === 'delete' ? 'deleted' : 'updated';
        statuses.set(change.key, after === line ? 'unchanged' : changed);
      }
      if (after !== null) yield after;
    }
    for (const change of byKey.values()) {
      if (statuses.has(change.key)) continue;
      statuses.set(change.key, change.op === 'upsert' ? 'created' : 'unchanged');
      if (change.op === 'upsert') yield this.#table.withTexts(undefined, this.#table.textsOf(change.row!));
    }
  }

  #apply(line: Line, change: Change): Line | null {
    if (change.op === 'delete') return this.#table.deleted(line);
    const texts = this.#table.textsOf(change.row!);
    const has = this.#table.textsIn(line);
    return !this.#table.isMarked(line) && texts.every((text, i) => text === has[i]) ? line : this.#table.withTexts(line, texts);
  }
}
