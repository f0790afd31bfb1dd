const slabBytesMin = 1 << 14;
const slabBytesMax = 1 << 20;

/** Where a payload lies: the bytes of `slab` from `start` up to `end`. */
export interface StoredPayload {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Puts many small payloads into few large buffers: millions of buffers would cost more than the bytes in them. Begins
 * small, for there may be a thousand orgs that hardly change.
 */
export function createPayloadStore(): (header: Uint8Array, body: Uint8Array) => StoredPayload {
  let slab = Buffer.alloc(0);
  let used = 0;
  return (header, body) => {
    const length = header.length + body.length;
    if (length > slabBytesMin) return { slab: Buffer.concat([header, body]), start: 0, end: length };
    if (used + length > slab.length) {
      slab = Buffer.allocUnsafeSlow(Math.min(slabBytesMax, Math.max(slabBytesMin, slab.length * 2)));
      used = 0;
    }
    const start = used;
    slab.set(header, start);
    slab.set(body, start + header.length);
    used += length;
    return { slab, start, end: used };
  };
}
