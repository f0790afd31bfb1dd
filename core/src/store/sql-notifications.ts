import type { ExpressionBuilder, Kysely } from 'kysely';
import type { NewNotification, NotificationStore, TroubleName } from './notification-store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

/** In one turn. A message stays one that somebody reads, whatever has broken down. */
const NOTIFICATIONS_MAX = 100;

export function sqlNotifications({ db, among }: Database): NotificationStore {
  return {
    async troubles() {
      const found = await db.selectFrom('troubles').selectAll().orderBy('since_ms').orderBy('kind').orderBy('subject').execute();
      return found.map(({ kind, subject, since_ms, clear_since_ms }) => ({
        kind,
        subject: fromStored(subject),
        sinceMs: since_ms,
        clearSinceMs: clear_since_ms,
      }));
    },
    async open(trouble, told) {
      return db.transaction().execute(async (transaction) => {
        const opened = await transaction
          .insertInto('troubles')
          .values({ kind: trouble.kind, subject: toStored(trouble.subject), since_ms: trouble.sinceMs, clear_since_ms: null })
          .onConflict((conflict) => conflict.columns(['kind', 'subject']).doNothing())
          .returning('kind')
          .executeTakeFirst();
        if (opened !== undefined) await keep(transaction, told);
        return opened !== undefined;
      });
    },
    async setClear(trouble, clearSinceMs) {
      const update = db.updateTable('troubles').set({ clear_since_ms: clearSinceMs }).where(named(trouble));
      await (clearSinceMs === null ? update : update.where('clear_since_ms', 'is', null)).execute();
    },
    async close(trouble, told) {
      return db.transaction().execute(async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom('troubles')
          .where(named(trouble))
          .where('since_ms', '=', trouble.sinceMs)
          .where('clear_since_ms', trouble.clearSinceMs === null ? 'is' : '=', trouble.clearSinceMs)
          .executeTakeFirst();
        if (numDeletedRows > 0n) await keep(transaction, told);
        return numDeletedRows > 0n;
      });
    },

    async waiting() {
      const found = await db
        .selectFrom('notifications')
        .select(['receiver', db.fn.countAll().as('count')])
        .groupBy('receiver')
        .execute();
      return new Map(found.map(({ receiver, count }) => [fromStored(receiver), Number(count)]));
    },
    async takeTurn(receiver, nowMs, untilMs) {
      const name = toStored(receiver);
      return db.transaction().execute(async (transaction) => {
        const waiting = await transaction
          .selectFrom('notifications')
          .select('id')
          .where('receiver', '=', name)
          .limit(1)
          .execute();
        if (waiting.length === 0) return null;
        await transaction
          .insertInto('notification_turns')
          .values({ receiver: name, next_at_ms: nowMs, attempts: 0 })
          .onConflict((conflict) => conflict.column('receiver').doNothing())
          .execute();
        const turn = await transaction
          .updateTable('notification_turns')
          .set((eb) => ({ next_at_ms: untilMs, attempts: eb('attempts', '+', 1) }))
          .where('receiver', '=', name)
          .where('next_at_ms', '<=', nowMs)
          .returning('attempts')
          .executeTakeFirst();
        if (turn === undefined) return null;
        const oldest = await transaction
          .selectFrom('notifications')
          .select(['id', 'body'])
          .where('receiver', '=', name)
          .orderBy('id')
          .limit(NOTIFICATIONS_MAX)
          .execute();
        if (oldest.length === 0) return null;
        return {
          attempt: turn.attempts,
          notifications: oldest.map(({ id, body }) => ({ id: String(id), body: fromStored(body) })),
        };
      });
    },
    async told(receiver, ids) {
      await db.transaction().execute(async (transaction) => {
        await transaction
          .deleteFrom('notifications')
          .where(among('id', ids.map(Number)))
          .execute();
        await transaction
          .updateTable('notification_turns')
          .set({ next_at_ms: 0, attempts: 0 })
          .where('receiver', '=', toStored(receiver))
          .execute();
      });
    },
    async postpone(receiver, untilMs) {
      await db
        .updateTable('notification_turns')
        .set({ next_at_ms: untilMs })
        .where('receiver', '=', toStored(receiver))
        .execute();
    },
    async giveUp(createdBeforeMs) {
      const gone = await db
        .deleteFrom('notifications')
        .where('created_at_ms', '<', createdBeforeMs)
        .returning('receiver')
        .execute();
      const counts = new Map<string, number>();
      for (const { receiver } of gone) counts.set(fromStored(receiver), (counts.get(fromStored(receiver)) ?? 0) + 1);
      return counts;
    },
  };
}

function named({ kind, subject }: TroubleName) {
  return ({ and, eb }: ExpressionBuilder<Tables, 'troubles'>) =>
    and([eb('kind', '=', kind), eb('subject', '=', toStored(subject))]);
}

async function keep(transaction: Kysely<Tables>, { receivers, body, atMs }: NewNotification): Promise<void> {
  if (receivers.length === 0) return;
  await transaction
    .insertInto('notifications')
    .values(receivers.map((receiver) => ({ receiver: toStored(receiver), body: toStored(body), created_at_ms: atMs })))
    .execute();
}
