/** A field that a bitmap names: its index in the event's schema, and for a part of a compound field the part's index in that. */
export interface FieldBit {
  readonly index: number;
  readonly part: number | null;
}

/**
 * Fields named by `changedFields`, `nulledFields` or `diffFields` of a change event header: one entry `0x…` for whole fields, one
 * `<index>-0x…` for each compound field of which parts changed. Hexadecimal, big-endian; bit i stands for the field at index i.
 * Change Data Capture Developer Guide, "Change Event Fields"; Pub/Sub API guide, "Event Deserialization Considerations".
 */
export function readBitmaps(entries: readonly string[]): FieldBit[] {
  const bits: FieldBit[] = [];
  for (const entry of entries) {
    const match = /^(?:(\d+)-)?0x([0-9A-Fa-f]*)$/.exec(entry);
    if (match === null) throw new TypeError(`${JSON.stringify(entry)} is no bitmap of fields`);
    const parent = match[1] === undefined ? null : Number(match[1]);
    const hex = match[2]!;
    for (let digit = 0; digit < hex.length; digit++) {
      const value = Number.parseInt(hex[hex.length - 1 - digit]!, 16);
      for (let bit = 0; bit < 4; bit++) {
        if ((value & (1 << bit)) === 0) continue;
        const at = digit * 4 + bit;
        bits.push(parent === null ? { index: at, part: null } : { index: parent, part: at });
      }
    }
  }
  return bits;
}
