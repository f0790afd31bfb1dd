import { randomBytes } from 'node:crypto';
import type pg from 'pg';

/** The database of a fleet, with an eye on who does what in it. */
export class FleetDatabase {
  readonly #session: pg.Client;

  constructor(session: pg.Client) {
    this.#session = session;
  }

  /** A user of its own. @returns the url for it */
  async user(url: string): Promise<string> {
    const role = `worker_${randomBytes(4).toString('hex')}`;
    await this.#session.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${role}'`);
    const own = new URL(url);
    own.username = role;
    own.password = role;
    return own.href;
  }

  /** From here on it notes who moves which checkpoint, and every update that changes nothing. */
  async watch(): Promise<void> {
    await this.#session.query(`
      CREATE TABLE watched (unit text, epoch bigint, who text);
      CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO watched VALUES (NEW.unit, NEW.epoch, current_user); RETURN NEW; END $$;
      CREATE TRIGGER watch AFTER UPDATE ON _tidemark_checkpoints FOR EACH ROW EXECUTE FUNCTION watch();
      CREATE TABLE again (id text);
      CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO again VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER again AFTER UPDATE ON contacts FOR EACH ROW WHEN (OLD.last IS NOT DISTINCT FROM NEW.last)
        EXECUTE FUNCTION again();
      CREATE TRIGGER again AFTER UPDATE ON of_topic FOR EACH ROW WHEN (OLD.last IS NOT DISTINCT FROM NEW.last)
        EXECUTE FUNCTION again();`);
  }

  async watched(): Promise<{ twoOwners: number; writtenAgain: number }> {
    const owners = await this.#session.query(
      'SELECT unit, epoch FROM watched GROUP BY unit, epoch HAVING count(DISTINCT who) > 1',
    );
    const again = await this.#session.query('SELECT id FROM again');
    return { twoOwners: owners.rows.length, writtenAgain: again.rows.length };
  }

  /** Of the copies and what they should hold, by `<org> <id>` or `topic <id>`: the first one in words, empty when there is none. */
  async difference(expected: ReadonlyMap<string, string>): Promise<string> {
    let rows: { at: string; last: string | null }[];
    try {
      ({ rows } = await this.#session.query(
        "SELECT org_id || ' ' || id AS at, last FROM contacts UNION ALL SELECT 'topic ' || id, last FROM of_topic",
      ));
    } catch {
      return 'the tables are not there';
    }
    const found = new Map(rows.map(({ at, last }) => [at, last]));
    for (const [at, last] of expected) if (found.get(at) !== last) return `${at} is ${found.get(at)} and should be ${last}`;
    for (const at of found.keys()) if (!expected.has(at)) return `${at} should not be there`;
    return '';
  }
}
