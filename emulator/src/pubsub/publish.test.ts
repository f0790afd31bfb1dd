import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { fixtureTopic } from './bus-fixture.ts';
import { fixtureOrgId, type PubSubFixture, startPubSubFixture } from './pubsub-fixture.ts';

// Every event gets an answer of its own, in order, with the key that its publisher gave it.

const guide = (section: string) => evidence('documented', `Pub/Sub API guide, ${section}`);
const error = (suffix: string) => `sfdc.platform.eventbus.grpc.${suffix}`;

let fixture: PubSubFixture;
beforeEach(async () => {
  fixture = await startPubSubFixture();
});
afterEach(() => fixture.close());

const schemaId = () => fixture.bus.channel(fixtureTopic)?.schema().id as string;
const event = (id: string, n = 1) => ({
  id,
  schemaId: schemaId(),
  payload: fixture.bus.type.toBuffer({ CreatedDate: 0, CreatedById: '005', N__c: n }),
});

test(`answers say what became of each event, in order ${guide('Publish RPC Method')}`, async () => {
  const large = { ...event('large'), payload: Buffer.alloc(1024 * 1024 + 1) };
  const unknown = { ...event('unknown'), schemaId: 'x'.repeat(22) };
  const reply = await fixture.client.unary('Publish', {
    topicName: fixtureTopic,
    events: [event('a'), large, unknown, event('b')],
  });
  expect(reply).toMatchObject({
    schemaId: schemaId(),
    rpcId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    results: [
      { correlationKey: 'a', error: null },
      { correlationKey: 'large', error: { code: 'PUBLISH', msg: expect.stringContaining('1048576') } },
      { correlationKey: 'unknown', error: { code: 'PUBLISH' } },
      { correlationKey: 'b', error: null },
    ],
  });
  const [a, , , b] = reply.results.map(({ replayId }: { replayId: Buffer }) => replayId);
  expect(Buffer.compare(a, b)).toBe(-1);
  expect(fixture.bus.replayIdOf(b)).toBe(fixture.bus.latestReplayId());
});

test(`what was published is delivered as it came ${guide('Publish RPC Method')}`, async () => {
  const stream = fixture.client.stream('Subscribe');
  stream.send({ topicName: fixtureTopic, numRequested: 5 });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  const payload = Buffer.from('no Avro at all');
  const reply = await fixture.client.unary('Publish', { topicName: fixtureTopic, events: [{ ...event('a'), payload }] });
  const [message] = await stream.until((all) => all.length > 0);
  expect(Buffer.from(message.events[0].event.payload)).toEqual(payload);
  expect(message.events[0].replayId).toEqual(reply.results[0].replayId);
});

test.each([
  ['no topic', {}, 3, 'publish.topic.validation.empty'],
  ['an unknown topic', { topicName: '/event/Other__e', events: [{}] }, 5, 'topic.not.found'],
  ['no events', { topicName: fixtureTopic }, 3, 'publish.event.count.invalid'],
])(`refused: %s ${guide('Handle Errors')}`, async (_case, request, code, suffix) => {
  await expect(fixture.client.unary('Publish', request)).rejects.toMatchObject({ code, errorCode: error(suffix) });
});

test(`who may not publish is refused ${evidence('assumed', 'the code for missing rights to a topic')}`, async () => {
  fixture.bus.allowed.publish = false;
  const request = { topicName: fixtureTopic, events: [event('a')] };
  await expect(fixture.client.unary('Publish', request)).rejects.toMatchObject({
    code: 7,
    errorCode: error('topic.meta.permission'),
  });
  expect(fixture.bus.latestReplayId()).toBe(1000);
});

test(`a request over 4 MB never reaches the service ${guide('Publish RPC Method')}`, async () => {
  const events = Array.from({ length: 5 }, (_, n) => ({ ...event(`${n}`), payload: Buffer.alloc(1024 * 1024) }));
  const refused = fixture.client.unary('Publish', { topicName: fixtureTopic, events });
  await expect(refused).rejects.toMatchObject({
    code: 14,
    errorCode: undefined,
    details: expect.stringContaining('remote reset'),
  });
  expect(fixture.bus.latestReplayId()).toBe(1000);
});

test(`a stream answers every request, on one topic ${guide('PublishStream RPC Method')}`, async () => {
  const stream = fixture.client.stream('PublishStream');
  stream.send({ topicName: fixtureTopic, events: [event('a')] });
  stream.send({ events: [event('b'), event('c')] });
  const all = await stream.until((received) => received.length === 2);
  expect(all.map(({ results }) => results.map((result: { correlationKey: string }) => result.correlationKey))).toEqual([
    ['a'],
    ['b', 'c'],
  ]);
  stream.send({ topicName: '/event/Other__e', events: [event('d')] });
  expect(await stream.ended).toMatchObject({ errorCode: error('publish.topic.mismatch') });
});

test(`a publish stream that is silent for 1,800 s is closed ${guide('Handle Errors')}`, async () => {
  const stream = fixture.client.stream('PublishStream');
  stream.send({ topicName: fixtureTopic, events: [event('a')] });
  await stream.until((all) => all.length === 1);
  fixture.clock.advance(1_799_000);
  stream.send({ events: [event('b')] });
  await stream.until((all) => all.length === 2);
  fixture.clock.advance(1_800_000);
  expect(await stream.ended).toMatchObject({ errorCode: error('publish.stream.sweeper.timeout') });
});

test(`topics and schemas are told of ${guide('GetTopic RPC Method')}`, async () => {
  expect(await fixture.client.unary('GetTopic', { topicName: fixtureTopic })).toMatchObject({
    topicName: fixtureTopic,
    tenantGuid: expect.stringContaining(fixtureOrgId),
    canPublish: true,
    canSubscribe: true,
    schemaId: schemaId(),
  });
  fixture.bus.allowed.publish = false;
  expect(await fixture.client.unary('GetTopic', { topicName: fixtureTopic })).toMatchObject({ canPublish: false });
  const schema = await fixture.client.unary('GetSchema', { schemaId: schemaId() });
  expect(JSON.parse(schema.schemaJson)).toMatchObject({ type: 'record', name: 'Counted__e' });
  const codes: [string, object, string][] = [
    ['GetTopic', {}, 'topic.validation.empty'],
    ['GetTopic', { topicName: '/event/Other__e' }, 'topic.not.found'],
    ['GetSchema', {}, 'schema.validation.failed'],
    ['GetSchema', { schemaId: 'x'.repeat(22) }, 'schema.validation.failed'],
  ];
  for (const [rpc, request, suffix] of codes) {
    await expect(fixture.client.unary(rpc, request as Record<string, unknown>)).rejects.toMatchObject({
      errorCode: error(suffix),
    });
  }
});
