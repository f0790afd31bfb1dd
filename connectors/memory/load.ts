import {
  type Block,
  type Change,
  cellValue,
  decide,
  equalRows,
  keyOf,
  type Load,
  type LoadCommit,
  type LoadCounts,
  NO_STAMP,
  newRow,
  type RejectedRow,
  type Row,
  rowsOfBlock,
} from '@tidemark/core';
import type { StagedLoad } from './memory.ts';
import type { MemoryTarget } from './target.ts';

/** A full load staged beside the dataset, merged in by `finish`. */
export class MemoryLoad implements Load {
  readonly #target: MemoryTarget;
  readonly #commit: LoadCommit;
  readonly #staged: StagedLoad;

  constructor(target: MemoryTarget, commit: LoadCommit) {
    this.#target = target;
    this.#commit = commit;
    const { loads } = target.memory;
    const known = loads.get(target.spec.unit);
    this.#staged = known?.loadId === commit.loadId ? known : { loadId: commit.loadId, position: null, count: 0, rows: new Map() };
    loads.set(target.spec.unit, this.#staged);
  }

  get position(): string | null {
    return this.#staged.position;
  }

  get rows(): number {
    return this.#staged.count;
  }

  async writePage(
    blocks: AsyncIterable<Block>,
    position: string,
    reject: (rows: readonly RejectedRow[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    const page: Change[] = [];
    const rejected: RejectedRow[] = [];
    for await (const block of blocks) {
      signal.throwIfAborted();
      this.#split(block, page, rejected);
    }
    if (rejected.length > 0) await reject(rejected);
    this.#target.faults.at?.('page');
    this.#target.checkEpoch(this.#commit.epoch);
    for (const change of page) this.#staged.rows.set(change.key, change);
    this.#staged.position = position;
    this.#staged.count += page.length;
    return { rows: page.length, rejected: rejected.length };
  }

  async countMissing(): Promise<{ missing: number; total: number }> {
    let missing = 0;
    let total = 0;
    for (const key of this.#ours()) {
      total++;
      if (!this.#staged.rows.has(key)) missing++;
    }
    return { missing, total };
  }

  async *missingKeys(): AsyncIterable<readonly string[]> {
    const missing = [...this.#ours()].filter((key) => !this.#staged.rows.has(key));
    for (let at = 0; at < missing.length; at += 1000) yield missing.slice(at, at + 1000);
  }

  async *differences(): AsyncIterable<{ key: string; kind: 'missing' | 'extra' | 'different' }> {
    const { dataset, spec } = this.#target;
    for (const [key, change] of this.#staged.rows) {
      const stored = dataset.get(key);
      if (stored === undefined || stored.deletedAtMs !== null) yield { key, kind: 'missing' };
      else if (!equalRows(stored.row, change.row!, spec.schema.fields)) yield { key, kind: 'different' };
    }
    for await (const keys of this.missingKeys()) for (const key of keys) yield { key, kind: 'extra' };
  }

  finish(end: { gone: readonly string[]; checkpoint: string | null; signal: AbortSignal }): Promise<LoadCounts> {
    const { memory, dataset, spec, clock, faults } = this.#target;
    return memory.exclusively(async () => {
      end.signal.throwIfAborted();
      faults.at?.('finish');
      this.#target.keepCheckpoint(this.#commit.epoch, end.checkpoint);
      const counts = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
      const gone = end.gone.map((key): Change => ({ op: 'delete', key, row: null, stampMs: NO_STAMP }));
      for (const change of [...this.#staged.rows.values(), ...gone]) {
        const { status, next } = decide(dataset.get(change.key), change, spec.schema.fields, spec.deletes, clock.now());
        if (next !== undefined) dataset.set(change.key, next, change.stampMs);
        if (change.op === 'upsert' || status === 'deleted') counts[status]++;
      }
      memory.loads.delete(spec.unit);
      return counts;
    });
  }

  async discard(): Promise<void> {
    this.#target.memory.loads.delete(this.#target.spec.unit);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Keys of the rows that a sweep may touch: written by a sync and not marked deleted. */
  *#ours(): Iterable<string> {
    for (const [key, stored] of this.#target.dataset.rows()) {
      if (stored.stampMs !== null && stored.deletedAtMs === null) yield key;
    }
  }

  #split(block: Block, page: Change[], rejected: RejectedRow[]): void {
    const { schema } = this.#target.spec;
    const stamps = block.columns[this.#commit.stampColumn]!;
    rowsOfBlock(block, schema.fields).forEach((row: Row, r) => {
      const stamp = cellValue(stamps, r, { name: 'stamp', type: 'datetime', nullable: true });
      const stampMs = stamp === null ? NO_STAMP : Date.parse(String(stamp));
      const key = keyOf(row, schema.key);
      const reason =
        key === null ? { code: 'key_missing', message: `${schema.key.join(', ')} is null` } : this.#target.rejectionOf(row);
      if (reason !== null) rejected.push({ key: key ?? '', row: Object.assign(newRow(), row), stampMs, reason });
      else page.push({ op: 'upsert', key: key!, row, stampMs });
    });
  }
}
