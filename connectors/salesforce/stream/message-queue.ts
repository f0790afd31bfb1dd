/** Hands over what comes by events to whoever awaits it, in order; its end and its failure come after all that was put in. */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #end: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: T): void {
    if (this.#end !== null) return;
    this.#items.push(item);
    this.#notify();
  }

  /** The first call counts. @param error  undefined for an orderly end */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#notify();
  }

  get size(): number {
    return this.#items.length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#items.length > 0) yield this.#items.shift()!;
      if (this.#end !== null) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
