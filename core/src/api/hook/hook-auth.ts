import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { HookAuth } from '../../config/config.ts';

type Headers = { readonly [name: string]: string | string[] | undefined };

/** Who asks is not known, and why. */
export interface Unknown {
  readonly code: 'token_missing' | 'token_wrong' | 'signature_missing' | 'signature_wrong' | 'signature_stale';
  readonly message: string;
  readonly hint: string;
}

/**
 * What can be told by the headers alone, so that a stranger's body is not even read. Null: nothing against it so far.
 * @param headers  by their names in lower case
 */
export function checkHeaders(auth: HookAuth, headers: Headers, nowMs: number): Unknown | null {
  if (auth.kind === 'bearer') return checkBearer(auth.tokens, headers.authorization);
  const signature = single(headers[auth.signatureHeader]);
  const timestamp = single(headers[auth.timestampHeader]);
  if (signature === undefined || timestamp === undefined) {
    const lacking = signature === undefined ? auth.signatureHeader : auth.timestampHeader;
    const hint = `sign "timestamp.body" with HMAC-SHA256; send ${auth.signatureHeader}: sha256=<hex> and ${auth.timestampHeader}: <seconds since 1970>`;
    return { code: 'signature_missing', message: `the header ${lacking} is missing`, hint };
  }
  if (!/^sha256=[0-9a-f]{64}$/i.test(signature)) {
    const hint = 'write it as sha256= and 64 hexadecimal digits';
    return { code: 'signature_wrong', message: `${auth.signatureHeader} is no signature`, hint };
  }
  if (!/^\d{1,12}(?:\.\d{1,9})?$/.test(timestamp) || Math.abs(nowMs - Number(timestamp) * 1000) > auth.toleranceMs) {
    const hint = `send the time of signing in seconds since 1970, at most ${auth.toleranceMs / 1000} s ago; is the clock right?`;
    return { code: 'signature_stale', message: `${auth.timestampHeader} is too far from the present`, hint };
  }
  return null;
}

/** What `checkHeaders` left open: whether the signature fits. `signed` is the body, or what stands for it. */
export function checkSignature(auth: HookAuth, headers: Headers, signed: Uint8Array): Unknown | null {
  if (auth.kind === 'bearer') return null;
  const timestamp = single(headers[auth.timestampHeader])!;
  const given = Buffer.from(single(headers[auth.signatureHeader])!.slice('sha256='.length), 'hex');
  // Each secret is tried, whichever fits: the time it takes tells nothing.
  let fits = false;
  for (const secret of auth.secrets) {
    const right = createHmac('sha256', secret).update(`${timestamp}.`).update(signed).digest();
    if (timingSafeEqual(right, given)) fits = true;
  }
  if (fits) return null;
  const hint = 'sign the timestamp, a dot, and the bytes of the body as they are sent, with the secret of this hook';
  return { code: 'signature_wrong', message: 'the signature does not fit the body', hint };
}

/** Stands for this very request: nobody can make another one that has the same, and who sends it again sends it twice. */
export function signatureToken(auth: HookAuth, headers: Headers): string | null {
  if (auth.kind === 'bearer') return null;
  const timestamp = single(headers[auth.timestampHeader])!;
  return `signature:${timestamp}:${single(headers[auth.signatureHeader])!.toLowerCase()}`;
}

function checkBearer(tokens: readonly string[], header: string | string[] | undefined): Unknown | null {
  const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(single(header) ?? '')?.[1];
  const hint = 'send Authorization: Bearer <token of this hook>';
  if (given === undefined) return { code: 'token_missing', message: 'no token was sent', hint };
  const digest = (text: string) => createHash('sha256').update(text).digest();
  let fits = false;
  for (const token of tokens) if (timingSafeEqual(digest(token), digest(given))) fits = true;
  return fits ? null : { code: 'token_wrong', message: 'the token is not the one of this hook', hint };
}

/** A header that comes twice is none: who reads the first and who reads the second would see different ones. */
function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
