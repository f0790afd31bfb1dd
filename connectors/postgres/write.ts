import type { Change, Commit, Rejection, StreamChange, StreamWriteResult, TargetSpec, WriteResult } from '@tidemark/core';
import { ATTEMPT, Attempts } from './attempts.ts';
import { writtenBy } from './capture/own-writes.ts';
import type { PostgresCheckpoints } from './checkpoints.ts';
import { CopyText } from './copy-encoder.ts';
import { type Client, copyIn, type Pool, query, transaction } from './driver.ts';
import { copyLineOf, isAboutARecord, nulRejection, refusedColumn, rejectionOf } from './errors.ts';
import {
  arrayType,
  asStored,
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
  sameRow,
  scopeSettings,
  wins,
} from './layout.ts';
import { keyTexts, type Placed, stampText, textFor } from './row-texts.ts';
import { UpdateColumns } from './update-columns.ts';
import { absentOf, type EncodedUpdates, sendUpdates, updateRows } from './update-rows.ts';

type Done = Exclude<StreamWriteResult['status'], 'rejected'>;

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
  const settings = [...WRITE_SETTINGS, ...scopeSettings(layout), writtenBy([spec.unit])];
  return transaction(pool, { signal, settings, savepoint: ATTEMPT }, async (client) => {
    const writer = new Writer(new Attempts(client), layout, spec.schema.key);
    const results = await writer.apply<WriteResult>(changes);
    const checkpoint = await commit.settle(results);
    await checkpoints.keep(client, spec.unit, commit.epoch, checkpoint === null ? {} : { checkpoint });
    return results;
  });
}

/** Small statements gain nothing from being compiled. */
export const WRITE_SETTINGS = ['jit = off'];

/**
 * The order of kinds: a value that has to be unique may move from a record that goes, or that gives it up, to one that comes.
 */
const KINDS = ['delete', 'update', 'upsert'] as const;
type Kind = (typeof KINDS)[number];

/** Applies changes to one table, within a transaction that others hold. */
export class Writer {
  readonly #attempts: Attempts;
  readonly #client: Client;
  readonly #layout: Layout;
  readonly #keyFields: readonly string[];
  readonly #updates: UpdateColumns;
  #results: StreamWriteResult[] = [];

  /** @param updates  kept from transaction to transaction by whom has many of them */
  constructor(attempts: Attempts, layout: Layout, keyFields: readonly string[], updates = new UpdateColumns(layout)) {
    this.#attempts = attempts;
    this.#client = attempts.client;
    this.#layout = layout;
    this.#keyFields = keyFields;
    this.#updates = updates;
  }

  /**
   * Changes of distinct keys. What the database refuses is named record by record (P2).
   *
   * @param encoded  the same, where they are updates and nothing else
   */
  async apply<Result extends StreamWriteResult>(
    changes: readonly StreamChange[],
    encoded: EncodedUpdates | null = null,
  ): Promise<readonly Result[]> {
    this.#results = new Array<StreamWriteResult>(changes.length).fill(UNCHANGED);
    if (encoded !== null && (await this.#applyEncoded(changes, encoded))) return this.#results as unknown as readonly Result[];
    const all = changes.map((change, place) => ({ change, place }));
    let refused = await this.#attemptAll(all);
    // A record may have been refused for want of another one of this batch (a parent, a value that was still taken): once the
    // others are in, it is tried again, as long as that helps.
    for (let before = all.length; refused.length > 0 && refused.length < before; ) {
      const again = refused.filter(({ place }) => dependsOnOthers(this.#results[place]!));
      if (again.length === 0) break;
      before = again.length;
      refused = await this.#attemptAll(again);
    }
    return this.#results as unknown as readonly Result[];
  }

  /** All of them at once; false when something was refused, and nothing is done. */
  async #applyEncoded(changes: readonly StreamChange[], encoded: EncodedUpdates): Promise<boolean> {
    await this.#attempts.begin();
    try {
      const changed = await sendUpdates(this.#attempts, encoded);
      if (changed === true) {
        this.#results.fill(UPDATED);
        return true;
      }
      for (const place of changed) this.#results[place] = UPDATED;
      const rest = changes.flatMap((_, place) => (this.#results[place] === UPDATED ? [] : [place]));
      const unchanged = rest.map((place) => changes[place]!);
      for (const i of await absentOf(this.#attempts, this.#layout, this.#keyFields, unchanged)) this.#results[rest[i]!] = ABSENT;
      return true;
    } catch (error) {
      if (!this.#attempts.isUnprepared(error) && !isAboutARecord(error)) throw error;
      await this.#attempts.undo();
      return false;
    }
  }

  async #attemptAll(all: readonly Placed[]): Promise<Placed[]> {
    const refused: Placed[] = [];
    for (const kind of KINDS) {
      if (kind === 'delete' && this.#layout.deletes === 'ignore') continue;
      const some = all.filter(({ change }) => change.op === kind);
      refused.push(...(await this.#attempt(some, kind)));
    }
    return refused;
  }

  /** Applies what can be applied, and answers what was refused, each with its reason in `results`. */
  async #attempt(
    batch: readonly Placed[],
    kind: Kind,
    copying = kind !== 'update' && batch.length >= COPY_FROM_ROWS,
  ): Promise<Placed[]> {
    if (batch.length === 0) return [];
    await this.#attempts.begin();
    try {
      const changed = await this.#merge(batch, kind, copying);
      for (const { place } of batch) this.#results[place] = resultOf(changed.get(place));
      return [];
    } catch (error) {
      if (this.#attempts.isUnprepared(error)) {
        await this.#attempts.undo();
        return this.#attempt(batch, kind, copying);
      }
      if (!isAboutARecord(error)) throw error;
      await this.#attempts.undo();
      if (batch.length === 1) {
        // Of a value in an array the server does not say which column it was meant for; of one in a COPY it does.
        if (!copying && error.code?.startsWith('22') && refusedColumn(error) === undefined) {
          return this.#attempt(batch, kind, true);
        }
        const { row } = batch[0]!.change;
        const isNul = error.code === '22021' && row !== null;
        const { columns } = this.#layout;
        return this.#refuse(batch[0]!, isNul ? nulRejection(row, columns) : rejectionOf(error, columns));
      }
      // A COPY tells the line, so that the bad record is found at once; otherwise the batch is halved.
      const line = copyLineOf(error);
      const at = line !== undefined && line > 1 && line <= batch.length ? line - 1 : line === 1 ? 1 : batch.length >> 1;
      return [...(await this.#attempt(batch.slice(0, at), kind)), ...(await this.#attempt(batch.slice(at), kind))];
    }
  }

  #refuse(refused: Placed, reason: Rejection): Placed[] {
    this.#results[refused.place] = { status: 'rejected', reason };
    return [refused];
  }

  /** The places of what was created, updated or deleted, or is absent. */
  async #merge(batch: readonly Placed[], kind: Kind, copying: boolean): Promise<ReadonlyMap<number, Done>> {
    if (kind === 'update') return updateRows(this.#attempts, this.#updates, this.#keyFields, batch, copying);
    const columns = kind === 'upsert' ? this.#layout.columns : this.#layout.key;
    const table = copying ? await this.#copy(columns, batch) : null;
    const done = new Map<number, Done>();
    const run = async (statement: string, part: readonly Placed[]): Promise<void> => {
      const incoming = table === null ? fromArrays(columns, this.#rows(columns, part)) : fromTable(table, part, batch);
      const answer = await query(this.#client, `WITH incoming AS ${incoming.source}, ${statement}`, incoming.parameters);
      for (const [what, places] of answer.rows) for (const place of places!.split(',')) done.set(Number(place), what as Done);
    };
    if (kind === 'delete') {
      await run(deleteStatement(this.#layout), batch);
      return done;
    }
    await run(updateStatement(this.#layout), batch);
    const rest = done.size === 0 ? batch : batch.filter(({ place }) => !done.has(place));
    if (rest.length > 0) await run(restStatement(this.#layout), rest);
    return done;
  }

  #rows(columns: readonly LayoutColumn[], batch: readonly Placed[]): (string | null)[][] {
    return batch.map((placed) => this.#row(columns, placed));
  }

  #row(columns: readonly LayoutColumn[], { change, place }: Placed): (string | null)[] {
    return [String(place), stampText(change.stampMs), ...this.#texts(change, columns)];
  }

  #texts(change: StreamChange, columns: readonly LayoutColumn[]): (string | null)[] {
    if (change.row === null) return keyTexts(change.key, columns, this.#keyFields);
    const { row } = change;
    return columns.map((column) => textFor(column, row[column.field.name]));
  }

  async #copy(columns: readonly LayoutColumn[], batch: readonly Placed[]): Promise<string> {
    const table = columns === this.#layout.columns ? 'pg_temp._tidemark_incoming' : 'pg_temp._tidemark_leaving';
    const definitions = [`${PLACE} integer`, `${STAMP} timestamptz`, ...columns.map(({ name, type }) => `${name} ${type}`)];
    await this.#client.query(
      `DROP TABLE IF EXISTS ${table}; CREATE TEMPORARY TABLE ${table.slice(8)} (${definitions.join(', ')}) ON COMMIT DROP`,
    );
    await copyIn(this.#client, `COPY ${table} FROM STDIN`, this.#copyText(columns, batch));
    return table;
  }

  *#copyText(columns: readonly LayoutColumn[], batch: readonly Placed[]): Generator<Buffer> {
    const rows = new CopyText();
    for (const [i, placed] of batch.entries()) {
      rows.add(this.#row(columns, placed));
      if ((i + 1) % COPY_ROWS === 0 || i === batch.length - 1) yield rows.take();
    }
  }
}

const UNCHANGED = { status: 'unchanged' } as const;
const UPDATED = { status: 'updated' } as const;
const ABSENT = { status: 'absent' } as const;

/** The two of which there are many are not made anew. */
function resultOf(done: Done | undefined): StreamWriteResult {
  return done === undefined ? UNCHANGED : done === 'updated' ? UPDATED : { status: done };
}

/** Codes of refusals that other records of the same batch can cause: unique, foreign key, exclusion. */
function dependsOnOthers(result: StreamWriteResult): boolean {
  return result.status === 'rejected' && ['23505', '23503', '23P01'].includes(result.reason.code);
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

/** What was done, and the places of whom: one text for thousands of them, not as many rows. */
function answer(from: string, what: string): string {
  return `SELECT ${what}, string_agg(${PLACE}::text, ',') FROM ${from}`;
}

/** What a delta mostly brings: rows that stand in the table and differ. Each is looked up once. */
function updateStatement(layout: Layout): string {
  return `changed AS (
      UPDATE ${layout.target} t SET ${assignments(layout, 't', 'i')} FROM incoming i
      WHERE ${sameRow(layout, 't', 'i')} AND ${notOlder('t', 'i')} AND ${differs(layout, 't', 'i')}
      RETURNING i.${PLACE}
    )
    ${answer('changed', `'updated'`)} GROUP BY 1`;
}

/** What is left then: new rows, equal ones of which only the stamp may move, and older changes, which are passed over. */
function restStatement(layout: Layout): string {
  return `seen AS MATERIALIZED (
      SELECT i.*, t.${layout.key[0]!.name} IS NOT NULL AS _tidemark_stands, ${wins(layout, 't', 'i')} AS _tidemark_wins, ${differs(layout, 't', 'i')} AS _tidemark_differs
      FROM incoming i LEFT JOIN ${layout.target} t ON ${sameRow(layout, 't', 'i')}
    ), changed AS (
      UPDATE ${layout.target} t SET ${assignments(layout, 't', 'i')} FROM seen i
      WHERE i._tidemark_stands AND i._tidemark_wins AND ${sameRow(layout, 't', 'i')} AND ${wins(layout, 't', 'i')}
    ), made AS (
      ${insertNew(layout, 'seen', 'NOT i._tidemark_stands')}
    )
    ${answer('seen', `CASE WHEN _tidemark_stands THEN 'updated' ELSE 'created' END`)}
    WHERE NOT _tidemark_stands OR _tidemark_wins AND _tidemark_differs GROUP BY 1`;
}

/** Only rows of ours; a later stamp of a delete is kept also where the row is marked already. */
function deleteStatement(layout: Layout): string {
  const match = `${sameRow(layout, 't', 'i')} AND t.${STAMP} IS NOT NULL AND ${notOlder('t', 'i')}`;
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
