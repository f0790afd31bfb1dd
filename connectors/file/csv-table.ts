import { stat } from 'node:fs/promises';
import {
  type Clock,
  keyOf,
  newRow,
  RequestRefusedError,
  type Row,
  type SchemaChange,
  type TargetSpec,
  textOf,
} from '@tidemark/core';
import { stringify } from 'csv-stringify/sync';
import type { FileTo } from './config.ts';
import { replaceFile } from './durable.ts';
import { fileError } from './errors.ts';
import type { Place } from './place.ts';
import { readCsvHeader, readCsvRecords } from './read-csv.ts';
import { canonical } from './values.ts';

/** When a record went, with `deletes: mark`; empty for those that are there. */
const DELETED_AT = '_tidemark_deleted_at';
const LINES_A_CHUNK = 1_000;

/** A line's values by column, as text. */
export type Line = ReadonlyMap<string, string | null>;

/** Values of the schema's fields, in their order, as text. */
export type Texts = readonly (string | null)[];

/** A CSV file as a dataset: one line for each record. What a line says, what it becomes, and how all of them are replaced. */
export class CsvTable {
  readonly place: Place;
  readonly spec: TargetSpec<FileTo>;
  readonly #clock: Clock;
  readonly #names: readonly string[];
  readonly #columns: readonly string[];
  /** A field of this name is the user's, and no mark. */
  readonly #marks: boolean;

  constructor(place: Place, spec: TargetSpec<FileTo>, clock: Clock) {
    this.place = place;
    this.spec = spec;
    this.#clock = clock;
    this.#names = spec.schema.fields.map(({ name }) => name);
    this.#marks = !this.#names.includes(DELETED_AT);
    if (spec.deletes === 'mark' && !this.#marks) {
      throw new RequestRefusedError(`${place.name}: the field ${DELETED_AT} has the name of the mark`, {
        hint: 'give it another name in fields, or use deletes: mirror',
      });
    }
    this.#columns = spec.deletes === 'mark' ? [...this.#names, DELETED_AT] : this.#names;
  }

  /** What the header lacks or has too much, and the columns that it shall have. */
  async layout(): Promise<{ changes: SchemaChange[]; columns: readonly string[] }> {
    const header = await this.#header();
    if (header === null) {
      return {
        changes: [{ summary: `create ${this.place.name} with ${this.#columns.length} columns`, isNew: true }],
        columns: this.#columns,
      };
    }
    const known = header.columns;
    const added = this.#columns.filter((name) => !known.includes(name));
    const gone = known.filter((name) => !this.#columns.includes(name) && name !== DELETED_AT);
    const lost = this.spec.schema.key.find((name) => added.includes(name));
    if (lost !== undefined && (await this.#hasRecords())) {
      throw new RequestRefusedError(`${this.place.name} has no column ${lost}, which is the key of what arrives`, {
        hint: 'name another file, or move this one away',
      });
    }
    return {
      changes: [
        ...added.map((name) => ({ summary: `add column ${name} to ${this.place.name}`, newField: name })),
        ...gone.map((name) => ({ summary: `${name} no longer arrives; its column is kept`, informational: true })),
      ],
      columns: [...known, ...added],
    };
  }

  /** Which content the file has: another one after each change. Null: there is no file. */
  async edition(): Promise<string | null> {
    try {
      const { size, mtimeMs, ino } = await stat(this.place.path);
      return `${size} ${mtimeMs} ${ino}`;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return null;
      throw fileError(error, this.place.name);
    }
  }

  async *lines(signal?: AbortSignal): AsyncGenerator<Line> {
    const header = await this.#header();
    if (header === null) return;
    for await (const { values } of readCsvRecords(this.place, header.columns, header.next, signal)) yield values as Line;
  }

  /** Puts these lines in the place of all that there are. `differs` is asked at the end: when it says no, the file stays. */
  async replace(columns: readonly string[], lines: AsyncIterable<Line>, differs: () => boolean): Promise<void> {
    const { delimiter, path, name } = this.place;
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

  keyOf(line: Line): string | null {
    const key = newRow();
    for (const name of this.spec.schema.key) key[name] = line.get(name) ?? null;
    return keyOf(key, this.spec.schema.key);
  }

  /** The line's values as they came in. */
  rowOf(line: Line): Row {
    const row = newRow();
    for (const { name, type } of this.spec.schema.fields) row[name] = canonical(line.get(name) ?? null, type);
    return row;
  }

  textsOf(row: Row): Texts {
    return this.spec.schema.fields.map(({ name, type }) => {
      const value = row[name] ?? null;
      // A field of JSON that holds a text is written as JSON, so that it can be told from the other kinds of value.
      const text = type === 'json' && value !== null ? JSON.stringify(value) : textOf(value);
      // What is no Unicode cannot be written as UTF-8, and would differ from itself when it is read again.
      return text?.toWellFormed() ?? null;
    });
  }

  textsIn(line: Line): Texts {
    return this.#names.map((name) => line.get(name) ?? null);
  }

  isMarked(line: Line): boolean {
    return this.#marks && (line.get(DELETED_AT) ?? '') !== '';
  }

  /** The line with these values. Columns that do not arrive keep theirs. */
  withTexts(line: Line | undefined, texts: Texts): Line {
    const after = new Map(line);
    if (this.#marks) after.set(DELETED_AT, null);
    this.#names.forEach((name, i) => {
      after.set(name, texts[i]!);
    });
    return after;
  }

  /** What a delete makes of the line: null when it goes, the very same line when nothing changes. */
  deleted(line: Line): Line | null {
    if (this.spec.deletes === 'ignore') return line;
    if (this.spec.deletes === 'mirror') return null;
    return this.isMarked(line) ? line : new Map([...line, [DELETED_AT, new Date(this.#clock.now()).toISOString()]]);
  }

  async #hasRecords(): Promise<boolean> {
    for await (const _ of this.lines()) return true;
    return false;
  }

  async #header() {
    try {
      if ((await stat(this.place.path)).isFile()) return await readCsvHeader(this.place);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return null;
      throw fileError(error, this.place.name);
    }
    throw fileError({ code: 'EISDIR' }, this.place.name);
  }
}
