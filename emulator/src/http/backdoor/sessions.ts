import { readPublicKey } from '../../auth/identity.ts';
import type { BackdoorRoute } from './backdoor.ts';
import { readText } from './read.ts';

export const sessionRoutes: readonly BackdoorRoute[] = [
  {
    method: 'POST',
    path: '/sessions/revoke',
    answer({ body }, { sessions }) {
      if (body.token !== undefined) return { ended: sessions.revoke(readText(body, 'token')) ? 1 : 0 };
      return { ended: sessions.revokeAll({ refreshTokens: body.refreshTokens === true }) };
    },
  },
  {
    method: 'POST',
    path: '/refresh-tokens',
    answer: (_request, { sessions, identity }) => ({ refreshToken: sessions.grantRefreshToken(identity.userId) }),
  },
  {
    // What the administrator sets in the connected app.
    method: 'POST',
    path: '/connected-app',
    answer({ body }, { identity }) {
      if (body.jwtPublicKey !== undefined) {
        identity.jwtPublicKey = body.jwtPublicKey === null ? undefined : readPublicKey(readText(body, 'jwtPublicKey'));
      }
      if (body.rotateRefreshTokens !== undefined) identity.rotateRefreshTokens = body.rotateRefreshTokens === true;
      return { jwtPublicKey: identity.jwtPublicKey !== undefined, rotateRefreshTokens: identity.rotateRefreshTokens };
    },
  },
];
