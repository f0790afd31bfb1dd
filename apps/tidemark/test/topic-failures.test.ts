import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evidence } from '@tidemark/emulator';
import { createTestDatabase } from '@tidemark/testkit';
import { expect, test, vi } from 'vitest';
import { TopicWorld } from './topic-world.ts';

// An event that cannot go on is kept whole, with its reason, until it passes: nobody could read it again (P2). What is delivered twice
// is one event.

const signal = new AbortController().signal;
const soon = <T>(look: () => T) => vi.waitFor(look, { timeout: 90_000, interval: 20 });
const ids = (world: TopicWorld) => world.rows('OrderId__c').map((row) => row.OrderId__c);
const guide = (section: string) => evidence('documented', `Platform Events Developer Guide, ${section}`);

test('steps work on whole events: a filter, a mapping, a function of the user', async () => {
  await using world = await TopicWorld.open();
  writeFileSync(
    join(world.folder, 'score.ts'),
    'export const fields = { score: "integer" };\nexport default (rows) => rows.map((row) => ({ ...row, score: row.Status__c.length }));\n',
  );
  const life = await world.start({
    steps: [{ filter: "Status__c != 'drop'" }, { run: './score.ts' }],
    fields: { uuid: 'EventUuid', order: 'OrderId__c', shout: '= $uppercase(Status__c)', score: 'score' },
  });
  await world.live(life);
  const [uuid] = world.publish({ OrderId__c: 'O1', Status__c: 'new' });
  world.publish({ OrderId__c: 'O2', Status__c: 'drop' }, { OrderId__c: 'O3', Status__c: 'packed' });
  await soon(() => expect(world.rows('uuid')).toHaveLength(2));
  expect(world.rows('uuid, "order", shout, score')).toMatchObject([
    { uuid, order: 'O1', shout: 'NEW', score: 3 },
    { order: 'O3', shout: 'PACKED', score: 6 },
  ]);
  await life.stop();
});

test('an event that a step cannot take is kept whole, the others go on, and its retry is from what was kept', async () => {
  await using world = await TopicWorld.open();
  const step = join(world.folder, 'step.ts');
  writeFileSync(
    step,
    'export default (rows, { now }) => rows.map((row) => { if (row.Status__c === "bad" && globalThis.refuses) throw new Error("no such status"); return row; });\n',
  );
  const refusing = globalThis as { refuses?: boolean };
  refusing.refuses = true;
  const life = await world.start({ steps: [{ run: './step.ts' }] });
  await world.live(life);
  const [, uuid] = world.publish(
    { OrderId__c: 'O1', Status__c: 'good' },
    { OrderId__c: 'O2', Status__c: 'bad', Amount__c: 7 },
    { OrderId__c: 'O3', Status__c: 'good' },
  );
  await soon(() => expect(ids(world)).toEqual(['O1', 'O3']));
  const { engine } = life;
  const [failure, ...others] = await engine.failures({});
  expect(others).toEqual([]);
  expect(failure).toMatchObject({
    key: uuid,
    message: 'no such status',
    place: 'steps[0] run',
    row: { EventUuid: uuid, OrderId__c: 'O2', Status__c: 'bad', Amount__c: 7 },
  });
  // Long after the org has forgotten it.
  world.emulator.org.clock.advance(80 * 3_600_000);
  expect(await engine.retry('orders', { signal })).toMatchObject({ openFailures: 1 });
  refusing.refuses = false;
  world.emulator.org.clock.advance(3_600_000);
  expect(await engine.retry('orders', { signal })).toMatchObject({ openFailures: 0, counts: { created: 1 } });
  expect(world.rows('OrderId__c, Amount__c')).toContainEqual({ OrderId__c: 'O2', Amount__c: 7 });
  await life.stop();
});

test('an event that the target refuses is kept as it was to be written, and written once the target takes it', async () => {
  await using world = await TopicWorld.open();
  const life = await world.start({ fields: { uuid: 'EventUuid', OrderId__c: 'OrderId__c', amount: 'Amount__c' } });
  await world.live(life);
  await soon(() => world.rows('uuid'));
  await world.sql(`CREATE TRIGGER refuse BEFORE INSERT ON orders WHEN NEW.amount < 0 BEGIN SELECT RAISE(ABORT, 'negative'); END`);
  world.publish({ OrderId__c: 'O1', Amount__c: 1 }, { OrderId__c: 'O2', Amount__c: -1 }, { OrderId__c: 'O3', Amount__c: 3 });
  await soon(() => expect(ids(world)).toEqual(['O1', 'O3']));
  expect(await life.engine.failures({})).toMatchObject([{ place: 'target', row: { OrderId__c: 'O2', amount: -1 } }]);
  await world.sql('DROP TRIGGER refuse');
  world.emulator.org.clock.advance(3_600_000);
  expect(await life.engine.retry('orders', { signal })).toMatchObject({ openFailures: 0 });
  expect(ids(world)).toContain('O2');
  await life.stop();
});

test(`bytes that are no event hold nobody up, and are kept as they came ${evidence('documented', 'Pub/Sub API guide, Publish RPC Method: content is not validated')}`, async () => {
  await using world = await TopicWorld.open();
  const life = await world.start();
  await world.live(life);
  const { events, org } = world.emulator;
  const topic = '/event/Order_Update__e';
  const schemaId = events.channel(topic)!.schema().id;
  world.publish({ OrderId__c: 'O1' });
  events.publish(topic, [{ schemaId, payload: Buffer.from([1, 2, 3]), id: 'broken' }], org.adminUserId);
  world.publish({ OrderId__c: 'O2' });
  await soon(() => expect(ids(world)).toEqual(['O1', 'O2']));
  const expected = [{ key: 'broken', code: 'event_unreadable', place: 'event', row: { SchemaId: schemaId, Payload: 'AQID' } }];
  expect(await life.engine.failures({})).toMatchObject(expected);
  world.emulator.org.clock.advance(3_600_000);
  await life.engine.retry('orders', { signal });
  expect(await life.engine.failures({})).toMatchObject(expected);
  expect(ids(world)).toEqual(['O1', 'O2']);
  await life.stop();
});

test.each(['pubsub', 'cometd'])(
  `an event delivered twice under two replay ids is one line, by %s ${guide('EventUuid')}`,
  async (stream) => {
    await using world = await TopicWorld.open();
    world.emulator.faults.add({ kind: 'duplicate-event', match: { method: 'PUBLISH' } });
    const syncs = { to: { connection: 'files', file: 'out.jsonl' } };
    const life = await world.start(syncs, stream);
    await world.live(life);
    for (let n = 1; n <= 5; n++) world.publish({ OrderId__c: `O${n}` });
    await soon(() => expect(world.lines('out.jsonl')).toHaveLength(5));
    world.publish({ OrderId__c: 'last' });
    await soon(() => expect(world.lines('out.jsonl').at(-1)!.row.OrderId__c).toBe('last'));
    expect(world.lines('out.jsonl').map(({ row }) => row.OrderId__c)).toEqual(['O1', 'O2', 'O3', 'O4', 'O5', 'last']);
    await life.stop();
  },
);

test('into a file, stopped and started again, each event is a line once (P1)', async () => {
  await using world = await TopicWorld.open();
  let n = 0;
  for (let round = 0; round < 4; round++) {
    const life = await world.start({ to: { connection: 'files', file: 'out.jsonl' } });
    if (round === 0) await world.live(life);
    for (let i = 0; i < 30; i++) world.publish({ OrderId__c: `O${n++}` });
    await new Promise((resolve) => setTimeout(resolve, 30 * round));
    await (round % 2 === 0 ? life.stop() : life.kill());
  }
  const last = await world.start({ to: { connection: 'files', file: 'out.jsonl' } });
  await soon(() => expect(world.lines('out.jsonl').length).toBeGreaterThanOrEqual(n));
  const found = world.lines('out.jsonl').map(({ row }) => row.OrderId__c);
  expect([...new Set(found)]).toEqual(Array.from({ length: n }, (_, i) => `O${i}`));
  await last.stop();
});

test('to.key makes a row for what events are about: the latest of them, also behind a refused one (P2)', async () => {
  await using world = await TopicWorld.open();
  const life = await world.start({
    to: { connection: 'db', table: 'orders', key: 'id' },
    fields: { id: 'OrderId__c', status: 'Status__c' },
  });
  await world.live(life);
  await soon(() => world.rows('id'));
  world.publish({ OrderId__c: 'A', Status__c: '1' }, { OrderId__c: 'B', Status__c: '1' }, { OrderId__c: 'A', Status__c: '2' });
  await soon(() =>
    expect(world.rows('id, status')).toEqual([
      { id: 'A', status: '2' },
      { id: 'B', status: '1' },
    ]),
  );
  await world.sql(`CREATE TRIGGER refuse BEFORE UPDATE ON orders WHEN NEW.status = '3' BEGIN SELECT RAISE(ABORT, 'three'); END`);
  world.publish({ OrderId__c: 'A', Status__c: '3' }, { OrderId__c: 'B', Status__c: '4' });
  await soon(() => expect(world.rows('id, status')).toContainEqual({ id: 'B', status: '4' }));
  world.publish({ OrderId__c: 'A', Status__c: '5' }, { OrderId__c: 'B', Status__c: '6' });
  await soon(() => expect(world.rows('id, status')).toContainEqual({ id: 'B', status: '6' }));
  // Behind the refused one: not before it, and not lost.
  expect(world.rows('id, status')).toContainEqual({ id: 'A', status: '2' });
  expect(await life.engine.failures({})).toMatchObject([{ key: 'A', row: { id: 'A', status: '5' } }]);
  world.emulator.org.clock.advance(3_600_000);
  await life.engine.retry('orders', { signal });
  expect(world.rows('id, status')).toContainEqual({ id: 'A', status: '5' });
  await life.stop();
});

test('into Postgres, with its position in the same transaction (P1)', async () => {
  await using world = await TopicWorld.open();
  const database = await createTestDatabase();
  try {
    const more = { pg: { type: 'postgres', url: database.url } };
    const sync = { to: { connection: 'pg', table: 'orders' } };
    for (let round = 0; round < 3; round++) {
      const life = await world.start(sync, 'pubsub', more);
      if (round === 0) await world.live(life);
      world.publish({ OrderId__c: `O${round}`, Amount__c: round + 0.5, At__c: '2026-03-04T05:06:07.000Z' });
      await life.kill();
    }
    const life = await world.start(sync, 'pubsub', more);
    const { Client } = await import('pg');
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const rows = async () =>
      (await client.query('SELECT orderid__c AS id, amount__c::text AS amount FROM orders ORDER BY 1')).rows;
    await vi.waitFor(async () => expect(await rows()).toHaveLength(3), { timeout: 90_000 });
    expect(await rows()).toEqual([0, 1, 2].map((n) => ({ id: `O${n}`, amount: `${n}.50` })));
    await client.end();
    await life.stop();
  } finally {
    await database.drop();
  }
});

test('paused, its events wait in the org; reset, it begins anew', async () => {
  await using world = await TopicWorld.open();
  const life = await world.start();
  await world.live(life);
  await life.engine.setPaused('orders', true);
  await soon(() => expect(life.engine.liveStatus()[0]!.state).not.toBe('live'));
  world.publish({ OrderId__c: 'O1' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(ids(world)).toEqual([]);
  await life.engine.setPaused('orders', false);
  await soon(() => expect(ids(world)).toEqual(['O1']));
  await life.stop();
  world.publish({ OrderId__c: 'O2' });
  await using engine = await world.engine();
  await engine.reset('orders', signal);
  const next = await world.start();
  await world.live(next);
  world.publish({ OrderId__c: 'O3' });
  await soon(() => expect(ids(world)).toEqual(['O1', 'O3']));
  await next.stop();
});

test('what would read it is refused, with what to do instead (004-8)', async () => {
  await using world = await TopicWorld.open();
  await using engine = await world.engine();
  const refused = {
    message: expect.stringMatching(/only takes what is published/),
    hint: expect.stringMatching(/tidemark start/),
  };
  await expect(engine.run('orders', { signal })).rejects.toMatchObject(refused);
  await expect(engine.run('orders', { signal, full: true })).rejects.toMatchObject(refused);
  await expect(engine.dryRun('orders', { signal })).rejects.toMatchObject(refused);
  await expect(engine.verify('orders', { signal, repair: false })).rejects.toMatchObject(refused);
  await expect(engine.refetch('orders', ['x'], { signal })).rejects.toMatchObject(refused);
  expect(await engine.plan('orders', signal)).toMatchObject([{ kind: 'live', rows: null, apiCalls: null }]);
  expect(await engine.check(signal)).toEqual([]);
});

test('check names what is wrong with a topic', async () => {
  await using world = await TopicWorld.open();
  for (const [sync, expected] of [
    [{ from: { connection: 'org', topic: '/event/order_update__e' } }, /Write \/event\/Order_Update__e: topics know capitals/],
    [{ from: { connection: 'org', topic: '/event/Nothing__e' } }, /Nothing__e/],
    [{ fields: { id: 'OrderId' } }, /no field OrderId.*Did you mean OrderId__c/],
    [
      { to: { connection: 'db', table: 'orders', key: 'nothing' } },
      /nothing is no field of Order_Update__e as it is.*map nothing in fields/,
    ],
  ] as const) {
    await using engine = await world.engine(sync);
    const problems = await engine.check(signal);
    expect(problems.map(({ message, hint }) => `${message} ${hint}`).join('\n')).toMatch(expected);
  }
  for (const topic of ['/data/ContactChangeEvent', '/event/Shop__chn']) {
    await expect(world.engine({ from: { connection: 'org', topic } })).rejects.toThrow(/from.topic/);
  }
});

test.each(['pubsub', 'cometd'])(
  `who may not read an event is told so, by check and by the topic that waits, by %s ${guide('permissions of platform events are those of objects')}`,
  async (stream) => {
    await using world = await TopicWorld.open();
    const { users, org } = world.emulator;
    const may = (read: boolean) =>
      users.permit(org.adminUserId, {
        objects: { Order_Update__e: { read, create: false, edit: false, delete: false, viewAll: false, modifyAll: false } },
      });
    may(false);
    const life = await world.start({}, stream);
    const problems = await life.engine.check(signal);
    expect(problems.map(({ place, message }) => `${place} ${message}`).join('\n')).toMatch(/syncs.orders .*Order_Update__e/);
    await soon(() =>
      expect(life.engine.liveStatus()).toMatchObject([{ state: 'waiting', reason: expect.stringMatching(/Order_Update__e/) }]),
    );
    await life.stop();
  },
);
