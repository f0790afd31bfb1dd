import type { TextColumn } from '@tidemark/core';
import type { TextCache } from './text-cache.ts';

/** Reads the cells of a text column; `cache` is the column's own, where its values may have come before. */
export function textReader(
  { bytes: source, spans, offset, stride }: TextColumn,
  cache?: TextCache,
): (row: number) => string | null {
  const bytes = bufferOf(source);
  if (cache !== undefined) {
    return (row) => {
      const at = offset + row * stride;
      const start = spans[at]!;
      return start < 0 ? null : cache.text(bytes, start, spans[at + 1]!);
    };
  }
  return (row) => {
    const at = offset + row * stride;
    const start = spans[at]!;
    return start < 0 ? null : bytes.utf8Slice(start, spans[at + 1]!);
  };
}

/** What `toString('utf8')` of a buffer calls after it has looked at its arguments, which takes a tenth of the time of a short cell. */
export interface Utf8 {
  readonly [index: number]: number;
  utf8Slice(start: number, end: number): string;
}

/** Columns of a block lie in the same bytes: they share the buffer. */
const known = new WeakMap<Uint8Array, Utf8>();

export function bufferOf(source: Uint8Array): Utf8 {
  let buffer = known.get(source);
  if (buffer === undefined) {
    // A Buffer that came from another thread is a plain Uint8Array.
    const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    if (!('utf8Slice' in bytes))
      Object.assign(bytes, { utf8Slice: (from: number, to: number) => bytes.toString('utf8', from, to) });
    buffer = bytes as unknown as Utf8;
    known.set(source, buffer);
  }
  return buffer;
}
