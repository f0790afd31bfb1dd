import { type Change, type DatasetSchema, type FieldSchema, keyOf, NO_STAMP, type Row, type StoredRow } from '@tidemark/core';

/** A record's last change, in the order in which changes were made. What was removed stays as `row: null`. */
export interface Entry {
  readonly sequence: number;
  readonly stored: StoredRow | null;
  /** Of the change that made it so. */
  readonly stampMs: number;
}

/**
 * Rows of one dataset. Every change gets a number, so that a delta by number finds each of them, whatever their stamps are.
 */
export class MemoryDataset {
  readonly name: string;
  schema: DatasetSchema | null;
  stampField: string | undefined;
  /** Row versions written, for tests that prove that nothing was. */
  written = 0;
  #sequence = 0;
  readonly #entries = new Map<string, Entry>();

  constructor(name: string, schema: DatasetSchema | null = null, stampField?: string) {
    this.name = name;
    this.schema = schema;
    this.stampField = stampField;
  }

  get sequence(): number {
    return this.#sequence;
  }

  get(key: string): StoredRow | undefined {
    return this.#entries.get(key)?.stored ?? undefined;
  }

  entry(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  set(key: string, stored: StoredRow | null, stampMs: number): void {
    this.written++;
    this.#entries.delete(key);
    this.#entries.set(key, { sequence: ++this.#sequence, stored, stampMs });
  }

  /** What a user of the system does: creates or changes a record. The stamp is its stamp field's value. */
  put(row: Row): void {
    const stampMs = this.stampField === undefined ? NO_STAMP : Date.parse(String(row[this.stampField]));
    this.set(this.#keyOf(row), { row, stampMs: null, deletedAtMs: null }, stampMs);
  }

  /** What a user of the system does: deletes a record. A delta tells of it. */
  remove(key: string, stampMs: number = NO_STAMP): void {
    this.set(key, null, stampMs);
  }

  /** Every trace of the record vanishes, as when a recycle bin is emptied: no delta tells of it. */
  purge(key: string): void {
    this.#entries.delete(key);
  }

  /** Records that are there, marked ones included. */
  *rows(): Iterable<[string, StoredRow]> {
    for (const [key, entry] of this.#entries) if (entry.stored !== null) yield [key, entry.stored];
  }

  /** Oldest change first: a changed entry moves to the end of the map. */
  *changesAfter(sequence: number): Iterable<[string, Entry]> {
    for (const pair of this.#entries) if (pair[1].sequence > sequence) yield pair;
  }

  #keyOf(row: Row): string {
    const key = this.schema === null ? null : keyOf(row, this.schema.key);
    if (key === null) throw new TypeError(`A row of ${this.name} has no key`);
    return key;
  }
}

export interface StagedLoad {
  readonly loadId: string;
  position: string | null;
  /** Rows handed in, duplicates counted each time. */
  count: number;
  readonly rows: Map<string, Change>;
}

/** Everything that a memory connection holds. Give one to several connectors to let them see the same data. */
export class Memory {
  readonly datasets = new Map<string, MemoryDataset>();
  readonly units = new Map<string, { epoch: number; checkpoint: string | null }>();
  readonly loads = new Map<string, StagedLoad>();
  #last: Promise<unknown> = Promise.resolve();

  dataset(name: string): MemoryDataset {
    let dataset = this.datasets.get(name);
    if (dataset === undefined) {
      dataset = new MemoryDataset(name);
      this.datasets.set(name, dataset);
    }
    return dataset;
  }

  /** Adds a dataset that a source can read. */
  define(schema: DatasetSchema, stampField?: string): MemoryDataset {
    const dataset = new MemoryDataset(schema.name, schema, stampField);
    this.datasets.set(schema.name, dataset);
    return dataset;
  }

  /** One writer at a time, as in a database: `work` reads, asks its caller to settle, then writes. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** Type by type what a value must look like; the answer names the mismatch, null when it fits. */
export function mismatchOf(field: FieldSchema, value: Row[string] | undefined): string | null {
  if (value === null || value === undefined) return null;
  const fits = () => {
    switch (field.type) {
      case 'boolean':
        return typeof value === 'boolean';
      case 'integer':
        return Number.isInteger(value) || (typeof value === 'string' && /^[-+]?\d+$/.test(value));
      case 'decimal':
      case 'double':
        return typeof value === 'number' || (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)));
      case 'json':
        return true;
      default:
        return typeof value === 'string';
    }
  };
  return fits() ? null : `${field.name} takes ${field.type}`;
}
