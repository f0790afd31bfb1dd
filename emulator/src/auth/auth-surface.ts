import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { EmulatorContext } from '../http/context.ts';
import { bearerToken, exchange } from '../http/exchange.ts';
import { jsonReply, type Outgoing, textReply } from '../http/outgoing.ts';
import { bodyBytes } from '../http/request-body.ts';
import { authorize } from './authorize.ts';
import { sameSecret } from './identity.ts';
import { OAuthError } from './oauth-error.ts';
import { sessionMs } from './sessions.ts';
import { answerSoap } from './soap-login.ts';
import { identityUrl, issueToken } from './token-endpoint.ts';
import { identityReply, userInfoReply } from './user-pages.ts';

/** Signing in and out, and who is signed in. None of it counts as an API request. */
export function addAuthSurface(app: FastifyInstance, context: EmulatorContext): void {
  const surface = (
    method: 'GET' | 'POST',
    url: string,
    kind: string,
    answer: (request: FastifyRequest) => Outgoing | Promise<Outgoing>,
  ) =>
    app.route({
      method,
      url,
      handler: (request, reply) =>
        exchange(request, reply, context, async ({ entry }) => {
          entry.kind = kind;
          return answer(request);
        }),
    });

  surface('POST', '/services/oauth2/token', 'oauth.token', async (request) => {
    try {
      return jsonReply(200, await issueToken(form(request), request.headers.authorization, context));
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return jsonReply(error.httpStatus, { error: error.error, error_description: error.message });
    }
  });
  for (const method of ['GET', 'POST'] as const) {
    surface(method, '/services/oauth2/authorize', 'oauth.authorize', (request) => authorize(form(request), context));
    surface(method, '/services/oauth2/revoke', 'oauth.revoke', (request) => revoke(form(request).get('token') ?? '', context));
    surface(method, '/services/oauth2/userinfo', 'oauth.userinfo', (request) => {
      const userId = signedIn(request, context);
      return userId === undefined ? badToken() : jsonReply(200, userInfoReply(context, userId));
    });
  }
  surface('POST', '/services/oauth2/introspect', 'oauth.introspect', (request) => introspect(form(request), context));
  surface('GET', '/id/:organization/:user', 'identity', (request) => {
    const { organization, user } = request.params as { organization: string; user: string };
    const userId = signedIn(request, context);
    if (userId === undefined) return badToken();
    const known = organization === context.org.id && user === userId;
    return known ? jsonReply(200, identityReply(context, userId)) : textReply(404, 'text/plain', 'Not Found');
  });
  for (const url of ['/services/Soap/u/:version', '/services/Soap/u/:version/:organization']) {
    surface('POST', url, 'soap', (request) => {
      const { version } = request.params as { version: string };
      const { status, xml } = answerSoap(bodyBytes(request).toString(), version, context);
      return textReply(status, 'text/xml;charset=UTF-8', xml);
    });
  }
}

/** Form fields; a token may also be given in the query. */
function form(request: FastifyRequest): URLSearchParams {
  const body = new URLSearchParams(bodyBytes(request).toString());
  for (const [name, value] of new URLSearchParams(request.url.split('?')[1] ?? '')) if (!body.has(name)) body.set(name, value);
  return body;
}

/** The user whose session the request belongs to. */
function signedIn(request: FastifyRequest, { sessions }: EmulatorContext): string | undefined {
  const token = bearerToken(request) ?? form(request).get('access_token') ?? undefined;
  return token === undefined ? undefined : sessions.use(token)?.userId;
}

const badToken = () => textReply(403, 'text/html;charset=UTF-8', 'Bad_OAuth_Token');

function revoke(token: string, { sessions }: EmulatorContext): Outgoing {
  if (sessions.revoke(token)) return { status: 200, headers: {}, body: Buffer.alloc(0) };
  return jsonReply(400, { error: 'invalid_token', error_description: 'invalid token' });
}

function introspect(fields: URLSearchParams, context: EmulatorContext): Outgoing {
  const { identity, sessions } = context;
  const app = identity.app(fields.get('client_id') ?? '');
  if (!app || !sameSecret(fields.get('client_secret') ?? '', app.clientSecret))
    return jsonReply(400, { error: 'invalid_client', error_description: 'invalid client credentials' });
  const session = sessions.peek(fields.get('token') ?? '');
  if (!session) return jsonReply(200, { active: false });
  return jsonReply(200, {
    active: true,
    scope: 'api',
    client_id: app.clientId,
    username: identity.person(session.userId).username,
    sub: identityUrl(context, session.userId),
    token_type: 'access_token',
    exp: Math.floor((session.usedAtMs + sessionMs) / 1000),
    iat: Math.floor(session.startedAtMs / 1000),
    nbf: Math.floor(session.startedAtMs / 1000),
  });
}
