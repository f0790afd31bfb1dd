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
  /** Where the web server flow may send its codes, beside this machine. */
  redirectUris?: readonly string[];
}

/** A user who can sign in. */
export interface Account {
  readonly userId: string;
  readonly username: string;
  readonly password: string;
  readonly securityToken: string;
}

/** An app that was connected to the org. Without a user of its own at hand it acts as this one (client credentials). */
export interface ConnectedApp {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly userId: string;
}

/** What the org says of a user to those who ask who is signed in. */
export interface Person {
  username: string;
  displayName: string;
  email: string;
  firstName: string | null;
  lastName: string;
  timeZone: string;
  locale: string;
  isActive: boolean;
}

/** Who can sign in, and with what. The account and the app that it starts with are those of the API user. */
export interface Identity extends Account, ConnectedApp {
  jwtPublicKey: KeyObject | undefined;
  rotateRefreshTokens: boolean;
  readonly redirectUris: readonly string[];
  /** A further user with an app of their own. @throws {TypeError} when the name or the client id is taken. */
  add(userId: string, options: CredentialOptions & { username: string }): Account & ConnectedApp;
  /** Names are compared without regard to case. */
  account(username: string): Account | undefined;
  /** The user whose name and password (with the security token behind it) these are. */
  checkPassword(username: string, secret: string): string | undefined;
  app(clientId: string): ConnectedApp | undefined;
  accounts(): readonly Account[];
  person(userId: string): Person;
}

export function createIdentity(org: Org, options: CredentialOptions): Identity {
  const { adminUserId } = org;
  const accounts = new Map<string, Account>();
  const apps = new Map<string, ConnectedApp>();

  function person(userId: string): Person {
    const row = org.retrieve('User', userId, 'v62.0') ?? {};
    const text = (name: string, absent: string) => {
      const value = row[name];
      return typeof value === 'string' ? value : absent;
    };
    return {
      username: [...accounts.values()].find((account) => account.userId === userId)?.username ?? text('Username', ''),
      displayName: text('Name', 'Admin User'),
      email: text('Email', 'admin@tidemark.example'),
      firstName: text('FirstName', '') || null,
      lastName: text('LastName', 'User'),
      timeZone: text('TimeZoneSidKey', 'America/Los_Angeles'),
      locale: text('LocaleSidKey', 'en_US'),
      isActive: row.IsActive !== false,
    };
  }

  function add(userId: string, given: CredentialOptions & { username: string }): Account & ConnectedApp {
    const made = makeCredentials(userId, given);
    if (accounts.has(made.username.toLowerCase())) throw new TypeError(`there is a user '${made.username}' already`);
    if (apps.has(made.clientId)) throw new TypeError(`there is an app with the client id '${made.clientId}' already`);
    accounts.set(made.username.toLowerCase(), made);
    apps.set(made.clientId, made);
    return made;
  }

  const account = (username: string) => accounts.get(username.toLowerCase());
  const apiUser = add(adminUserId, {
    ...options,
    username: options.username ?? (person(adminUserId).username || 'admin@tidemark.example'),
  });
  return {
    ...apiUser,
    jwtPublicKey: options.jwtPublicKey === undefined ? undefined : readPublicKey(options.jwtPublicKey),
    rotateRefreshTokens: options.rotateRefreshTokens ?? false,
    redirectUris: options.redirectUris ?? [],
    add,
    account,
    checkPassword(username, secret) {
      const found = account(username);
      return found && sameSecret(secret, found.password + found.securityToken) ? found.userId : undefined;
    },
    app: (clientId) => apps.get(clientId),
    accounts: () => [...accounts.values()],
    person,
  };
}

function makeCredentials(userId: string, options: CredentialOptions & { username: string }): Account & ConnectedApp {
  return {
    userId,
    clientId: options.clientId ?? `3MVG9${randomBytes(30).toString('base64url')}`,
    clientSecret: options.clientSecret ?? randomBytes(32).toString('hex').toUpperCase(),
    username: options.username,
    password: options.password ?? randomBytes(12).toString('base64url'),
    securityToken: options.securityToken ?? randomBytes(18).toString('base64url').replaceAll(/[-_]/g, 'x'),
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
