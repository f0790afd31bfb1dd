import pg from 'pg';
import { epochMs, visible } from './live-copy.ts';
import { changeAt, titleOf } from './live-events.ts';
import type { OrgQuestion, Produced } from './live-org-process.ts';
import type { LiveOutput, LiveQuestion } from './live-process.ts';
import type { Paced, PacedBusReady, PaceQuestion } from './paced-bus-process.ts';
import type { SpokenChild } from './spoken-child.ts';

/** One change a transaction, written to the org itself; each row that comes is told by a trigger. */
export async function steadyLags(
  child: SpokenChild,
  url: string,
  database: pg.Client,
  produce: (question: OrgQuestion) => Promise<Produced>,
  steady: { readonly perSecond: number; readonly seconds: number },
): Promise<{ ms: number[]; ids: readonly string[] }> {
  await using tidemark = child;
  await tidemark.next();
  await database.query(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('changed', NEW.title); RETURN NULL; END $$`);
  await database.query('CREATE TRIGGER tell AFTER UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION tell()');
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  const seenAtMs = new Map<string, number>();
  listener.on('notification', ({ payload }) => void seenAtMs.set(payload!, epochMs()));
  await listener.query('LISTEN changed');
  const { first, ids, committedAtMs } = await produce({ kind: 'steady', ...steady });
  const last = first + committedAtMs.length - 1;
  await visible(database, changeAt(last, ids).id, last);
  await listener.query('SELECT 1');
  await listener.end();
  await database.query('DROP TRIGGER tell ON contact');
  await tidemark.ask({ kind: 'stop' } satisfies LiveQuestion);
  const ms = committedAtMs.map((at, i) => (seenAtMs.get(titleOf(first + i)) ?? Number.NaN) - at);
  if (ms.some(Number.isNaN)) throw new Error('changes were joined or lost: the lag cannot be told');
  return { ms, ids };
}

/**
 * A backlog once more, published at a steady pace by a bus that costs little. The position is kept with the data: when it can be read,
 * so can everything before it.
 */
export async function pacedLags(
  child: SpokenChild,
  bus: SpokenChild,
  { replayIds }: PacedBusReady,
  url: string,
  pace: PaceQuestion,
): Promise<{ ms: number[]; batch: number }> {
  await using tidemark = child;
  await tidemark.next();
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  await listener.query(`CREATE FUNCTION tell_position() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_notify('kept', NEW.checkpoint::json->>'position'); RETURN NULL; END $$`);
  await listener.query('CREATE TRIGGER tell AFTER UPDATE ON _tidemark_checkpoints FOR EACH ROW EXECUTE FUNCTION tell_position()');
  const places = new Map(replayIds.map((id, i) => [`pubsub:${id}`, i]));
  const last = `pubsub:${replayIds.at(-1)}`;
  const kept: { readonly place: number; readonly atMs: number }[] = [];
  const all = new Promise<void>((resolve) => {
    listener.on('notification', ({ payload }) => {
      kept.push({ place: places.get(payload!) ?? -1, atMs: epochMs() });
      if (payload === last) resolve();
    });
  });
  await listener.query('LISTEN kept');
  const { dueAtMs } = await bus.ask<Paced>(pace);
  await all;
  await listener.query('DROP TRIGGER tell ON _tidemark_checkpoints');
  await listener.end();
  const { events, transactions } = await tidemark.ask<LiveOutput>({ kind: 'stop' } satisfies LiveQuestion);
  let next = 0;
  const ms = dueAtMs.map((dueMs, transaction) => {
    const end = (transaction + 1) * pace.perTransaction - 1;
    while (kept[next]!.place < end) next++;
    return kept[next]!.atMs - dueMs;
  });
  return { ms, batch: events / transactions };
}
