import type { TextColumn } from './block.ts';

/** From here on the runtime's own encoder is quicker, its call included. */
const CALL_CHARACTERS = 96;

/**
 * Makes a text column of computed strings, cell by cell. As bytes they weigh what they hold, and the strings die young: kept until
 * the rows around them are loaded, a few columns of them took more memory than all the rest of a load (P9).
 */
export class TextWriter {
  readonly #spans: Int32Array;
  #bytes: Buffer;
  #length = 0;
  #row = 0;

  constructor(rowCount: number) {
    this.#spans = new Int32Array(rowCount * 2);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(64, rowCount * 24));
  }

  add(text: string | null): void {
    const at = this.#row++ * 2;
    this.#spans[at] = text === null ? -1 : this.#length;
    if (text !== null) this.#write(text);
    this.#spans[at + 1] = this.#length;
  }

  column(): TextColumn {
    return { kind: 'text', bytes: this.#bytes.subarray(0, this.#length), spans: this.#spans, offset: 0, stride: 2 };
  }

  #write(text: string): void {
    const { length } = text;
    const needed = this.#length + length * 3;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(needed * 2);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    const at = this.#length;
    if (length <= CALL_CHARACTERS) {
      let i = 0;
      for (let code = 0; i < length; i++) {
        code = text.charCodeAt(i);
        if (code > 127) break;
        this.#bytes[at + i] = code;
      }
      if (i === length) {
        this.#length = at + length;
        return;
      }
    }
    this.#length = at + this.#bytes.write(text, at, 'utf8');
  }
}
