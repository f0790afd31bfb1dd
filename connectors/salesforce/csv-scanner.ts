import { TruncatedReplyError, UnexpectedReplyError } from '@tidemark/core';

/** Rows found in one stretch of CSV. `bytes` and `spans` are used for nothing else before `release`. */
export interface ScannedRows {
  readonly rowCount: number;
  readonly bytes: Buffer;
  /** Cell c of row r: from `spans[offset + (r * columns + c) * 2]` to the number after it, exclusive; -1 as start is null. */
  readonly spans: Int32Array;
  readonly offset: number;
  /** Nobody looks at them any more: they are used for a later stretch. */
  release(): void;
}

/** Memory of stretches that were released: fresh memory for each costs as much as the scan, and the collector has to find it. */
export class ScanPool {
  readonly #buffers: Buffer[] = [];
  readonly #spans: Int32Array[] = [];

  /** Memory of its own, never a piece of Node's shared pool. */
  buffer(bytes: number): Buffer {
    const free = this.#buffers.pop();
    return free !== undefined && free.length >= bytes ? free : Buffer.allocUnsafeSlow(bytes);
  }

  spans(length: number): Int32Array {
    const free = this.#spans.pop();
    return free !== undefined && free.length >= length ? free : new Int32Array(length);
  }

  giveBack(buffer: Buffer, spans: Int32Array): void {
    // One that had to grow for a single row goes.
    if (buffer.length > blockBytesDefault + slack) return;
    this.#buffers.push(buffer);
    this.#spans.push(spans);
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LF = 0x0a;
const CR = 0x0d;

const blockBytesDefault = 256 * 1024;

/**
 * Finds the cells of a CSV reply without making a string of any of them.
 *
 * The work is on bytes: a character cut by a chunk border is whole again in the buffer, and quotes, commas and newlines are
 * bytes that occur inside no other UTF-8 character. Every block gets a buffer of its own, into which chunks are copied once
 * and in which doubled quotes are closed up, so that whoever takes the block may keep or transfer it.
 *
 * Quoted and unquoted cells may be mixed; an empty cell, quoted or not, is null, since Salesforce stores no empty text.
 * A reply is complete only when its last row ends with a newline: one cut between the two halves of a doubled quote
 * would otherwise pass for a shorter value (P13).
 *
 * @param header  The columns that were asked for, in order.
 * @throws {TruncatedReplyError} a row is cut or has another number of cells.
 * @throws {UnexpectedReplyError} other columns came than were asked for.
 */
export async function* scanCsv(
  chunks: AsyncIterable<Uint8Array>,
  header: readonly string[],
  options: { readonly blockBytes?: number; readonly pool?: ScanPool } = {},
): AsyncGenerator<ScannedRows, void, undefined> {
  const blockBytes = options.blockBytes ?? blockBytesDefault;
  const pool = options.pool ?? new ScanPool();
  const allocate = (bytes: number) => pool.buffer(bytes + slack);
  const found: Found = { consumed: 0, rowCount: 0, spans: new Int32Array(0) };
  let headerSeen = false;
  let buffer = allocate(blockBytes);
  let used = 0;

  /** The rows that were found in `bytes`. */
  function* emit(bytes: Buffer): Generator<ScannedRows> {
    const { spans } = found;
    let { rowCount } = found;
    let offset = 0;
    if (!headerSeen && rowCount > 0) {
      checkHeader(bytes, spans, header);
      headerSeen = true;
      rowCount--;
      offset = header.length * 2;
    }
    if (rowCount === 0) return;
    let released = false;
    const release = () => {
      if (!released) pool.giveBack(bytes, spans);
      released = true;
    };
    yield { rowCount, bytes: bytes.subarray(0, found.consumed), spans, offset, release };
  }

  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const room = Math.min(chunk.length - taken, buffer.length - slack - used);
      buffer.set(taken === 0 && room === chunk.length ? chunk : chunk.subarray(taken, taken + room), used);
      taken += room;
      used += room;
      if (used < buffer.length - slack) continue;
      findRows(buffer, used, header.length, found, pool);
      // What is left is the beginning of a row: it moves to the next buffer, which grows when one row needs more than that. It moves
      // before anybody sees this one, who may release it at once.
      const scanned = buffer;
      const rest = used - found.consumed;
      const next = allocate(found.rowCount > 0 ? blockBytes : used * 2);
      buffer = rest < next.length - slack ? next : allocate(rest * 2);
      scanned.copy(buffer, 0, found.consumed, used);
      used = rest;
      yield* emit(scanned);
    }
  }
  if (used === 0) return;
  findRows(buffer, used, header.length, found, pool);
  yield* emit(buffer);
  if (found.consumed < used) throw new TruncatedReplyError('The CSV reply ends in the middle of a row');
}

interface Found {
  /** Bytes up to the end of the last whole row. */
  consumed: number;
  rowCount: number;
  spans: Int32Array;
}

/** Room behind the data for the sentinel that ends the search for a quote. */
const slack = 2;

/** Finds the whole rows in `bytes[0, end)`. The hot loop of every full load: about 240 bytes and 15 cells a row. */
function findRows(bytes: Buffer, end: number, columns: number, found: Found, pool: ScanPool): void {
  // As many spans as the last buffer needed, and some more: rows of one dataset are alike.
  let spans = pool.spans(Math.max(found.rowCount * columns * 2 * 1.125, columns * 128) | 0);
  const last = columns - 1;
  const dirty: number[] = [];
  let filled = 0;
  let at = 0;
  let consumed = 0;
  let rowCount = 0;
  bytes[end] = QUOTE;
  bytes[end + 1] = 0;

  rows: while (at < end) {
    if (filled + columns * 2 > spans.length) {
      const grown = new Int32Array(spans.length * 2);
      grown.set(spans);
      spans = grown;
    }
    dirty.length = 0;
    for (let column = 0; column <= last; column++) {
      // The row is cut between two cells: where the next one would begin lies the sentinel.
      if (at >= end) break rows;
      let from = at;
      let until: number;
      if (bytes[at] === QUOTE) {
        from = ++at;
        while (bytes[at] !== QUOTE) at++;
        // What follows a quote decides whether it closes the cell. When it is not here yet, the row is not either.
        while (bytes[at + 1] === QUOTE) {
          if (at + 1 >= end) break rows;
          if (dirty[dirty.length - 1] !== filled) dirty.push(filled);
          at += 2;
          while (bytes[at] !== QUOTE) at++;
        }
        until = at++;
      } else {
        while (at < end && bytes[at] !== COMMA && bytes[at] !== LF) at++;
        until = at;
        if (bytes[at] === LF && until > from && bytes[until - 1] === CR) until--;
      }
      spans[filled] = until === from ? -1 : from;
      spans[filled + 1] = until;
      filled += 2;
      const next = bytes[at];
      if (next === COMMA && column < last) at++;
      else if (next === LF && column === last) at++;
      else if (at >= end) break rows;
      else if (next === CR && column === last) {
        if (at + 1 >= end) break rows;
        if (bytes[at + 1] !== LF) throw garbled(found, rowCount);
        at += 2;
      } else throw garbled(found, rowCount);
    }
    // Only now, when the row is known to be whole: the beginning of a cut row is scanned again in the next buffer.
    for (const cell of dirty) spans[cell + 1] = closeUp(bytes, spans[cell]!, spans[cell + 1]!);
    consumed = at;
    rowCount++;
  }
  found.consumed = consumed;
  found.rowCount = rowCount;
  found.spans = spans;
}

/** Turns `""` into `"` in place; answers the new end. */
function closeUp(bytes: Buffer, from: number, until: number): number {
  let write = bytes.indexOf(QUOTE, from);
  for (let read = write; read < until; read++) {
    const byte = bytes[read]!;
    bytes[write++] = byte;
    if (byte === QUOTE) read++;
  }
  return write;
}

function garbled(found: Found, row: number): TruncatedReplyError {
  return new TruncatedReplyError(
    `The CSV reply is garbled: row ${found.rowCount + row + 1} of its block has another number of cells`,
  );
}

function checkHeader(bytes: Buffer, spans: Int32Array, header: readonly string[]): void {
  header.forEach((expected, column) => {
    const start = spans[column * 2]!;
    // A byte order mark would stick to the first name.
    const name = start < 0 ? '' : bytes.toString('utf8', start, spans[column * 2 + 1]!).replace(/^\uFEFF/, '');
    if (name.toLowerCase() !== expected.toLowerCase()) {
      throw new UnexpectedReplyError(`Column ${column + 1} of the reply is ${JSON.stringify(name)}, asked for was ${expected}`);
    }
  });
}
