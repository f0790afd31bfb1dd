import type { ZodType } from 'zod';
import type { ConnectorContext } from './connector.ts';

/** How connections of a type can stand for many orgs, each of which its own users let us into. */
export interface OrgKind<Config = never> {
  /** What such a connection is configured with: everything but whose org it is. */
  readonly config: ZodType<Config>;
  /** The same for the org whose users sign in there; null for where `config` says. */
  at(config: Config, loginUrl: string | null): Config;
  /** Asks the users of one org. */
  signIn(config: Config, context: ConnectorContext): OrgSignIn;
}

/** The web server flow of OAuth 2.0 with PKCE, as far as systems differ in it. */
export interface OrgSignIn {
  /** Where the system sends users back, as the user has configured it; null for wherever we are. */
  readonly redirectUrl: string | null;
  /** Where a user is sent who is to let us in. */
  authorizeUrl(request: { readonly redirectUrl: string; readonly state: string; readonly codeChallenge: string }): string;
  /**
   * What a user has come back with becomes what is kept.
   * @throws {AccessDeniedError} the system refuses it, and says why
   */
  redeem(
    answer: { readonly code: string; readonly codeVerifier: string; readonly redirectUrl: string },
    signal: AbortSignal,
  ): Promise<OrgGrant>;
  /** Which org a credential that was come by otherwise lets us into. @throws {AccessDeniedError} none */
  adopt(credential: string, signal: AbortSignal): Promise<OrgGrant>;
  /** Lets the system forget the credential. */
  revoke(credential: string, signal: AbortSignal): Promise<void>;
}

/** An org that lets us in. */
export interface OrgGrant {
  /** The system's own id of the org. */
  readonly orgId: string;
  /** Where its API answers. */
  readonly url: string;
  /** What lets us in from now on: secret. */
  readonly credential: string;
}

/** What lets us into one org, kept encrypted, and in use by whoever works for it, in whatever process. */
export interface Credential {
  /**
   * Spends the credential, while nobody else can. What it is replaced by is kept before anybody uses what came of it, because the
   * former one may be dead by then.
   * @throws {AccessDeniedError} the org does not let us in any more, or what is kept cannot be read: its hint says what to do
   */
  spend<T>(
    work: (credential: string) => Promise<{ readonly result: T; readonly replacement?: string | undefined }>,
    signal?: AbortSignal,
  ): Promise<T>;
}
