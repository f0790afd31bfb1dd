import { createHmac } from 'node:crypto';
import type { EmulatorContext } from '../http/context.ts';
import { type ConnectedApp, sameSecret } from './identity.ts';
import { userOfAssertion } from './jwt-bearer.ts';
import { OAuthError } from './oauth-error.ts';

interface Grant {
  userId: string;
  scope: string;
  refreshToken?: string;
}

/** `POST /services/oauth2/token`. @throws {OAuthError} */
export async function issueToken(
  form: URLSearchParams,
  authorization: string | undefined,
  context: EmulatorContext,
): Promise<Record<string, string>> {
  const grantType = form.get('grant_type') ?? '';
  const grant = Object.hasOwn(grants, grantType) ? grants[grantType] : undefined;
  if (!grant) throw new OAuthError('unsupported_grant_type', 'grant type not supported');
  const granted = await grant(form, authorization, context);
  if (!context.identity.person(granted.userId).isActive) throw new OAuthError('invalid_grant', 'inactive user');
  return tokenReply(granted, context);
}

type GrantHandler = (
  form: URLSearchParams,
  authorization: string | undefined,
  context: EmulatorContext,
) => Grant | Promise<Grant>;

const grants: Record<string, GrantHandler> = {
  client_credentials(form, authorization, context) {
    const { userId } = checkClient(form, authorization, context, 'secret');
    return { userId, scope: 'api' };
  },
  password(form, authorization, context) {
    checkClient(form, authorization, context, 'secret');
    const userId = context.identity.checkPassword(form.get('username') ?? '', form.get('password') ?? '');
    if (userId === undefined) throw new OAuthError('invalid_grant', 'authentication failure');
    return { userId, scope: 'api' };
  },
  refresh_token(form, authorization, context) {
    checkClient(form, authorization, context, 'if given');
    const rotate = context.identity.rotateRefreshTokens;
    const userId = context.sessions.refresh(form.get('refresh_token') ?? '', rotate);
    if (userId === undefined) throw new OAuthError('invalid_grant', 'expired access/refresh token');
    const grant: Grant = { userId, scope: 'api refresh_token' };
    if (rotate) grant.refreshToken = context.sessions.grantRefreshToken(userId);
    return grant;
  },
  authorization_code(form, authorization, context) {
    const codeVerifier = form.get('code_verifier') ?? undefined;
    // An app that cannot keep a secret proves itself by the verifier (Salesforce Help, "Require Secret for Web Server Flow").
    const { clientId } = checkClient(form, authorization, context, codeVerifier === undefined ? 'secret' : 'if given');
    const redirectUri = form.get('redirect_uri') ?? '';
    const { userId, scope } = context.codes.redeem(form.get('code') ?? '', { clientId, redirectUri, codeVerifier });
    const lasts = /(^| )(refresh_token|offline_access|full)( |$)/.test(scope);
    return lasts ? { userId, scope, refreshToken: context.sessions.grantRefreshToken(userId) } : { userId, scope };
  },
  async 'urn:ietf:params:oauth:grant-type:jwt-bearer'(form, _authorization, context) {
    return { userId: await userOfAssertion(form.get('assertion') ?? '', context), scope: 'api' };
  },
};

/** The client's id and secret: form fields, or HTTP Basic. A refresh needs no secret unless one is sent. */
function checkClient(
  form: URLSearchParams,
  authorization: string | undefined,
  { identity }: EmulatorContext,
  secretNeeded: 'secret' | 'if given',
): ConnectedApp {
  const basic = /^Basic (.+)$/i.exec(authorization ?? '');
  const [basicId, basicSecret] = basic ? splitBasic(basic[1] as string) : [undefined, undefined];
  const id = form.get('client_id') ?? basicId ?? '';
  const secret = form.get('client_secret') ?? basicSecret;
  const app = identity.app(id);
  if (!app) throw new OAuthError('invalid_client_id', 'client identifier invalid');
  if (secret === undefined && secretNeeded === 'if given') return app;
  if (!sameSecret(secret ?? '', app.clientSecret)) throw new OAuthError('invalid_client', 'invalid client credentials');
  return app;
}

function splitBasic(encoded: string): [string, string] {
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function tokenReply({ userId, scope, refreshToken }: Grant, context: EmulatorContext): Record<string, string> {
  const session = context.sessions.start(userId);
  const id = identityUrl(context, userId);
  const issuedAt = String(context.org.clock.now());
  return {
    access_token: session.token,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    signature: createHmac('sha256', context.identity.clientSecret)
      .update(id + issuedAt)
      .digest('base64'),
    scope,
    instance_url: context.instanceUrl,
    id,
    token_type: 'Bearer',
    issued_at: issuedAt,
  };
}

export const identityUrl = (context: EmulatorContext, userId: string) => `${context.instanceUrl}/id/${context.org.id}/${userId}`;
