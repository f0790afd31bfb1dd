import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scrub } from '../base/secrets.ts';
import { Vault } from './vault.ts';

// What lets us into somebody's org lies in the store encrypted, and is of no use outside its row or without the key.   (P10)

const newKey = () => randomBytes(32).toString('base64');
const place = ['org', 'customers', 'acme'];

test('what was sealed comes back at its own place, and no part of it shows in what is kept', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), (text) => {
      const vault = new Vault(newKey());
      const sealed = vault.seal(text.toWellFormed(), place);
      expect(vault.open(sealed, place)).toBe(text.toWellFormed());
      if (text.length > 8) expect(sealed.sealed).not.toContain(text);
      expect(vault.seal(text, place).sealed).not.toBe(sealed.sealed);
    }),
  ));

test('moved to another row, cut or changed in any bit, it does not open', () => {
  const vault = new Vault(newKey());
  const { sealed, keyId } = vault.seal('5Aep861refresh', place);
  expect(() => vault.open({ sealed, keyId }, ['org', 'customers', 'globex'])).toThrow(/belongs to something else/);
  const bytes = Buffer.from(sealed, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => vault.open({ sealed: changed.toString('base64url'), keyId }, place)).toThrow(/changed/);
  }
  for (const length of [0, 5, 12, 27, bytes.length - 1]) {
    expect(() => vault.open({ sealed: bytes.subarray(0, length).toString('base64url'), keyId }, place)).toThrow(/changed/);
  }
});

test('a new key encrypts from then on, and the former one still decrypts while it is there', () => {
  const [former, current] = [newKey(), newKey()];
  const old = new Vault(former).seal('token', place);
  const both = new Vault(`${current},${former}`);
  expect(both.open(old, place)).toBe('token');
  const again = both.seal('token', place);
  expect(again.keyId).not.toBe(old.keyId);
  expect(new Vault(current).open(again, place)).toBe('token');
  expect(() => new Vault(current).open(old, place)).toThrow(
    expect.objectContaining({ message: expect.stringContaining(old.keyId), hint: expect.stringContaining('connected again') }),
  );
});

test.each([
  ['', 'no key'],
  ['hunter2', 'no key'],
  [randomBytes(16).toString('base64'), 'no key'],
  [`${newKey()},${randomBytes(31).toString('base64')}`, 'place 2'],
  [`${newKey().slice(0, 20)}*${newKey().slice(20)}`, 'no key'],
])('bad input: %j is no key, and is not repeated', (text, message) => {
  let thrown: unknown;
  try {
    new Vault(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'request_refused', hint: expect.stringContaining('openssl') });
  expect((thrown as Error).message).toContain(message);
  if (text !== '') expect((thrown as Error).message).not.toContain(text);
});

test('what was opened is masked from then on', () => {
  const vault = new Vault(newKey());
  vault.open(vault.seal('5Aep861canary-of-the-vault', place), place);
  expect(scrub('it sent 5Aep861canary-of-the-vault there')).toBe('it sent [secret] there');
});
