/** As many as come in some seconds: a server that sends something twice does so soon. */
const rememberedMax = 2_000;

/** What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. */
export class RecentEvents {
  readonly #seen = new Set<string>();

  /** Whether this is the first time. */
  add(identity: string): boolean {
    const before = this.#seen.size;
    this.#seen.add(identity);
    if (this.#seen.size === before) return false;
    if (before >= rememberedMax) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    return true;
  }
}
