import type { Clock } from '../base/clock.ts';
import type { Row } from '../model/value.ts';

/** Values of which what was found is remembered; memory holds no more, however many there are (P9). */
const VALUES_MAX = 10_000;

/** What was found by value, as long as it counts as it was. The value that was asked for longest ago goes first. */
export class LookupCache {
  readonly #ageMs: number;
  readonly #clock: Clock;
  readonly #valuesMax: number;
  readonly #found = new Map<string, { readonly rows: readonly Row[]; readonly atMs: number }>();

  constructor(ageMs: number, clock: Clock, valuesMax = VALUES_MAX) {
    this.#ageMs = ageMs;
    this.#clock = clock;
    this.#valuesMax = valuesMax;
  }

  get(text: string): readonly Row[] | undefined {
    const known = this.#found.get(text);
    if (known === undefined) return undefined;
    this.#found.delete(text);
    if (this.#clock.now() - known.atMs >= this.#ageMs) return undefined;
    this.#found.set(text, known);
    return known.rows;
  }

  set(text: string, rows: readonly Row[]): void {
    if (this.#ageMs === 0) return;
    this.#found.delete(text);
    this.#found.set(text, { rows, atMs: this.#clock.now() });
    if (this.#found.size > this.#valuesMax) this.#found.delete(this.#found.keys().next().value!);
  }
}
