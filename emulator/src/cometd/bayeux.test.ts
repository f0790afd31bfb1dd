import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { TestOrg } from '../http/testing.ts';
import {
  bareClient,
  connectedClient,
  eventsOf,
  isWaiting,
  numbersOf,
  publish,
  startStreamingOrg,
  until,
} from './cometd-fixture.ts';

// The protocol as Salesforce speaks it: what a client relies on to hear of everything, once.

const guide = (section: string) => evidence('documented', `Streaming API Developer Guide, ${section}`);
const recorded = evidence('recorded', 'messages of real orgs in public issue threads');

let org: TestOrg;
beforeEach(async () => {
  org = await startStreamingOrg();
});
afterEach(() => org.emulator.close());

test(`a handshake, a connect that returns at once and advises, connects that do not advise ${recorded}`, async () => {
  const client = bareClient(org);
  const { status, messages, setCookies } = await client.handshake();
  expect(status).toBe(200);
  expect(messages).toEqual([
    {
      channel: '/meta/handshake',
      id: '1',
      version: '1.0',
      minimumVersion: '1.0',
      clientId: expect.stringMatching(/^\w{20,}$/),
      supportedConnectionTypes: ['long-polling'],
      ext: { replay: true, 'payload.format': true },
      successful: true,
    },
  ]);
  expect(setCookies.map((cookie) => cookie.split('=')[0])).toEqual(['BAYEUX_BROWSER', 'BrowserId', 'sfdc-stream']);
  const { clientId } = client;
  expect((await client.connect()).messages).toEqual([
    {
      channel: '/meta/connect',
      id: '2',
      clientId,
      advice: { interval: 0, timeout: 110_000, reconnect: 'retry' },
      successful: true,
    },
  ]);
  await client.subscribe('/event/Note__e', { '/event/Note__e': -2 });
  publish(org, 1);
  expect((await client.connect()).messages).toEqual([
    expect.objectContaining({ channel: '/event/Note__e' }),
    { channel: '/meta/connect', id: '4', clientId, successful: true },
  ]);
});

test(`a connect is held for 110 seconds by the org's clock, and answered empty then ${guide('Clients and Timeouts')}`, async () => {
  const client = await connectedClient(org);
  let answered = false;
  const connect = client.connect().finally(() => {
    answered = true;
  });
  await until(() => isWaiting(org));
  org.emulator.org.clock.advance(109_999);
  await client.subscribe('/event/Note__e');
  expect(answered).toBe(false);
  org.emulator.org.clock.advance(1);
  expect((await connect).messages).toEqual([expect.objectContaining({ channel: '/meta/connect', successful: true })]);
});

test(`a client that does not connect within 40 seconds of a reply is forgotten ${guide('Clients and Timeouts')}`, async () => {
  const client = await connectedClient(org);
  org.emulator.org.clock.advance(39_999);
  await client.subscribe('/event/Note__e');
  expect(org.emulator.streaming.clients()).toHaveLength(1);
  org.emulator.org.clock.advance(1);
  expect(org.emulator.streaming.clients()).toEqual([]);
  expect((await client.connect()).messages[0].error).toBe('403::Unknown client');
});

describe(`events ${guide('Message Durability')}`, () => {
  test('come with a held connect, several in one reply', async () => {
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e');
    const connect = client.connect();
    await until(() => isWaiting(org));
    publish(org, 1, 2, 3);
    expect(numbersOf((await connect).messages)).toEqual([1, 2, 3]);
  });

  test('between a subscribe and the next connect are not lost', async () => {
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e');
    publish(org, 1);
    publish(org, 2);
    expect(numbersOf((await client.connect()).messages)).toEqual([1, 2]);
  });

  test('that a subscribe asks for reach a connect that is held already', async () => {
    publish(org, 1);
    const client = await connectedClient(org);
    const connect = client.connect();
    await until(() => isWaiting(org));
    await client.subscribe('/event/Note__e', { '/event/Note__e': -2 });
    expect(numbersOf((await connect).messages)).toEqual([1]);
  });

  test('begin where the replay map says: new ones, all that are retained, those after one', async () => {
    publish(org, 1, 2, 3);
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e', { '/event/Note__e': -2 });
    const first = eventsOf((await client.connect()).messages);
    expect(numbersOf(first)).toEqual([1, 2, 3]);
    await client.subscribe('/event/Note__e', { '/event/Note__e': first[0].data.event.replayId, '/event/Other__e': 5 });
    expect(numbersOf((await client.connect()).messages)).toEqual([2, 3]);
    await client.subscribe('/event/Note__e', { '/event/Note__e': -1 });
    publish(org, 4);
    expect(numbersOf((await client.connect()).messages)).toEqual([4]);
  });

  test('stay with the server while nobody waits: a client that hangs up misses none', async () => {
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e');
    const hangUp = new AbortController();
    const connect = client.connect({ signal: hangUp.signal });
    await until(() => isWaiting(org));
    hangUp.abort();
    await expect(connect).rejects.toThrow();
    await until(() => !isWaiting(org));
    publish(org, 1);
    expect(numbersOf((await client.connect()).messages)).toEqual([1]);
  });

  test('of an unsubscribed channel stop, and disconnecting ends it all', async () => {
    const client = await connectedClient(org);
    await client.subscribe(['/event/Note__e', '/data/AccountChangeEvent']);
    const { clientId } = client;
    const [reply] = (await client.post([{ channel: '/meta/unsubscribe', clientId, subscription: '/event/Note__e', id: 'u' }]))
      .messages;
    expect(reply).toEqual({ channel: '/meta/unsubscribe', clientId, subscription: '/event/Note__e', id: 'u', successful: true });
    publish(org, 1);
    org.insert('Account', { Name: 'Acme' });
    const events = eventsOf((await client.connect()).messages);
    expect(events.map(({ channel }) => channel)).toEqual(['/data/AccountChangeEvent']);
    await client.post([{ channel: '/meta/disconnect', clientId, id: 'd' }]);
    expect(org.emulator.streaming.clients()).toEqual([]);
    expect(org.emulator.limits.StreamingApiConcurrentClients.used()).toBe(0);
  });

  test('more than a reply takes come in several', async () => {
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e');
    const numbers = Array.from({ length: 450 }, (_, n) => n);
    publish(org, ...numbers);
    const replies = [await client.connect(), await client.connect(), await client.connect()];
    expect(replies.map(({ messages }) => eventsOf(messages).length)).toEqual([200, 200, 50]);
    expect(replies.flatMap(({ messages }) => numbersOf(messages))).toEqual(numbers);
  });
});

test(`change events name their fields and carry what changed only ${evidence('recorded', 'CometD messages of a Contact and a Lead')}`, async () => {
  const [id = ''] = org.insert('Account', { Name: 'Acme', Phone: '1' });
  const client = await connectedClient(org);
  await client.subscribe('/data/ChangeEvents');
  org.emulator.org.clock.advance(1000);
  org.emulator.org.write((t) => t.update('Account', id, { Phone: null, BillingStreet: '1 A St' }), {
    origin: 'com/salesforce/api/rest/62.0',
  });
  const [message] = (await client.connect()).messages;
  expect(message).toEqual({
    channel: '/data/ChangeEvents',
    data: {
      schema: expect.stringMatching(/^[\w-]{22}$/),
      event: { replayId: expect.any(Number) },
      payload: {
        Phone: null,
        BillingAddress: { Street: '1 A St' },
        LastModifiedDate: '2026-03-04T05:06:08.000Z',
        ChangeEventHeader: expect.objectContaining({
          entityName: 'Account',
          changeType: 'UPDATE',
          recordIds: [id],
          changedFields: expect.arrayContaining(['Phone', 'BillingAddress.Street', 'LastModifiedDate']),
          changeOrigin: 'com/salesforce/api/rest/62.0',
        }),
      },
    },
  });
  expect(message.data.payload.ChangeEventHeader).not.toHaveProperty('nulledFields');
});

test.each([
  ['62.0', { EventUuid: expect.stringMatching(/^[\w-]{36}$/), EventApiName: 'Note__e' }],
  ['51.0', {}],
])(
  `platform events name themselves from version 52.0 on: %s ${evidence('documented', 'Platform Events Developer Guide, EventUuid')}`,
  async (version, named) => {
    const client = bareClient(org);
    const path = `/cometd/${version}`;
    await client.handshake({ path });
    await client.subscribe('/event/Note__e');
    publish(org, 7);
    const [message] = eventsOf((await client.connect({ path })).messages);
    expect(message).toEqual({
      channel: '/event/Note__e',
      data: {
        schema: expect.any(String),
        payload: { CreatedDate: '2026-03-04T05:06:07.000Z', CreatedById: org.emulator.org.adminUserId, N__c: 7 },
        event: { replayId: expect.any(Number), ...named },
      },
    });
  },
);

test(`the address of 36.0 for replay is served, older versions and none are not ${guide('Streaming API Error Codes')}`, async () => {
  const client = bareClient(org);
  expect((await client.handshake({ path: '/cometd/replay/36.0' })).messages[0].successful).toBe(true);
  expect(await client.handshake({ path: '/cometd/36.0' })).toMatchObject({
    status: 400,
    text: expect.stringContaining("Only API versions '37.0' and later are supported."),
  });
  expect(await client.handshake({ path: '/cometd' })).toMatchObject({ status: 400, text: expect.stringContaining('mandatory') });
});

test('requests are in the log, meet the faults of the wire and carry the org’s date', async () => {
  const client = await connectedClient(org);
  const { requests, faults, url, credentials } = org.emulator;
  expect(requests.totals()).toMatchObject({ apiCalls: 0, byKind: { 'cometd.handshake': 1, 'cometd.connect': 1 } });
  faults.add({ kind: 'unavailable', match: { path: '/cometd/', times: 1 } });
  expect((await client.connect()).status).toBe(503);
  const headers = { authorization: `Bearer ${credentials.accessToken}` };
  const response = await fetch(`${url}/cometd/62.0`, { method: 'POST', headers, body: '[]' });
  expect(response.status).toBe(400);
  expect(response.headers.get('date')).toBe('Wed, 04 Mar 2026 05:06:07 GMT');
});

test('an emulator that closes keeps no connect waiting', async () => {
  const closing = await startStreamingOrg();
  const client = await connectedClient(closing);
  const connect = client.connect().catch(() => 'broken');
  await until(() => isWaiting(closing));
  await closing.emulator.close();
  await connect;
});

test('without a socket it is the same API, asked in process', async () => {
  const inside = await startStreamingOrg({ listen: false });
  const client = bareClient(inside);
  await client.handshake();
  await client.connect();
  await client.subscribe('/event/Note__e');
  const connect = client.connect();
  await until(() => isWaiting(inside));
  publish(inside, 1);
  expect(numbersOf((await connect).messages)).toEqual([1]);
  const closing = client.connect().catch(() => 'broken');
  await until(() => isWaiting(inside));
  await inside.emulator.close();
  await closing;
});
