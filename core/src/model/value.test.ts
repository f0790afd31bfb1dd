import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newRow } from './value.ts';

test('a field may have any name, and one that was not set is not there (P1)', () => {
  const inherited = fc.constantFrom('constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf');
  const names = fc.array(fc.oneof(inherited, fc.string({ unit: 'grapheme' })), { maxLength: 20 });
  fc.assert(
    fc.property(names, names, (set, asked) => {
      const row = newRow();
      for (const name of set) row[name] = `of ${name}`;
      expect(new Set(Object.keys(row))).toEqual(new Set(set));
      for (const name of [...asked, 'constructor', '__proto__']) {
        const value = set.includes(name) ? `of ${name}` : undefined;
        expect(row[name]).toBe(value);
        expect(name in row).toBe(value !== undefined);
      }
      const seen = new Set<string>();
      for (const name in row) seen.add(name);
      expect(seen).toEqual(new Set(set));
      expect(Object.keys(JSON.parse(JSON.stringify(row))).length).toBe(seen.size);
    }),
  );
});
