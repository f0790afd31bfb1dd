import {
  type Batch,
  blockOfRows,
  type Change,
  CheckpointExpiredError,
  type DatasetSchema,
  NO_STAMP,
  newRow,
  type Page,
  RequestRefusedError,
  type Row,
  type Source,
  type SourceSpec,
} from '@tidemark/core';
import type { MemoryFrom } from './config.ts';
import type { Faults } from './faults.ts';
import type { Entry, Memory, MemoryDataset } from './memory.ts';

const pageSize = 1000;

/**
 * Reads a dataset in memory. Checkpoints are change numbers, not stamps: numbers are given in the order in which changes
 * become visible, so that neither equal stamps nor a stamp older than the last read can hide a change (P1).
 */
export class MemorySource implements Source {
  readonly schema: DatasetSchema;
  readonly stampField?: string;
  readonly origin = 'memory';
  readonly #dataset: MemoryDataset;
  readonly #startAtMs: number | null;
  readonly #faults: Faults;

  constructor(memory: Memory, spec: SourceSpec<MemoryFrom>, faults: Faults) {
    const dataset = memory.datasets.get(spec.from.dataset);
    if (dataset?.schema == null) {
      const known = [...memory.datasets.keys()].join(', ') || 'none';
      throw new RequestRefusedError(`There is no dataset ${spec.from.dataset} in memory`, { hint: `Known: ${known}` });
    }
    if (spec.where !== undefined) {
      throw new RequestRefusedError('A memory source has no query language', { hint: 'Filter with a step instead of where' });
    }
    this.#dataset = dataset;
    this.#faults = faults;
    this.#startAtMs = spec.startAtMs;
    if (dataset.stampField !== undefined) this.stampField = dataset.stampField;
    this.schema = selected(dataset.schema, spec, this.stampField);
  }

  async estimate(): Promise<number> {
    return [...this.#dataset.rows()].length;
  }

  async mark(): Promise<string> {
    return String(this.#dataset.sequence);
  }

  async *readFull(resume: string | null, signal: AbortSignal): AsyncIterable<Page> {
    // By key, and each page read when it is asked for, so that rows change while pages are read, as in any system.
    let after = resume === null ? null : (JSON.parse(resume) as string);
    for (;;) {
      signal.throwIfAborted();
      this.#faults.at?.('read');
      const keys = [...this.#dataset.rows()]
        .filter(
          ([key, stored]) => (after === null || key > after) && this.#readable(this.#dataset.entry(key)!, stored.deletedAtMs),
        )
        .map(([key]) => key)
        .sort()
        .slice(0, pageSize);
      if (keys.length === 0) return;
      after = keys.at(-1)!;
      const rows = keys.map((key) => this.#projected(this.#dataset.get(key)!.row));
      yield { position: JSON.stringify(after), announced: rows.length, blocks: blocksOf(rows, this.schema) };
    }
  }

  async *readDelta(from: string, signal: AbortSignal): AsyncIterable<Batch> {
    const sequence = Number(from);
    if (!Number.isInteger(sequence) || sequence < 0 || sequence > this.#dataset.sequence) {
      // Numbers begin anew with the process: this one belongs to a former life.
      throw new CheckpointExpiredError(`Change ${from} of ${this.schema.name} is not in memory any more`);
    }
    const changes = [...this.#dataset.changesAfter(sequence)];
    for (let at = 0; at < changes.length; at += pageSize) {
      signal.throwIfAborted();
      this.#faults.at?.('read');
      const part = changes.slice(at, at + pageSize);
      yield { changes: part.map(([key, entry]) => this.#change(key, entry)), checkpoint: String(part.at(-1)![1].sequence) };
    }
  }

  async readKeys(keys: readonly string[]): Promise<readonly Change[]> {
    this.#faults.at?.('read');
    return keys.map((key) => this.#change(key, this.#dataset.entry(key)));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #change(key: string, entry: Entry | undefined): Change {
    const stored = entry?.stored;
    if (stored == null || stored.deletedAtMs !== null)
      return { op: 'delete', key, row: null, stampMs: entry?.stampMs ?? NO_STAMP };
    return { op: 'upsert', key, row: this.#projected(stored.row), stampMs: entry!.stampMs };
  }

  #readable(entry: Entry, deletedAtMs: number | null): boolean {
    return deletedAtMs === null && (this.#startAtMs === null || entry.stampMs >= this.#startAtMs);
  }

  #projected(row: Row): Row {
    const projected = newRow();
    for (const { name } of this.schema.fields) projected[name] = row[name] ?? null;
    return projected;
  }
}

async function* blocksOf(rows: readonly Row[], schema: DatasetSchema) {
  yield blockOfRows(rows, schema.fields);
}

function selected(schema: DatasetSchema, spec: SourceSpec, stampField: string | undefined): DatasetSchema {
  const unknown = spec.fields?.find((name) => !schema.fields.some((field) => field.name === name));
  if (unknown !== undefined) throw new RequestRefusedError(`${schema.name} has no field ${unknown}`);
  return {
    ...schema,
    fields: schema.fields.filter(
      ({ name }) =>
        schema.key.includes(name) ||
        name === stampField ||
        (!spec.exclude.includes(name) && (spec.fields === null || spec.fields.includes(name))),
    ),
  };
}
