import type { Rejection } from '@tidemark/core';
import {
  type AnyBulkWriteOperation,
  BSON,
  type Collection,
  MongoBulkWriteError,
  type WriteConcern,
  type WriteError,
} from 'mongodb';
import { isTooLarge, TOO_LARGE } from './errors.ts';
import type { Doc } from './shape.ts';

const BYTES_MAX = 16 * 1024 * 1024;

/** An operation that was refused, by its place in the batch. */
export interface Refusal {
  readonly index: number;
  readonly reason: Rejection;
}

/** Sends operations, in any order. What the server refuses of one of them takes no other with it (P2). */
export async function sendAll(
  documents: Collection<Doc>,
  operations: readonly AnyBulkWriteOperation<Doc>[],
  writeConcern?: WriteConcern,
): Promise<{ readonly done: number; readonly refusals: readonly Refusal[] }> {
  const options = { ordered: false, ...(writeConcern === undefined ? {} : { writeConcern }) };
  try {
    return { done: doneOf(await documents.bulkWrite([...operations], options)), refusals: [] };
  } catch (error) {
    // The driver refuses the whole batch before it sends any of it.
    if (isTooLarge(error)) return sendWithoutLarge(documents, operations, error, writeConcern);
    if (!(error instanceof MongoBulkWriteError) || error.code === undefined) throw error;
    const errors = [error.writeErrors].flat() as WriteError[];
    if (errors.length === 0) throw error;
    const refusals = errors.map(({ index, code, errmsg }): Refusal => {
      return { index, reason: { code: String(code), message: errmsg ?? 'the server refuses the document' } };
    });
    return { done: doneOf(error), refusals };
  }
}

async function sendWithoutLarge(
  documents: Collection<Doc>,
  operations: readonly AnyBulkWriteOperation<Doc>[],
  error: unknown,
  writeConcern?: WriteConcern,
): ReturnType<typeof sendAll> {
  const small = operations.flatMap((operation, index) => (BSON.calculateObjectSize(operation) < BYTES_MAX ? [index] : []));
  if (small.length === operations.length) throw error;
  const large = operations.flatMap((_, index) => (small.includes(index) ? [] : [{ index, reason: TOO_LARGE }]));
  if (small.length === 0) return { done: 0, refusals: large };
  const { done, refusals } = await sendAll(
    documents,
    small.map((index) => operations[index]!),
    writeConcern,
  );
  return { done, refusals: [...large, ...refusals.map(({ index, reason }) => ({ index: small[index]!, reason }))] };
}

function doneOf(counts: {
  readonly insertedCount: number;
  readonly matchedCount: number;
  readonly deletedCount: number;
}): number {
  return counts.insertedCount + counts.matchedCount + counts.deletedCount;
}
