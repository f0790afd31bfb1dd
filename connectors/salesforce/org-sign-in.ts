import { type ConnectorContext, InvariantError, type OrgGrant, type OrgKind, type OrgSignIn } from '@tidemark/core';
import { type Config, orgConfig } from './config.ts';
import { exchange } from './exchange.ts';
import { refreshForm, requestToken, sessionOfReply, type TokenReply } from './login-flows.ts';
import { createOrgTime } from './org-clock.ts';

/** What the connected app has to allow: the API, and to stay signed in. */
const SCOPE = 'api refresh_token';

/** Connections that stand for many orgs. */
export const orgs: OrgKind<Config> = {
  config: orgConfig,
  at: (config, loginUrl) => (loginUrl === null ? config : { ...config, loginUrl }),
  signIn,
};

/** @see Salesforce Help, "OAuth 2.0 Web Server Flow for Web App Integration" */
function signIn(config: Config, context: ConnectorContext): OrgSignIn {
  const { auth } = config;
  if (auth.flow !== 'web-server') throw new InvariantError('only the web server flow asks the users of an org');
  const { clientId, clientSecret } = auth;
  const oauth = `${config.loginUrl.replace(/\/+$/, '')}/services/oauth2`;
  const login = { config, context, time: createOrgTime(context.clock) };

  /** A reply without a new refresh token leaves the one that was spent. */
  function grantOf(reply: TokenReply, spent?: string): OrgGrant {
    const { organizationId, instanceUrl } = sessionOfReply(login, reply);
    const credential = reply.refresh_token ?? spent;
    if (credential !== undefined) return { orgId: organizationId, url: instanceUrl, credential };
    throw new InvariantError(`the org was asked for ${SCOPE} and gave no refresh token`);
  }

  return {
    redirectUrl: auth.redirectUrl ?? null,
    authorizeUrl({ redirectUrl, state, codeChallenge }) {
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUrl,
        scope: SCOPE,
        state,
        code_challenge: codeChallenge,
        code_challenge_method: 'S256',
        // Who is signed in already still has to see which org they let us into.
        prompt: 'login consent',
      });
      return `${oauth}/authorize?${query}`;
    },
    async redeem({ code, codeVerifier, redirectUrl }, signal) {
      const form = {
        grant_type: 'authorization_code',
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uri: redirectUrl,
        code,
        code_verifier: codeVerifier,
      };
      return grantOf(await requestToken(login, form, signal));
    },
    adopt: async (refreshToken, signal) =>
      grantOf(await requestToken(login, refreshForm({ clientId, clientSecret }, refreshToken), signal), refreshToken),
    async revoke(refreshToken, signal) {
      const request = {
        method: 'POST',
        url: `${oauth}/revoke`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token: refreshToken }).toString(),
        about: `sign-out from ${new URL(oauth).host}`,
        timeoutMs: 30_000,
        signal,
      } as const;
      const { response } = await exchange(context, request);
      await response.body?.cancel();
    },
  };
}
