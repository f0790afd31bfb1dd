import type { Utf8 } from './text-reader.ts';

const slots = 256;
/** Longer cells seldom come again. */
const lengthMax = 32;
/** Cells after which it is known whether a column's values repeat. */
const trial = 1024;

/**
 * The last texts of one column, by their bytes. Countries, picklist values, booleans, owners: most columns of most objects say the
 * same few things again and again, and finding such a text takes a quarter of the time of decoding it. A column whose values do
 * not repeat is noticed after a few rows and costs nothing from then on.
 */
export class TextCache {
  readonly #bytes = new Uint8Array(slots * lengthMax);
  /** 0 where nothing is kept: an empty cell is never looked up. */
  readonly #lengths = new Uint8Array(slots);
  readonly #texts = new Array<string>(slots).fill('');
  #asked = 0;
  #found = 0;
  #isOn = true;

  text(source: Utf8, start: number, end: number): string {
    const length = end - start;
    if (!this.#isOn || length > lengthMax || length === 0) return source.utf8Slice(start, end);
    const kept = this.#bytes;
    const sum = source[start]! * 31 + source[start + (length >> 1)]! * 17 + source[start + (length >> 2)]! + source[end - 1]! * 7;
    const slot = (sum + length) & (slots - 1);
    const base = slot * lengthMax;
    let i = 0;
    if (this.#lengths[slot] === length) while (i < length && kept[base + i] === source[start + i]) i++;
    this.#asked++;
    if (i === length) {
      this.#found++;
      return this.#texts[slot]!;
    }
    // The bytes themselves are kept: those of the block make room for another block's.
    for (i = 0; i < length; i++) kept[base + i] = source[start + i]!;
    this.#lengths[slot] = length;
    const text = source.utf8Slice(start, end);
    this.#texts[slot] = text;
    if (this.#asked >= trial && this.#found < this.#asked / 2) this.#isOn = false;
    return text;
  }
}
