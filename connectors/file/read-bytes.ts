import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { badLine, fileError } from './errors.ts';
import type { Place } from './place.ts';

/** A place in a file between two records. */
export interface FilePosition {
  /** Byte offset. */
  readonly at: number;
  /** Number of the line that begins there, from 1. */
  readonly line: number;
}

export const START: FilePosition = { at: 0, line: 1 };

const CHUNK_BYTES = 256 * 1024;

/**
 * The file's bytes from a position on, whole characters in each chunk.
 * @throws {RequestRefusedError} bytes that are no UTF-8, by line: a decoder would put U+FFFD in their place and say nothing.
 */
export async function* readBytes(place: Place, from: FilePosition, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let { line } = from;
  let rest: Buffer = Buffer.alloc(0);
  const check = (bytes: Buffer): Buffer => {
    if (!isUtf8(bytes)) {
      throw badLine(
        place.name,
        line + lineBreaks(bytes.subarray(0, validLength(bytes))),
        'its bytes are no UTF-8; save the file as UTF-8',
      );
    }
    line += lineBreaks(bytes);
    return bytes;
  };
  try {
    const stream = createReadStream(place.path, { start: from.at, highWaterMark: CHUNK_BYTES, ...(signal && { signal }) });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - unfinishedLength(bytes);
      rest = bytes.subarray(whole);
      if (whole > 0) yield check(bytes.subarray(0, whole));
    }
    if (rest.length > 0) yield check(rest);
  } catch (error) {
    throw fileError(error, place.name);
  }
}

/** How many bytes at the end belong to a character that goes on in the next chunk: 0 to 3. */
function unfinishedLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/** Length of the longest beginning that is UTF-8 and may end within a character. */
function validLength(bytes: Buffer): number {
  let [valid, invalid] = [0, bytes.length];
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    const beginning = bytes.subarray(0, middle);
    if (isUtf8(beginning.subarray(0, middle - unfinishedLength(beginning)))) valid = middle;
    else invalid = middle;
  }
  return valid;
}

function lineBreaks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
