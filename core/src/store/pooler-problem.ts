import type { Problem } from '../base/errors.ts';
import type { PostgresSession } from './postgres-session.ts';

/** How often two sessions are looked at: a pooler may well give each its own connection once. */
const LOOKS = 4;

/**
 * Whether a pooler hands the server's sessions round from transaction to transaction, as PgBouncer does in its transaction mode: a
 * lock would then belong to whoever comes next. Two sessions are open; while one is within a transaction, the other one has
 * to find its own server process again, and what it has set there.
 */
export async function poolerProblem(open: () => Promise<PostgresSession>): Promise<readonly Problem[] | null> {
  const one = await open();
  try {
    const other = await open();
    try {
      await one.query("set tidemark.session = 'one'");
      const own = await pidOf(one);
      for (let look = 0; look < LOOKS; look++) {
        await other.query('begin');
        const others = await pidOf(other);
        const [kept] = await one.query<{ kept: string | null }>("select current_setting('tidemark.session', true) as kept");
        const again = await pidOf(one);
        await other.query('commit');
        if (others === own || again !== own || kept?.kept !== 'one') return [PROBLEM];
      }
      return null;
    } finally {
      other.destroy();
    }
  } finally {
    one.destroy();
  }
}

const PROBLEM: Problem = {
  place: 'store',
  severity: 'error',
  message:
    'between this process and the Postgres of the state store a pooler shares sessions out by transaction, and locks with them',
  hint: 'give the store a url that leads to the server itself, or to a pooler in session mode',
};

async function pidOf({ query }: PostgresSession): Promise<number> {
  return (await query<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid;
}
