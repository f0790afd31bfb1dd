/** Random choices that are the same for the same seed on every machine (mulberry32: public domain, 32 bits of state). */
export class Random {
  private state: number;

  /** `stream` tells apart those who share a seed: each object draws from its own. */
  constructor(seed: number, stream = '') {
    let hash = (seed ^ 0x9e3779b9) >>> 0;
    for (const character of stream) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
    this.state = hash;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from `min` to `max`, both possible. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)]!;
  }

  /** The first items more often than the last. */
  pickEarly<T>(items: readonly T[]): T {
    const drawn = this.next();
    return items[Math.floor(drawn * drawn * items.length)]!;
  }

  /** Spread over the orders of magnitude, as money and company sizes are. */
  magnitude(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }
}
