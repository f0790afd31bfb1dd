import type { Insertable, Kysely, Selectable } from 'kysely';
import { OwnershipLostError } from '../base/errors.ts';
import type { FieldValue } from '../model/value.ts';
import type { Conflict, Link, LinkOwner, LinkStore, NewConflict } from './links.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

/** Rows in one statement: up to 11 parameters each, and SQLite takes 32,766. */
const ROWS_MAX = 1_000;

export function sqlLinks(database: Database): LinkStore {
  const { db, among, dialect } = database;

  /** Holds the epoch until the transaction ends: nobody takes over between this look and the commit (P11). */
  async function refuseFormerOwner(transaction: Kysely<Tables>, { sync, epoch }: LinkOwner): Promise<void> {
    const own = transaction.selectFrom('checkpoints').select('epoch').where('unit', '=', toStored(sync));
    // SQLite has one writer, and this transaction is it.
    const kept = await (dialect === 'postgres' ? own.forShare() : own).executeTakeFirst();
    if (kept?.epoch === epoch) return;
    throw new OwnershipLostError(`${sync} is owned by another worker: its epoch is no longer ${epoch}`);
  }

  async function linksBy(column: 'left_key' | 'right_key', sync: string, keys: readonly string[]): Promise<readonly Link[]> {
    if (keys.length === 0) return [];
    const found = await db
      .selectFrom('links')
      .selectAll()
      .where('sync', '=', toStored(sync))
      .where(among(column, keys.map(toStored)))
      .execute();
    return found.map(linkOf);
  }

  /** Answers those that were there. */
  async function removeLinksOf(transaction: Kysely<Tables>, sync: string, links: readonly Link[]): Promise<readonly Pair[]> {
    const removed: Pair[] = [];
    for (const [column, keys] of [
      ['left_key', links.map(({ leftKey }) => toStored(leftKey))],
      ['right_key', links.map(({ rightKey }) => toStored(rightKey))],
    ] as const) {
      const own = transaction.deleteFrom('links').where('sync', '=', toStored(sync)).where(among(column, keys));
      removed.push(...(await own.returning(['left_key', 'right_key']).execute()));
    }
    return removed;
  }

  async function settleParted(transaction: Kysely<Tables>, sync: string, pairs: readonly Pair[]): Promise<void> {
    for (const { left_key, right_key } of pairs) {
      await transaction
        .updateTable('conflicts')
        .set({ state: 'settled', why: 'one of the two records belongs to another one by now' })
        .where('sync', '=', toStored(sync))
        .where('left_key', '=', left_key)
        .where('right_key', '=', right_key)
        .where('state', '=', 'open')
        .execute();
    }
  }

  async function settleWriting(transaction: Kysely<Tables>, ids: readonly number[], note?: string): Promise<void> {
    const written = await transaction
      .selectFrom('conflicts')
      .selectAll()
      .where(among('id', ids))
      .where('state', '=', 'writing')
      .execute();
    for (const { id, ...row } of written) {
      const settled = { ...row, state: 'settled', why: note === undefined ? row.why : `${row.why} (${toStored(note)})` };
      // Whoever has been shown the open one finds under its id what has become of it.
      const open = await sameConflict(transaction, { ...row, state: 'open' });
      if (open !== undefined) await transaction.deleteFrom('conflicts').where('id', '=', id).execute();
      await transaction
        .updateTable('conflicts')
        .set(settled)
        .where('id', '=', open?.id ?? id)
        .execute();
    }
  }

  return {
    linksByLeft: (sync, keys) => linksBy('left_key', sync, keys),
    linksByRight: (sync, keys) => linksBy('right_key', sync, keys),
    async putLinks(owner, links) {
      if (links.length === 0) return refuseFormerOwner(db, owner);
      const { sync } = owner;
      await db.transaction().execute(async (transaction) => {
        await refuseFormerOwner(transaction, owner);
        // Whoever had one of these records as its partner loses it.
        const former = await removeLinksOf(transaction, sync, links);
        const rows = lastOfEach(links).map((link) => rowOfLink(sync, link));
        const kept = new Set(rows.map(pairText));
        await settleParted(
          transaction,
          sync,
          former.filter((pair) => !kept.has(pairText(pair))),
        );
        for (let at = 0; at < rows.length; at += ROWS_MAX) {
          await transaction
            .insertInto('links')
            .values(rows.slice(at, at + ROWS_MAX))
            .execute();
        }
      });
    },
    async linksAfter(sync, leftKey, limit) {
      const found = await db
        .selectFrom('links')
        .selectAll()
        .where('sync', '=', toStored(sync))
        .where('left_key', '>', toStored(leftKey))
        .orderBy('left_key')
        .limit(limit)
        .execute();
      return found.map(linkOf);
    },
    async countLinks(sync) {
      const counted = await db
        .selectFrom('links')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('sync', '=', toStored(sync))
        .where('gone', 'is', null)
        .executeTakeFirstOrThrow();
      return Number(counted.count);
    },
    async removeGoneLinks(sync, beforeMs) {
      const removed = await db
        .deleteFrom('links')
        .where('sync', '=', toStored(sync))
        .where('gone', '=', 'both')
        .where('changed_at_ms', '<', beforeMs)
        .executeTakeFirstOrThrow();
      return Number(removed.numDeletedRows);
    },
    async putConflicts(owner, conflicts) {
      if (conflicts.length === 0) {
        await refuseFormerOwner(db, owner);
        return [];
      }
      return db.transaction().execute(async (transaction) => {
        await refuseFormerOwner(transaction, owner);
        const ids: string[] = [];
        for (const conflict of conflicts) {
          const row = rowOfConflict(conflict);
          const known = row.state === 'writing' ? undefined : await sameConflict(transaction, row);
          if (known !== undefined) await transaction.updateTable('conflicts').set(row).where('id', '=', known.id).execute();
          const { id } =
            known ?? (await transaction.insertInto('conflicts').values(row).returning('id').executeTakeFirstOrThrow());
          ids.push(String(id));
        }
        return ids;
      });
    },
    async conflicts({ sync, state, ids, keys, before, limit }) {
      let query = db.selectFrom('conflicts').selectAll().orderBy('id', 'desc');
      if (sync !== undefined) query = query.where('sync', '=', toStored(sync));
      if (state !== undefined) query = query.where('state', 'in', [state].flat());
      if (ids !== undefined) query = query.where(among('id', ids.map(Number).filter(Number.isSafeInteger)));
      if (before !== undefined) query = query.where('id', '<', Number(before));
      if (keys !== undefined) {
        query = query.where(
          among(
            'left_key',
            keys.map(({ leftKey }) => toStored(leftKey)),
          ),
        );
      }
      if (limit !== undefined) query = query.limit(limit);
      const found = (await query.execute()).map(conflictOf);
      if (keys === undefined) return found;
      const pairs = new Set(keys.map(({ leftKey, rightKey }) => JSON.stringify([leftKey, rightKey])));
      return found.filter(({ leftKey, rightKey }) => pairs.has(JSON.stringify([leftKey, rightKey])));
    },
    async settleConflicts(ids, { why, value }) {
      if (ids.length === 0) return;
      await db
        .updateTable('conflicts')
        .set({ state: 'settled', why: toStored(why), outcome: toStored(JSON.stringify(value)) })
        .where(among('id', ids.map(Number)))
        .execute();
    },
    async confirmConflicts(written) {
      if (written.length === 0) return;
      const ids = written.map(({ id }) => Number(id));
      await db.transaction().execute(async (transaction) => {
        await settleWriting(transaction, ids);
        const there = await transaction.selectFrom('conflicts').select('id').where(among('id', ids)).execute();
        const known = new Set(there.map(({ id }) => String(id)));
        for (const conflict of written) if (!known.has(conflict.id)) await putBack(transaction, conflict);
      });
    },
    async presumeConflicts(ids, note) {
      if (ids.length === 0) return;
      await db.transaction().execute((transaction) => settleWriting(transaction, ids.map(Number), note));
    },
    async dropConflicts(ids) {
      if (ids.length === 0) return;
      await db
        .deleteFrom('conflicts')
        .where(among('id', ids.map(Number)))
        .where('state', '=', 'writing')
        .execute();
    },
    async removeLinks(sync) {
      await db.transaction().execute(async (transaction) => {
        await transaction.deleteFrom('links').where('sync', '=', toStored(sync)).execute();
        await transaction.deleteFrom('conflicts').where('sync', '=', toStored(sync)).where('state', '=', 'open').execute();
        // Whether it was made nobody will find out any more; better told than lost.
        await transaction
          .updateTable('conflicts')
          .set({ state: 'settled' })
          .where('sync', '=', toStored(sync))
          .where('state', '=', 'writing')
          .execute();
      });
    },
  };
}

/** Tells of an overwrite that is not on record any more. What is open about other values came up since, and stays. */
async function putBack(transaction: Kysely<Tables>, { id: _, ...conflict }: Conflict): Promise<void> {
  const row = rowOfConflict({ ...conflict, state: 'settled' });
  if ((await sameConflict(transaction, row)) !== undefined) return;
  const open = await conflictsAbout(transaction, { ...row, state: 'open' })
    .where('left_value', '=', row.left_value)
    .where('right_value', '=', row.right_value)
    .executeTakeFirst();
  if (open === undefined) await transaction.insertInto('conflicts').values(row).execute();
  else await transaction.updateTable('conflicts').set(row).where('id', '=', open.id).execute();
}

/** The open one of the field, which takes the new values; a settled one that says the same, which was told before a crash. */
function sameConflict(
  transaction: Kysely<Tables>,
  row: Insertable<Tables['conflicts']>,
): Promise<{ readonly id: number } | undefined> {
  const same = conflictsAbout(transaction, row);
  if (row.state === 'open') return same.executeTakeFirst();
  return same
    .where('base_value', '=', row.base_value)
    .where('left_value', '=', row.left_value)
    .where('right_value', '=', row.right_value)
    .where('at_ms', '=', row.at_ms)
    .executeTakeFirst();
}

/** The latest one in this state about this field of this pair. */
function conflictsAbout(transaction: Kysely<Tables>, row: Insertable<Tables['conflicts']>) {
  return transaction
    .selectFrom('conflicts')
    .select('id')
    .where('sync', '=', row.sync)
    .where('left_key', '=', row.left_key)
    .where('right_key', '=', row.right_key)
    .where('field', row.field == null ? 'is' : '=', row.field ?? null)
    .where('state', '=', row.state)
    .orderBy('id', 'desc')
    .limit(1);
}

type Pair = Pick<Selectable<Tables['links']>, 'left_key' | 'right_key'>;
const pairText = ({ left_key, right_key }: Pair) => JSON.stringify([left_key, right_key]);

/** A record may lose one partner and get another at once. */
function lastOfEach(links: readonly Link[]): readonly Link[] {
  const last = {
    left: new Map(links.map((link) => [link.leftKey, link])),
    right: new Map(links.map((link) => [link.rightKey, link])),
  };
  return links.filter((link) => last.left.get(link.leftKey) === link && last.right.get(link.rightKey) === link);
}

function rowOfLink(sync: string, { leftKey, rightKey, base, gone, changedAtMs }: Link): Insertable<Tables['links']> {
  return {
    sync: toStored(sync),
    left_key: toStored(leftKey),
    right_key: toStored(rightKey),
    base: toStored(base),
    gone,
    changed_at_ms: changedAtMs,
  };
}

function linkOf(row: Selectable<Tables['links']>): Link {
  return {
    leftKey: fromStored(row.left_key),
    rightKey: fromStored(row.right_key),
    base: fromStored(row.base),
    gone: row.gone as Link['gone'],
    changedAtMs: row.changed_at_ms,
  };
}

function rowOfConflict(conflict: NewConflict): Insertable<Tables['conflicts']> {
  const json = (value: FieldValue) => toStored(JSON.stringify(value));
  return {
    sync: toStored(conflict.sync),
    left_key: toStored(conflict.leftKey),
    right_key: toStored(conflict.rightKey),
    field: conflict.field === null ? null : toStored(conflict.field),
    base_value: json(conflict.base),
    left_value: json(conflict.left),
    right_value: json(conflict.right),
    state: conflict.state,
    outcome: json(conflict.outcome),
    why: toStored(conflict.why),
    at_ms: conflict.atMs,
  };
}

function conflictOf(row: Selectable<Tables['conflicts']>): Conflict {
  const value = (text: string) => JSON.parse(fromStored(text)) as FieldValue;
  return {
    id: String(row.id),
    sync: fromStored(row.sync),
    leftKey: fromStored(row.left_key),
    rightKey: fromStored(row.right_key),
    field: row.field === null ? null : fromStored(row.field),
    base: value(row.base_value),
    left: value(row.left_value),
    right: value(row.right_value),
    state: row.state as Conflict['state'],
    outcome: value(row.outcome),
    why: fromStored(row.why),
    atMs: row.at_ms,
  };
}
