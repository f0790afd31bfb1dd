import { InvariantError } from '@tidemark/core';
import type { Collection, Document, Filter } from 'mongodb';
import { faultOf } from './errors.ts';
import type { Doc } from './shape.ts';

const DOCUMENTS_A_REPLY = 1000;

/** What the staging and the collection hold of one key. */
export interface Pair {
  readonly key: string;
  readonly staged: Doc | null;
  readonly held: Doc | null;
}

/**
 * Both collections side by side, key by key, each read once in the order of its keys: what is in memory does not grow with them. Keys
 * that are no texts are not ours.
 */
export async function* joined(staged: Collection<Doc>, held: Collection<Doc>, projection: Document = {}): AsyncGenerator<Pair> {
  const [left, right] = [inOrder(staged, projection), inOrder(held, projection)];
  try {
    let [a, b] = [await left.next(), await right.next()];
    while (!a.done || !b.done) {
      const order = a.done ? 1 : b.done ? -1 : compareKeys(a.value._id, b.value._id);
      const [s, h] = [order <= 0 ? (a.value as Doc) : null, order >= 0 ? (b.value as Doc) : null];
      yield { key: (s ?? h)!._id, staged: s, held: h };
      if (order <= 0) a = await left.next();
      if (order >= 0) b = await right.next();
    }
  } catch (error) {
    throw faultOf(error);
  } finally {
    await left.return(undefined);
    await right.return(undefined);
  }
}

async function* inOrder(documents: Collection<Doc>, projection: Document): AsyncGenerator<Doc, undefined> {
  const texts = { _id: { $type: 'string' } } as Filter<Doc>;
  const cursor = documents.find(texts, { projection, batchSize: DOCUMENTS_A_REPLY }).sort({ _id: 1 });
  let before: string | null = null;
  try {
    for await (const document of cursor) {
      if (before !== null && compareKeys(before, document._id) >= 0) {
        throw new InvariantError(
          `${documents.collectionName} is not read in the order of its keys: it has a collation of its own`,
        );
      }
      before = document._id;
      yield document;
    }
  } finally {
    await cursor.close();
  }
}

/** As MongoDB compares texts: byte by byte of their UTF-8, which is not the order of JavaScript's own units. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    // The halves of characters beyond the basic plane come after all of it.
    const [isHalfX, isHalfY] = [isSurrogate(x), isSurrogate(y)];
    return isHalfX === isHalfY ? x - y : isHalfX ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
