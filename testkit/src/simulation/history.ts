/** What happened in a simulated world, in order: two runs of one seed have the same hash, and the end of it explains a failure. */
export class History {
  readonly #linesMax: number;
  readonly #lines: string[] = [];
  #low = 0x811c9dc5;
  #high = 0x9747b28c;
  #length = 0;

  /** @param linesMax  how many of the newest lines are kept; the hash covers all */
  constructor(linesMax = 0) {
    this.#linesMax = linesMax;
  }

  add(line: string): void {
    let [low, high] = [this.#low, this.#high];
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high ^ (code + i), 0x5bd1e995) ^ (high >>> 15);
    }
    this.#low = Math.imul(low ^ 10, 0x01000193);
    this.#high = high;
    this.#length++;
    if (this.#linesMax === 0) return;
    this.#lines.push(line);
    // Cut now and then: a shift for every line would cost more than the line.
    if (this.#lines.length >= 2 * this.#linesMax) this.#lines.splice(0, this.#lines.length - this.#linesMax);
  }

  /** Lines in all. */
  get length(): number {
    return this.#length;
  }

  get hash(): string {
    const hex = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
    return hex(this.#low) + hex(this.#high);
  }

  /** The newest lines, oldest first. */
  lines(): readonly string[] {
    return this.#lines.slice(-this.#linesMax || this.#lines.length);
  }
}
