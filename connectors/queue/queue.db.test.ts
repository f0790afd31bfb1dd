import { type DatasetSchema, newRow, type Row } from '@tidemark/core';
import pg from 'pg';
import { expect, test } from 'vitest';
import { describeDelivery } from './delivery-fixture.ts';
import { openSource, openTarget, postgresPlace, readAll } from './fixture.ts';

// PostgreSQL lets many write at once, so that numbers could become visible in another order than they were given out: a reader would
// have passed what comes late.                                                                                          (P1)

describeDelivery('PostgreSQL', postgresPlace, 5);

const schema: DatasetSchema = { name: 'Contact', key: ['Id'], fields: [{ name: 'Id', type: 'text', nullable: false }] };
const never = new AbortController().signal;
const upsert = (key: string) => ({
  op: 'upsert' as const,
  key,
  row: Object.assign<Row, Row>(newRow(), { Id: key }),
  stampMs: 0,
});

test('nothing becomes visible before what was begun earlier, however long that takes to commit', async () => {
  await using place = await postgresPlace();
  const slow = await openTarget(place.connect(), schema, { unit: 'slow' });
  const quick = await openTarget(place.connect(), schema, { unit: 'quick' });
  await slow.prepare();
  const epochs = [await slow.checkpoints!.acquire('slow'), await quick.checkpoints!.acquire('quick')];
  const source = await openSource(place.connect());
  const mark = (await source.mark(never))!;
  const url = place.url!;
  const held = new pg.Client({ connectionString: url });
  await held.connect();
  try {
    // Somebody is in the middle of an append: the counter is raised and not committed.
    await held.query('BEGIN');
    await held.query(`UPDATE _tidemark_queue_queues SET last_seq = last_seq + 1 WHERE name = 'contacts'`);
    let done = false;
    const writing = quick.write([upsert('b')], { epoch: epochs[1]!.epoch, settle: async () => null }, never).then(() => {
      done = true;
    });
    expect((await readAll(source, mark)).changes).toEqual([]);
    expect(done).toBe(false);
    await held.query(
      `INSERT INTO _tidemark_queue_messages (queue, seq, slot, op, record_key, record_json, stamp_ms, at_ms)
       VALUES ('contacts', 1, 0, 'upsert', '"a"', '{"Id":"a"}', 0, 0)`,
    );
    await held.query('COMMIT');
    await writing;
  } finally {
    await held.end();
  }
  expect((await readAll(source, mark)).changes.map(({ key }) => key)).toEqual(['a', 'b']);
});
