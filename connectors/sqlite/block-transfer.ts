import type { Block, Column } from '@tidemark/core';

/** Larger ones are not kept: a single huge row should not cost its memory for the rest of the load (P9). */
const keptBytesMax = 2 * 1024 * 1024;

/** Memory that both threads see, and what is free of it. */
export class BlockMemory {
  readonly #free: SharedArrayBuffer[] = [];

  /**
   * The block as it goes to the worker, with its bytes and spans copied into memory that both threads see. That one copy costs
   * less than handing memory over, which has to be new for every block: the collector would then follow the whole load.
   * `free` says that the worker has answered.
   */
  pack(block: Block): { packed: Block; free: () => void } {
    const views = new Map<Uint8Array | Int32Array, number>();
    let size = 0;
    for (const column of block.columns) {
      if (column.kind !== 'text') continue;
      for (const view of [column.bytes, column.spans]) {
        if (views.has(view)) continue;
        views.set(view, size);
        // Spans are words.
        size += (view.byteLength + 3) & ~3;
      }
    }
    if (size === 0) return { packed: { rowCount: block.rowCount, columns: block.columns }, free: () => {} };
    const memory = this.#take(size);
    const copies = new Map<Uint8Array | Int32Array, Uint8Array | Int32Array>();
    for (const [view, at] of views) {
      const copy =
        view instanceof Int32Array ? new Int32Array(memory, at, view.length) : new Uint8Array(memory, at, view.byteLength);
      copy.set(view);
      copies.set(view, copy);
    }
    const columns = block.columns.map((column): Column => {
      if (column.kind !== 'text') return column;
      // One view for all columns that lie in the same bytes: a message keeps such likeness.
      return { ...column, bytes: copies.get(column.bytes) as Buffer, spans: copies.get(column.spans) as Int32Array };
    });
    block.release?.();
    const free = () => {
      if (memory.byteLength <= keptBytesMax) this.#free.push(memory);
    };
    return { packed: { rowCount: block.rowCount, columns }, free };
  }

  #take(size: number): SharedArrayBuffer {
    const free = this.#free.pop();
    // Blocks of one load are alike: a quarter more is enough for the next ones.
    return free !== undefined && free.byteLength >= size ? free : new SharedArrayBuffer((size * 1.25 + 3) & ~3);
  }
}
