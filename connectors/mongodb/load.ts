import {
  type Block,
  type Change,
  cellText,
  decide,
  equalRows,
  keyOf,
  type Load,
  type LoadCommit,
  type LoadCounts,
  NO_STAMP,
  type RejectedRow,
  RequestRefusedError,
  type Row,
  rowsOfBlock,
} from '@tidemark/core';
import { type Db, MongoServerError } from 'mongodb';
import { guarded, NAMESPACE_EXISTS } from './errors.ts';
import { joined } from './join.ts';
import type { Layout } from './layout.ts';
import { DELETED, type Doc, STAMP } from './shape.ts';
import { type Refused, type StagedPage, Staging } from './staging.ts';
import { ValueError } from './values.ts';
import { type Written, writeChanges } from './write.ts';

const DOCUMENTS_A_BATCH = 1000;
const KEYS_A_PART = 1000;

type Reject = (rows: readonly RejectedRow[]) => Promise<void>;

/**
 * A full load: documents are staged in a collection beside the one they are for, which becomes it when there is none, and otherwise is
 * merged into it, key by key: only what differs is written, each with the same condition as in any batch (P3).
 */
export class MongodbLoad implements Load {
  readonly #layout: Layout;
  readonly #written: Written;
  readonly #staging: Staging;
  readonly #stampColumn: number;

  static async begin(db: Db, layout: Layout, unit: string, written: Written, commit: LoadCommit): Promise<MongodbLoad> {
    const { schema, places } = written.shape;
    // Documents are staged as they will be: in another shape they are another load.
    const fields = schema.fields.map(({ name, type }) => [name, type, places.get(name)]);
    const id = JSON.stringify([commit.loadId, written.documents.collectionName, ...fields]);
    const staging = await Staging.open(db, layout, unit, id, commit.epoch);
    return new MongodbLoad(layout, written, staging, commit.stampColumn);
  }

  private constructor(layout: Layout, written: Written, staging: Staging, stampColumn: number) {
    this.#layout = layout;
    this.#written = written;
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
    reject: Reject,
    signal: AbortSignal,
  ): Promise<{ rows: number; rejected: number }> {
    let rows = 0;
    const rejected: RejectedRow[] = [];
    await this.#staging.page(position, async (page) => {
      let before: readonly StagedRow[] = [];
      const refuse = (refused: readonly Refused[]) => rejected.push(...rejectedOf(before, refused));
      for await (const block of blocks) {
        signal.throwIfAborted();
        const staged = this.#rowsOf(block, rejected);
        block.release?.();
        rows += block.rowCount;
        for (let at = 0; at < staged.length; at += DOCUMENTS_A_BATCH) {
          const batch = staged.slice(at, at + DOCUMENTS_A_BATCH);
          refuse(await put(page, batch));
          before = batch;
        }
      }
      refuse(await page.settled());
      if (rejected.length > 0) await reject(rejected);
      rows -= rejected.length;
      return rows;
    });
    return { rows, rejected: rejected.length };
  }

  async countMissing(): Promise<{ missing: number; total: number }> {
    let [missing, total] = [0, 0];
    for await (const { staged, held } of this.#keys()) {
      if (held === null || !isOurs(held)) continue;
      total++;
      if (staged === null) missing++;
    }
    return { missing, total };
  }

  async *missingKeys(): AsyncGenerator<readonly string[]> {
    let part: string[] = [];
    for await (const { key, staged, held } of this.#keys()) {
      if (staged !== null || held === null || !isOurs(held)) continue;
      part.push(key);
      if (part.length < KEYS_A_PART) continue;
      yield part;
      part = [];
    }
    if (part.length > 0) yield part;
  }

  async *differences(): AsyncGenerator<{ key: string; kind: 'missing' | 'extra' | 'different' }> {
    const { documents, shape } = this.#written;
    await this.#staging.complete();
    for await (const { key, staged, held } of joined(this.#staging.documents, documents)) {
      if (staged === null) {
        if (isOurs(held!)) yield { key, kind: 'extra' };
      } else if (held === null || held[DELETED] !== undefined) yield { key, kind: 'missing' };
      else if (!equalRows(shape.stored(staged).row, shape.stored(held).row, shape.schema.fields))
        yield { key, kind: 'different' };
    }
  }

  async finish(end: Parameters<Load['finish']>[0]): Promise<LoadCounts> {
    end.signal.throwIfAborted();
    await this.#staging.complete();
    if (await this.#becomeWhole()) return { created: this.#staging.count, updated: 0, unchanged: 0, deleted: 0 };
    const counts = await this.#merge(end);
    await this.#staging.discard();
    return counts;
  }

  async discard(): Promise<void> {
    await this.#staging.discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Where there is no such collection yet, the staging takes its name. Answers whether it did. */
  async #becomeWhole(): Promise<boolean> {
    if (this.#staging.count === 0 || (await this.#layout.exists())) return false;
    const { documents } = this.#staging;
    await this.#layout.index(documents);
    // A crash from here on begins the load anew: nobody takes the empty place of the staging for a load without rows.
    await this.#staging.forget();
    const name = this.#written.documents.collectionName;
    const isDone = await guarded(() =>
      documents.rename(name).then(
        () => true,
        (error) => {
          // Somebody has made it meanwhile.
          if (error instanceof MongoServerError && error.code === NAMESPACE_EXISTS) return false;
          throw error;
        },
      ),
    );
    if (!isDone) return false;
    await this.#layout.becameWhole();
    await this.#staging.discard();
    return true;
  }

  async #merge({ gone, reject, signal }: Parameters<Load['finish']>[0]): Promise<LoadCounts> {
    const { documents, shape, deletes, clock } = this.#written;
    const counts = { created: 0, updated: 0, unchanged: 0, deleted: 0 };
    await this.#layout.make();
    const write = async (changes: readonly Change[]) => {
      const results = await writeChanges(this.#written, changes, signal);
      const rejected: RejectedRow[] = [];
      for (const [i, result] of results.entries()) {
        const { key, row, stampMs, op } = changes[i]!;
        if (result.status === 'rejected') rejected.push({ key, row: row!, stampMs, reason: result.reason });
        else if (op === 'upsert' || result.status === 'deleted') counts[result.status]++;
      }
      if (rejected.length === 0) return;
      if (reject === undefined) throw new RequestRefusedError(rejected[0]!.reason.message);
      await reject(rejected);
    };
    let differing: Change[] = [];
    for await (const { key, staged, held } of joined(this.#staging.documents, documents)) {
      if (staged === null) continue;
      signal.throwIfAborted();
      const { row, stampMs } = shape.stored(staged);
      const change: Change = { op: 'upsert', key, row, stampMs: stampMs ?? NO_STAMP };
      const before = held === null ? undefined : shape.stored(held);
      if (decide(before, change, shape.schema.fields, deletes, clock.now()).next === undefined) counts.unchanged++;
      else differing.push(change);
      if (differing.length < DOCUMENTS_A_BATCH) continue;
      await write(differing);
      differing = [];
    }
    await write(differing);
    for (let at = 0; at < gone.length; at += DOCUMENTS_A_BATCH) {
      const keys = gone.slice(at, at + DOCUMENTS_A_BATCH);
      await write(keys.map((key): Change => ({ op: 'delete', key, row: null, stampMs: NO_STAMP })));
    }
    return counts;
  }

  async *#keys() {
    // Before the first load nothing can be missing, and the staging need not be read for it.
    if (await this.#layout.exists())
      yield* joined(this.#staging.documents, this.#written.documents, { _id: 1, [STAMP]: 1, [DELETED]: 1 });
  }

  /** Rows of distinct keys as documents; what cannot be one is added to `rejected`. */
  #rowsOf(block: Block, rejected: RejectedRow[]): StagedRow[] {
    const { shape } = this.#written;
    const stamps = block.columns[this.#stampColumn]!;
    const staged = new Map<string, StagedRow>();
    rowsOfBlock(block, shape.schema.fields).forEach((row, r) => {
      const stamp = cellText(stamps, r);
      const stampMs = stamp === null ? NO_STAMP : Date.parse(stamp);
      const key = keyOf(row, shape.schema.key);
      try {
        if (key === null) throw new ValueError(`${shape.schema.key.join(', ')} is null`);
        staged.set(key, { row, stampMs, document: shape.document(key, { row, stampMs, deletedAtMs: null }) });
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        const code = key === null ? 'key_missing' : 'datatype_mismatch';
        rejected.push({ key: key ?? '', row, stampMs, reason: { code, message: error.message } });
      }
    });
    return [...staged.values()];
  }
}

interface StagedRow {
  readonly row: Row;
  readonly stampMs: number;
  readonly document: Doc;
}

function put(page: StagedPage, batch: readonly StagedRow[]): Promise<readonly Refused[]> {
  return page.put(batch.map(({ document }) => document));
}

function rejectedOf(batch: readonly StagedRow[], refused: readonly Refused[]): RejectedRow[] {
  if (refused.length === 0) return [];
  const byKey = new Map(batch.map((row) => [row.document._id, row]));
  return refused.map(({ key, reason }) => {
    const { row, stampMs } = byKey.get(key)!;
    return { key, row, stampMs, reason };
  });
}

/** Written by a sync and not marked as deleted: what a sweep may touch. */
function isOurs(document: Doc): boolean {
  return document[STAMP] instanceof Date && document[DELETED] === undefined;
}
