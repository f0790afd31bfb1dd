import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HookAuth } from '../../config/config.ts';
import { checkHeaders, checkSignature, signatureToken } from './hook-auth.ts';

// Who does not know the secret cannot send anything, change anything that was sent, or send it once more as something new.   (P10)

const secrets = ['the first of the secrets', 'the second of the secrets'];
const hmac: HookAuth = { kind: 'hmac', secrets, signatureHeader: 'x-sig', timestampHeader: 'x-at', toleranceMs: 300_000 };
const NOW = Date.UTC(2026, 4, 1);

function sign(secret: string, timestamp: string, body: Uint8Array): Record<string, string> {
  const signature = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  return { 'x-sig': `sha256=${signature}`, 'x-at': timestamp };
}

const isKnown = (headers: Record<string, string>, body: Uint8Array, nowMs = NOW, auth = hmac) =>
  checkHeaders(auth, headers, nowMs) === null && checkSignature(auth, headers, body) === null;

const bodies = fc.uint8Array({ maxLength: 200 });
const times = fc.integer({ min: -300, max: 300 }).map((seconds) => String(NOW / 1000 + seconds));

test('what either secret signs in time is known, whatever its bytes are', () =>
  fc.assert(
    fc.property(fc.constantFrom(...secrets), times, bodies, (secret, at, body) => {
      expect(isKnown(sign(secret, at, body), body)).toBe(true);
    }),
  ));

test('a changed body, time or signature is not, nor another secret’s', () =>
  fc.assert(
    fc.property(times, times, bodies, bodies, fc.nat(63), (at, otherAt, body, other, digit) => {
      const headers = sign(secrets[0]!, at, body);
      if (Buffer.compare(body, other) !== 0) expect(isKnown(headers, other)).toBe(false);
      if (at !== otherAt) expect(isKnown({ ...headers, 'x-at': otherAt }, body)).toBe(false);
      const signature = headers['x-sig']!;
      const place = 'sha256='.length + digit;
      const changed = signature.slice(0, place) + (signature[place] === '0' ? '1' : '0') + signature.slice(place + 1);
      expect(isKnown({ ...headers, 'x-sig': changed }, body)).toBe(false);
      expect(isKnown(sign('another secret altogether', at, body), body)).toBe(false);
    }),
  ));

test('the border between time and body cannot be moved', () => {
  const body = Buffer.from('.{"id":1}');
  const at = String(NOW / 1000);
  const headers = sign(secrets[0]!, at, body);
  expect(isKnown({ ...headers, 'x-at': `${at}.` }, Buffer.from('{"id":1}'))).toBe(false);
});

test('it is known for as long as the tolerance, before and after, and no longer', () =>
  fc.assert(
    fc.property(fc.integer({ min: -1000, max: 1000 }), (seconds) => {
      const at = String(NOW / 1000 + seconds);
      expect(isKnown(sign(secrets[0]!, at, Buffer.from('{}')), Buffer.from('{}'))).toBe(Math.abs(seconds) <= 300);
    }),
  ));

test('headers of any content never throw, and are never known', () =>
  fc.assert(
    fc.property(fc.option(fc.string()), fc.option(fc.string()), bodies, (signature, at, body) => {
      const headers = { ...(signature !== null && { 'x-sig': signature }), ...(at !== null && { 'x-at': at }) };
      expect(isKnown(headers, body)).toBe(false);
    }),
  ));

test('one request has one token, in whatever case its digits are written; another has another', () => {
  const body = Buffer.from('{}');
  const headers = sign(secrets[0]!, String(NOW / 1000), body);
  const upper = { ...headers, 'x-sig': headers['x-sig']!.replace(/[a-f]/g, (digit) => digit.toUpperCase()) };
  expect(isKnown(upper, body)).toBe(true);
  expect(signatureToken(hmac, upper)).toBe(signatureToken(hmac, headers));
  expect(signatureToken(hmac, sign(secrets[0]!, String(NOW / 1000 + 1), body))).not.toBe(signatureToken(hmac, headers));
});

describe('a bearer token', () => {
  const auth: HookAuth = { kind: 'bearer', tokens: ['one-of-the-tokens', 'the-other-token-x'] };
  const code = (authorization: string | undefined) => checkHeaders(auth, { authorization }, NOW)?.code;

  test.each(['Bearer one-of-the-tokens', 'bearer the-other-token-x', 'Bearer  one-of-the-tokens '])('is known: %s', (header) =>
    expect(code(header)).toBeUndefined(),
  );
  test.each(['Bearer one-of-the-token', 'Bearer one-of-the-tokens2', 'Bearer x'])('is wrong: %s', (header) =>
    expect(code(header)).toBe('token_wrong'),
  );
  test.each([undefined, '', 'one-of-the-tokens', 'Basic one-of-the-tokens', 'Bearer', 'Bearer one-of the-tokens'])(
    'is missing: %s',
    (header) => expect(code(header)).toBe('token_missing'),
  );
  test('is not repeated in what is answered', () =>
    expect(JSON.stringify(checkHeaders(auth, { authorization: 'Bearer guess-of-a-token' }, NOW))).not.toContain('guess'));
});
