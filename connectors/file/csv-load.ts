import {
  type Block,
  type Column,
  cellText,
  cellValue,
  type FieldSchema,
  keyOf,
  type Load,
  type LoadCommit,
  type LoadCounts,
  NO_STAMP,
  newRow,
  type RejectedRow,
  rowsOfBlock,
} from '@tidemark/core';
import type { CsvTable, Line, Texts } from './csv-table.ts';
import { Staging } from './staging.ts';
import { canonical } from './values.ts';

const KEYS_A_PART = 1_000;

type Difference = { readonly key: string; readonly kind: 'missing' | 'extra' | 'different' };

/** What one look at the whole file tells, besides the differences that the staging keeps. */
interface Comparison {
  /** By the id of a staged row: 1 when the file has its key. A byte for each row is all that grows with the load. */
  readonly seen: Uint8Array;
  readonly missing: number;
  readonly total: number;
  /** Nothing is to be written but what is gone. */
  readonly equal: boolean;
}

/**
 * A full load: rows are staged beside the file, compared with it line by line, and written with it into a new file, which then takes
 * its place. Old lines keep their order; new records come behind them, in the order in which they came.
 */
export class CsvLoad implements Load {
  readonly #table: CsvTable;
  readonly #staging: Staging;
  readonly #stampColumn: number;
  #comparison: Comparison | null = null;

  static async begin(table: CsvTable, { loadId, stampColumn }: LoadCommit): Promise<CsvLoad> {
    // Rows are staged by the order of the fields: another order is another load.
    const id = JSON.stringify([loadId, ...table.spec.schema.fields.map(({ name, type }) => `${name} ${type}`)]);
    return new CsvLoad(table, await Staging.open(table.place, id), stampColumn);
  }

  private constructor(table: CsvTable, staging: Staging, stampColumn: number) {
    this.#table = table;
    this.#staging = staging;
    this.#stampColumn = stampColumn;
  }

  get position(): string | null {
    return this.#staging.position;
  }

  get rows(): number {
    return this.#staging.rows;
  }

  async writePage(
    blocks: AsyncIterable<Block>,
    position: string,
    reject: (rows: readonly RejectedRow[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    this.#comparison = null;
    let rows = 0;
    const rejected: RejectedRow[] = [];
    await this.#staging.page(position, async (put) => {
      for await (const block of blocks) {
        signal.throwIfAborted();
        const nameless = this.#putRows(block, put);
        rows += block.rowCount - nameless.length;
        rejected.push(...this.#rejected(block, nameless));
      }
      if (rejected.length > 0) await reject(rejected);
      return rows;
    });
    return { rows, rejected: rejected.length };
  }

  async countMissing(): Promise<{ missing: number; total: number }> {
    const { missing, total } = await this.#compare();
    return { missing, total };
  }

  async *missingKeys(): AsyncGenerator<readonly string[]> {
    await this.#compare();
    let part: string[] = [];
    for (const { key, kind } of this.#staging.differences()) {
      if (kind === 'extra') part.push(key);
      if (part.length < KEYS_A_PART) continue;
      yield part;
      part = [];
    }
    if (part.length > 0) yield part;
  }

  async *differences(): AsyncGenerator<Difference> {
    const { seen } = await this.#compare();
    yield* this.#staging.differences();
    for (const { id, key } of this.#staging.all()) if (seen[id] === 0) yield { key, kind: 'missing' };
  }

  async finish(end: { gone: readonly string[]; signal: AbortSignal }): Promise<LoadCounts> {
    end.signal.throwIfAborted();
    const counts = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
    if (this.#comparison?.equal && end.gone.length === 0) {
      counts.unchanged = this.#staging.count();
    } else {
      const { columns } = await this.#table.layout();
      const differs = () => counts.created + counts.updated + counts.deleted > 0;
      await this.#table.replace(columns, this.#merged(new Set(end.gone), counts, end.signal), differs);
    }
    await this.#staging.discard();
    return counts;
  }

  async discard(): Promise<void> {
    await this.#staging.discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#staging.close();
  }

  /** Reads the file once; further questions are answered from what that told. */
  async #compare(): Promise<Comparison> {
    if (this.#comparison !== null) return this.#comparison;
    this.#staging.forgetDifferences();
    const count = this.#staging.count();
    const seen = new Uint8Array(count + 1);
    let [missing, total, found, different] = [0, 0, 0, 0];
    let noted: Difference[] = [];
    for await (const line of this.#table.lines()) {
      const key = this.#table.keyOf(line);
      if (key === null) continue;
      const marked = this.#table.isMarked(line);
      const staged = this.#staging.find(key);
      if (!marked) total++;
      if (staged === undefined) {
        if (marked) continue;
        missing++;
        noted.push({ key, kind: 'extra' });
      } else {
        if (seen[staged.id] === 0) found++;
        seen[staged.id] = 1;
        if (this.#holds(line, staged.texts)) continue;
        different++;
        noted.push({ key, kind: marked ? 'missing' : 'different' });
      }
      if (noted.length < KEYS_A_PART) continue;
      this.#staging.noteDifferences(noted);
      noted = [];
    }
    this.#staging.noteDifferences(noted);
    this.#comparison = { seen, missing, total, equal: different === 0 && found === count };
    return this.#comparison;
  }

  /** The lines as they shall be, and into `counts` what became of the records. */
  async *#merged(
    gone: ReadonlySet<string>,
    counts: { -readonly [name in keyof LoadCounts]: number },
    signal: AbortSignal,
  ): AsyncGenerator<Line> {
    const seen = new Uint8Array(this.#staging.count() + 1);
    for await (const line of this.#table.lines(signal)) {
      const key = this.#table.keyOf(line);
      const staged = key === null ? undefined : this.#staging.find(key);
      if (staged !== undefined) {
        const equal = this.#holds(line, staged.texts);
        if (seen[staged.id] === 0) counts[equal ? 'unchanged' : 'updated']++;
        seen[staged.id] = 1;
        yield equal ? line : this.#table.withTexts(line, JSON.parse(staged.texts) as Texts);
        continue;
      }
      const after = key !== null && gone.has(key) ? this.#table.deleted(line) : line;
      if (after !== line) counts.deleted++;
      if (after !== null) yield after;
    }
    for (const { id, texts } of this.#staging.all()) {
      if (seen[id] === 1) continue;
      signal.throwIfAborted();
      counts.created++;
      yield this.#table.withTexts(undefined, JSON.parse(texts) as Texts);
    }
  }

  #holds(line: Line, texts: string): boolean {
    return !this.#table.isMarked(line) && JSON.stringify(this.#table.textsIn(line)) === texts;
  }

  /** Answers the indices of rows without a key, which are not put. */
  #putRows(block: Block, put: (key: string, texts: string) => void): number[] {
    const { fields, key } = this.#table.spec.schema;
    const keys = key.map((name) => fields.findIndex((field) => field.name === name));
    const nameless: number[] = [];
    for (let r = 0; r < block.rowCount; r++) {
      const texts = fields.map((field, c) => textIn(block.columns[c]!, r, field));
      const parts = newRow();
      key.forEach((name, k) => {
        parts[name] = texts[keys[k]!]!;
      });
      const identity = keyOf(parts, key);
      if (identity === null) nameless.push(r);
      else put(identity, JSON.stringify(texts));
    }
    return nameless;
  }

  #rejected(block: Block, indices: readonly number[]): RejectedRow[] {
    if (indices.length === 0) return [];
    const { fields, key } = this.#table.spec.schema;
    const rows = rowsOfBlock(block, fields);
    return indices.map((r) => {
      const stampMs = Date.parse(cellText(block.columns[this.#stampColumn]!, r) ?? '');
      const reason = { code: 'key_missing', message: `${key.join(', ')} is null` };
      return { key: '', row: rows[r]!, stampMs: Number.isNaN(stampMs) ? NO_STAMP : stampMs, reason };
    });
  }
}

/** A cell as the table writes it, see `CsvTable.textsOf`. */
function textIn(column: Column, row: number, field: FieldSchema): string | null {
  if (field.type !== 'json') return cellText(column, row)?.toWellFormed() ?? null;
  const value = column.kind === 'text' ? canonical(cellText(column, row), 'json') : cellValue(column, row, field);
  return value === null ? null : JSON.stringify(value).toWellFormed();
}
