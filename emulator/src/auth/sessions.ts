import { randomBytes } from 'node:crypto';
import type { Org } from '../org/types.ts';

/** Two hours without a request: the default session timeout (a recorded login says `sessionSecondsValid` 7200). */
export const sessionMs = 2 * 60 * 60 * 1000;

export interface Session {
  token: string;
  userId: string;
  startedAtMs: number;
  usedAtMs: number;
}

export interface Sessions {
  /** A new access token: the organization id in 15 characters, `!`, and noise. */
  start(userId: string): Session;
  /** The session of a token that is still good, its two hours begun anew. */
  use(token: string): Session | undefined;
  /** The same without prolonging it. */
  peek(token: string): Session | undefined;
  grantRefreshToken(userId: string): string;
  /** The user of a refresh token. With `rotate` the token dies. */
  refresh(refreshToken: string, rotate: boolean): string | undefined;
  /** An access or a refresh token; a refresh token takes the user's sessions along. */
  revoke(token: string): boolean;
  /** Ends every session, as an admin can. Refresh tokens live on unless told otherwise. */
  revokeAll(options?: { refreshTokens?: boolean }): number;
}

export function createSessions(org: Org): Sessions {
  const sessions = new Map<string, Session>();
  const refreshTokens = new Map<string, string>();
  const peek = (token: string) => {
    const session = sessions.get(token);
    if (session && org.clock.now() - session.usedAtMs < sessionMs) return session;
    sessions.delete(token);
    return undefined;
  };
  return {
    start(userId) {
      const token = `${org.id.slice(0, 15)}!AQEAQ${randomBytes(60).toString('base64url').replaceAll('-', '.')}`;
      const session = { token, userId, startedAtMs: org.clock.now(), usedAtMs: org.clock.now() };
      sessions.set(token, session);
      return session;
    },
    peek,
    use(token) {
      const session = peek(token);
      if (session) session.usedAtMs = org.clock.now();
      return session;
    },
    grantRefreshToken(userId) {
      const token = `5Aep861${randomBytes(48).toString('base64url').replaceAll('-', '.')}`;
      refreshTokens.set(token, userId);
      return token;
    },
    refresh(refreshToken, rotate) {
      const userId = refreshTokens.get(refreshToken);
      if (userId !== undefined && rotate) refreshTokens.delete(refreshToken);
      return userId;
    },
    revoke(token) {
      const userId = refreshTokens.get(token);
      if (userId === undefined) return sessions.delete(token);
      refreshTokens.delete(token);
      for (const session of [...sessions.values()]) if (session.userId === userId) sessions.delete(session.token);
      return true;
    },
    revokeAll(options = {}) {
      const ended = sessions.size;
      sessions.clear();
      if (options.refreshTokens) refreshTokens.clear();
      return ended;
    },
  };
}
