import {
  type Change,
  type Clock,
  type DeleteRule,
  decide,
  type StoredRow,
  TransientError,
  textOf,
  type WriteResult,
} from '@tidemark/core';
import type { AnyBulkWriteOperation, Collection, Filter } from 'mongodb';
import { DUPLICATE_KEY, guarded } from './errors.ts';
import { type Refusal, sendAll } from './send-all.ts';
import { DELETED, type Doc, type DocumentShape, marks, STAMP } from './shape.ts';
import { ValueError } from './values.ts';

/** Somebody else writes the same documents: after so many rounds the batch is left for later. */
const ROUNDS_MAX = 8;

export interface Written {
  readonly documents: Collection<Doc>;
  readonly shape: DocumentShape;
  readonly deletes: DeleteRule;
  readonly clock: Clock;
}

/** A change that is still to be written. */
interface Open {
  readonly i: number;
  readonly change: Change;
  /** A unique index that has refused its document. */
  readonly taken?: Refusal;
}

/**
 * Brings documents to where changes want them. They are read, compared here and written with the condition that each still has the
 * stamp with which it was read, so that neither a former owner nor a delayed batch puts old over new (P3).
 */
export async function writeChanges(
  written: Written,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<readonly WriteResult[]> {
  const results: WriteResult[] = changes.map(() => ({ status: 'unchanged' }));
  let open: Open[] = [];
  for (const [i, change] of changes.entries()) {
    try {
      open.push({ i, change: change.row === null ? change : { ...change, row: written.shape.normalised(change.row) } });
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      results[i] = { status: 'rejected', reason: { code: 'datatype_mismatch', message: error.message } };
    }
  }
  for (let round = 0; open.length > 0; round++) {
    if (round === ROUNDS_MAX) {
      throw new TransientError(`documents of ${written.documents.collectionName} are changed by somebody else all the time`);
    }
    signal.throwIfAborted();
    open = await writeOnce(written, open, results, round > 0);
  }
  return results;
}

/** Documents by `_id`, as rows. */
export async function storedRows({ documents, shape }: Pick<Written, 'documents' | 'shape'>, keys: readonly string[]) {
  const found = await guarded(() => documents.find({ _id: { $in: [...keys] } } as Filter<Doc>).toArray());
  return new Map(found.map((document) => [document._id, shape.stored(document)]));
}

/** Answers those whose documents may have been changed by somebody else in between: they are decided anew. */
async function writeOnce(written: Written, open: readonly Open[], results: WriteResult[], isAgain: boolean): Promise<Open[]> {
  const { shape, deletes, clock } = written;
  const stored = await storedRows(
    written,
    open.map(({ change }) => change.key),
  );
  const operations: AnyBulkWriteOperation<Doc>[] = [];
  const writers: Open[] = [];
  for (const each of open) {
    const { i, change, taken } = each;
    const before = stored.get(change.key);
    if (taken !== undefined && before === undefined) {
      results[i] = { status: 'rejected', reason: taken.reason };
      continue;
    }
    const { status, next } = decide(before, change, shape.schema.fields, deletes, clock.now());
    // What an earlier round has written, and only its answer was uncertain, is not unchanged.
    if (!isAgain || status !== 'unchanged') results[i] = { status };
    if (next === undefined) continue;
    operations.push(operationOf(shape, change.key, before, next));
    writers.push(each);
  }
  if (operations.length === 0) return [];
  const { done, refusals } = await guarded(() => sendAll(written.documents, operations));
  const again: Open[] = [];
  for (const refusal of refusals) {
    const writer = writers[refusal.index]!;
    // The document came into being meanwhile, or another unique index refuses it: the next look tells.
    if (refusal.reason.code === String(DUPLICATE_KEY) && !stored.has(writer.change.key))
      again.push({ ...writer, taken: refusal });
    else results[writer.i] = { status: 'rejected', reason: refusal.reason };
  }
  if (done + refusals.length === operations.length) return again;
  const told = new Set(refusals.map(({ index }) => index));
  return [...again, ...writers.filter((_, index) => !told.has(index))];
}

function operationOf(
  shape: DocumentShape,
  key: string,
  before: StoredRow | undefined,
  next: StoredRow | null,
): AnyBulkWriteOperation<Doc> {
  if (before === undefined) return { insertOne: { document: shape.document(key, next!) } };
  const filter = { _id: key, [STAMP]: before.stampMs === null ? { $exists: false } : new Date(before.stampMs) } as Filter<Doc>;
  if (next === null) return { deleteOne: { filter } };
  const changed = shape.schema.fields.filter(({ name }) => textOf(before.row[name]) !== textOf(next.row[name]));
  const set = { ...shape.fields(next.row, changed), ...marks(next.stampMs, next.deletedAtMs) };
  const unset = next.deletedAtMs === null ? { $unset: { [DELETED]: '' as const } } : {};
  return { updateOne: { filter, update: { $set: set, ...unset } } };
}
