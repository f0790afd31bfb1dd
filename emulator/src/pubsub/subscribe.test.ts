import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { fixtureTopic } from './bus-fixture.ts';
import { connectClient } from './client-fixture.ts';
import { countEvents, fixtureOrgId, numbersOf, type PubSubFixture, startPubSubFixture } from './pubsub-fixture.ts';

// A subscriber gets every event after its position, in order, never more than it asked for; silences are as long as
// documented, and every refusal carries the code by which clients tell what to do next.

const guide = (section: string) => evidence('documented', `Pub/Sub API guide, ${section}`);
const flow = guide('Pull Subscription and Flow Control');
const handling = guide('Handle Errors');

let fixture: PubSubFixture;
beforeEach(async () => {
  fixture = await startPubSubFixture();
});
afterEach(() => fixture.close());

const earliest = (numRequested: number) => ({ topicName: fixtureTopic, replayPreset: 'EARLIEST', numRequested });
const numbers = (messages: readonly unknown[]) => numbersOf(fixture.bus, messages);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

test(`from the earliest, as many as were asked for and no more ${flow}`, async () => {
  const ids = fixture.bus.append(10);
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(4));
  const [message] = await stream.until((all) => countEvents(all) >= 4);
  expect(numbers([message])).toEqual([1, 2, 3, 4]);
  expect(message).toMatchObject({ pendingNumRequested: 0, rpcId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(Buffer.from(message.latestReplayId)).toEqual(Buffer.from(message.events[3].replayId));
  expect(Buffer.from(message.events[0].replayId).readBigUInt64BE()).toBe(BigInt(ids[0] as number));
  expect(message.events[0].event).toMatchObject({ schemaId: fixture.bus.channel(fixtureTopic)?.schema().id });
  stream.send({ numRequested: 3 });
  await stream.until((all) => countEvents(all) >= 7);
  stream.send({ topicName: fixtureTopic, numRequested: 10 });
  const all = await stream.until((received) => countEvents(received) >= 10);
  expect(numbers(all)).toEqual(range(1, 10));
  expect(all.at(-1).pendingNumRequested).toBe(7);
  fixture.bus.append(20);
  const after = await stream.until((received) => countEvents(received) >= 17);
  expect(numbers(after)).toEqual(range(1, 17));
});

test(`requests add up, to a hundred ${flow}`, async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 60 });
  for (const numRequested of [30, 1000]) stream.send({ numRequested });
  // Requests of a connection are read in order.
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  fixture.bus.append(150);
  await stream.until((all) => all.at(-1)?.pendingNumRequested === 0);
  expect(countEvents(stream.received)).toBe(100);
});

test(`from the latest: what comes after; the preset when none is named ${guide('Subscribe RPC Method')}`, async () => {
  fixture.bus.append(5);
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 100 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  fixture.bus.append(2);
  expect(numbers(await stream.until((all) => countEvents(all) >= 2))).toEqual([6, 7]);
});

test.each([8, 10])(`from a replay id of %d bytes: strictly after it ${guide('Event Message Durability')}`, async (length) => {
  const ids = fixture.bus.append(5);
  const stream = fixture.client.stream('Subscribe');
  const replayId = Buffer.from(fixture.bus.replayBytes(ids[2] as number)).subarray(0, length);
  stream.send({ topicName: fixtureTopic, replayPreset: 'CUSTOM', replayId, numRequested: 100 });
  expect(numbers(await stream.until((all) => countEvents(all) >= 2))).toEqual([4, 5]);
});

test(`replay options of later requests are not looked at ${guide('pubsub_api.proto, FetchRequest')}`, async () => {
  fixture.bus.append(4);
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(2));
  await stream.until((all) => countEvents(all) >= 2);
  stream.send(earliest(2));
  expect(numbers(await stream.until((all) => countEvents(all) >= 4))).toEqual([1, 2, 3, 4]);
});

test(`a waiting subscriber hears within 270 s how far the bus has come, and may resume from there ${guide('Subscribe Keepalive Behavior')}`, async () => {
  fixture.bus.append(1);
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(3));
  await stream.until((all) => countEvents(all) >= 1);
  fixture.bus.elsewhere();
  fixture.clock.advance(269_999);
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  expect(stream.received).toHaveLength(1);
  fixture.clock.advance(1);
  const [, empty] = await stream.until((all) => all.length === 2);
  expect(empty).toMatchObject({ events: [], pendingNumRequested: 2 });
  expect(fixture.bus.replayIdOf(empty.latestReplayId)).toBe(fixture.bus.latestReplayId());
  fixture.clock.advance(270_000);
  await stream.until((all) => all.length === 3);
  stream.cancel();
  fixture.bus.append(1);
  const again = fixture.client.stream('Subscribe');
  again.send({ topicName: fixtureTopic, replayPreset: 'CUSTOM', replayId: empty.latestReplayId, numRequested: 5 });
  expect(numbers(await again.until((all) => countEvents(all) >= 1))).toEqual([2]);
});

test(`who got all and asks no more for 60 s is let go ${flow}`, async () => {
  fixture.bus.append(3);
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(1));
  await stream.until((all) => countEvents(all) >= 1);
  fixture.clock.advance(59_000);
  stream.send({ numRequested: 1 });
  await stream.until((all) => countEvents(all) >= 2);
  fixture.clock.advance(59_000);
  stream.send({ numRequested: 1 });
  await stream.until((all) => countEvents(all) >= 3);
  fixture.clock.advance(60_000);
  expect(await stream.ended).toMatchObject({ code: 0 });
});

test('an org whose clock stands still has its silences too, by the machine', async () => {
  const quick = await startPubSubFixture({ keepaliveMs: 20, idleCloseMs: 20 });
  try {
    const stream = quick.client.stream('Subscribe');
    stream.send({ topicName: fixtureTopic, numRequested: 1 });
    await stream.until((all) => all.length >= 2);
    quick.bus.append(1);
    expect(await stream.ended).toMatchObject({ code: 0 });
  } finally {
    await quick.close();
  }
});

test.each([
  ['blank topic', { numRequested: 1 }, 3, 'topic.validation.empty'],
  ['unknown topic', { topicName: '/event/counted__e', numRequested: 1 }, 5, 'topic.not.found'],
  ['nothing requested', { topicName: fixtureTopic }, 3, 'subscription.fetch.requested.events.invalid'],
  [
    'less than nothing requested',
    { topicName: fixtureTopic, numRequested: -1 },
    3,
    'subscription.fetch.requested.events.invalid',
  ],
  [
    'no replay id',
    { topicName: fixtureTopic, numRequested: 1, replayPreset: 'CUSTOM' },
    3,
    'subscription.fetch.replayid.validation.failed',
  ],
  [
    'a replay id of another org',
    { topicName: fixtureTopic, numRequested: 1, replayPreset: 'CUSTOM', replayId: Buffer.alloc(10, 0x7f) },
    3,
    'subscription.fetch.replayid.corrupted',
  ],
  [
    'a replay id that is none',
    { topicName: fixtureTopic, numRequested: 1, replayPreset: 'CUSTOM', replayId: Buffer.alloc(3) },
    3,
    'subscription.fetch.replayid.corrupted',
  ],
] as const)(`refused: %s ${handling}`, async (_case, request, code, suffix) => {
  fixture.bus.append(1);
  const stream = fixture.client.stream('Subscribe');
  stream.send(request);
  const end = await stream.ended;
  expect(end).toMatchObject({ code, errorCode: `sfdc.platform.eventbus.grpc.${suffix}` });
  expect(end.details).toMatch(/ rpcId: [0-9a-f-]{36}$/);
  expect(end.details.endsWith(end.rpcId as string)).toBe(true);
});

test(`a topic cannot change, and every request asks for something ${handling}`, async () => {
  for (const [request, suffix] of [
    [{ topicName: '/event/Other__e', numRequested: 1 }, 'topic.mismatch'],
    [{ numRequested: 0 }, 'requested.events.invalid'],
  ] as const) {
    const stream = fixture.client.stream('Subscribe');
    stream.send(earliest(1));
    stream.send(request);
    expect(await stream.ended).toMatchObject({ code: 3, errorCode: `sfdc.platform.eventbus.grpc.subscription.fetch.${suffix}` });
  }
});

test(`a replay id past 72 hours is refused as a corrupt one ${handling}`, async () => {
  const [old] = fixture.bus.append(2);
  fixture.clock.advance(73 * 3600_000);
  fixture.bus.append(1);
  const stream = fixture.client.stream('Subscribe', fixture.signIn());
  const replayId = fixture.bus.replayBytes(old as number);
  stream.send({ topicName: fixtureTopic, replayPreset: 'CUSTOM', replayId, numRequested: 5 });
  expect(await stream.ended).toMatchObject({ errorCode: expect.stringContaining('replayid.corrupted') });
});

const auth = guide('Supported Authentication');
test.each([
  ['no token', { accesstoken: '' }, 'service.auth.headers.invalid'],
  ['no instance URL', { instanceurl: '' }, 'service.auth.headers.invalid'],
  ['an instance URL that is none', { instanceurl: 'org.example' }, 'service.auth.headers.invalid'],
  ['no tenant', { tenantid: '' }, 'service.auth.headers.invalid'],
  ['another token', { accesstoken: '00D!x' }, 'service.auth.error'],
  ['another tenant', { tenantid: '00DTM0000000002EAA' }, 'service.auth.error'],
])(`who does not say who it is, is refused: %s ${auth}`, async (_case, metadata, suffix) => {
  const stream = fixture.client.stream('Subscribe', metadata);
  stream.send(earliest(1));
  expect(await stream.ended).toMatchObject({ code: 16, errorCode: `sfdc.platform.eventbus.grpc.${suffix}` });
  const bare = connectClient(fixture.pubsub.endpoint, { ...fixture.metadata, ...metadata });
  await expect(bare.unary('GetTopic', { topicName: fixtureTopic })).rejects.toMatchObject({ code: 16 });
  bare.close();
});

test.each([fixtureOrgId, fixtureOrgId.slice(0, 15), `core/acme/${fixtureOrgId}`])(
  `the tenant may be given as %s ${evidence('assumed', 'public clients send each of these')}`,
  async (tenantid) => {
    fixture.bus.append(1);
    const stream = fixture.client.stream('Subscribe', { tenantid });
    stream.send(earliest(1));
    await stream.until((all) => countEvents(all) === 1);
  },
);

test(`a running stream outlives its session; a new one needs a session that is good ${guide('Subscribe RPC Method')}`, async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 5 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  fixture.revoke();
  fixture.bus.append(1);
  await stream.until((all) => countEvents(all) === 1);
  const next = fixture.client.stream('Subscribe');
  next.send(earliest(1));
  expect(await next.ended).toMatchObject({ code: 16, errorCode: 'sfdc.platform.eventbus.grpc.service.auth.error' });
});

test(`rights are looked at when a stream begins, and again within ten minutes ${guide('Subscribe RPC Method')}`, async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 5 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  fixture.bus.allowed.subscribe = false;
  const refused = fixture.client.stream('Subscribe');
  refused.send(earliest(1));
  const error = { code: 7, errorCode: 'sfdc.platform.eventbus.grpc.subscription.topic.cannot.subscribe' };
  expect(await refused.ended).toMatchObject(error);
  fixture.clock.advance(600_000);
  expect(await stream.ended).toMatchObject(error);
});

test(`beyond the org's daily deliveries the stream ends, and nothing more is delivered ${handling}`, async () => {
  fixture.bus.append(10);
  fixture.allowance.left = 5;
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(4));
  await stream.until((all) => countEvents(all) === 4);
  stream.send({ numRequested: 4 });
  const end = await stream.ended;
  expect(end).toMatchObject({ errorCode: 'sfdc.platform.eventbus.grpc.subscription.limit.exceeded' });
  expect(end.details).toMatch(/^You have exceeded the event delivery limit for your org\./);
  expect(countEvents(stream.received)).toBe(4);
});

test(`large events come in several messages that clients take by default ${evidence('assumed', 'gRPC clients take 4 MB')}`, async () => {
  fixture.bus.append(10, () => new Uint8Array(1_000_000));
  const stream = fixture.client.stream('Subscribe');
  stream.send(earliest(10));
  const all = await stream.until((received) => countEvents(received) === 10);
  expect(all.map((message) => message.pendingNumRequested)).toEqual([7, 4, 1, 0]);
});

test('a client that asks and does not read holds up nobody, and is not sent for without end', async () => {
  fixture.bus.append(4000, () => new Uint8Array(10_000));
  fixture.allowance.left = 1_000_000;
  const slow = fixture.client.stream('Subscribe');
  slow.pause();
  slow.send(earliest(100));
  for (let n = 1; n < 40; n++) slow.send({ numRequested: 100 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  const other = connectClient(fixture.pubsub.endpoint, fixture.metadata);
  const quick = other.stream('Subscribe');
  quick.send(earliest(100));
  await quick.until((all) => countEvents(all) === 100);
  expect(1_000_000 - fixture.allowance.left).toBeLessThan(2500);
  slow.resume();
  while (countEvents(slow.received) < 4000) {
    const before = countEvents(slow.received);
    slow.send({ numRequested: 100 });
    await slow.until((all) => countEvents(all) > before);
  }
  other.close();
});

test(`closing the server ends its streams with UNAVAILABLE ${evidence('documented', 'Pub/Sub API guide, Handle Errors: service.unavailable')}`, async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 5 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  await fixture.pubsub.close();
  expect(await stream.ended).toMatchObject({ code: 14 });
});

test('a client that ends its half is answered with a clean end', async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 5 });
  stream.half();
  expect(await stream.ended).toMatchObject({ code: 0 });
});
