import { type Insertable, type Selectable, sql } from 'kysely';
import type { JournalEvent, JournalHead, JournalStore, KeptEvent } from './journal-store.ts';
import { fromStored, toStored } from './stored-text.ts';
import type { Database, Tables } from './tables.ts';

type EventRow = Insertable<Tables['events']>;

const COLUMNS = [
  'stream',
  'replay_id',
  'id',
  'schema_id',
  'dataset',
  'transaction_key',
  'committed_at_ms',
  'received_at_ms',
  'format',
  'payload',
] as const;

export function sqlJournal(database: Database): JournalStore {
  const { db } = database;
  return {
    async append(stream, events) {
      if (events.length === 0) return;
      const rows = events.map((event) => rowOf(stream, event));
      await (database.runEach === undefined ? appendToPostgres(database, rows) : appendToSqlite(database, rows));
    },
    async putSchema(stream, id, schema) {
      await db
        .insertInto('event_schemas')
        .values({ stream: toStored(stream), id: toStored(id), schema: toStored(schema) })
        .onConflict((conflict) => conflict.columns(['stream', 'id']).doUpdateSet((eb) => ({ schema: eb.ref('excluded.schema') })))
        .execute();
    },
    async schemas(stream) {
      const found = await db
        .selectFrom('event_schemas')
        .select(['id', 'schema'])
        .where('stream', '=', toStored(stream))
        .orderBy('id')
        .execute();
      return new Map(found.map(({ id, schema }) => [fromStored(id), fromStored(schema)]));
    },
    async read({ stream, dataset, afterSeq, limit }) {
      const of = (name: string) =>
        db
          .selectFrom('events')
          .selectAll()
          .where('stream', '=', toStored(stream))
          .where('dataset', '=', name)
          .where('seq', '>', afterSeq)
          .orderBy('seq')
          .limit(limit)
          .execute();
      // Two ordered stretches of one index: asked for together they would be sorted whole for every page.
      const told = await of(toStored(dataset));
      const untold = dataset === '' ? [] : await of('');
      const found = untold.length === 0 ? told : [...told, ...untold].sort((a, b) => a.seq - b.seq).slice(0, limit);
      return found.map(eventOf);
    },
    async find(stream, replayId) {
      const found = await db
        .selectFrom('events')
        .select('seq')
        .where('stream', '=', toStored(stream))
        .where('replay_id', '=', toStored(replayId))
        .orderBy('seq')
        .limit(1)
        .executeTakeFirst();
      return found?.seq ?? null;
    },
    async lastSeq() {
      const found = await db
        .selectFrom('events')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .executeTakeFirst();
      return Number(found?.seq ?? 0);
    },
    async heads() {
      return (await db.selectFrom('journals').selectAll().orderBy('stream').orderBy('dataset').execute()).map(headOf);
    },
    async putHead({ stream, dataset, stretch, sinceSeq, retentionMs }) {
      await db
        .insertInto('journals')
        .values({
          stream: toStored(stream),
          dataset: toStored(dataset),
          stretch: toStored(stretch),
          since_seq: sinceSeq,
          retention_ms: retentionMs,
        })
        .onConflict((conflict) =>
          conflict.columns(['stream', 'dataset']).doUpdateSet((eb) => ({
            stretch: eb.ref('excluded.stretch'),
            since_seq: eb.ref('excluded.since_seq'),
            retention_ms: eb.ref('excluded.retention_ms'),
          })),
        )
        .execute();
    },
    async stats() {
      const found = await db
        .selectFrom('journals')
        .leftJoin('events', (join) =>
          join.onRef('events.stream', '=', 'journals.stream').onRef('events.dataset', '=', 'journals.dataset'),
        )
        .selectAll('journals')
        .select((eb) => [
          eb.fn.count<number>('events.seq').as('events'),
          sql<number>`coalesce(sum(length(events.payload)), 0)`.as('bytes'),
          eb.fn.min('events.committed_at_ms').as('first'),
          eb.fn.max('events.committed_at_ms').as('last'),
        ])
        .groupBy(['journals.stream', 'journals.dataset', 'journals.stretch', 'journals.since_seq', 'journals.retention_ms'])
        .orderBy('journals.stream')
        .orderBy('journals.dataset')
        .execute();
      return found.map((row) => ({
        ...headOf(row),
        events: Number(row.events),
        bytes: Number(row.bytes),
        firstAtMs: row.first === null ? null : Number(row.first),
        lastAtMs: row.last === null ? null : Number(row.last),
      }));
    },
    async trim({ stream, dataset, receivedBeforeMs, limit }) {
      const oldest = db
        .selectFrom('events')
        .select('seq')
        .where('stream', '=', toStored(stream))
        .where('dataset', '=', toStored(dataset))
        .orderBy('seq')
        .limit(limit);
      const { numDeletedRows } = await db
        .deleteFrom('events')
        .where('seq', 'in', oldest)
        .where('received_at_ms', '<', receivedBeforeMs)
        .executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    },
  };
}

/** One statement for all of them; the order in which they are handed over is the order of their numbers. */
async function appendToPostgres({ db }: Database, rows: readonly EventRow[]): Promise<void> {
  const column = (name: keyof EventRow) => rows.map((row) => row[name]);
  await db
    .insertInto('events')
    .columns(COLUMNS)
    .expression(
      sql<never>`select stream, replay_id, id, schema_id, dataset, transaction_key, committed_at_ms, received_at_ms, format, payload
        from unnest(${column('stream')}::text[], ${column('replay_id')}::text[], ${column('id')}::text[],
          ${column('schema_id')}::text[], ${column('dataset')}::text[], ${column('transaction_key')}::text[],
          ${column('committed_at_ms')}::bigint[], ${column('received_at_ms')}::bigint[], ${column('format')}::text[],
          ${column('payload')}::bytea[]) with ordinality
          as u (stream, replay_id, id, schema_id, dataset, transaction_key, committed_at_ms, received_at_ms, format, payload, n)
        order by n` as never,
    )
    .onConflict((conflict) => conflict.columns(['stream', 'replay_id', 'id']).doNothing())
    .execute();
}

/** A statement for each, prepared once, in one transaction: SQLite gains nothing from longer ones. */
async function appendToSqlite({ db, runEach }: Database, rows: readonly EventRow[]): Promise<void> {
  const insert = db
    .insertInto('events')
    .values(rows[0]!)
    .onConflict((conflict) => conflict.columns(['stream', 'replay_id', 'id']).doNothing())
    .compile();
  const values = rows.map((row) => COLUMNS.map((name) => row[name]));
  await db.transaction().execute(async () => runEach!(insert.sql, values));
}

/** In the order of `COLUMNS`, which is that of the statement's parameters. */
function rowOf(stream: string, event: JournalEvent): EventRow {
  return {
    stream: toStored(stream),
    replay_id: toStored(event.replayId),
    id: toStored(event.id),
    schema_id: toStored(event.schemaId),
    dataset: toStored(event.dataset),
    transaction_key: toStored(event.transaction),
    committed_at_ms: timeOf(event.committedAtMs),
    received_at_ms: timeOf(event.receivedAtMs),
    format: event.format,
    payload: Buffer.from(event.payload.buffer, event.payload.byteOffset, event.payload.byteLength),
  };
}

/** What an event claims may be nonsense, and it is kept all the same. */
function timeOf(ms: number): number {
  return Number.isSafeInteger(ms) ? ms : Number.isFinite(ms) && Math.abs(ms) < Number.MAX_SAFE_INTEGER ? Math.trunc(ms) : 0;
}

function eventOf(kept: Selectable<Tables['events']>): KeptEvent {
  return {
    seq: kept.seq,
    replayId: fromStored(kept.replay_id),
    id: fromStored(kept.id),
    schemaId: fromStored(kept.schema_id),
    dataset: fromStored(kept.dataset),
    transaction: fromStored(kept.transaction_key),
    committedAtMs: kept.committed_at_ms,
    receivedAtMs: kept.received_at_ms,
    format: kept.format,
    payload: kept.payload,
  };
}

function headOf(kept: Selectable<Tables['journals']>): JournalHead {
  return {
    stream: fromStored(kept.stream),
    dataset: fromStored(kept.dataset),
    stretch: fromStored(kept.stretch),
    sinceSeq: kept.since_seq,
    retentionMs: kept.retention_ms,
  };
}
