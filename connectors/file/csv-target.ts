import { stat } from 'node:fs/promises';
import {
  type Change,
  type Clock,
  type Commit,
  keyOf,
  newRow,
  RequestRefusedError,
  type Row,
  type SchemaChange,
  type Target,
  type TargetSpec,
  textOf,
  type WriteResult,
} from '@tidemark/core';
import { stringify } from 'csv-stringify/sync';
import type { FileTo } from './config.ts';
import { replaceFile } from './durable.ts';
import { fileError } from './errors.ts';
import type { Place } from './place.ts';
import { readCsvHeader, readCsvRecords } from './read-csv.ts';

/** With `deletes: mark`: when a record went; empty for those that are there. */
const DELETED_AT = '_tidemark_deleted_at';
const LINES_A_CHUNK = 1_000;

/** A line's values by column, as text. */
type Line = ReadonlyMap<string, string | null>;

/**
 * The dataset as a table: one line for each record, always whole. Each batch writes the file anew beside the old one and puts it in
 * its place, so that readers see no half of anything; memory depends on the batch, time on the file.
 */
export class CsvTarget implements Target {
  /** Large, because each batch costs a rewrite. */
  readonly batchSizeMax = 50_000;
  readonly compares = false;
  readonly #place: Place;
  readonly #spec: TargetSpec<FileTo>;
  readonly #clock: Clock;
  readonly #columns: readonly string[];

  constructor(place: Place, spec: TargetSpec<FileTo>, clock: Clock) {
    this.#place = place;
    this.#spec = spec;
    this.#clock = clock;
    const names = spec.schema.fields.map(({ name }) => name);
    if (spec.deletes === 'mark' && names.includes(DELETED_AT)) {
      throw new RequestRefusedError(`${place.name}: the field ${DELETED_AT} has the name of the mark`, {
        hint: 'give it another name in fields, or use deletes: mirror',
      });
    }
    this.#columns = spec.deletes === 'mark' ? [...names, DELETED_AT] : names;
  }

  async plan(): Promise<readonly SchemaChange[]> {
    return (await this.#changes()).changes;
  }

  async prepare(): Promise<readonly SchemaChange[]> {
    const { changes, columns } = await this.#changes();
    if (changes.some(({ informational }) => informational !== true)) await this.#rewrite(columns, this.#lines(), () => true);
    return changes;
  }

  async write(changes: readonly Change[], commit: Commit, signal: AbortSignal): Promise<readonly WriteResult[]> {
    signal.throwIfAborted();
    const statuses = new Map<string, WriteResult['status']>();
    if (changes.length > 0) {
      const byKey = new Map(changes.map((change) => [change.key, change]));
      const { columns } = await this.#changes();
      const differs = () => [...statuses.values()].some((status) => status !== 'unchanged');
      await this.#rewrite(columns, this.#merge(byKey, statuses), differs);
    }
    const results = changes.map(({ key }): WriteResult => ({ status: statuses.get(key) as 'updated' }));
    await commit.settle(results);
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The lines as they shall be, and into `statuses` what became of each change. */
  async *#merge(byKey: ReadonlyMap<string, Change>, statuses: Map<string, WriteResult['status']>): AsyncGenerator<Line> {
    for await (const line of this.#lines()) {
      const key = this.#keyOf(line);
      const change = key === null ? undefined : byKey.get(key);
      const after = change === undefined ? line : this.#apply(line, change);
      if (change !== undefined) statuses.set(change.key, statusOf(line, after, change));
      if (after !== null) yield after;
    }
    for (const change of byKey.values()) {
      if (statuses.has(change.key)) continue;
      statuses.set(change.key, change.op === 'upsert' ? 'created' : 'unchanged');
      if (change.op === 'upsert') yield this.#lineOf(change.row!);
    }
  }

  /** Columns that no longer arrive keep their values. */
  #apply(line: Line, change: Change): Line | null {
    if (change.op === 'upsert') return new Map([...line, ...this.#lineOf(change.row!)]);
    if (this.#spec.deletes === 'ignore') return line;
    if (this.#spec.deletes === 'mirror') return null;
    return line.get(DELETED_AT) ? line : new Map([...line, [DELETED_AT, new Date(this.#clock.now()).toISOString()]]);
  }

  #lineOf(row: Row): Map<string, string | null> {
    // A field of JSON that holds a text is written as JSON, so that it can be told from the other kinds of value.
    const text = (name: string, type: string) => {
      const value = row[name] ?? null;
      return type === 'json' && value !== null ? JSON.stringify(value) : textOf(value);
    };
    const line = new Map(this.#spec.schema.fields.map(({ name, type }) => [name, wellFormed(text(name, type))]));
    return this.#spec.deletes === 'mark' ? line.set(DELETED_AT, null) : line;
  }

  #keyOf(line: Line): string | null {
    const row = newRow();
    for (const name of this.#spec.schema.key) row[name] = line.get(name) ?? null;
    return keyOf(row, this.#spec.schema.key);
  }

  async #changes(): Promise<{ changes: SchemaChange[]; columns: readonly string[] }> {
    const header = await this.#header();
    if (header === null) {
      return {
        changes: [{ summary: `create ${this.#place.name} with ${this.#columns.length} columns` }],
        columns: this.#columns,
      };
    }
    const known = header.columns;
    const added = this.#columns.filter((name) => !known.includes(name));
    const gone = known.filter((name) => !this.#columns.includes(name) && name !== DELETED_AT);
    const lost = this.#spec.schema.key.find((name) => added.includes(name));
    if (lost !== undefined && (await this.#hasRecords())) {
      throw new RequestRefusedError(`${this.#place.name} has no column ${lost}, which is the key of what arrives`, {
        hint: 'name another file, or move this one away',
      });
    }
    return {
      changes: [
        ...added.map((name) => ({ summary: `add column ${name} to ${this.#place.name}`, newField: name })),
        ...gone.map((name) => ({ summary: `${name} no longer arrives; its column is kept`, informational: true })),
      ],
      columns: [...known, ...added],
    };
  }

  async #hasRecords(): Promise<boolean> {
    for await (const _ of this.#lines()) return true;
    return false;
  }

  async #header() {
    try {
      if ((await stat(this.#place.path)).isFile()) return await readCsvHeader(this.#place);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return null;
      throw fileError(error, this.#place.name);
    }
    throw fileError({ code: 'EISDIR' }, this.#place.name);
  }

  async *#lines(): AsyncGenerator<Line> {
    const header = await this.#header();
    if (header === null) return;
    const records = readCsvRecords(this.#place, header.columns, header.next, undefined);
    for await (const { values } of records) yield values as Line;
  }

  async #rewrite(columns: readonly string[], lines: AsyncIterable<Line>, differs: () => boolean): Promise<void> {
    const { delimiter, path, name } = this.#place;
    // Quoted where a reader would otherwise take it for something else: an empty text for null, a line feed for the line's end.
    const text = (rows: (string | null)[][]) => stringify(rows, { delimiter, quoted_match: /[\r\n\ufeff]|^$|^\s|\s$/ });
    async function* chunks() {
      yield text([[...columns]]);
      let rows: (string | null)[][] = [];
      for await (const line of lines) {
        rows.push(columns.map((column) => line.get(column) ?? null));
        if (rows.length < LINES_A_CHUNK) continue;
        yield text(rows);
        rows = [];
      }
      yield text(rows);
    }
    try {
      await replaceFile(path, chunks(), differs);
    } catch (error) {
      throw fileError(error, name);
    }
  }
}

function statusOf(before: Line, after: Line | null, change: Change): WriteResult['status'] {
  if (after === null) return 'deleted';
  const equal = [...after].every(([name, text]) => text === (before.get(name) ?? null));
  if (equal) return 'unchanged';
  return change.op === 'delete' ? 'deleted' : 'updated';
}

/** What is no Unicode cannot be written as UTF-8, and would differ from itself when it is read again. */
function wellFormed(text: string | null): string | null {
  return text === null ? null : text.toWellFormed();
}
