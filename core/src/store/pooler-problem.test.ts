import { createTestDatabase } from '@tidemark/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { poolerProblem } from './pooler-problem.ts';
import { openPostgresSession, type PostgresSession } from './postgres-session.ts';

// A lock of a session that others use as well is nobody's.                                                                    (P11)

let database: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** As PgBouncer in transaction mode: whoever has no transaction open gets the next session of the server that is free. */
class Pooler implements AsyncDisposable {
  readonly #sessions: PostgresSession[] = [];
  readonly #taken = new Set<PostgresSession>();
  readonly #order: 'last used first' | 'in turn';
  #next = 0;

  constructor(order: 'last used first' | 'in turn') {
    this.#order = order;
  }

  async open(): Promise<PostgresSession> {
    this.#sessions.push(await openPostgresSession(database.url, 'pooler'));
    let own: PostgresSession | null = null;
    return {
      query: async (text, values) => {
        const session = own ?? this.#free();
        if (text === 'begin') {
          own = session;
          this.#taken.add(session);
        }
        if (text === 'commit') {
          this.#taken.delete(session);
          own = null;
        }
        return session.query(text, values);
      },
      lost: new AbortController().signal,
      destroy: () => {},
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
  }

  #free(): PostgresSession {
    const free = this.#sessions.filter((session) => !this.#taken.has(session));
    return this.#order === 'in turn' ? free[this.#next++ % free.length]! : free[0]!;
  }
}

test.each(['last used first', 'in turn'] as const)(
  'a pooler that shares sessions out by transaction is found: %s',
  async (order) => {
    await using pooler = new Pooler(order);
    const problems = await poolerProblem(() => pooler.open());
    expect(problems).toEqual([
      expect.objectContaining({ place: 'store', severity: 'error', hint: expect.stringMatching(/server itself/) }),
    ]);
  },
);

test('the server itself is none', async () => {
  expect(await poolerProblem(() => openPostgresSession(database.url, 'test'))).toBeNull();
});
