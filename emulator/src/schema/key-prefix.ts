import type { Schema } from './types.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * The first free key prefix that begins with this letter: custom objects have `a00`, `a01`, … and platform events `e00`, … in the
 * order in which they are made. `taken` are those not yet in the schema.
 */
export function nextKeyPrefix(schema: Schema, first: 'a' | 'e', taken: ReadonlySet<string> = new Set()): string {
  const used = new Set(schema.objects.map((object) => object.keyPrefix));
  for (const second of base62) {
    for (const third of base62) {
      const prefix = `${first}${second}${third}`;
      if (!used.has(prefix) && !taken.has(prefix)) return prefix;
    }
  }
  throw new Error('an org holds at most 3,844 custom objects: no key prefix is left');
}
