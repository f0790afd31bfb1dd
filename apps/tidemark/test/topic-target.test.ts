import { noCalls, type PlannedWrite } from '@tidemark/core';
import { evidence } from '@tidemark/emulator';
import { expect, test, vi } from 'vitest';
import { TopicWorld } from './topic-world.ts';

// A record that comes to a topic is published: once when nothing goes wrong, once more only where nobody can know whether it was (P1),
// and one that Salesforce refuses is kept and holds nobody up (P2).

const signal = new AbortController().signal;
const soon = <T>(look: () => T) => vi.waitFor(look, { timeout: 90_000, interval: 20 });
const shipped = (world: TopicWorld) =>
  world.published('Order_Shipped__e').map(({ OrderId__c, Status__c }) => [OrderId__c, Status__c]);

const toTopic = { connection: 'org', topic: '/event/Order_Shipped__e' };
const fromTable = {
  from: { connection: 'db', table: 'shipments', key: 'id', watermark: 'changed' },
  to: toTopic,
  fields: { OrderId__c: 'id', Status__c: 'status' },
};
const forwarded = { to: toTopic, fields: { OrderId__c: 'OrderId__c', Status__c: 'Status__c' } };

function shipments(world: TopicWorld, ...rows: [string, string | null][]): void {
  world.database.exec('CREATE TABLE IF NOT EXISTS shipments (id TEXT PRIMARY KEY, status TEXT, changed TEXT)');
  const at = new Date(world.emulator.org.clock.now()).toISOString();
  const put = world.database.prepare('INSERT OR REPLACE INTO shipments VALUES (?, ?, ?)');
  for (const [id, status] of rows) put.run(id, status, at);
}

test('rows of a table are published as they change, and those that did not are not', async () => {
  await using world = await TopicWorld.open();
  shipments(world, ['O1', 'packed'], ['O2', 'packed']);
  await using engine = await world.engine(fromTable);
  expect(await engine.run('orders', { signal })).toMatchObject({ state: 'succeeded', counts: { created: 2, failed: 0 } });
  expect(shipped(world)).toEqual([
    ['O1', 'packed'],
    ['O2', 'packed'],
  ]);
  world.emulator.org.clock.advance(60_000);
  shipments(world, ['O2', 'sent'], ['O3', null]);
  expect(await engine.run('orders', { signal })).toMatchObject({ state: 'succeeded', counts: { created: 2 } });
  await engine.run('orders', { signal });
  expect(shipped(world).slice(2)).toEqual([
    ['O2', 'sent'],
    ['O3', null],
  ]);
  // A row that goes is no event.
  world.database.exec("DELETE FROM shipments WHERE id = 'O1'");
  await engine.run('orders', { signal, full: true, sweepMax: 1 });
  expect(shipped(world)).toHaveLength(4);
});

test(`one that is refused is kept with its reason, the others are published, and its retry publishes it (P2) ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`, async () => {
  await using world = await TopicWorld.open();
  shipments(world, ['O1', 'packed'], ['O2', 'x'.repeat(21)], ['O3', 'packed']);
  await using engine = await world.engine(fromTable);
  const report = await engine.run('orders', { signal });
  expect(report).toMatchObject({ state: 'succeeded', openFailures: 1, counts: { created: 2, failed: 1 } });
  expect(await engine.failures({})).toMatchObject([{ key: 'O2', code: 'STRING_TOO_LONG', place: 'target', op: 'upsert' }]);
  world.emulator.org.clock.advance(60_000);
  shipments(world, ['O2', 'mended']);
  await engine.run('orders', { signal });
  expect(await engine.failures({})).toEqual([]);
  expect(shipped(world)).toEqual([
    ['O1', 'packed'],
    ['O3', 'packed'],
    ['O2', 'mended'],
  ]);
});

test('a dry run tells each event that would be published, and in how many calls, and publishes none', async () => {
  await using world = await TopicWorld.open();
  shipments(world, ...Array.from({ length: 201 }, (_, i): [string, string] => [`O${i}`, 'packed']));
  await using engine = await world.engine(fromTable);
  const planned: PlannedWrite[] = [];
  const dry = await engine.dryRun('orders', { signal, onWrite: (write) => planned.push(write) });
  expect(shipped(world)).toEqual([]);
  expect(planned).toHaveLength(201);
  expect(planned[0]).toMatchObject({
    effect: 'create',
    fields: [
      { field: 'OrderId__c', after: 'O0' },
      { field: 'Status__c', after: 'packed' },
    ],
  });
  world.emulator.requests.reset();
  const report = await engine.run('orders', { signal });
  expect(report.counts).toEqual(dry.counts);
  const published = world.emulator.requests
    .entries()
    .filter(({ method, url }) => method === 'POST' && /composite.sobjects/.test(url));
  expect(dry.calls).toEqual({ ...noCalls(), collections: published.length });
  expect(published).toHaveLength(2);
});

test('what is published is what comes in by another sync', async () => {
  await using world = await TopicWorld.open();
  const life = await world.start(forwarded);
  await world.live(life);
  world.publish({ OrderId__c: 'O1', Status__c: 'new' }, { OrderId__c: 'O1', Status__c: 'new' }, { OrderId__c: 'O2' });
  await soon(() => expect(shipped(world)).toHaveLength(3));
  expect(shipped(world)).toEqual([
    ['O1', 'new'],
    ['O1', 'new'],
    ['O2', null],
  ]);
  await life.stop();
});

// Between Salesforce's answer and our note of it nobody can tell; behind the note everybody can.
test.each([
  ['before its checkpoint is kept, it is published once', 'checkpoint', 1],
  ['before anything is noted, it is published twice', 'putSeen', 2],
] as const)('a crash after publishing: %s (P1)', async (_what, where, times) => {
  await using world = await TopicWorld.open();
  const { store } = world;
  const life = await world.start(forwarded);
  await world.live(life);
  let armed = true;
  const crash = () => {
    if (!armed || shipped(world).length === 0) return false;
    armed = false;
    return true;
  };
  // A process that is gone does no more; here it is stuck until the test is over.
  const { promise: stuck, reject: release } = Promise.withResolvers<never>();
  const { write } = store.checkpoints;
  const { putSeen } = store;
  if (where === 'checkpoint') {
    store.checkpoints.write = (...args) => (crash() ? stuck : write.apply(store.checkpoints, args));
  } else store.putSeen = (...args) => (crash() ? stuck : putSeen.apply(store, args));
  world.publish({ OrderId__c: 'O1' });
  await soon(() => expect(armed).toBe(false));
  store.checkpoints.write = write;
  store.putSeen = putSeen;
  const next = await world.start(forwarded);
  world.publish({ OrderId__c: 'O2' });
  await soon(() => expect(shipped(world).map(([id]) => id)).toEqual([...new Array(times).fill('O1'), 'O2']));
  await next.stop();
  const dying = life.kill();
  release(new Error('gone'));
  await dying;
});

test(`an hour's allowance: who was taken is not published twice, and the others follow (P2, P8) ${evidence('documented', 'Platform Events Developer Guide, Platform Event Error Status Codes')}`, async () => {
  await using world = await TopicWorld.open({ limits: { HourlyPublishedPlatformEvents: 3 } });
  shipments(world, ...['O1', 'O2', 'O3', 'O4', 'O5'].map((id): [string, string] => [id, 's']));
  await using engine = await world.engine(fromTable);
  expect(await engine.run('orders', { signal })).toMatchObject({ counts: { created: 3, failed: 2 } });
  expect((await engine.failures({})).map(({ code }) => code)).toEqual(['LIMIT_EXCEEDED', 'LIMIT_EXCEEDED']);
  // Nothing at all is taken now: it waits until the hour is over.
  world.passes = 600_000;
  shipments(world, ['O6', 's']);
  expect(await engine.run('orders', { signal })).toMatchObject({ state: 'succeeded' });
  await engine.retry('orders', { signal });
  expect(
    shipped(world)
      .map(([id]) => id)
      .sort(),
  ).toEqual(['O1', 'O2', 'O3', 'O4', 'O5', 'O6']);
  expect(await engine.failures({})).toEqual([]);
});

test('absent, null and a value are three things; a number keeps its digits', async () => {
  await using world = await TopicWorld.open();
  await using engine = await world.engine({
    from: { connection: 'files', file: 'orders.jsonl', key: 'id', types: { amount: 'decimal' } },
    to: toTopic,
    fields: { OrderId__c: 'id', Status__c: 'status', Amount__c: 'amount', Urgent__c: 'urgent', At__c: 'at', Note__c: 'note' },
  });
  world.write('orders.jsonl', [
    { id: 'O1', status: 'a', amount: '1234567890.25', urgent: true, at: '2026-01-02T03:04:05Z', note: '' },
    { id: 'O2', status: null, amount: null, urgent: null, at: null, note: '<&">' },
  ]);
  expect(await engine.run('orders', { signal })).toMatchObject({ counts: { created: 2, failed: 0 } });
  expect(world.published('Order_Shipped__e')).toMatchObject([
    {
      OrderId__c: 'O1',
      Status__c: 'a',
      Amount__c: 1234567890.25,
      Urgent__c: true,
      At__c: '2026-01-02T03:04:05.000Z',
      Note__c: null,
    },
    { OrderId__c: 'O2', Status__c: null, Amount__c: null, Urgent__c: false, At__c: null, Note__c: '<&">' },
  ]);
});

test.each<[string, object, RegExp]>([
  [
    'an unknown field',
    { OrderId__c: 'id', Statsu__c: 'status' },
    /fields.Statsu__c.*has no field Statsu__c.*takes: OrderId__c, Status__c/s,
  ],
  [
    'a field that Salesforce sets',
    { OrderId__c: 'id', EventUuid: 'status' },
    /fields.EventUuid.*EventUuid is set by Salesforce/s,
  ],
  ['a required field that lacks', { Status__c: 'status' }, /fields: .*requires OrderId__c.*Map OrderId__c/s],
  ['a field twice', { OrderId__c: 'id', Status__c: 'status', 'status__C ': 'id' }, /sets the same field|has no field/],
])('check and plan name %s, and what to do', async (_what, fields, expected) => {
  await using world = await TopicWorld.open();
  shipments(world, ['O1', 'x']);
  await using engine = await world.engine({ ...fromTable, fields });
  const problems = await engine.check(signal);
  expect(problems.map(({ place, message, hint }) => `${place}: ${message} (${hint})`).join('\n')).toMatch(expected);
  await expect(engine.plan(undefined, signal)).rejects.toThrow();
});

test('a topic that is not there, and one that is spelled with other capitals', async () => {
  await using world = await TopicWorld.open();
  shipments(world, ['O1', 'x']);
  for (const [topic, expected] of [
    ['/event/Nothing__e', /Nothing__e/],
    ['/event/order_shipped__e', /Write \/event\/Order_Shipped__e: topics know capitals/],
  ] as const) {
    await using engine = await world.engine({ ...fromTable, to: { connection: 'org', topic } });
    const problems = await engine.check(signal);
    expect(problems.map(({ message, hint }) => `${message} ${hint}`).join('\n')).toMatch(expected);
  }
});

test(`an answer that is lost repeats the events of its call, and none is missing (P1) ${evidence('assumed', 'nothing of the org tells an event that was published twice')}`, async () => {
  await using world = await TopicWorld.open();
  const all = Array.from({ length: 450 }, (_, i): [string, string] => [`O${String(i).padStart(3, '0')}`, 's']);
  shipments(world, ...all);
  world.emulator.faults.add({ kind: 'lost-response', match: { path: '/services/data/v62.0/composite/sobjects', nth: 2 } });
  await using engine = await world.engine(fromTable);
  expect(await engine.run('orders', { signal })).toMatchObject({ state: 'succeeded', openFailures: 0 });
  const ids = shipped(world).map(([id]) => id);
  expect([...new Set(ids)].sort()).toEqual(all.map(([id]) => id));
  expect(ids).toHaveLength(450 + 200);
});

test(`who may not publish is told so ${evidence('documented', 'Platform Events Developer Guide, permissions of platform events are those of objects')}`, async () => {
  await using world = await TopicWorld.open();
  shipments(world, ['O1', 'x']);
  const { users, org } = world.emulator;
  users.permit(org.adminUserId, { objects: { Order_Shipped__e: { create: false } } });
  await using engine = await world.engine(fromTable);
  const problems = await engine.check(signal);
  expect(problems.map(({ message, hint }) => `${message} ${hint}`).join('\n')).toMatch(
    /may not publish Order_Shipped__e.*permission Create/,
  );
});
