import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FaultSpec } from '../faults/types.ts';
import { fixtureTopic } from './bus-fixture.ts';
import type { TestStream } from './client-fixture.ts';
import { countEvents, numbersOf, type PubSubFixture, startPubSubFixture } from './pubsub-fixture.ts';

// What can go wrong with a stream goes wrong on request, exactly there, and is counted.

let fixture: PubSubFixture;
beforeEach(async () => {
  fixture = await startPubSubFixture();
});
afterEach(() => fixture.close());

const error = (suffix: string) => `sfdc.platform.eventbus.grpc.${suffix}`;
const subscribe = (numRequested = 10, metadata?: Record<string, string>): TestStream => {
  const stream = fixture.client.stream('Subscribe', metadata);
  stream.send({ topicName: fixtureTopic, replayPreset: 'EARLIEST', numRequested });
  return stream;
};
const add = (kind: FaultSpec['kind'], params: FaultSpec['params'] = {}, match: FaultSpec['match'] = {}) =>
  fixture.faults.add({ kind, params, match });
const numbers = (stream: TestStream) => numbersOf(fixture.bus, stream.received);
const event = () => ({ id: 'a', schemaId: fixture.bus.channel(fixtureTopic)?.schema().id, payload: Buffer.from([0]) });

test.each([
  ['service.auth.error', 16],
  ['subscription.fetch.replayid.corrupted', 3],
  ['subscription.limit.exceeded', 8],
  ['service.protection.triggered', 8],
] as const)('a stream refused as it begins: %s', async (code, status) => {
  const id = add('rpc-error', { code }, { rpc: 'Subscribe', times: 1 });
  fixture.bus.append(1);
  expect(await subscribe().ended).toMatchObject({ code: status, errorCode: error(code), rpcId: expect.any(String) });
  await subscribe().until((all) => countEvents(all) === 1);
  expect(fixture.faults.status(id)).toMatchObject({ matched: 2, fired: 1 });
});

test('a refusal that really ends the session', async () => {
  add('rpc-error', { code: 'service.auth.error', revoke: true }, { times: 1 });
  await subscribe().ended;
  expect(await subscribe().ended).toMatchObject({ code: 16 });
  expect(fixture.faults.list()[0]).toMatchObject({ fired: 1 });
});

test.each([
  ['UNAVAILABLE', 14],
  ['INTERNAL', 13],
] as const)('a stream that breaks in the middle of a message, by %s', async (status, code) => {
  fixture.bus.append(10);
  add('stream-error', { status, events: 3 }, { topic: fixtureTopic, nth: 1 });
  const stream = subscribe();
  expect(await stream.ended).toMatchObject({ code, errorCode: undefined });
  expect(numbers(stream)).toEqual([1, 2, 3]);
});

test('a session found expired in the middle of a stream', async () => {
  fixture.bus.append(1);
  add('stream-error', { code: 'service.auth.error', revoke: true }, { after: 1 });
  const stream = subscribe();
  await stream.until((all) => countEvents(all) === 1);
  fixture.bus.append(1);
  expect(await stream.ended).toMatchObject({ code: 16, errorCode: error('service.auth.error') });
  expect(await subscribe().ended).toMatchObject({ code: 16 });
});

test('a connection that is gone without a word takes all its streams along', async () => {
  const stream = subscribe();
  const other = fixture.client.stream('PublishStream');
  other.send({ topicName: fixtureTopic, events: [event()] });
  await other.until((all) => all.length === 1);
  await stream.until((all) => countEvents(all) === 1);
  add('stream-drop', { events: 1 });
  fixture.bus.append(2);
  expect((await stream.ended).code).toBe(14);
  expect((await other.ended).code).toBe(14);
  fixture.faults.clear();
  await subscribe().until((all) => countEvents(all) === 3);
});

test('events that come twice, never more of them than were asked for', async () => {
  fixture.bus.append(6);
  add('stream-duplicate', {}, { nth: 1 });
  const stream = subscribe(4);
  await stream.until((all) => countEvents(all) === 4);
  stream.send({ numRequested: 8 });
  await stream.until(() => numbers(stream).includes(6));
  expect(numbers(stream)).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 5, 6]);
});

test('every message twice, and still an end', async () => {
  fixture.bus.append(6);
  add('stream-duplicate');
  const stream = subscribe(3);
  for (let n = 0; n < 4; n++) {
    await stream.until((all) => countEvents(all) === 3 * (n + 1));
    if (n < 3) stream.send({ numRequested: 3 });
  }
  expect(numbers(stream)).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
});

test('batches split', async () => {
  fixture.bus.append(5);
  add('stream-split', { events: 2 });
  const stream = subscribe(5);
  await stream.until((all) => countEvents(all) === 5);
  expect(stream.received.map(({ events, pendingNumRequested }) => [events.length, pendingNumRequested])).toEqual([
    [2, 3],
    [2, 1],
    [1, 0],
  ]);
  const last = stream.received.map(({ events, latestReplayId }) => [events.at(-1).replayId, latestReplayId]);
  for (const [event, latest] of last) expect(latest).toEqual(event);
});

test('slow delivery: late, whole and in order', async () => {
  fixture.bus.append(3);
  add('stream-slow', { delayMs: 30_000 }, { times: 1 });
  const stream = subscribe(10);
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  expect(stream.received).toEqual([]);
  fixture.bus.append(2);
  fixture.clock.advance(30_000);
  await stream.until((all) => countEvents(all) === 5);
  expect(numbers(stream)).toEqual([1, 2, 3, 4, 5]);
});

test('a stream that has gone quiet for good sends nothing, not even keepalives, and does not end', async () => {
  fixture.bus.append(1);
  add('stream-silent', {}, { nth: 2 });
  const stream = subscribe(10);
  await stream.until((all) => countEvents(all) === 1);
  fixture.bus.append(5);
  fixture.clock.advance(3600_000);
  const other = subscribe(10);
  await other.until((all) => countEvents(all) === 6);
  expect(stream.received).toHaveLength(1);
  expect(await Promise.race([stream.ended, 'open'])).toBe('open');
});

test('a call that is never answered', async () => {
  add('rpc-silent', {}, { rpc: 'GetTopic', times: 1 });
  const silent = fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  await fixture.client.unary('GetTopic', { topicName: fixtureTopic });
  expect(await Promise.race([silent.catch(() => 'ended'), 'open'])).toBe('open');
  await fixture.pubsub.close();
  await expect(silent).rejects.toMatchObject({ code: 14 });
});

test.each([false, true])('a publish whose reply is lost is published all the same (connection lost: %s)', async (connection) => {
  add('publish-reply-lost', { connection }, { topic: fixtureTopic, times: 1 });
  const request = { topicName: fixtureTopic, events: [event()] };
  await expect(fixture.client.unary('Publish', request)).rejects.toMatchObject({ code: 14 });
  expect(fixture.bus.latestReplayId()).toBeGreaterThan(1000);
  await fixture.client.unary('Publish', request);
});
