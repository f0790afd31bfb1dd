import { createPublicKey, type KeyObject, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import type { Org } from '../org/types.ts';

/** What a client signs in with. What is left out is made at random when the emulator starts. */
export interface CredentialOptions {
  clientId?: string;
  clientSecret?: string;
  username?: string;
  password?: string;
  securityToken?: string;
  /** PEM of the public key or certificate of the connected app, for the JWT bearer flow. */
  jwtPublicKey?: string;
  /** A used refresh token dies and the reply carries a new one. */
  rotateRefreshTokens?: boolean;
}

/** The one connected app and the one user that the API is used as. */
export interface Identity {
  readonly userId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly username: string;
  readonly password: string;
  readonly securityToken: string;
  jwtPublicKey: KeyObject | undefined;
  rotateRefreshTokens: boolean;
  user(): { displayName: string; email: string; firstName: string | null; lastName: string; timeZone: string; locale: string };
}

export function createIdentity(org: Org, options: CredentialOptions): Identity {
  const userId = org.adminUserId;
  const row = () => org.retrieve('User', userId, 'v62.0') ?? {};
  const text = (name: string, absent: string) => {
    const value = row()[name];
    return typeof value === 'string' ? value : absent;
  };
  return {
    userId,
    clientId: options.clientId ?? `3MVG9${randomBytes(30).toString('base64url')}`,
    clientSecret: options.clientSecret ?? randomBytes(32).toString('hex').toUpperCase(),
    username: options.username ?? text('Username', 'admin@tidemark.example'),
    password: options.password ?? randomBytes(12).toString('base64url'),
    securityToken: options.securityToken ?? randomBytes(18).toString('base64url').replaceAll(/[-_]/g, 'x'),
    jwtPublicKey: options.jwtPublicKey === undefined ? undefined : readPublicKey(options.jwtPublicKey),
    rotateRefreshTokens: options.rotateRefreshTokens ?? false,
    user: () => ({
      displayName: text('Name', 'Admin User'),
      email: text('Email', 'admin@tidemark.example'),
      firstName: text('FirstName', '') || null,
      lastName: text('LastName', 'User'),
      timeZone: text('TimeZoneSidKey', 'America/Los_Angeles'),
      locale: text('LocaleSidKey', 'en_US'),
    }),
  };
}

/** A connected app takes a certificate; a bare public key is easier in tests. */
export function readPublicKey(pem: string): KeyObject {
  return pem.includes('CERTIFICATE') ? new X509Certificate(pem).publicKey : createPublicKey(pem);
}

/** Compares secrets without telling by the time taken how much of them was right. */
export function sameSecret(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
