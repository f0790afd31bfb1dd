import type { FetchResponse } from './messages.ts';

/** Tags of the fields of `pubsub_api.proto` that are written here (Protocol Buffers, "Encoding"): number, wire type. */
const events = (1 << 3) | 2;
const latestReplayId = (2 << 3) | 2;
const rpcId = (3 << 3) | 2;
const pendingNumRequested = 4 << 3;
const event = (1 << 3) | 2;
const replayId = (2 << 3) | 2;
const id = (1 << 3) | 2;
const schemaId = (2 << 3) | 2;
const payload = (3 << 3) | 2;

const varintBytesMax = 5;

/**
 * Writes `FetchResponse` as it goes over the wire. Of all messages this one goes tens of thousands of times a second, and the
 * library makes each of its events twice before it writes it. It also writes a `ManagedFetchResponse` that carries no commit:
 * the fields that both have are the same.
 */
export class FetchResponseWriter {
  /** The same for all messages: with one for each V8 collects the whole heap, every event of the bus, several times in a backlog. */
  #bytes = Buffer.allocUnsafeSlow(1 << 12);
  #at = 0;

  /** What is returned is good until the next call: grpc-js copies it at once, behind a head of its own. */
  write(response: FetchResponse): Buffer {
    this.#at = 0;
    for (const consumed of response.events) {
      const made = consumed.event;
      // Ids come from publishers and may be any text; those of schemas and calls are ours, and ASCII.
      const idBytes = Buffer.byteLength(made.id);
      const inner = fieldSize(idBytes) + fieldSize(made.schemaId.length) + fieldSize(made.payload.length);
      const outer = fieldSize(inner) + fieldSize(consumed.replayId.length);
      this.#begin(events, outer);
      this.#begin(event, inner);
      this.#text(id, made.id, idBytes);
      this.#text(schemaId, made.schemaId, made.schemaId.length);
      this.#raw(payload, made.payload);
      this.#raw(replayId, consumed.replayId);
    }
    this.#raw(latestReplayId, response.latestReplayId);
    this.#text(rpcId, response.rpcId, response.rpcId.length);
    this.#room(1 + varintBytesMax);
    this.#varint(pendingNumRequested, response.pendingNumRequested);
    return this.#bytes.subarray(0, this.#at);
  }

  /** A tag, and the length after it. Makes room for what is that long. */
  #begin(tag: number, length: number): void {
    this.#room(1 + varintBytesMax + length);
    this.#varint(tag, length);
  }

  /** A tag, and the number after it, for which there is room. */
  #varint(tag: number, value: number): void {
    this.#bytes[this.#at++] = tag;
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #text(tag: number, value: string, length: number): void {
    this.#begin(tag, length);
    this.#at += this.#bytes.write(value, this.#at, length === value.length ? 'latin1' : 'utf8');
  }

  #raw(tag: number, value: Uint8Array): void {
    this.#begin(tag, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** A tag, a length, and what is that long. */
const fieldSize = (length: number) => 1 + varintSize(length) + length;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest >>>= 7) size++;
  return size;
}
