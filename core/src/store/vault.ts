import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { RequestRefusedError } from '../base/errors.ts';
import { registerSecret, registerToken } from '../base/secrets.ts';

/** The variable that holds the keys. */
export const KEY_VARIABLE = 'TIDEMARK_KEY';
/** How one is made. */
export const NEW_KEY = 'openssl rand -base64 32';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealed {
  readonly sealed: string;
  /** Of the key with which it was encrypted. */
  readonly keyId: string;
}

interface VaultKey {
  readonly id: string;
  readonly bytes: Buffer;
}

/**
 * Encrypts what must not lie about in the store (P10): AES-256-GCM. Each text is bound to its place, so that it is of no use in
 * another row. The first key encrypts; the others only decrypt what was encrypted before the keys were changed.
 */
export class Vault {
  readonly #keys: readonly VaultKey[];

  /** @throws {RequestRefusedError} it holds no usable keys. No part of it is shown. */
  constructor(keys: string) {
    registerSecret(keys);
    this.#keys = keys.split(',').map((text, i) => keyOf(text.trim(), i));
  }

  get keyId(): string {
    return this.#keys[0]!.id;
  }

  holds(keyId: string): boolean {
    return this.#keys.some(({ id }) => id === keyId);
  }

  seal(text: string, place: readonly string[]): Sealed {
    const { id, bytes } = this.#keys[0]!;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', bytes, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(placeBytes(place, id));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return { sealed: sealed.toString('base64url'), keyId: id };
  }

  /** @throws {RequestRefusedError} the key is not there, or this is not what was sealed at that place; says what to do. */
  open({ sealed, keyId }: Sealed, place: readonly string[]): string {
    const key = this.#keys.find(({ id }) => id === keyId);
    const what = place.join(' ');
    if (key === undefined) {
      throw new RequestRefusedError(
        `what is kept of ${what} was encrypted with the key ${keyId}, which ${KEY_VARIABLE} does not hold`,
        {
          hint: `put that key behind the current one (${KEY_VARIABLE}=<current>,<former>); if it is lost, have the org connected again`,
        },
      );
    }
    const bytes = Buffer.from(sealed, 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(placeBytes(place, keyId));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
      registerToken(what, text);
      return text;
    } catch (cause) {
      throw new RequestRefusedError(`what is kept of ${what} has been changed, or belongs to something else`, {
        cause,
        hint: 'have the org connected again',
      });
    }
  }

  /** Keys for another purpose, made of these: the first is the one to use, the others are still known. */
  derived(purpose: string): readonly Buffer[] {
    return this.#keys.map(({ bytes }) => Buffer.from(hkdfSync('sha256', bytes, '', `tidemark ${purpose}`, KEY_BYTES)));
  }
}

function keyOf(text: string, index: number): VaultKey {
  const bytes = Buffer.from(text, 'base64');
  // `Buffer` passes over what is no base64: the text has to be what these bytes make.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new RequestRefusedError(
      `${KEY_VARIABLE} holds no key${index === 0 ? '' : ` at place ${index + 1}`}: it takes 32 bytes in base64`,
      {
        hint: `make one with: ${NEW_KEY}; several are separated by commas, the current one first`,
      },
    );
  }
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
}

function placeBytes(place: readonly string[], keyId: string): Buffer {
  return Buffer.from(JSON.stringify([...place, keyId]));
}
