import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { AccessDeniedError } from '../../base/errors.ts';
import { registerToken } from '../../base/secrets.ts';
import type { OrgRef } from '../../config/config.ts';
import type { OrgStore } from '../../store/org-store.ts';
import type { Vault } from '../../store/vault.ts';
import { type Invitation, inviteQuery, readInvitation } from './invitation.ts';
import type { Orgs } from './orgs.ts';

/** A user who has not come back from the system by then begins anew. */
const SIGN_IN_MS = 10 * 60_000;

/** What is kept of a sign-in that is under way, encrypted. */
interface Kept {
  readonly codeVerifier: string;
  readonly loginUrl: string | null;
  /** SHA-256 of what the browser that began it keeps. */
  readonly browser: string;
}

/** Says to the user of an org, who knows nothing of us, why it was not connected. */
export class ConnectRefusedError extends AccessDeniedError {}

/** Where a user is sent, and the cookie that their browser brings back to show that it is the same. */
export interface SignInBegun {
  readonly location: string;
  readonly cookie: { readonly name: string; readonly value: string; readonly maxAgeSeconds: number };
}

export interface ConnectFlowOptions {
  readonly store: OrgStore;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly orgs: Pick<Orgs, 'signIn' | 'keep'>;
}

/**
 * Lets users connect their own org: by an invitation that expires, the web server flow of OAuth with PKCE, and a `state` that counts
 * once and only in the browser that began. Nobody can connect an org to the name of another customer, or have somebody else do so.
 */
export class ConnectFlow {
  readonly #options: ConnectFlowOptions;

  constructor(options: ConnectFlowOptions) {
    this.#options = options;
  }

  invite(invitation: Invitation): URLSearchParams {
    return inviteQuery(invitation, this.#keys()[0]!);
  }

  /** @throws {ConnectRefusedError} the invitation is not ours, or has expired */
  async begin(connection: string, query: URLSearchParams, redirectUrl: string): Promise<SignInBegun> {
    const { store, vault, clock, orgs } = this.#options;
    const invitation = readInvitation(connection, query, this.#keys());
    if (invitation === null) {
      throw new ConnectRefusedError('this link is no invitation', { hint: 'open the whole link, just as it was sent to you' });
    }
    if (invitation.expiresAtMs <= clock.now()) {
      throw new ConnectRefusedError('this invitation has expired', { hint: 'ask whoever sent it to you for a new one' });
    }
    const [state, codeVerifier, browser] = [newSecret(), newSecret(), newSecret()];
    const { name, loginUrl } = invitation;
    const kept: Kept = { codeVerifier, loginUrl, browser: digestOf(browser) };
    const digest = digestOf(state);
    const { sealed, keyId } = vault.seal(JSON.stringify(kept), ['sign-in', digest]);
    await store.putSignIn(
      { digest, connection, org: name, sealed: `${keyId}.${sealed}`, expiresAtMs: clock.now() + SIGN_IN_MS },
      clock.now(),
    );
    const codeChallenge = digestOf(codeVerifier, 'base64url');
    const location = orgs.signIn(connection, loginUrl).authorizeUrl({ redirectUrl, state, codeChallenge });
    return { location, cookie: { name: cookieName(digest), value: browser, maxAgeSeconds: SIGN_IN_MS / 1000 } };
  }

  /** @throws {ConnectRefusedError} the user has refused, or it is not the sign-in that was begun here */
  async finish(
    connection: string,
    query: URLSearchParams,
    { cookie, redirectUrl }: { cookie(name: string): string | undefined; readonly redirectUrl: string },
    signal: AbortSignal,
  ): Promise<OrgRef> {
    const { store, vault, clock, orgs } = this.#options;
    const state = query.get('state') ?? '';
    const digest = digestOf(state);
    const begun = await store.takeSignIn(digest, clock.now());
    const again = 'open the link of your invitation again';
    if (begun === null || begun.connection !== connection) {
      throw new ConnectRefusedError('this sign-in was ended before, or took too long', { hint: again });
    }
    const [keyId, sealed] = begun.sealed.split('.') as [string, string];
    const kept = JSON.parse(vault.open({ keyId, sealed }, ['sign-in', digest])) as Kept;
    const browser = cookie(cookieName(digest));
    if (browser === undefined || digestOf(browser) !== kept.browser) {
      throw new ConnectRefusedError('this sign-in was begun in another browser', { hint: again });
    }
    const error = query.get('error');
    if (error !== null) {
      const isRefused = error === 'access_denied';
      throw new ConnectRefusedError(
        isRefused ? 'the org was not connected: you have not agreed to it' : 'the org has refused it',
        {
          hint: isRefused ? again : `its answer: ${query.get('error_description') ?? error}`,
        },
      );
    }
    const code = query.get('code');
    if (code === null) throw new ConnectRefusedError('the answer of the org holds no code', { hint: again });
    registerToken('sign-in', code);
    const { loginUrl, codeVerifier } = kept;
    const grant = await orgs.signIn(connection, loginUrl).redeem({ code, codeVerifier, redirectUrl }, signal);
    const ref = { connection, name: begun.org };
    await orgs.keep(ref, loginUrl, grant);
    return ref;
  }

  #keys(): readonly Buffer[] {
    return this.#options.vault.derived('invitation');
  }
}

/** One for each sign-in: a user may have several under way. */
function cookieName(digest: string): string {
  return `tidemark-connect-${digest.slice(0, 16)}`;
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function digestOf(text: string, encoding: 'hex' | 'base64url' = 'hex'): string {
  return createHash('sha256').update(text).digest(encoding);
}
