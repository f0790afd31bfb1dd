/** Work on syncs that is under way in this process, so that somebody can end it. */
export class UnderWay {
  readonly #stops = new Map<string, Set<AbortController>>();

  /** Carries it out with a `stop` that ends with whoever calls `end` as well. */
  async during<Options extends { readonly stop?: AbortSignal }, T>(
    sync: string,
    options: Options,
    work: (options: Options & { readonly stop: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const own = new AbortController();
    const ofSync = this.#stops.get(sync) ?? new Set();
    this.#stops.set(sync, ofSync.add(own));
    try {
      const stop = options.stop === undefined ? own.signal : AbortSignal.any([own.signal, options.stop]);
      return await work({ ...options, stop });
    } finally {
      ofSync.delete(own);
      if (ofSync.size === 0) this.#stops.delete(sync);
    }
  }

  /** Has it end after the batch that it is at. @returns whether anything was under way */
  end(sync: string): boolean {
    const stops = [...(this.#stops.get(sync) ?? [])];
    for (const stop of stops) stop.abort();
    return stops.length > 0;
  }
}
