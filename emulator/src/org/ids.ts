import { SalesforceError } from './types.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const checksumAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';
const shape = /^[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?$/;

/**
 * The three characters that make an id safe where case is lost: one per group of five, its bits telling which are capitals.
 * @see REST API Developer Guide, "ID field type" (18-character ids)
 */
export function checksum(id15: string): string {
  let suffix = '';
  for (let group = 0; group < 15; group += 5) {
    let bits = 0;
    for (let i = 0; i < 5; i++) {
      const code = id15.charCodeAt(group + i);
      if (code >= 65 && code <= 90) bits |= 1 << i;
    }
    suffix += checksumAlphabet[bits];
  }
  return suffix;
}

/** The 18-character form of an id given in either form; `undefined` when it is no id. */
export function normaliseId(id: string): string | undefined {
  if (!shape.test(id)) return undefined;
  const id15 = id.slice(0, 15);
  const full = id15 + checksum(id15);
  return id.length === 15 || id === full ? full : undefined;
}

/** @throws {SalesforceError} `MALFORMED_ID` when it is no id at all. */
export function requireId(id: string): string {
  const full = normaliseId(id);
  if (full === undefined) throw new SalesforceError('MALFORMED_ID', `malformed id ${id}`, { fields: ['Id'] });
  return full;
}

/**
 * The id of an org's `counter`-th record of an object. Ids of one object ascend, as those of one real org do.
 * @param instance  Two characters that tell orgs apart.
 */
export function makeId(keyPrefix: string, instance: string, counter: number): string {
  let digits = '';
  for (let rest = counter; rest > 0; rest = Math.floor(rest / 62)) digits = base62[rest % 62] + digits;
  const id15 = `${keyPrefix}${instance}0${digits.padStart(9, '0')}`;
  return id15 + checksum(id15);
}

/** Two id characters that follow from a seed, so that two orgs do not share ids. */
export function instanceOf(seed: number): string {
  const mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return base62[10 + (mixed % 52)]! + base62[Math.floor(mixed / 52) % 62]!;
}
