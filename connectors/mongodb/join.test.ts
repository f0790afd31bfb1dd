import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareKeys } from './join.ts';

// Two collections are merged in the order of their keys: another order than the server's would miss what is there, and sweep it. (P4)

test('keys are compared as the bytes of their UTF-8 are', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\uffff', '\ue000', '𝒳', '\u{10ffff}') }),
  );
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
  );
});
