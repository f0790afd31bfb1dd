import { isAscii } from 'node:buffer';
import type { TextColumn } from '@tidemark/core';

/**
 * Reads the cells of a text column. Decoding is a good part of a load's work, and most of what comes is ASCII, where decoding a
 * stretch of many cells once and cutting it is twice as fast as decoding them one by one. Latin-1 has one character a byte, so
 * positions in a stretch are those of the bytes; where a stretch holds anything else, its cells are decoded one by one.
 */
export function textReader(column: TextColumn): (row: number) => string | null {
  const { spans, offset, stride } = column;
  const stretches = stretchesOf(column.bytes);
  return (row) => {
    const at = offset + row * stride;
    const start = spans[at]!;
    return start < 0 ? null : stretches.text(start, spans[at + 1]!);
  };
}

const stretchLength = 4096;

interface Stretches {
  text(start: number, end: number): string;
}

/** Columns of a block lie in the same bytes: they share the decoded stretch. */
const known = new WeakMap<Uint8Array, Stretches>();

function stretchesOf(source: Uint8Array): Stretches {
  let stretches = known.get(source);
  if (stretches === undefined) {
    // A Buffer that came from another thread is a plain Uint8Array.
    const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    stretches = makeStretches(bytes);
    known.set(source, stretches);
  }
  return stretches;
}

function makeStretches(bytes: Buffer): Stretches {
  let from = 0;
  let to = 0;
  let ascii: string | null = null;
  return {
    text(start, end) {
      if (start < from || end > to) {
        from = start;
        to = Math.min(bytes.length, Math.max(end, start + stretchLength));
        const stretch = bytes.subarray(from, to);
        ascii = isAscii(stretch) ? stretch.toString('latin1') : null;
      }
      return ascii === null ? bytes.toString('utf8', start, end) : ascii.slice(start - from, end - from);
    },
  };
}
