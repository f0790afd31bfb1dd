import { seededRandom } from '../seeded-random.ts';

/** Random choices that are the same for the same seed on every machine. */
export class Random {
  /** In [0, 1). */
  readonly next: () => number;

  /** `stream` tells apart those who share a seed: each object draws from its own. */
  constructor(seed: number, stream = '') {
    let hash = (seed ^ 0x9e3779b9) >>> 0;
    for (const character of stream) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
    this.next = seededRandom(hash);
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
