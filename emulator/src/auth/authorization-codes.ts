import { createHash, randomBytes } from 'node:crypto';
import type { OrgClock } from '../org/types.ts';
import { sameSecret } from './identity.ts';
import { OAuthError } from './oauth-error.ts';

/** How long a code is good for (Salesforce Help, "OAuth 2.0 Web Server Flow"). */
const codeMs = 15 * 60 * 1000;

/** What the user agreed to. */
export interface Consent {
  userId: string;
  clientId: string;
  redirectUri: string;
  scope: string;
  /** base64url of the SHA-256 of a verifier that only the client knows: PKCE (RFC 7636). */
  codeChallenge: string | undefined;
}

export interface AuthorizationCodes {
  grant(consent: Consent): string;
  /**
   * Exchanges a code, once: who tries a second time has it stolen.
   * @throws {OAuthError} `invalid_grant` for a code that is used, too old or another client's, or without its verifier.
   */
  redeem(code: string, client: { clientId: string; redirectUri: string; codeVerifier: string | undefined }): Consent;
}

export function createAuthorizationCodes(clock: OrgClock): AuthorizationCodes {
  const granted = new Map<string, Consent & { atMs: number }>();
  return {
    grant(consent) {
      // What nobody came for in time is of no use to anybody.
      for (const [code, { atMs }] of granted) if (clock.now() - atMs >= codeMs) granted.delete(code);
      const code = `aPrx${randomBytes(48).toString('base64url')}`;
      granted.set(code, { ...consent, atMs: clock.now() });
      return code;
    },
    redeem(code, { clientId, redirectUri, codeVerifier }) {
      const consent = granted.get(code);
      granted.delete(code);
      if (!consent || consent.clientId !== clientId) throw new OAuthError('invalid_grant', 'invalid authorization code');
      if (clock.now() - consent.atMs >= codeMs) throw new OAuthError('invalid_grant', 'expired authorization code');
      if (consent.redirectUri !== redirectUri) {
        throw new OAuthError('redirect_uri_mismatch', 'redirect_uri must match configuration');
      }
      checkVerifier(consent.codeChallenge, codeVerifier);
      return consent;
    },
  };
}

/** A verifier without a challenge is refused too: the client believes itself safer than it is (RFC 9700, 2.1.1). */
function checkVerifier(challenge: string | undefined, verifier: string | undefined): void {
  if (challenge === undefined && verifier === undefined) return;
  const made = createHash('sha256')
    .update(verifier ?? '')
    .digest('base64url');
  if (verifier === undefined || !sameSecret(made, challenge ?? '')) {
    throw new OAuthError('invalid_grant', 'invalid code verifier');
  }
}
