import { keyOf, type LoadCounts, newRow, type RejectedRow } from '@tidemark/core';
import { type Client, query } from './driver.ts';
import { isAboutARecord, rejectionOf } from './errors.ts';
import {
  assignments,
  DELETED_AT,
  differs,
  insertNew,
  type Layout,
  notOlder,
  PLACE,
  STAMP,
  sameKey,
  sameRow,
  wins,
} from './layout.ts';
import { keyTexts } from './row-texts.ts';
import { fromPostgres } from './values.ts';

const GONE_AT_ONCE = 10_000;

type Refuse = (rows: readonly RejectedRow[]) => Promise<void>;

/**
 * Merges staged rows into a table that has rows. One look over both sides says what there is to do, so that a load that changes
 * nothing costs one hash join and writes nothing; what differs is then updated or inserted in one statement each.
 */
export async function mergeStaged(
  client: Client,
  layout: Layout,
  keyFields: readonly string[],
  staging: string,
  gone: readonly string[],
  refuse: Refuse,
): Promise<LoadCounts> {
  await deleteDuplicates(client, layout, staging);
  const deleted = await deleteGone(client, layout, keyFields, staging, gone);
  const first = layout.key[0]!.name;
  const difference = differs(layout, 't', 'i');
  const { rows } = await query(
    client,
    `SELECT count(*), count(*) FILTER (WHERE t.${first} IS NULL),
            count(*) FILTER (WHERE t.${first} IS NOT NULL AND ${notOlder('t', 'i')} AND ${difference}),
            count(*) FILTER (WHERE t.${first} IS NOT NULL AND ${wins(layout, 't', 'i')})
     FROM ${staging} i LEFT JOIN ${layout.target} t ON ${sameRow(layout, 't', 'i')}`,
  );
  const [staged, fresh, changed, won] = rows[0]!.map(Number) as [number, number, number, number];
  const merge = new Merge(client, layout, staging);
  const todo = { update: changed > 0, move: won > changed, insert: fresh > 0 };
  const done = await merge.all(todo, async (place, error) => {
    await refuse([await stagedRow(client, layout, keyFields, staging, place, error)]);
  });
  return { ...done, unchanged: staged - done.created - done.updated - merge.refused, deleted };
}

interface Todo {
  readonly update: boolean;
  readonly move: boolean;
  readonly insert: boolean;
}

/** All rows at once; when one of them is refused, halves, until it is found (P2). */
class Merge {
  readonly #client: Client;
  readonly #layout: Layout;
  readonly #staging: string;
  #indexed = false;
  refused = 0;

  constructor(client: Client, layout: Layout, staging: string) {
    this.#client = client;
    this.#layout = layout;
    this.#staging = staging;
  }

  async all(todo: Todo, refuse: (place: number, error: Error) => Promise<void>): Promise<{ created: number; updated: number }> {
    if (!todo.update && !todo.move && !todo.insert) return { created: 0, updated: 0 };
    return this.#range(todo, null, refuse);
  }

  async #range(
    todo: Todo,
    range: readonly [number, number] | null,
    refuse: (place: number, error: Error) => Promise<void>,
  ): Promise<{ created: number; updated: number }> {
    const client = this.#client;
    await client.query('SAVEPOINT merge_range');
    try {
      const done = await this.#merge(todo, range);
      await client.query('RELEASE SAVEPOINT merge_range');
      return done;
    } catch (error) {
      if (!isAboutARecord(error)) throw error;
      await client.query('ROLLBACK TO SAVEPOINT merge_range; RELEASE SAVEPOINT merge_range');
      const [from, to] = range ?? (await this.#wholeRange());
      if (from === to) {
        this.refused++;
        await refuse(from, error);
        return { created: 0, updated: 0 };
      }
      const middle = Math.floor((from + to) / 2);
      const low = await this.#range(todo, [from, middle], refuse);
      const high = await this.#range(todo, [middle + 1, to], refuse);
      return { created: low.created + high.created, updated: low.updated + high.updated };
    }
  }

  async #merge(todo: Todo, range: readonly [number, number] | null): Promise<{ created: number; updated: number }> {
    const layout = this.#layout;
    const within = range === null ? 'true' : `i.${PLACE} BETWEEN ${range[0]} AND ${range[1]}`;
    const update = (set: string, when: string) =>
      query(
        this.#client,
        `UPDATE ${layout.target} t SET ${set} FROM ${this.#staging} i WHERE ${sameRow(layout, 't', 'i')} AND ${within} AND ${when}`,
      );
    let updated = 0;
    let created = 0;
    if (todo.update) {
      const when = `${notOlder('t', 'i')} AND ${differs(layout, 't', 'i')}`;
      updated = (await update(assignments(layout, 't', 'i'), when)).rowCount ?? 0;
    }
    // Equal values with a newer stamp: only the stamp moves, and the row counts as unchanged.
    if (todo.move) {
      await update(`${STAMP} = greatest(t.${STAMP}, i.${STAMP})`, `(t.${STAMP} IS NULL OR i.${STAMP} > t.${STAMP})`);
    }
    if (todo.insert) {
      const isNew = `${within} AND NOT EXISTS (SELECT FROM ${layout.target} t WHERE ${sameRow(layout, 't', 'i')})`;
      created = (await query(this.#client, insertNew(layout, this.#staging, isNew))).rowCount ?? 0;
    }
    return { created, updated };
  }

  async #wholeRange(): Promise<readonly [number, number]> {
    if (!this.#indexed) {
      await this.#client.query(`CREATE INDEX ON ${this.#staging} (${PLACE})`);
      this.#indexed = true;
    }
    const { rows } = await query(this.#client, `SELECT min(${PLACE}), max(${PLACE}) FROM ${this.#staging}`);
    return [Number(rows[0]![0]), Number(rows[0]![1])];
  }
}

/** A key that came twice counts once, the later row. Answers how many rows went. */
export async function deleteDuplicates(client: Client, layout: Layout, staging: string): Promise<number> {
  const keys = layout.key.map(({ name }) => name).join(', ');
  const { rowCount } = await query(
    client,
    `DELETE FROM ${staging} i USING (
       SELECT ${keys}, max(${PLACE}) AS latest FROM ${staging} GROUP BY ${keys} HAVING count(*) > 1
     ) t WHERE ${sameKey(layout, 'i', 't')} AND i.${PLACE} < t.latest`,
  );
  return rowCount ?? 0;
}

/** Staged rows with every key once, for reading. */
export function latestStaged(layout: Layout, staging: string): string {
  const keys = layout.key.map(({ name }) => `d.${name}`).join(', ');
  return `(SELECT DISTINCT ON (${keys}) * FROM ${staging} d ORDER BY ${keys}, ${PLACE} DESC)`;
}

/** By the delete rule, and only rows of ours that the load does not hold after all. */
async function deleteGone(
  client: Client,
  layout: Layout,
  keyFields: readonly string[],
  staging: string,
  gone: readonly string[],
): Promise<number> {
  if (layout.deletes === 'ignore') return 0;
  const names = layout.key.map(({ name }) => name).join(', ');
  const arrays = layout.key.map(({ type }, i) => `$${i + 1}::${type.replace(/\(.*?\)/, '')}[]`).join(', ');
  const keys = `unnest(${arrays}) AS i (${names})`;
  const match = `${sameRow(layout, 't', 'i')} AND t.${STAMP} IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${staging} s WHERE ${sameKey(layout, 's', 'i')})`;
  const statement =
    layout.deletes === 'mirror'
      ? `DELETE FROM ${layout.target} t USING ${keys} WHERE ${match}`
      : `UPDATE ${layout.target} t SET ${DELETED_AT} = now() FROM ${keys} WHERE ${match} AND t.${DELETED_AT} IS NULL`;
  let deleted = 0;
  for (let at = 0; at < gone.length; at += GONE_AT_ONCE) {
    const parts = gone.slice(at, at + GONE_AT_ONCE).map((key) => keyTexts(key, layout.key, keyFields));
    const { rowCount } = await query(
      client,
      statement,
      layout.key.map((_, i) => parts.map((part) => part[i])),
    );
    deleted += rowCount ?? 0;
  }
  return deleted;
}

async function stagedRow(
  client: Client,
  layout: Layout,
  keyFields: readonly string[],
  staging: string,
  place: number,
  error: Error,
): Promise<RejectedRow> {
  const names = layout.columns.map(({ name }) => name).join(', ');
  const { rows } = await query(
    client,
    `SELECT (extract(epoch FROM ${STAMP}) * 1000)::bigint, ${names} FROM ${staging} WHERE ${PLACE} = $1`,
    [place],
  );
  const [stampMs, ...values] = rows[0]!;
  const row = newRow();
  layout.columns.forEach(({ field }, i) => {
    row[field.name] = fromPostgres(values[i]!, field);
  });
  return { key: keyOf(row, keyFields)!, row, stampMs: Number(stampMs), reason: rejectionOf(error, layout.columns) };
}
