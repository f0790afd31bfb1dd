const slabBytes = 1 << 20;

/** Puts many small payloads into few large buffers: millions of buffers would cost more than the bytes in them. */
export function createPayloadStore(): (header: Uint8Array, body: Uint8Array) => Uint8Array {
  let slab = Buffer.allocUnsafeSlow(slabBytes);
  let used = 0;
  return (header, body) => {
    const length = header.length + body.length;
    if (length > slabBytes / 4) return Buffer.concat([header, body]);
    if (used + length > slabBytes) {
      slab = Buffer.allocUnsafeSlow(slabBytes);
      used = 0;
    }
    const start = used;
    slab.set(header, start);
    slab.set(body, start + header.length);
    used += length;
    return slab.subarray(start, used);
  };
}
