import { type Change, type Commit, keyParts, type Rejection, type TargetSpec, type WriteResult } from '@tidemark/core';
import type { PostgresCheckpoints } from './checkpoints.ts';
import { encodeCopyRows } from './copy-encoder.ts';
import { type Client, copyIn, type Pool, query, transaction } from './driver.ts';
import { copyLineOf, isAboutARecord, nulRejection, refusedColumn, rejectionOf } from './errors.ts';
import {
  assignments,
  DELETED_AT,
  differs,
  insertNew,
  type Layout,
  type LayoutColumn,
  NO_STAMP_SQL,
  notOlder,
  PLACE,
  STAMP,
  sameKey,
  wins,
} from './layout.ts';
import { toPostgresText } from './values.ts';

type Done = Exclude<WriteResult['status'], 'rejected'>;

/** From how many rows on a COPY into a temporary table is quicker than arrays as parameters: measured, a flat optimum. */
const COPY_FROM_ROWS = 400;

/**
 * One transaction: the changes, guarded by their stamps (P3); what the database refuses is named record by record (P2); then
 * `settle`, and last the checkpoint with the check of the epoch (P1, P11).
 */
export function writeChanges(
  pool: Pool,
  layout: Layout,
  spec: TargetSpec<unknown>,
  checkpoints: PostgresCheckpoints,
  changes: readonly Change[],
  commit: Commit,
  signal: AbortSignal,
): Promise<readonly WriteResult[]> {
  return transaction(pool, { signal, settings: ['jit = off'] }, async (client) => {
    const results: WriteResult[] = changes.map(() => ({ status: 'unchanged' }));
    const deletes = changes.flatMap((change, place) => (change.row === null ? [{ change, place }] : []));
    const upserts = changes.flatMap((change, place) => (change.row === null ? [] : [{ change, place }]));
    const writer = new Writer(client, layout, spec, results);
    // Deletes go first: a value that has to be unique may move from a record that goes to one that comes.
    if (layout.deletes !== 'ignore') await writer.apply(deletes, 'delete');
    await writer.apply(upserts, 'upsert');
    const checkpoint = await commit.settle(results);
    await checkpoints.keep(client, spec.unit, commit.epoch, checkpoint === null ? {} : { checkpoint });
    return results;
  });
}

interface Placed {
  readonly change: Change;
  readonly place: number;
}

class Writer {
  readonly #client: Client;
  readonly #layout: Layout;
  readonly #spec: TargetSpec<unknown>;
  readonly #results: WriteResult[];

  constructor(client: Client, layout: Layout, spec: TargetSpec<unknown>, results: WriteResult[]) {
    this.#client = client;
    this.#layout = layout;
    this.#spec = spec;
    this.#results = results;
  }

  async apply(all: readonly Placed[], op: Change['op']): Promise<void> {
    let refused = await this.#attempt(all, op);
    // A record may have been refused for want of another one of this batch (a parent, a value that was still taken): once the
    // others are in, it is tried again, as long as that helps.
    for (let before = all.length; refused.length > 0 && refused.length < before; ) {
      const again = refused.filter(({ place }) => dependsOnOthers(this.#results[place]!));
      if (again.length === 0) return;
      before = again.length;
      refused = await this.#attempt(again, op);
    }
  }

  /** Applies what can be applied, and answers what was refused, each with its reason in `results`. */
  async #attempt(batch: readonly Placed[], op: Change['op'], copying = batch.length >= COPY_FROM_ROWS): Promise<Placed[]> {
    if (batch.length === 0) return [];
    await this.#client.query('SAVEPOINT attempt');
    try {
      const changed = await this.#merge(batch, op, copying);
      for (const { place } of batch) this.#results[place] = { status: changed.get(place) ?? 'unchanged' };
      await this.#client.query('RELEASE SAVEPOINT attempt');
      return [];
    } catch (error) {
      if (!isAboutARecord(error)) throw error;
      await this.#client.query('ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt');
      if (batch.length === 1) {
        // Of a value in an array the server does not say which column it was meant for; of one in a COPY it does.
        if (!copying && error.code?.startsWith('22') && refusedColumn(error) === undefined) return this.#attempt(batch, op, true);
        const { row } = batch[0]!.change;
        const isNul = error.code === '22021' && row !== null;
        const { columns } = this.#layout;
        return this.#refuse(batch[0]!, isNul ? nulRejection(row, columns) : rejectionOf(error, columns));
      }
      // A COPY tells the line, so that the bad record is found at once; otherwise the batch is halved.
      const line = copyLineOf(error);
      const at = line !== undefined && line > 1 && line <= batch.length ? line - 1 : line === 1 ? 1 : batch.length >> 1;
      return [...(await this.#attempt(batch.slice(0, at), op)), ...(await this.#attempt(batch.slice(at), op))];
    }
  }

  #refuse(refused: Placed, reason: Rejection): Placed[] {
    this.#results[refused.place] = { status: 'rejected', reason };
    return [refused];
  }

  /** The places of what was created, updated or deleted. */
  async #merge(batch: readonly Placed[], op: Change['op'], copying: boolean): Promise<Map<number, Done>> {
    const columns = op === 'upsert' ? this.#layout.columns : this.#layout.key;
    const rows = batch.map(({ change, place }) => [String(place), stampText(change), ...this.#texts(change, columns)]);
    const { source, parameters } = copying
      ? { source: await this.#copy(columns, rows), parameters: [] }
      : fromArrays(columns, rows);
    const statement = op === 'upsert' ? upsertStatement(this.#layout) : deleteStatement(this.#layout);
    const answer = await query(this.#client, `WITH incoming AS MATERIALIZED (${source}), ${statement}`, parameters);
    return new Map(answer.rows.map(([place, done]) => [Number(place), done as Done]));
  }

  #texts(change: Change, columns: readonly LayoutColumn[]): (string | null)[] {
    if (change.row !== null) {
      const { row } = change;
      return columns.map(({ field, baseType }) => toPostgresText(row[field.name], field, baseType === 'bytea'));
    }
    return keyTexts(change.key, columns, this.#spec.schema.key);
  }

  async #copy(columns: readonly LayoutColumn[], rows: readonly (readonly (string | null)[])[]): Promise<string> {
    const table = columns === this.#layout.columns ? 'pg_temp._tidemark_incoming' : 'pg_temp._tidemark_leaving';
    const definitions = [`${PLACE} integer`, `${STAMP} timestamptz`, ...columns.map(({ name, type }) => `${name} ${type}`)];
    await this.#client.query(
      `DROP TABLE IF EXISTS ${table}; CREATE TEMPORARY TABLE ${table.slice(8)} (${definitions.join(', ')}) ON COMMIT DROP`,
    );
    await copyIn(this.#client, `COPY ${table} FROM STDIN`, encodeCopyRows(rows));
    return `SELECT * FROM ${table}`;
  }
}

/** Codes of refusals that other records of the same batch can cause: unique, foreign key, exclusion. */
function dependsOnOthers(result: WriteResult): boolean {
  return result.status === 'rejected' && ['23505', '23503', '23P01'].includes(result.reason.code);
}

function stampText(change: Change): string {
  return new Date(change.stampMs).toISOString();
}

export function keyTexts(key: string, columns: readonly LayoutColumn[], keyFields: readonly string[]): string[] {
  const parts = keyParts(key, keyFields);
  return columns.map(
    ({ field, baseType }, i) =>
      toPostgresText(parts[i]!, { type: field.type === 'bytes' ? 'bytes' : 'text' }, baseType === 'bytea')!,
  );
}

/** The rows as one array for each column. */
function fromArrays(columns: readonly LayoutColumn[], rows: readonly (readonly (string | null)[])[]) {
  const arrays = ['$1::integer[]', '$2::timestamptz[]', ...columns.map(({ type }, i) => `$${i + 3}::${arrayType(type)}[]`)];
  const names = [PLACE, STAMP, ...columns.map(({ name }) => name)];
  const typed = [PLACE, STAMP, ...columns.map((column) => asStored(column))];
  return {
    source: `SELECT ${typed.join(', ')} FROM unnest(${arrays.join(', ')}) AS given (${names.join(', ')})`,
    parameters: names.map((_, i) => rows.map((row) => row[i])),
  };
}

/** Without length or precision: a cast would cut a text that is too long, where an assignment refuses it. */
function arrayType(type: string): string {
  return type.replace(/\(\d+(?:,-?\d+)?\)/, '');
}

/** Numbers and times are rounded as they will be stored, so that they compare equal afterwards. */
function asStored({ name, type }: LayoutColumn): string {
  return /^(numeric|timestamp|time)\b.*\(/.test(type) ? `${name}::${type} AS ${name}` : name;
}

function upsertStatement(layout: Layout): string {
  return `seen AS MATERIALIZED (
      SELECT i.${PLACE} AS place, ${wins(layout, 't', 'i')} AS wins, ${differs(layout, 't', 'i')} AS differs
      FROM incoming i JOIN ${layout.target} t ON ${sameKey(layout, 't', 'i')}
    ), changed AS (
      UPDATE ${layout.target} t SET ${assignments(layout, 't', 'i')}
      FROM incoming i JOIN seen s ON s.place = i.${PLACE} AND s.wins
      WHERE ${sameKey(layout, 't', 'i')} AND ${wins(layout, 't', 'i')}
    ), made AS (
      ${insertNew(layout, 'incoming', `NOT EXISTS (SELECT FROM seen s WHERE s.place = i.${PLACE})`)}
    )
    SELECT place, 'updated' FROM seen WHERE wins AND differs
    UNION ALL SELECT ${PLACE}, 'created' FROM incoming i WHERE NOT EXISTS (SELECT FROM seen s WHERE s.place = i.${PLACE})`;
}

/** Only rows of ours; a later stamp of a delete is kept also where the row is marked already. */
function deleteStatement(layout: Layout): string {
  const match = `${sameKey(layout, 't', 'i')} AND t.${STAMP} IS NOT NULL AND ${notOlder('t', 'i')}`;
  if (layout.deletes === 'mirror') {
    return `gone AS (DELETE FROM ${layout.target} t USING incoming i WHERE ${match} RETURNING i.${PLACE})
      SELECT ${PLACE}, 'deleted' FROM gone`;
  }
  return `live AS MATERIALIZED (
      SELECT i.${PLACE} AS place FROM incoming i JOIN ${layout.target} t ON ${match} AND t.${DELETED_AT} IS NULL
    ), gone AS (
      UPDATE ${layout.target} t SET ${STAMP} = greatest(t.${STAMP}, i.${STAMP}),
        ${DELETED_AT} = coalesce(t.${DELETED_AT}, nullif(i.${STAMP}, ${NO_STAMP_SQL}), now())
      FROM incoming i WHERE ${match} AND (t.${DELETED_AT} IS NULL OR i.${STAMP} > t.${STAMP})
    )
    SELECT place, 'deleted' FROM live`;
}
