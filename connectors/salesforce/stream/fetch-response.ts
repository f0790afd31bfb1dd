import type { FetchResponse } from './grpc-client.ts';

type ConsumerEvent = FetchResponse['events'][number];

/** Wire types (Protocol Buffers, "Encoding"). */
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

const empty: Buffer = Buffer.alloc(0);

/**
 * Reads `FetchResponse` off the wire. Of all messages this one comes tens of thousands of times a second, and the library's way
 * makes each of its events three times: what the bytes say, the same as a plain object, and texts that were just the same before.
 * Fields that are not known are passed over, as a later version of the service may send them.
 */
export class FetchResponseReader {
  #bytes = empty;
  #at = 0;
  /** Most events are of the schema of the one before. */
  #schema = { bytes: empty, id: '' };

  /** @throws the bytes are no such message */
  read(bytes: Buffer): FetchResponse {
    this.#bytes = bytes;
    this.#at = 0;
    const events: ConsumerEvent[] = [];
    let latestReplayId = empty;
    let pendingNumRequested = 0;
    while (this.#at < bytes.length) {
      const tag = this.#varint();
      if (tag === ((1 << 3) | LENGTH)) events.push(this.#event(this.#end()));
      else if (tag === ((2 << 3) | LENGTH)) latestReplayId = this.#slice();
      else if (tag === ((4 << 3) | VARINT)) pendingNumRequested = this.#varint() | 0;
      else this.#skip(tag);
    }
    return { events, latestReplayId, pendingNumRequested };
  }

  #event(end: number): ConsumerEvent {
    let event: ConsumerEvent['event'] = { id: '', schemaId: '', payload: empty };
    let replayId = empty;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((1 << 3) | LENGTH)) event = this.#producerEvent(this.#end());
      else if (tag === ((2 << 3) | LENGTH)) replayId = this.#slice();
      else this.#skip(tag);
    }
    this.#checkAt(end);
    return { event, replayId };
  }

  #producerEvent(end: number): ConsumerEvent['event'] {
    let id = '';
    let schemaId = '';
    let payload = empty;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((1 << 3) | LENGTH)) id = this.#text();
      else if (tag === ((2 << 3) | LENGTH)) schemaId = this.#schemaId();
      else if (tag === ((3 << 3) | LENGTH)) payload = this.#slice();
      else this.#skip(tag);
    }
    this.#checkAt(end);
    return { id, schemaId, payload };
  }

  #schemaId(): string {
    const end = this.#end();
    const { bytes, id } = this.#schema;
    const isSame = bytes.length === end - this.#at && bytes.compare(this.#bytes, this.#at, end) === 0;
    if (!isSame) this.#schema = { bytes: this.#bytes.subarray(this.#at, end), id: this.#bytes.toString('utf8', this.#at, end) };
    this.#at = end;
    return isSame ? id : this.#schema.id;
  }

  #text(): string {
    const end = this.#end();
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  #slice(): Buffer {
    const end = this.#end();
    const slice = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return slice;
  }

  /** Where the value ends whose length comes next. */
  #end(): number {
    const length = this.#varint();
    const end = this.#at + length;
    this.#checkWithin(end);
    return end;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('the message ends inside a number');
      value += (byte & 127) * shift;
      if (byte < 128) return value;
      if (shift > 2 ** 56) throw new RangeError('a number of the message is longer than any may be');
    }
  }

  #skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.#varint();
        break;
      case FIXED_64:
        this.#at += 8;
        break;
      case LENGTH:
        this.#at = this.#end();
        break;
      case FIXED_32:
        this.#at += 4;
        break;
      default:
        throw new RangeError(`the message holds a field of the wire type ${tag & 7}`);
    }
    this.#checkWithin(this.#at);
  }

  #checkWithin(at: number): void {
    if (at > this.#bytes.length) throw new RangeError('the message ends inside a value');
  }

  #checkAt(end: number): void {
    if (this.#at !== end) throw new RangeError('a value of the message is longer than what holds it');
  }
}
