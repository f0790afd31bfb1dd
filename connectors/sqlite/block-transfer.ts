import type { Block, Column } from '@tidemark/core';

/**
 * A block as it goes to the worker. Memory that a column's bytes own whole is handed over and not copied; the block is of no use
 * here afterwards. Bytes that share their memory with others, as small buffers of Node do, are copied once.
 */
export function packBlock(block: Block): { packed: Block; transfer: ArrayBuffer[] } {
  const packedViews = new Map<Uint8Array | Int32Array, Uint8Array | Int32Array>();
  const transfer = new Set<ArrayBuffer>();
  const pack = <T extends Uint8Array | Int32Array>(view: T): T => {
    let packed = packedViews.get(view);
    if (packed === undefined) {
      const ownsAll = view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength;
      packed = ownsAll ? plain(view) : view instanceof Int32Array ? Int32Array.from(view) : Uint8Array.from(view);
      packedViews.set(view, packed);
      transfer.add(packed.buffer as ArrayBuffer);
    }
    return packed as T;
  };
  const columns = block.columns.map((column): Column => {
    return column.kind === 'text' ? { ...column, bytes: pack(column.bytes), spans: pack(column.spans) } : column;
  });
  return { packed: { rowCount: block.rowCount, columns }, transfer: [...transfer] };
}

/** A Buffer arrives as a Uint8Array anyway. */
function plain(view: Uint8Array | Int32Array): Uint8Array | Int32Array {
  return view instanceof Int32Array ? view : new Uint8Array(view.buffer);
}
