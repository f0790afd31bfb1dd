import { randomBytes } from 'node:crypto';
import type pg from 'pg';

/** A PostgreSQL database in which several workers write, with an eye on who does what (P11). */
export class WatchedDatabase {
  readonly #session: pg.Client;

  constructor(session: pg.Client) {
    this.#session = session;
  }

  /** A user of a worker's own, so that the database knows who writes. @returns the url for it */
  async user(url: string): Promise<URL> {
    const role = `worker_${randomBytes(4).toString('hex')}`;
    await this.#session.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${role}'`);
    const own = new URL(url);
    own.username = role;
    own.password = role;
    return own;
  }

  /**
   * From here on it notes who moves which checkpoint, and every update that changes nothing.
   *
   * @param columns  by table, the column that tells whether a row has changed
   */
  async watch(columns: Readonly<Record<string, string>>): Promise<void> {
    await this.#session.query(`
      CREATE TABLE watched (unit text, epoch bigint, who text);
      CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO watched VALUES (NEW.unit, NEW.epoch, current_user); RETURN NEW; END $$;
      CREATE TRIGGER watch AFTER UPDATE ON _tidemark_checkpoints FOR EACH ROW EXECUTE FUNCTION watch();
      CREATE TABLE again (id text);
      CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO again VALUES (NEW.id); RETURN NEW; END $$;`);
    for (const [table, column] of Object.entries(columns)) {
      await this.#session.query(`CREATE TRIGGER again AFTER UPDATE ON ${table} FOR EACH ROW
        WHEN (OLD.${column} IS NOT DISTINCT FROM NEW.${column}) EXECUTE FUNCTION again()`);
    }
  }

  /** Checkpoints that two users moved under one epoch, and rows that were written with what they held. */
  async seen(): Promise<{ twoOwners: readonly unknown[]; writtenAgain: readonly unknown[] }> {
    const owners = await this.#session.query(
      'SELECT unit, epoch, array_agg(DISTINCT who) AS who FROM watched GROUP BY unit, epoch HAVING count(DISTINCT who) > 1',
    );
    const again = await this.#session.query('SELECT id FROM again');
    return { twoOwners: owners.rows, writtenAgain: again.rows };
  }
}
