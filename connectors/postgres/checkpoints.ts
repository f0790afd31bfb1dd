import { type Checkpoints, OwnershipLostError } from '@tidemark/core';
import { type Client, type OpenTransaction, type Pool, query, transaction } from './driver.ts';
import { quoteText } from './identifiers.ts';
import { qualified } from './layout.ts';

const TABLE = '_tidemark_checkpoints';

/** What the target keeps for each unit of work, in the transactions of the data itself: checkpoint, epoch, load in the making. */
export class PostgresCheckpoints implements Checkpoints {
  readonly #pool: Pool;
  readonly schema: string;
  readonly rawTable = TABLE;
  /** Quoted, with the schema. */
  readonly table: string;
  #exists = false;

  constructor(pool: Pool, schema: string) {
    this.#pool = pool;
    this.schema = schema;
    this.table = qualified(schema, TABLE);
  }

  /** Creates the table when it is not there. One at a time: `IF NOT EXISTS` alone fails when two sessions meet. */
  async ensure(client: Client): Promise<void> {
    if (this.#exists) return;
    await lockSchema(client, this.schema);
    if (!(await this.isThere(client))) {
      await client.query(
        `CREATE TABLE ${this.table} (
          unit text PRIMARY KEY, epoch bigint NOT NULL DEFAULT 0, checkpoint text, columns jsonb,
          load_id text, load_table text, load_position text, load_rows bigint, updated_at timestamptz NOT NULL DEFAULT now());
        COMMENT ON TABLE ${this.table} IS 'Tidemark: how far each sync has come. Written in the same transactions as the data.'`,
      );
    }
  }

  async isThere(client: Client): Promise<boolean> {
    // Not by to_regclass: what a session once did not find it may go on not finding, until the end of its transaction.
    const { rows } = await query(client, 'SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2', [
      this.schema,
      TABLE,
    ]);
    return rows.length > 0;
  }

  async acquire(unit: string, signal?: AbortSignal): Promise<{ epoch: number; checkpoint: string | null }> {
    const raise = async (client: Client) => {
      const { rows } = await query(
        client,
        `INSERT INTO ${this.table} AS c (unit, epoch) VALUES ($1, 1)
         ON CONFLICT (unit) DO UPDATE SET epoch = c.epoch + 1, updated_at = now() RETURNING epoch, checkpoint`,
        [unit],
      );
      return { epoch: Number(rows[0]![0]), checkpoint: rows[0]![1]! };
    };
    return this.#do(raise, signal);
  }

  async read(unit: string): Promise<string | null> {
    return transaction(this.#pool, { readOnly: true }, async (client) => {
      if (!(await this.isThere(client))) return null;
      const { rows } = await query(client, `SELECT checkpoint FROM ${this.table} WHERE unit = $1`, [unit]);
      return rows[0]?.[0] ?? null;
    });
  }

  async write(unit: string, epoch: number, checkpoint: string | null): Promise<void> {
    await this.#do((client) => this.keep(client, unit, epoch, { checkpoint }));
  }

  /**
   * The last statement of every transaction of ours: fails when another worker has taken the unit over (P11), and keeps what is
   * given. It comes last because the row stays locked until the commit: an owner that stalls in the middle of its work must not
   * keep a new one from raising the epoch.
   */
  async keep(
    client: Client,
    unit: string,
    epoch: number,
    values: {
      readonly [column in 'checkpoint' | 'load_id' | 'load_table' | 'load_position' | 'load_rows']?: string | number | null;
    },
  ): Promise<void> {
    const given = Object.entries(values);
    // Nothing to keep: the check alone, without a new version of the row.
    const { rowCount } =
      given.length === 0
        ? await query(client, `SELECT 1 FROM ${this.table} WHERE unit = $1 AND epoch = $2 FOR SHARE`, [unit, epoch])
        : await query(
            client,
            `UPDATE ${this.table} SET ${given.map(([column], i) => `${column} = $${i + 3}`).join(', ')}, updated_at = now()
             WHERE unit = $1 AND epoch = $2`,
            [unit, epoch, ...given.map(([, value]) => value)],
          );
    if (rowCount === 0) throw lostTo(unit, epoch);
  }

  /**
   * The same and the commit in one journey to the server: a stream has hundreds of transactions a second. Statements that are sent
   * together take no parameters; of a unit that is not ours any more the first one fails, and the server does not come to the second.
   */
  async keepAndCommit(opened: OpenTransaction, unit: string, epoch: number, checkpoint: string): Promise<void> {
    try {
      await opened.commit(
        `WITH kept AS (
           UPDATE ${this.table} SET checkpoint = ${quoteText(checkpoint)}, updated_at = now()
           WHERE unit = ${quoteText(unit)} AND epoch = ${epoch} RETURNING 1
         ) SELECT CASE WHEN count(*) = 0 THEN ('${LOST} ' || count(*))::integer END FROM kept`,
      );
    } catch (error) {
      // A number that is none: an error of which nobody else's trigger is the reason.
      throw error instanceof Error && error.message.includes(LOST) ? lostTo(unit, epoch) : error;
    }
  }

  async #do<T>(work: (client: Client) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = await transaction(this.#pool, { signal }, async (client) => {
      await this.ensure(client);
      return work(client);
    });
    this.#exists = true;
    return result;
  }
}

const LOST = 'tidemark: the unit belongs to another worker';

function lostTo(unit: string, epoch: number): OwnershipLostError {
  return new OwnershipLostError(`Another worker has taken over ${JSON.stringify(unit)} (its epoch is not ${epoch} any more)`);
}

/** Schema changes of all workers one after the other, per schema. */
export async function lockSchema(client: Client, schema: string): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended(${quoteText(`tidemark ${schema}`)}, 0))`);
}
