/** Public members of avsc's types that its declarations leave out. */
export interface AvroType {
  readonly typeName: string;
  readonly name: string | undefined;
  readonly fields?: readonly { readonly name: string; readonly type: AvroType }[];
  readonly types?: readonly AvroType[];
  readonly itemsType?: AvroType;
  readonly symbols?: readonly string[];
  decode(buffer: Buffer, position: number): { value: unknown; offset: number };
}

/** Takes one value, and moves on to what comes behind it. @throws the bytes are not of its type */
export type Read<T = unknown> = (from: AvroBytes) => T;

/** Bytes of Avro, and how far they have been read (Apache Avro specification, "Binary Encoding"). */
export class AvroBytes {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;

  /** @throws it is larger than a number holds exactly */
  integer(): number {
    const { bytes } = this;
    const first = bytes[this.at++]!;
    // Nearly all of them.
    if (first < 128) return (first >>> 1) ^ -(first & 1);
    let value = first & 127;
    for (let place = 128; ; place *= 128) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new RangeError('the payload ends inside a number');
      value += (byte & 127) * place;
      if (byte < 128) break;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number of the payload is too large');
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  passInteger(): void {
    while (this.bytes[this.at++]! >= 128);
  }

  double(): number {
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  boolean(): boolean {
    return this.bytes[this.at++] === 1;
  }

  text(): string {
    const begin = this.passText();
    return this.bytes.toString('utf8', begin, this.at);
  }

  /** @returns where it began */
  passText(): number {
    const length = this.integer();
    const begin = this.at;
    this.at += length;
    if (length < 0 || this.at > this.bytes.length) throw new RangeError('the payload ends inside a text');
    return begin;
  }
}

/**
 * Reads values of a type. The kinds that every event is made of are read here, several times as fast as the library does it for a
 * value at a time; the others are left to it.
 */
export function readerOf(type: AvroType): Read {
  switch (type.typeName) {
    case 'null':
      return () => null;
    case 'string':
      return (from) => from.text();
    case 'int':
    case 'long':
      return (from) => from.integer();
    case 'double':
      return (from) => from.double();
    case 'boolean':
      return (from) => from.boolean();
    case 'enum':
      return (from) => chosen(type.symbols!, from);
    case 'array':
      return arrayReader(readerOf(type.itemsType!));
    case 'union:unwrapped': {
      const branches = type.types!.map(readerOf);
      return (from) => chosen(branches, from)(from);
    }
    default:
      return (from) => {
        const { value, offset } = type.decode(from.bytes, from.at);
        if (offset < 0) throw new RangeError('the payload ends inside a value');
        from.at = offset;
        return value;
      };
  }
}

/** Passes values over that nobody needs: they may be numbers of 64 bits, which are larger than a number holds. */
export function passerOf(type: AvroType): Read {
  switch (type.typeName) {
    case 'string':
      return (from) => from.passText();
    case 'int':
    case 'long':
      return (from) => from.passInteger();
    case 'union:unwrapped': {
      const branches = type.types!.map(passerOf);
      return (from) => chosen(branches, from)(from);
    }
    default:
      return readerOf(type);
  }
}

/** A text that is mostly the same as the one before: comparing is quicker than making it anew, and leaves nothing to be collected. */
export function repeatedText(): Read<string> {
  let last: Uint8Array = new Uint8Array(0);
  let text = '';
  return (from) => {
    const begin = from.passText();
    const { bytes, at } = from;
    if (!isSame(last, bytes, begin, at)) {
      last = Uint8Array.prototype.slice.call(bytes, begin, at);
      text = bytes.toString('utf8', begin, at);
    }
    return text;
  };
}

function isSame(some: Uint8Array, bytes: Uint8Array, begin: number, end: number): boolean {
  if (some.length !== end - begin) return false;
  for (let i = 0; i < some.length; i++) if (some[i] !== bytes[begin + i]) return false;
  return true;
}

const NONE: readonly never[] = [];

/** Blocks, each led by how many there are; where that is negative, by their bytes too. */
export function arrayReader<T>(read: Read<T>): Read<readonly T[]> {
  return (from) => {
    let count = from.integer();
    if (count === 0) return NONE;
    const values: T[] = [];
    for (; count !== 0; count = from.integer()) {
      if (count < 0) {
        count = -count;
        from.passInteger();
      }
      for (; count > 0; count--) values.push(read(from));
    }
    return values;
  };
}

function chosen<T>(choices: readonly T[], from: AvroBytes): T {
  const choice = choices[from.integer()];
  if (choice === undefined) throw new RangeError('the payload names a choice that its schema does not have');
  return choice;
}
