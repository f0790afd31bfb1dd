import type { Block } from '@tidemark/core';

/** The blocks of a page, of which one may be put back. */
export class BlockSource {
  readonly #iterator: AsyncIterator<Block>;
  readonly #change: (block: Block) => Block;
  readonly #signal: AbortSignal;
  #pending: Block | undefined;
  #done = false;

  constructor(blocks: AsyncIterable<Block>, change: (block: Block) => Block, signal: AbortSignal) {
    this.#iterator = blocks[Symbol.asyncIterator]();
    this.#change = change;
    this.#signal = signal;
  }

  /** No block is left. */
  get ended(): boolean {
    return this.#done && this.#pending === undefined;
  }

  async next(): Promise<Block | null> {
    this.#signal.throwIfAborted();
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined || this.#done) return pending ?? null;
    const next = await this.#iterator.next();
    this.#done = next.done === true;
    return next.done ? null : this.#change(next.value);
  }

  putBack(block: Block): void {
    this.#pending = block;
  }

  /** Tells the producer that nobody will ask for the rest. */
  async leave(): Promise<void> {
    if (!this.#done) await this.#iterator.return?.();
  }
}
