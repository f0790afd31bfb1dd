import { createHash } from 'node:crypto';
import { type Client, type QueryResult, query, queryPrepared } from './driver.ts';

/** The savepoint to which a refused statement goes back. */
export const ATTEMPT = 'attempt';

/**
 * Statements of one transaction of which each may be undone alone. There is one savepoint, which moves on: a transaction that begins
 * with it, and of which nothing is refused, spends no journey to the server on it.
 */
export class Attempts {
  readonly client: Client;
  #isUsed = false;

  /** The savepoint has just been set. */
  constructor(client: Client) {
    this.client = client;
  }

  /** What was done before is kept, what comes next may be undone. */
  async begin(): Promise<void> {
    if (this.#isUsed) await this.client.query(`RELEASE SAVEPOINT ${ATTEMPT}; SAVEPOINT ${ATTEMPT}`);
    this.#isUsed = true;
  }

  async undo(): Promise<void> {
    await this.client.query(`ROLLBACK TO SAVEPOINT ${ATTEMPT}`);
    this.#isUsed = false;
  }

  /** A statement that comes again and again: this session plans it once. */
  query(text: string, values: readonly unknown[]): Promise<QueryResult> {
    if (unprepared.has(this.client)) return query(this.client, text, values);
    return queryPrepared(this.client, text, values, nameOf(text));
  }

  /**
   * Whether a statement failed for its name alone: behind a pooler in transaction mode the session is another one each time. It is
   * then tried again without, as are all that follow on this connection.
   */
  isUnprepared(error: unknown): boolean {
    const { code } = error as { readonly code?: unknown };
    if (unprepared.has(this.client) || (code !== '26000' && code !== '42P05')) return false;
    unprepared.add(this.client);
    return true;
  }
}

const unprepared = new WeakSet<Client>();
const names = new Map<string, string>();

/** From the text itself: all writers of a session mean the same by a name. */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    if (names.size > 1000) names.clear();
    name = `tidemark_${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
    names.set(text, name);
  }
  return name;
}
