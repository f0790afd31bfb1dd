import { AccessDeniedError } from '@tidemark/core';
import { type LoginContext, logIn, type Session } from './login-flows.ts';

/** A connection's session: one login at a time, whoever asks. */
export interface Authenticator {
  session(): Promise<Session>;
  /** A new session, because this one was refused. Answers a newer one at once when somebody else has logged in since. */
  renew(refused: Session): Promise<Session>;
}

/** A difference of clocks from which an assertion looks expired or made in the future. */
const skewMsTolerated = 60_000;

export function createAuthenticator(login: LoginContext): Authenticator {
  let current: Promise<Session> | undefined;

  async function attempt(): Promise<Session> {
    const before = login.time.now() - login.context.clock.now();
    try {
      return await logIn(login);
    } catch (error) {
      // The refusal told us the time: an assertion dated by a wrong clock is made once more.
      const learned = login.time.now() - login.context.clock.now() - before;
      if (login.config.auth.flow !== 'jwt' || !(error instanceof AccessDeniedError) || Math.abs(learned) < skewMsTolerated)
        throw error;
      return logIn(login);
    }
  }

  function start(): Promise<Session> {
    const started = attempt();
    current = started;
    // A failed login is not kept: the next one who asks tries again.
    started.catch(() => {
      if (current === started) current = undefined;
    });
    return started;
  }

  return {
    session: () => current ?? start(),
    async renew(refused) {
      const seen = current;
      if (seen === undefined) return start();
      const session = await seen;
      if (session.accessToken !== refused.accessToken) return session;
      // While we waited, another caller may have begun the new login.
      return current !== seen && current !== undefined ? current : start();
    },
  };
}
