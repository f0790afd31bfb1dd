import { stat } from 'node:fs/promises';
import {
  type Block,
  blockOfRows,
  type Change,
  CheckpointExpiredError,
  type DatasetSchema,
  keyOf,
  NO_STAMP,
  newRow,
  type Page,
  RequestRefusedError,
  type Row,
  type Source,
  type SourceSpec,
  TransientError,
} from '@tidemark/core';
import type { FileFrom } from './config.ts';
import { describeFile, type FileLayout } from './describe-file.ts';
import { badLine, fileError } from './errors.ts';
import type { Place } from './place.ts';
import type { FilePosition } from './read-bytes.ts';
import { readCsvRecords } from './read-csv.ts';
import { readJsonLines } from './read-json-lines.ts';
import type { FileRecord } from './read-records.ts';
import { canonical } from './values.ts';

const PAGE_ROWS = 2_000;

/** Which content of a file a position belongs to: a file that is written anew has others. */
interface Edition {
  readonly size: number;
  readonly mtimeMs: number;
}

/** Opens a file for reading: its columns and types are known then, its records not yet. */
export async function openFileSource(place: Place, spec: SourceSpec<FileFrom>, signal: AbortSignal): Promise<Source> {
  if (spec.where !== undefined) {
    throw new RequestRefusedError('a file has no query language', { hint: 'filter with a step instead of where' });
  }
  if (spec.startAtMs !== null && spec.from.watermark === undefined) {
    throw new RequestRefusedError('startAt needs to know when a record was changed', { hint: 'name that field with watermark' });
  }
  return new FileSource(place, spec, await describeFile(place, spec, signal));
}

/** Reads a file whole each time: what changed in it since nobody can tell. */
class FileSource implements Source {
  readonly schema: DatasetSchema;
  readonly stampField?: string;
  readonly origin: string;
  readonly #place: Place;
  readonly #layout: FileLayout;
  readonly #startAtMs: number | null;

  constructor(place: Place, spec: SourceSpec<FileFrom>, layout: FileLayout) {
    this.#place = place;
    this.#layout = layout;
    this.#startAtMs = spec.startAtMs;
    this.schema = layout.schema;
    this.origin = `file ${place.name}`;
    if (spec.from.watermark !== undefined) this.stampField = spec.from.watermark;
  }

  async estimate(): Promise<number | null> {
    return null;
  }

  async mark(): Promise<string | null> {
    return null;
  }

  async *readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page> {
    const edition = await this.#edition();
    const from = resume === null ? this.#layout.begin : positionOf(resume, edition, this.#place.name);
    let rows: Row[] = [];
    let last = from;
    for await (const record of this.#records(from, signal)) {
      const row = this.#rowOf(record);
      last = record.next;
      if (this.#isOld(row)) continue;
      rows.push(row);
      if (rows.length < PAGE_ROWS) continue;
      yield this.#page(rows, last, edition);
      rows = [];
    }
    const after = await this.#edition();
    if (after.size !== edition.size || after.mtimeMs !== edition.mtimeMs) {
      // Half of one content and half of another is no content.
      throw new TransientError(`${this.#place.name} was changed while it was read`, { hint: 'move finished files into place' });
    }
    if (rows.length > 0) yield this.#page(rows, last, edition);
  }

  async readKeys(keys: readonly string[], signal: AbortSignal): Promise<readonly Change[]> {
    const wanted = new Set(keys);
    const found = new Map<string, Row>();
    if (wanted.size > 0) {
      for await (const record of this.#records(this.#layout.begin, signal)) {
        const row = this.#rowOf(record);
        const key = keyOf(row, this.schema.key)!;
        if (wanted.has(key)) found.set(key, row);
      }
    }
    return keys.map((key) => {
      const row = found.get(key);
      return row === undefined
        ? { op: 'delete', key, row: null, stampMs: NO_STAMP }
        : { op: 'upsert', key, row, stampMs: this.#stampOf(row) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #records(from: FilePosition, signal: AbortSignal): AsyncIterable<FileRecord> {
    if (this.#place.format === 'jsonl') return readJsonLines(this.#place, from, signal);
    return this.#layout.columns.length === 0 ? nothing() : readCsvRecords(this.#place, this.#layout.columns, from, signal);
  }

  #rowOf({ values, line }: FileRecord): Row {
    const row = newRow();
    for (const { name, type } of this.schema.fields) row[name] = canonical(values.get(name) ?? null, type);
    const missing = this.schema.key.find((name) => row[name] === null || row[name] === '');
    if (missing !== undefined) throw badLine(this.#place.name, line, `its key ${missing} is empty`);
    return row;
  }

  #stampOf(row: Row): number {
    const stampMs = this.stampField === undefined ? Number.NaN : Date.parse(String(row[this.stampField]));
    return Number.isNaN(stampMs) ? NO_STAMP : stampMs;
  }

  #isOld(row: Row): boolean {
    const stampMs = this.#startAtMs === null ? NO_STAMP : this.#stampOf(row);
    return stampMs !== NO_STAMP && stampMs < this.#startAtMs!;
  }

  #page(rows: readonly Row[], next: FilePosition, edition: Edition): Page {
    const block = blockOfRows(rows, this.schema.fields);
    return { position: JSON.stringify({ ...next, ...edition }), announced: null, blocks: only(block) };
  }

  async #edition(): Promise<Edition> {
    try {
      const { size, mtimeMs } = await stat(this.#place.path);
      return { size, mtimeMs };
    } catch (error) {
      throw fileError(error, this.#place.name);
    }
  }
}

function positionOf(text: string, edition: Edition, name: string): FilePosition {
  const position = parsePosition(text);
  if (position === null || position.size !== edition.size || position.mtimeMs !== edition.mtimeMs) {
    throw new CheckpointExpiredError(`${name} is not the file any more of which a part was read`);
  }
  return { at: position.at, line: position.line };
}

function parsePosition(text: string): (FilePosition & Edition) | null {
  try {
    const position = JSON.parse(text) as FilePosition & Edition;
    return Number.isSafeInteger(position.at) && Number.isSafeInteger(position.line) ? position : null;
  } catch {
    return null;
  }
}

async function* only(block: Block): AsyncGenerator<Block> {
  yield block;
}

async function* nothing(): AsyncGenerator<FileRecord> {}
