import type { FastifyReply, FastifyRequest } from 'fastify';
import { includes, type ShownToken, type Tokens } from '../../control/access/tokens.ts';
import type { Role } from '../../store/access-store.ts';
import { errorOf } from '../error-of.ts';
import { isLoopbackHost } from '../host-guard.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may ask for this. A route of the API that names nobody is for administrators. */
    role?: Role;
  }
  interface FastifyRequest {
    /** Who asks, once that is known. */
    asker: ShownToken | null;
  }
}

const HINT = 'send Authorization: Bearer <token>; tidemark token add makes one';

/** Lets in who has a token whose role is enough for what is asked. */
export function whoAsks(tokens: Pick<Tokens, 'check'>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (!isOurOrigin(request)) {
      const message = 'a page of another origin may not ask for this';
      return reply.code(403).send(errorOf('origin_refused', message, 'open the dashboard at the address that answers'));
    }
    const given = bearerOf(request);
    if (given === undefined) return refuse(reply, 'token_missing', 'no token was sent');
    request.asker = await tokens.check(given);
    if (request.asker === null) return refuse(reply, 'token_wrong', 'this token is not known, or was revoked');
    const needed = request.routeOptions.config.role ?? 'admin';
    if (includes(request.asker.role, needed)) return undefined;
    const message = `this takes the role ${needed}, and the token ${request.asker.name} has ${request.asker.role}`;
    return reply
      .code(403)
      .send(errorOf('role_missing', message, `tidemark token add <name> --role ${needed} makes one that may`));
  };
}

/** The token that is sent, if one is. */
export function bearerOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];
}

/** Who has no browser sends no origin. */
function isOurOrigin({ headers: { origin, host } }: FastifyRequest): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const from = new URL(origin).host;
  // Behind a proxy on this machine the host is the proxy's word for us; a page of this machine's own development server may ask too.
  return from === host || (isLoopbackHost(from) && isLoopbackHost(host));
}

function refuse(reply: FastifyReply, code: string, message: string): FastifyReply {
  return reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .send(errorOf(code, message, HINT));
}
