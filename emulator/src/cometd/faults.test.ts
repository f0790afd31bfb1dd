import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { TestOrg } from '../http/testing.ts';
import {
  type BareClient,
  connectedClient,
  eventsOf,
  isWaiting,
  numbersOf,
  publish,
  startStreamingOrg,
  until,
} from './cometd-fixture.ts';

// What goes wrong between a subscriber and Salesforce, on request, so that a client can show that it heals (P5).

const assumed = evidence('assumed', 'what a client can meet, not when it does');

let org: TestOrg;
let client: BareClient;
beforeEach(async () => {
  org = await startStreamingOrg();
  client = await connectedClient(org);
});
afterEach(() => org.emulator.close());

const add = (...args: Parameters<TestOrg['emulator']['faults']['add']>) => org.emulator.faults.add(...args);
const topic = '/event/Note__e';

describe(`a message is refused in any words ${assumed}`, () => {
  test('a busy server, in both places, and a retry', async () => {
    add({ kind: 'cometd-error', match: { rpc: '/meta/connect', times: 1 } });
    const [reply] = (await client.connect()).messages;
    expect(reply).toMatchObject({
      error: '503::Server is too busy. Please try your request again later.',
      ext: { sfdc: { failureReason: '503::Server is too busy. Please try your request again later.' } },
      advice: { reconnect: 'retry' },
      successful: false,
    });
    await client.subscribe(topic);
    publish(org, 1);
    expect(numbersOf((await client.connect()).messages)).toEqual([1]);
  });

  test('a session that ends in the middle', async () => {
    add({
      kind: 'cometd-error',
      match: { rpc: '/meta/connect' },
      params: { error: '401::Authentication invalid', revoke: true },
    });
    expect((await client.connect()).messages[0]).toMatchObject({
      error: '401::Authentication invalid',
      advice: { reconnect: 'none' },
    });
    expect(org.emulator.sessions.peek(org.emulator.credentials.accessToken)).toBeUndefined();
  });

  test('a handshake, a subscription to one topic, an HTTP status', async () => {
    add({
      kind: 'cometd-error',
      match: { rpc: '/meta/handshake', nth: 1 },
      params: { error: '503::Later', status: 503, reconnect: 'retry' },
    });
    expect(await client.handshake()).toMatchObject({
      status: 503,
      messages: [
        { error: '403::Handshake denied', ext: { sfdc: { failureReason: '503::Later' } }, advice: { reconnect: 'retry' } },
      ],
    });
    await client.handshake();
    add({ kind: 'cometd-error', match: { topic }, params: { error: '403::Restricted channel' } });
    expect(await client.subscribe(topic)).toMatchObject({ error: '403::Restricted channel', successful: false });
    expect(await client.subscribe('/data/ChangeEvents')).toMatchObject({ successful: true });
  });

  test('by the backdoor too, and with conditions that fit only', async () => {
    const fault = { kind: 'cometd-error', match: { rpc: '/meta/subscribe' }, params: { error: '404::Gone' } };
    expect((await org.backdoor('POST', '/faults', fault)).status).toBeLessThan(300);
    expect(await client.subscribe(topic)).toMatchObject({ error: '404::Gone' });
    expect(() => add({ kind: 'cometd-error', match: { path: '/cometd' } })).toThrow(
      "strikes CometD: its conditions are rpc and topic, not 'path'",
    );
  });
});

test(`a server that restarted knows one client, or all, no more ${assumed}`, async () => {
  const other = await connectedClient(org);
  add({ kind: 'cometd-unknown-client', match: { rpc: '/meta/connect', nth: 1 } });
  expect((await client.connect()).messages[0]).toMatchObject({
    error: '403::Unknown client',
    advice: { reconnect: 'handshake' },
  });
  expect(await other.subscribe(topic)).toMatchObject({ successful: true });
  add({ kind: 'cometd-unknown-client', match: { rpc: '/meta/handshake' }, params: { all: true } });
  await client.handshake();
  expect(await other.subscribe(topic)).toMatchObject({ error: '403::Unknown client' });
});

test(`a replay id is retained no longer, on the bus and of a topic ${assumed}`, async () => {
  const [outcome] = publish(org, 1);
  const { replayId } = outcome as { replayId: number };
  add({ kind: 'expired-replay-id', match: { times: 1 } });
  expect((await client.subscribe(topic, { [topic]: replayId })).error).toMatch(
    /^400::The replayId \{\d+\} you provided was invalid\. {2}Please/,
  );
  expect(await client.subscribe(topic, { [topic]: replayId })).toMatchObject({ successful: true });
  await org.call('POST', '/sobjects/PushTopic', { body: { Name: 'T', ApiVersion: 62, Query: 'SELECT Id FROM Account' } });
  org.insert('Account', { Name: 'a' });
  add({ kind: 'expired-replay-id', match: { topic: '/topic/T', times: 1 } });
  expect((await client.subscribe('/topic/T', { '/topic/T': 1 })).error).toMatch(/^400::The replayId \{1\}/);
  expect(await client.subscribe('/topic/T', { '/topic/T': 1 })).toMatchObject({ successful: true });
});

describe(`delivery ${assumed}`, () => {
  beforeEach(async () => {
    await client.subscribe(topic);
  });

  test('breaks off: the events of the broken reply are not sent again, a replay brings them back', async () => {
    publish(org, 0);
    const before = eventsOf((await client.connect()).messages).at(-1).data.event.replayId;
    add({ kind: 'stream-drop', match: { topic, times: 1 }, params: { events: 2 } });
    publish(org, 1, 2, 3);
    await expect(client.connect()).rejects.toThrow('fetch failed');
    expect(numbersOf((await client.connect()).messages)).toEqual([3]);
    await client.subscribe(topic, { [topic]: before });
    expect(numbersOf((await client.connect()).messages)).toEqual([1, 2, 3]);
  });

  test('breaks off before anything is taken', async () => {
    add({ kind: 'stream-drop', match: { rpc: '/meta/connect', times: 1 } });
    publish(org, 1);
    await expect(client.connect()).rejects.toThrow('fetch failed');
    expect(numbersOf((await client.connect()).messages)).toEqual([1]);
  });

  test('repeats events, in a reply of their own', async () => {
    add({ kind: 'stream-duplicate', match: { topic } });
    publish(org, 1, 2);
    const replies = [await client.connect(), await client.connect()];
    expect(replies.map(({ messages }) => numbersOf(messages))).toEqual([
      [1, 2],
      [1, 2],
    ]);
    publish(org, 3);
    expect(numbersOf((await client.connect()).messages)).toEqual([3]);
  });

  test('comes in small pieces', async () => {
    add({ kind: 'stream-split', match: { topic }, params: { events: 2 } });
    publish(org, 1, 2, 3);
    expect(numbersOf((await client.connect()).messages)).toEqual([1, 2]);
    expect(numbersOf((await client.connect()).messages)).toEqual([3]);
  });

  test('keeps events together that one replay id stands for', async () => {
    const members = [{ eventName: 'AccountChangeEvent', enrichedFields: ['Industry'] }];
    org.emulator.events.defineChannel({ name: 'Mine__chn', kind: 'change', members });
    const ids = org.insert('Account', { Name: 'a' }, { Name: 'b' }, { Name: 'c' });
    await client.subscribe('/data/Mine__chn');
    add({ kind: 'stream-split', match: { topic: '/data/Mine__chn' }, params: { events: 1 } });
    org.emulator.org.write((t) => ids.forEach((id) => void t.update('Account', id, { Phone: '1' })));
    const events = eventsOf((await client.connect()).messages);
    expect(new Set(events.map(({ data }) => data.event.replayId)).size).toBe(1);
    expect(events.flatMap(({ data }) => data.payload.ChangeEventHeader.recordIds)).toEqual(ids);
  });

  test('is late, by the org’s clock', async () => {
    add({ kind: 'stream-slow', match: { topic, times: 1 }, params: { delayMs: 5000 } });
    publish(org, 1);
    let answered = false;
    const connect = client.connect().finally(() => {
      answered = true;
    });
    await until(() => isWaiting(org));
    org.emulator.org.clock.advance(4999);
    await client.subscribe('/data/ChangeEvents');
    expect(answered).toBe(false);
    org.emulator.org.clock.advance(1);
    expect(numbersOf((await connect).messages)).toEqual([1]);
  });

  test('stops without a word: connects are answered, events are not told', async () => {
    add({ kind: 'stream-silent', match: { topic, times: 1 } });
    publish(org, 1);
    const connect = client.connect();
    await until(() => isWaiting(org));
    org.emulator.org.clock.advance(110_000);
    expect((await connect).messages).toEqual([expect.objectContaining({ channel: '/meta/connect', successful: true })]);
    publish(org, 2);
    const next = client.connect();
    await until(() => isWaiting(org));
    org.emulator.org.clock.advance(110_000);
    expect(numbersOf((await next).messages)).toEqual([]);
  });

  test('fails: the delivery limit, or a busy server that goes on afterwards', async () => {
    publish(org, 1);
    add({ kind: 'stream-error', match: { topic, times: 1 } });
    expect((await client.connect()).messages).toEqual([
      expect.objectContaining({
        error: '503::Server is too busy. Please try your request again later.',
        advice: { reconnect: 'retry', interval: 0 },
      }),
    ]);
    expect(numbersOf((await client.connect()).messages)).toEqual([1]);
    publish(org, 2, 3);
    add({ kind: 'stream-error', match: { topic, times: 1 }, params: { code: 'subscription.limit.exceeded', events: 1 } });
    const { messages } = await client.connect();
    expect(numbersOf(messages)).toEqual([2]);
    expect(messages.at(-1).error).toBe('403::Organization total events daily limit exceeded');
    expect(org.emulator.streaming.clients()).toEqual([]);
  });
});
