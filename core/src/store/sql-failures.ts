import { type Insertable, type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';
import { scrub } from '../base/secrets.ts';
import { NO_STAMP } from '../model/change.ts';
import { newRow, type Row } from '../model/value.ts';
import type { Failure, NewFailure, Store } from './store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

/** Rows in one statement: 13 parameters each, and SQLite takes 32,766. */
const ROWS_MAX = 500;

type FailureMethods =
  | 'putFailures'
  | 'mergeIntoFailures'
  | 'failures'
  | 'failingKeys'
  | 'countFailures'
  | 'removeFailures'
  | 'makeFailuresDue';

export function sqlFailures(database: Database): Pick<Store, FailureMethods> {
  const { db, among } = database;
  return {
    async putFailures(failures) {
      if (failures.length === 0) return;
      await db.transaction().execute(async (transaction) => {
        for (const round of roundsOfDistinctKeys(failures)) {
          for (let at = 0; at < round.length; at += ROWS_MAX) await put(transaction, round.slice(at, at + ROWS_MAX));
        }
      });
    },
    async mergeIntoFailures(sync, changes) {
      if (changes.length === 0) return;
      await db.transaction().execute(async (transaction) => {
        // Most changes of a batch have no failure: asking first costs one statement instead of one for each change.
        const keys = [...new Set(changes.map((change) => toStored(change.key)))];
        const found = await transaction
          .selectFrom('failures')
          .select('key')
          .where('sync', '=', toStored(sync))
          .where(among('key', keys))
          .execute();
        const failing = new Set(found.map(({ key }) => key));
        for (const change of changes) {
          if (!failing.has(toStored(change.key))) continue;
          await transaction
            .updateTable('failures')
            .set({
              op: change.op,
              row: rowText(change.row),
              stamp_ms: newest(sql`${stampOf(change)}`, sql.ref('stamp_ms')),
              // It has been through the steps: a retry that cannot read its record must not send it through them again.
              place: 'target',
            })
            .where('sync', '=', toStored(sync))
            .where('key', '=', toStored(change.key))
            .where(sql<boolean>`not ${older(sql`${stampOf(change)}`, sql.ref('stamp_ms'))}`)
            .execute();
        }
      });
    },
    async failures({ sync, dueAtMs, ids, keys, afterId, limit }) {
      const all = db.selectFrom('failures').selectAll();
      let query =
        afterId === undefined
          ? all.orderBy('next_attempt_at_ms').orderBy('id')
          : all.where('id', '>', Number(afterId)).orderBy('id');
      if (sync !== undefined) query = query.where('sync', '=', toStored(sync));
      if (dueAtMs !== undefined) query = query.where('next_attempt_at_ms', '<=', dueAtMs);
      if (ids !== undefined) query = query.where(among('id', numbersOf(ids)));
      if (keys !== undefined) query = query.where(among('key', keys.map(toStored)));
      if (limit !== undefined) query = query.limit(limit);
      return (await query.execute()).map(failureOf);
    },
    async failingKeys(sync) {
      const found = await db.selectFrom('failures').select('key').where('sync', '=', toStored(sync)).execute();
      return new Set(found.map(({ key }) => fromStored(key)));
    },
    async countFailures(sync) {
      let query = db.selectFrom('failures').select((eb) => eb.fn.countAll<number>().as('count'));
      if (sync !== undefined) query = query.where('sync', '=', toStored(sync));
      return (await query.executeTakeFirstOrThrow()).count;
    },
    async removeFailures(ids) {
      if (ids.length > 0)
        await db
          .deleteFrom('failures')
          .where(among('id', numbersOf(ids)))
          .execute();
    },
    async makeFailuresDue({ sync, ids }, atMs) {
      let query = db.updateTable('failures').set({ next_attempt_at_ms: atMs });
      if (sync !== undefined) query = query.where('sync', '=', toStored(sync));
      if (ids !== undefined) query = query.where(among('id', numbersOf(ids)));
      return Number((await query.executeTakeFirstOrThrow()).numUpdatedRows);
    },
  };
}

/**
 * The reason, the time and the next attempt are those of the latest try. The change is replaced unless it is older than the one
 * that is kept (P3): a full read may fail on what it read before a delta merged something newer in.
 */
async function put(transaction: Kysely<Tables>, failures: readonly NewFailure[]): Promise<void> {
  const keptIsNewer = older(sql.ref('excluded.stamp_ms'), sql.ref('failures.stamp_ms'));
  const newerOf = <T>(column: 'op' | 'row'): RawBuilder<T> =>
    sql`case when ${keptIsNewer} then ${sql.ref(`failures.${column}`)} else ${sql.ref(`excluded.${column}`)} end`;
  await transaction
    .insertInto('failures')
    .values(failures.map(rowOf))
    .onConflict((conflict) =>
      conflict.columns(['sync', 'key']).doUpdateSet((eb) => ({
        op: newerOf<string>('op'),
        row: newerOf<string | null>('row'),
        stamp_ms: newest(sql.ref('excluded.stamp_ms'), sql.ref('failures.stamp_ms')),
        code: eb.ref('excluded.code'),
        message: eb.ref('excluded.message'),
        place: eb.ref('excluded.place'),
        attempts: eb('failures.attempts', '+', 1),
        last_at_ms: eb.ref('excluded.last_at_ms'),
        next_attempt_at_ms: eb.ref('excluded.next_attempt_at_ms'),
      })),
    )
    .execute();
}

/** A change without a stamp, such as a delete found by a sweep, is as new as its arrival: never older. */
function older(arriving: RawBuilder<unknown>, kept: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`(${arriving} <> ${sql.lit(NO_STAMP)} and ${arriving} < ${kept})`;
}

/** The stamp does not go back with a change that has none, as in a target: what is older than it stays out. */
function newest(arriving: RawBuilder<unknown>, kept: RawBuilder<unknown>): RawBuilder<number> {
  return sql`case when ${arriving} > ${kept} then ${arriving} else ${kept} end`;
}

/**
 * One statement cannot touch a row twice, so a key's second failure waits for the next round. Sorted, so that two processes take
 * their row locks in the same order.
 */
function roundsOfDistinctKeys(failures: readonly NewFailure[]): NewFailure[][] {
  const rounds: NewFailure[][] = [];
  const seen = new Map<string, number>();
  for (const failure of failures) {
    const identity = JSON.stringify([failure.sync, failure.key]);
    const round = seen.get(identity) ?? 0;
    seen.set(identity, round + 1);
    rounds[round] ??= [];
    rounds[round].push(failure);
  }
  for (const round of rounds) round.sort((a, b) => compare(a.sync, b.sync) || compare(a.key, b.key));
  return rounds;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rowOf(failure: NewFailure): Insertable<Tables['failures']> {
  return {
    sync: toStored(failure.sync),
    key: toStored(failure.key),
    op: failure.op,
    row: rowText(failure.row),
    stamp_ms: stampOf(failure),
    code: toStored(failure.code),
    message: toStored(scrub(failure.message)),
    place: toStored(failure.place),
    attempts: 1,
    first_at_ms: failure.lastAtMs,
    last_at_ms: failure.lastAtMs,
    next_attempt_at_ms: failure.nextAttemptAtMs,
  };
}

function failureOf(kept: Selectable<Tables['failures']>): Failure {
  return {
    id: String(kept.id),
    sync: fromStored(kept.sync),
    key: fromStored(kept.key),
    op: kept.op as Failure['op'],
    row: kept.row === null ? null : Object.assign(newRow(), JSON.parse(kept.row) as Row),
    stampMs: kept.stamp_ms,
    code: fromStored(kept.code),
    message: fromStored(kept.message),
    place: fromStored(kept.place),
    attempts: kept.attempts,
    firstAtMs: kept.first_at_ms,
    lastAtMs: kept.last_at_ms,
    nextAttemptAtMs: kept.next_attempt_at_ms,
  };
}

function rowText(row: Row | null): string | null {
  return row === null ? null : JSON.stringify(row);
}

/** A record whose stamp cannot be read is a likely failure, and must not be lost for that. */
function stampOf({ stampMs }: { stampMs: number }): number {
  return Number.isFinite(stampMs) ? Math.trunc(stampMs) : NO_STAMP;
}

/** Ids as a user may type them: what is no id of ours matches nothing. */
function numbersOf(ids: readonly string[]): number[] {
  return ids.filter((id) => /^\d{1,15}$/.test(id)).map(Number);
}
