const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';

/**
 * A record id in its 18-character form, or null when it is none. The three characters added to the 15 say which of them
 * are capitals, so that two ids may be compared without regard to case.
 */
export function recordId(text: string): string | null {
  if (!/^[0-9A-Za-z]{15}([0-9A-Za-z]{3})?$/.test(text)) return null;
  const id = text.slice(0, 15);
  let checksum = '';
  for (let group = 0; group < 15; group += 5) {
    let bits = 0;
    for (let i = 0; i < 5; i++) {
      const char = id[group + i]!;
      if (char >= 'A' && char <= 'Z') bits |= 1 << i;
    }
    checksum += alphabet[bits]!;
  }
  if (text.length === 18 && text.slice(15).toUpperCase() !== checksum) return null;
  return id + checksum;
}
