/** As many as come in some seconds, at least: a server that sends something twice does so soon. */
const rememberedMin = 2_000;

/** What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. */
export class RecentEvents {
  /** Full, it becomes the older of the two, and the older is forgotten. */
  #seen = new Set<string>();
  #seenBefore: ReadonlySet<string> = new Set();

  /** Whether this is the first time. */
  add(identity: string): boolean {
    if (this.#seen.has(identity) || this.#seenBefore.has(identity)) return false;
    this.#seen.add(identity);
    if (this.#seen.size >= rememberedMin) {
      this.#seenBefore = this.#seen;
      this.#seen = new Set();
    }
    return true;
  }
}
