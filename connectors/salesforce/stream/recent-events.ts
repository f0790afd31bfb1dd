/** So many replay ids are remembered, and up to twice as many: a server that sends something twice does so soon. */
const rememberedMin = 2_000;

/** What was delivered lately, so that a repetition on the same stream goes no further: it would undo what came between. */
export class RecentEvents {
  /** The last event of each replay id, which few of them share. Full, it becomes the older of the two, and the older is forgotten. */
  #seen = new Map<string, Seen>();
  #seenBefore: ReadonlyMap<string, Seen> = new Map();

  /** Whether this is the first time. @param id, key  tell it from others of the same replay id */
  add(replayId: string, id: string, key: string | undefined): boolean {
    const last = this.#seen.get(replayId) ?? this.#seenBefore.get(replayId) ?? null;
    for (let seen = last; seen !== null; seen = seen.before) if (seen.id === id && seen.key === key) return false;
    this.#seen.set(replayId, { id, key, before: last });
    if (this.#seen.size >= rememberedMin) {
      this.#seenBefore = this.#seen;
      this.#seen = new Map();
    }
    return true;
  }
}

interface Seen {
  readonly id: string;
  readonly key: string | undefined;
  readonly before: Seen | null;
}
