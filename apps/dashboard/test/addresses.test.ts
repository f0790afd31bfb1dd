import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partOfAddress, readPart, toRecord } from '../src/app/addresses.ts';

// A key of somebody's own may be made of anything, and its page is still its own: no other record's, and no other path.

/** Those that mean something in an address, and some that do not. */
const letters = fc.constantFrom(...'%2F5/?#&=@.: +ü漢𝄞a');

test('whatever a key is made of, its address leads back to it', () =>
  fc.assert(
    fc.property(fc.string({ unit: letters }), (key) => {
      const part = partOfAddress(key);
      expect(part).not.toMatch(/[/?#]/);
      expect(readPart(decodeURI(part))).toBe(key);
    }),
  ));

test('what looks like something else is taken for what it is', () => {
  for (const key of ['%2F', '%', '%25', 'a/b', '..', '#token=x', 'contacts@acme', '%E0%A4%A']) {
    expect(readPart(decodeURI(partOfAddress(key)))).toBe(key);
  }
  expect(toRecord('contacts@acme', 'a/b')).toBe('/syncs/contacts%40acme/records/a%2Fb');
});

test('what somebody typed by hand and nobody can read is taken as it is', () => {
  expect(readPart('100%')).toBe('100%');
});
