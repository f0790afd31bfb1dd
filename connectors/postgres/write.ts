import {
  type Change,
  type Commit,
  type FieldType,
  type FieldValue,
  keyParts,
  type Rejection,
  type TargetSpec,
  type WriteResult,
} from '@tidemark/core';
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
import { needsConversion, toPostgresText } from './values.ts';

type Done = Exclude<WriteResult['status'], 'rejected'>;

/** From how many rows on a COPY into a temporary table is quicker than arrays as parameters: measured, a flat optimum. */
const COPY_FROM_ROWS = 400;

/** Rows encoded at a time: while the server takes some in, the next are made. */
const COPY_ROWS = 500;

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
    const table = copying ? await this.#copy(columns, batch) : null;
    const done = new Map<number, Done>();
    const run = async (statement: string, part: readonly Placed[]): Promise<void> => {
      const incoming = table === null ? fromArrays(columns, this.#rows(columns, part)) : fromTable(table, part, batch);
      const answer = await query(this.#client, `WITH incoming AS ${incoming.source}, ${statement}`, incoming.parameters);
      for (const [what, places] of answer.rows) for (const place of places!.split(',')) done.set(Number(place), what as Done);
    };
    if (op === 'delete') {
      await run(deleteStatement(this.#layout), batch);
      return done;
    }
    await run(updateStatement(this.#layout), batch);
    const rest = done.size === 0 ? batch : batch.filter(({ place }) => !done.has(place));
    if (rest.length > 0) await run(restStatement(this.#layout), rest);
    return done;
  }

  #rows(columns: readonly LayoutColumn[], batch: readonly Placed[]): (string | null)[][] {
    return batch.map(({ change, place }) => [String(place), stampText(change.stampMs), ...this.#texts(change, columns)]);
  }

  #texts(change: Change, columns: readonly LayoutColumn[]): (string | null)[] {
    if (change.row === null) return keyTexts(change.key, columns, this.#spec.schema.key);
    const { row } = change;
    return columns.map((column) => textFor(column, row[column.field.name]));
  }

  async #copy(columns: readonly LayoutColumn[], batch: readonly Placed[]): Promise<string> {
    const table = columns === this.#layout.columns ? 'pg_temp._tidemark_incoming' : 'pg_temp._tidemark_leaving';
    const definitions = [`${PLACE} integer`, `${STAMP} timestamptz`, ...columns.map(({ name, type }) => `${name} ${type}`)];
    await this.#client.query(
      `DROP TABLE IF EXISTS ${table}; CREATE TEMPORARY TABLE ${table.slice(8)} (${definitions.join(', ')}) ON COMMIT DROP`,
    );
    const encoded = function* (rowsOf: (part: readonly Placed[]) => (string | null)[][]): Generator<Buffer> {
      for (let at = 0; at < batch.length; at += COPY_ROWS) yield* encodeCopyRows(rowsOf(batch.slice(at, at + COPY_ROWS)));
    };
    await copyIn(
      this.#client,
      `COPY ${table} FROM STDIN`,
      encoded((part) => this.#rows(columns, part)),
    );
    return table;
  }
}

/** Types whose strings are sent as they are. */
function isPlain(type: FieldType): boolean {
  return type !== 'json' && !needsConversion(type);
}

function textFor({ field, baseType }: LayoutColumn, value: FieldValue | undefined): string | null {
  // Nearly all cells: the driver takes the text as it is.
  if (typeof value === 'string' && isPlain(field.type)) return value;
  return toPostgresText(value, field, baseType === 'bytea');
}

/** Codes of refusals that other records of the same batch can cause: unique, foreign key, exclusion. */
function dependsOnOthers(result: WriteResult): boolean {
  return result.status === 'rejected' && ['23505', '23503', '23P01'].includes(result.reason.code);
}

function stampText(stampMs: number): string {
  return new Date(stampMs).toISOString();
}

export function keyTexts(key: string, columns: readonly LayoutColumn[], keyFields: readonly string[]): string[] {
  const parts = keyParts(key, keyFields);
  return columns.map(
    ({ field, baseType }, i) =>
      toPostgresText(parts[i]!, { type: field.type === 'bytes' ? 'bytes' : 'text' }, baseType === 'bytea')!,
  );
}

/**
 * The rows of a temporary table, all or those at some places. Both conditions are true of every row; without statistics the
 * planner takes each for one row in three, and so looks nine times as many rows up by their key before it reads the whole target
 * instead. Its default is made for disks: measured, a lookup in memory costs a tenth of what it believes. A setting would do the
 * same, and would reach into the triggers of the table's owner too.
 */
function fromTable(table: string, part: readonly Placed[], all: readonly Placed[]) {
  const rows = `SELECT * FROM ${table} WHERE ${PLACE} >= 0 AND ${STAMP} >= '-infinity'`;
  return part === all
    ? { source: `NOT MATERIALIZED (${rows})`, parameters: [] }
    : { source: `NOT MATERIALIZED (${rows} AND ${PLACE} = ANY ($1::integer[]))`, parameters: [part.map(({ place }) => place)] };
}

/** The rows as one array for each column. */
function fromArrays(columns: readonly LayoutColumn[], rows: readonly (readonly (string | null)[])[]) {
  const arrays = ['$1::integer[]', '$2::timestamptz[]', ...columns.map(({ type }, i) => `$${i + 3}::${arrayType(type)}[]`)];
  const names = [PLACE, STAMP, ...columns.map(({ name }) => name)];
  const typed = [PLACE, STAMP, ...columns.map((column) => asStored(column))];
  return {
    source: `MATERIALIZED (SELECT ${typed.join(', ')} FROM unnest(${arrays.join(', ')}) AS given (${names.join(', ')}))`,
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

/** What was done, and the places of whom: one text for thousands of them, not as many rows. */
function answer(from: string, what: string): string {
  return `SELECT ${what}, string_agg(${PLACE}::text, ',') FROM ${from}`;
}

/** What a delta mostly brings: rows that stand in the table and differ. Each is looked up once. */
function updateStatement(layout: Layout): string {
  return `changed AS (
      UPDATE ${layout.target} t SET ${assignments(layout, 't', 'i')} FROM incoming i
      WHERE ${sameKey(layout, 't', 'i')} AND ${notOlder('t', 'i')} AND ${differs(layout, 't', 'i')}
      RETURNING i.${PLACE}
    )
    ${answer('changed', `'updated'`)} GROUP BY 1`;
}

/** What is left then: new rows, equal ones of which only the stamp may move, and older changes, which are passed over. */
function restStatement(layout: Layout): string {
  return `seen AS MATERIALIZED (
      SELECT i.*, t.${layout.key[0]!.name} IS NOT NULL AS _tidemark_stands, ${wins(layout, 't', 'i')} AS _tidemark_wins, ${differs(layout, 't', 'i')} AS _tidemark_differs
      FROM incoming i LEFT JOIN ${layout.target} t ON ${sameKey(layout, 't', 'i')}
    ), changed AS (
      UPDATE ${layout.target} t SET ${assignments(layout, 't', 'i')} FROM seen i
      WHERE i._tidemark_stands AND i._tidemark_wins AND ${sameKey(layout, 't', 'i')} AND ${wins(layout, 't', 'i')}
    ), made AS (
      ${insertNew(layout, 'seen', 'NOT i._tidemark_stands')}
    )
    ${answer('seen', `CASE WHEN _tidemark_stands THEN 'updated' ELSE 'created' END`)}
    WHERE NOT _tidemark_stands OR _tidemark_wins AND _tidemark_differs GROUP BY 1`;
}

/** Only rows of ours; a later stamp of a delete is kept also where the row is marked already. */
function deleteStatement(layout: Layout): string {
  const match = `${sameKey(layout, 't', 'i')} AND t.${STAMP} IS NOT NULL AND ${notOlder('t', 'i')}`;
  if (layout.deletes === 'mirror') {
    return `gone AS (DELETE FROM ${layout.target} t USING incoming i WHERE ${match} RETURNING i.${PLACE})
      ${answer('gone', `'deleted'`)} GROUP BY 1`;
  }
  return `live AS MATERIALIZED (
      SELECT i.${PLACE} FROM incoming i JOIN ${layout.target} t ON ${match} AND t.${DELETED_AT} IS NULL
    ), gone AS (
      UPDATE ${layout.target} t SET ${STAMP} = greatest(t.${STAMP}, i.${STAMP}),
        ${DELETED_AT} = coalesce(t.${DELETED_AT}, nullif(i.${STAMP}, ${NO_STAMP_SQL}), now())
      FROM incoming i WHERE ${match} AND (t.${DELETED_AT} IS NULL OR i.${STAMP} > t.${STAMP})
    )
    ${answer('live', `'deleted'`)} GROUP BY 1`;
}
