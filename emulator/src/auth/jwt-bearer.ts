import { errors, jwtVerify } from 'jose';
import type { EmulatorContext } from '../http/context.ts';
import { OAuthError } from './oauth-error.ts';

/** The longest an assertion may still be good for, with some room for skewed clocks. */
const assertionMsMax = 5 * 60 * 1000;

/**
 * Checks the assertion of the JWT bearer flow (Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server
 * Integration") and answers the user it names.
 */
export async function userOfAssertion(assertion: string, context: EmulatorContext): Promise<string> {
  const { identity, org } = context;
  if (!identity.jwtPublicKey) throw new OAuthError('invalid_grant', "user hasn't approved this consumer");
  const now = org.clock.now();
  const payload = await verify(assertion, identity.jwtPublicKey, new Date(now));
  if (identity.app(String(payload.iss)) === undefined) throw new OAuthError('invalid_client_id', 'client identifier invalid');
  const audiences = [payload.aud ?? []].flat().map((audience) => audience.replace(/\/+$/, ''));
  const ours = ['https://login.salesforce.com', 'https://test.salesforce.com', context.instanceUrl];
  if (!audiences.some((audience) => ours.includes(audience))) throw new OAuthError('invalid_grant', 'audience is invalid');
  if (payload.exp === undefined || payload.exp * 1000 > now + assertionMsMax) {
    throw new OAuthError('invalid_grant', 'invalid assertion');
  }
  const account = identity.account(payload.sub ?? '');
  if (!account) throw new OAuthError('invalid_grant', "user hasn't approved this consumer");
  return account.userId;
}

async function verify(assertion: string, key: Parameters<typeof jwtVerify>[1], now: Date) {
  try {
    return (await jwtVerify(assertion, key, { algorithms: ['RS256'], currentDate: now })).payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new OAuthError('invalid_grant', 'expired authorization code');
    throw new OAuthError('invalid_grant', 'invalid assertion');
  }
}
