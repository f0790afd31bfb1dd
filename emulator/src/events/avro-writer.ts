/**
 * Writes Avro's binary encoding (Apache Avro specification, "Binary Encoding") of the few types that events are made of.
 * A commit makes an event for each of its records, and most fields of most events are null: written by hand an event costs
 * about half of what it does with the library, which asks of each value which branch of its union it is.
 */
export interface AvroWriter {
  string(text: string): void;
  /** An int or a long; also the index of an enum's symbol, and of a union's branch. */
  long(value: number): void;
  bigLong(value: bigint): void;
  double(value: number): void;
  /** A boolean; or the null of a union, which is one byte as well. */
  byte(value: 0 | 1): void;
  strings(items: readonly string[]): void;
  /** What was written since the last time. */
  take(): Buffer;
}

const roomBytes = 64;
/** Texts up to here have a length of one byte and are mostly ASCII. */
const shortMax = 63;

export function createAvroWriter(): AvroWriter {
  let buffer = Buffer.allocUnsafeSlow(1 << 14);
  let at = 0;
  let lastBig = { value: 0n, bytes: zigzag(0n) };

  function room(bytes: number): void {
    if (at + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, at + bytes));
    buffer.copy(larger, 0, 0, at);
    buffer = larger;
  }

  function long(value: number): void {
    if (!Number.isInteger(value) || !Number.isSafeInteger(value * 2)) throw new TypeError(`${value} is no long`);
    room(roomBytes);
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest >= 128) {
      buffer[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    buffer[at++] = rest;
  }

  function short(text: string): boolean {
    const start = at;
    buffer[at++] = text.length * 2;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        at = start;
        return false;
      }
      buffer[at++] = code;
    }
    return true;
  }

  function string(text: string): void {
    if (typeof text !== 'string') throw new TypeError(`${text} is no string`);
    room(roomBytes);
    if (text.length <= shortMax && short(text)) return;
    const bytes = Buffer.byteLength(text);
    long(bytes);
    room(bytes);
    at += buffer.write(text, at);
  }

  return {
    string,
    long,
    bigLong(value) {
      // All events of a commit have the same.
      if (value !== lastBig.value) lastBig = { value, bytes: zigzag(value) };
      room(roomBytes);
      for (const byte of lastBig.bytes) buffer[at++] = byte;
    },
    double(value) {
      if (typeof value !== 'number') throw new TypeError(`${value} is no number`);
      room(roomBytes);
      at = buffer.writeDoubleLE(value, at);
    },
    byte(value) {
      room(1);
      buffer[at++] = value;
    },
    strings(items) {
      if (items.length > 0) {
        long(items.length);
        for (const item of items) string(item);
      }
      long(0);
    },
    take() {
      const taken = Buffer.from(buffer.subarray(0, at));
      at = 0;
      return taken;
    },
  };
}

function zigzag(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value < 0n ? -2n * value - 1n : 2n * value;
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return bytes;
}
