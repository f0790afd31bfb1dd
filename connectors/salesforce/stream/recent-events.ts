/** So many replay ids are remembered, and up to twice as many: a server that sends something twice does so soon. */
const rememberedMin = 2_000;

/** What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. */
export class RecentEvents {
  /** Events by their replay id, which few of them share. Full, it becomes the older of the two, and the older is forgotten. */
  #seen = new Map<string, string[]>();
  #seenBefore: ReadonlyMap<string, string[]> = new Map();

  /** Whether this is the first time. @param event  tells it from others of the same replay id */
  add(replayId: string, event: string): boolean {
    const seen = this.#seen.get(replayId) ?? this.#seenBefore.get(replayId);
    if (seen?.includes(event)) return false;
    if (seen !== undefined) {
      seen.push(event);
      return true;
    }
    this.#seen.set(replayId, [event]);
    if (this.#seen.size >= rememberedMin) {
      this.#seenBefore = this.#seen;
      this.#seen = new Map();
    }
    return true;
  }
}
