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

// Every refusal in the words and the form that clients match on: a subscriber that misreads one either stops for good or
// goes on with a hole (P5).

const codes = evidence('documented', 'Streaming API Developer Guide, Streaming API Error Codes');
const handling = evidence('documented', 'Streaming API Developer Guide, Handling Streaming API Errors');

let org: TestOrg;
beforeEach(async () => {
  org = await startStreamingOrg();
});
afterEach(() => org.emulator.close());

describe(`a handshake is denied, and says why in failureReason ${handling}`, () => {
  const denied = (failureReason: string) => ({
    status: 200,
    messages: [
      {
        channel: '/meta/handshake',
        id: '1',
        ext: { sfdc: { failureReason } },
        advice: { reconnect: 'none' },
        error: '403::Handshake denied',
        successful: false,
      },
    ],
    setCookies: [],
  });

  test('without a token', async () => {
    expect(await bareClient(org).handshake({ token: null })).toMatchObject(denied('401::Request requires authentication'));
  });

  test('with one that is not good', async () => {
    expect(await bareClient(org).handshake({ token: 'gone' })).toMatchObject(denied('401::Authentication invalid'));
  });

  test('to a user without the API', async () => {
    org.emulator.users.permit(org.emulator.org.adminUserId, { system: { apiEnabled: false } });
    expect(await bareClient(org).handshake()).toMatchObject(denied('403::User not enabled for streaming'));
  });

  test('to one client too many, until another leaves', async () => {
    org.emulator.limits.StreamingApiConcurrentClients.max = 2;
    const [first, , third] = [await connectedClient(org), await connectedClient(org), bareClient(org)];
    expect(await third.handshake()).toMatchObject(denied('403::Organization concurrent user limit exceeded'));
    await first.post([{ channel: '/meta/disconnect', clientId: first.clientId, id: 'd' }]);
    expect((await third.handshake()).messages[0].successful).toBe(true);
    org.emulator.org.clock.advance(40_000);
    expect(org.emulator.limits.StreamingApiConcurrentClients.used()).toBe(0);
  });
});

describe('a client that is connected', () => {
  test(`is told on /meta/connect that its session is over ${handling}`, async () => {
    const client = await connectedClient(org);
    org.emulator.sessions.revoke(org.emulator.credentials.accessToken);
    expect(await client.connect()).toMatchObject({
      status: 200,
      messages: [
        {
          clientId: client.clientId,
          advice: { reconnect: 'none', interval: 0 },
          channel: '/meta/connect',
          id: '3',
          error: '401::Authentication invalid',
          successful: false,
        },
      ],
    });
    expect(await client.subscribe('/event/Note__e')).toMatchObject({ error: '401::Authentication invalid' });
  });

  test(`cannot become another user ${codes}`, async () => {
    const client = await connectedClient(org);
    const other = org.emulator.users.add({ username: 'other@example.com' });
    const { token } = org.emulator.sessions.start(other.userId);
    const [reply] = (await client.connect({ token })).messages;
    expect(reply.error).toBe("400::Authenticated user id does not match the session's user id");
  });

  test(`is unknown to a server that restarted, loses its cookie and shakes hands again ${evidence('recorded', 'a reply with its header in a public issue thread')}`, async () => {
    const client = await connectedClient(org);
    org.emulator.streaming.forgetClients();
    const reply = await client.connect();
    expect(reply).toMatchObject({ status: 200, setCookies: [expect.stringMatching(/^sfdc-stream=;.*Expires=/)] });
    expect(reply.messages).toEqual([
      {
        advice: { interval: 0, reconnect: 'handshake' },
        channel: '/meta/connect',
        id: '3',
        error: '403::Unknown client',
        successful: false,
      },
    ]);
    expect((await client.handshake()).messages[0].successful).toBe(true);
    expect((await client.connect()).messages[0].successful).toBe(true);
  });

  test(`must keep its cookies ${codes}`, async () => {
    const client = await connectedClient(org);
    const { clientId } = client;
    const node = client.cookies.get('sfdc-stream') as string;
    client.cookies.delete('sfdc-stream');
    expect((await client.connect()).messages[0].error).toBe('403::Unknown client');
    client.cookies.set('sfdc-stream', '!another');
    expect((await client.connect()).messages[0].error).toBe('403::Unknown client');
    client.cookies.set('sfdc-stream', node);
    expect((await client.subscribe('/event/Note__e')).successful).toBe(true);
    const browser = client.cookies.get('BAYEUX_BROWSER') as string;
    client.cookies.set('BAYEUX_BROWSER', 'another');
    expect((await client.connect()).messages[0]).toMatchObject({
      error: '403::Unknown client',
      advice: { reconnect: 'handshake' },
    });
    client.cookies.set('BAYEUX_BROWSER', browser);
    client.cookies.delete('BAYEUX_BROWSER');
    expect((await client.connect()).messages[0].error).toBe(
      `400::Client ${clientId} has established a session, but no BAYEUX_BROWSER cookie present`,
    );
  });

  test(`speaks long-polling only ${codes}`, async () => {
    const client = await connectedClient(org);
    const message = { channel: '/meta/connect', clientId: client.clientId, connectionType: 'websocket', id: 'x' };
    expect((await client.post([message])).messages).toEqual([
      expect.objectContaining({ error: '400::Invalid connection type websocket', successful: false }),
    ]);
  });
});

describe(`a subscription is refused ${codes}`, () => {
  const refusedWith = async (subscription: unknown, replay?: Record<string, unknown>) => {
    const client = await connectedClient(org);
    const reply = await client.subscribe(subscription as string, replay);
    expect(reply).toMatchObject({ channel: '/meta/subscribe', clientId: client.clientId, subscription, successful: false });
    return reply.error;
  };

  test.each([
    ['/event/None__e', '400::The channel you requested to subscribe to does not exist {/event/None__e}'],
    ['/data/LeadChangeEvent', '400::The channel you requested to subscribe to does not exist {/data/LeadChangeEvent}'],
    ['/topic/None', '400::The channel you requested to subscribe to does not exist {/topic/None}'],
    ['/u/none', '404::Unknown channel'],
    ['/chat', '403::Cannot create channel /chat'],
    ['event/Note__e', "400::Channel subscriptions must start with a leading '/'"],
    ['', '400::Channel name not specified'],
  ])('%s', async (subscription, error) => {
    expect(await refusedWith(subscription)).toBe(error);
  });

  test.each([0, 5, -3, 1.5, '7'])('replay id %s, with two blanks in the sentence', async (replayId) => {
    publish(org, 1);
    expect(await refusedWith('/event/Note__e', { '/event/Note__e': replayId })).toBe(
      `400::The replayId {${replayId}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.`,
    );
  });

  test('a replay id that is past retention', async () => {
    const [outcome] = publish(org, 1);
    const replay = { '/event/Note__e': (outcome as { replayId: number }).replayId };
    const { clock, adminUserId } = org.emulator.org;
    const subscribeAfter = async (hours: number) => {
      clock.advance(hours * 3_600_000);
      const client = bareClient(org);
      client.token = org.emulator.sessions.start(adminUserId).token;
      await client.handshake();
      return await client.subscribe('/event/Note__e', replay);
    };
    expect(await subscribeAfter(71)).toMatchObject({ successful: true });
    expect(await subscribeAfter(2)).toMatchObject({ error: expect.stringMatching(/^400::The replayId/) });
  });

  test('change events of an object without View All', async () => {
    const { users } = org.emulator;
    const other = users.add({ username: 'other@example.com', profile: 'Standard User' });
    const client = bareClient(org);
    client.token = org.emulator.sessions.start(other.userId).token;
    await client.handshake();
    expect(await client.subscribe('/data/AccountChangeEvent')).toMatchObject({
      error: '403::User not allowed to subscribe CDC without required permissions',
      successful: false,
    });
  });

  test('all of several when one is', async () => {
    await refusedWith(['/event/Note__e', '/event/None__e']);
    expect(org.emulator.streaming.clients()[0]?.subscriptions).toEqual([]);
  });
});

describe(`the day's deliveries ${evidence('documented', 'Platform Events Developer Guide, Event Allocations: error on /meta/connect, the subscription is disconnected')}`, () => {
  test('end a subscription on /meta/connect, and what was not delivered waits for a replay', async () => {
    org.emulator.limits.DailyDeliveredPlatformEvents.max = 3;
    const client = await connectedClient(org);
    await client.subscribe('/event/Note__e');
    publish(org, 1, 2, 3, 4, 5);
    const { messages } = await client.connect();
    expect(numbersOf(messages)).toEqual([1, 2, 3]);
    expect(messages.at(-1)).toMatchObject({
      channel: '/meta/connect',
      error: '403::Organization total events daily limit exceeded',
      successful: false,
    });
    expect(org.emulator.streaming.clients()).toEqual([]);
    const again = await connectedClient(org);
    const replay = { '/event/Note__e': eventsOf(messages).at(-1).data.event.replayId };
    expect((await again.subscribe('/event/Note__e', replay)).error).toBe('403::Organization total events daily limit exceeded');
    org.emulator.limits.DailyDeliveredPlatformEvents.max = 10;
    await again.subscribe('/event/Note__e', replay);
    expect(numbersOf((await again.connect()).messages)).toEqual([4, 5]);
  });

  test('count every copy', async () => {
    const clients = [await connectedClient(org), await connectedClient(org)];
    for (const client of clients) await client.subscribe('/event/Note__e');
    publish(org, 1, 2);
    for (const client of clients) await client.connect();
    expect(org.emulator.limits.DailyDeliveredPlatformEvents.used()).toBe(4);
  });
});

test(`bodies of more than 32,768 bytes are refused with 413 ${codes}`, async () => {
  const client = bareClient(org);
  const message = (length: number) =>
    JSON.stringify([{ channel: '/meta/handshake', id: '1', pad: '' }]).replace('""', `"${'x'.repeat(length)}"`);
  const room = 32_768 - message(0).length;
  expect((await client.post(message(room))).status).toBe(200);
  expect((await client.post(message(room + 1))).status).toBe(413);
});

test.each(['', '{', '[]', '[1]', '"x"', '[{"id":"1"}]'])(
  `what is no list of messages is refused: %s ${evidence('assumed', 'HTTP 400')}`,
  async (body) => {
    expect((await bareClient(org).post(body)).status).toBe(400);
  },
);

test(`of two connects at a time the older one ends ${evidence('assumed', 'as the CometD server library does')}`, async () => {
  const client = await connectedClient(org);
  await client.subscribe('/event/Note__e');
  const older = client.connect();
  await until(() => isWaiting(org));
  const newer = client.connect();
  expect((await older).status).toBe(500);
  await until(() => isWaiting(org));
  publish(org, 1);
  expect(numbersOf((await newer).messages)).toEqual([1]);
});

test(`clients do not publish ${evidence('assumed', 'Salesforce has no client publishing over CometD')}`, async () => {
  const client = await connectedClient(org);
  const { clientId } = client;
  const [reply] = (await client.post([{ channel: '/event/Note__e', clientId, data: { payload: { N__c: 1 } }, id: 'p' }]))
    .messages;
  expect(reply).toMatchObject({ successful: false, error: '403::Cannot create channel /event/Note__e' });
});
