import type { RawEvent, StreamMessage } from './transport.ts';

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
  read(bytes: Buffer): StreamMessage {
    this.#bytes = bytes;
    this.#at = 0;
    const events: RawEvent[] = [];
    let latest: string | null = null;
    let pending = 0;
    while (this.#at < bytes.length) {
      const tag = this.#varint();
      if (tag === ((1 << 3) | LENGTH)) events.push(this.#consumerEvent(this.#end()));
      else if (tag === ((2 << 3) | LENGTH)) latest = this.#replayId() || null;
      else if (tag === ((4 << 3) | VARINT)) pending = this.#varint() | 0;
      else this.#skip(tag);
    }
    return { events, latest, pending };
  }

  #consumerEvent(end: number): RawEvent {
    let replayId = '';
    let id = '';
    let schemaId = '';
    let payload = empty;
    while (this.#at < end) {
      const tag = this.#varint();
      if (tag === ((2 << 3) | LENGTH)) replayId = this.#replayId();
      else if (tag === ((1 << 3) | LENGTH)) {
        const eventEnd = this.#end();
        id = schemaId = '';
        payload = empty;
        while (this.#at < eventEnd) {
          const part = this.#varint();
          if (part === ((1 << 3) | LENGTH)) id = this.#text();
          else if (part === ((2 << 3) | LENGTH)) schemaId = this.#schemaId();
          else if (part === ((3 << 3) | LENGTH)) payload = this.#slice();
          else this.#skip(part);
        }
        this.#checkAt(eventEnd);
      } else this.#skip(tag);
    }
    this.#checkAt(end);
    return { replayId, id, schemaId, payload };
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

  /** Opaque bytes, as text. */
  #replayId(): string {
    const end = this.#end();
    const text = this.#bytes.toString('base64', this.#at, end);
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
