/**
 * The bitmaps of `changedFields`, `nulledFields` and `diffFields`: one `0x…` for the fields of the event itself and one
 * `<index>-0x…` for each compound field of which parts changed. Bit i, from the right, is the field at index i of the
 * record; the header has index 0.
 * @see Pub/Sub API guide, "Event Deserialization Considerations"
 */

/** A field of an event, or one part of a compound one. */
export interface FieldBit {
  readonly index: number;
  readonly part?: number;
}

export function encodeBitmaps(bits: readonly FieldBit[]): string[] {
  const top: number[] = [];
  const nested = new Map<number, number[]>();
  for (const { index, part } of bits) {
    if (part === undefined) top.push(index);
    else {
      const parts = nested.get(index);
      if (parts) parts.push(part);
      else nested.set(index, [part]);
    }
  }
  const bitmaps = top.length === 0 ? [] : [hexOf(top)];
  for (const [index, parts] of [...nested].sort(([a], [b]) => a - b)) bitmaps.push(`${index}-${hexOf(parts)}`);
  return bitmaps;
}

export function decodeBitmaps(bitmaps: readonly string[]): FieldBit[] {
  return bitmaps.flatMap((bitmap): FieldBit[] => {
    const dash = bitmap.indexOf('-');
    if (dash < 0) return bitsOf(bitmap).map((index) => ({ index }));
    const index = Number(bitmap.slice(0, dash));
    return bitsOf(bitmap.slice(dash + 1)).map((part) => ({ index, part }));
  });
}

/** Whole bytes, the highest first, without leading zeros. */
function hexOf(bits: readonly number[]): string {
  const bytes = new Uint8Array((Math.max(...bits) >> 3) + 1);
  for (const bit of bits) bytes[bytes.length - 1 - (bit >> 3)]! |= 1 << (bit & 7);
  return `0x${Buffer.from(bytes.buffer).toString('hex').toUpperCase()}`;
}

function bitsOf(hex: string): number[] {
  const bytes = Buffer.from(hex.slice(2), 'hex');
  const bits: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    if (bytes[bytes.length - 1 - (bit >> 3)]! & (1 << (bit & 7))) bits.push(bit);
  }
  return bits;
}
