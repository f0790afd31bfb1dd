import { CometD } from 'cometd';
import { adapt } from 'cometd-nodejs-client';
import jsforce from 'jsforce';
import { StreamingExtension } from 'jsforce/lib/api/streaming.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TestOrg } from '../http/testing.ts';
import { isWaiting, publish, startStreamingOrg, until } from './cometd-fixture.ts';

// Public clients, unchanged, hear of everything once: also when the server forgets them in between.

let org: TestOrg;
beforeEach(async () => {
  org = await startStreamingOrg();
});
afterEach(() => org.emulator.close());

const topic = '/event/Note__e';

/** Everything that came, and a way to wait for what must come. */
function inbox<Message>() {
  const messages: Message[] = [];
  return {
    messages,
    add: (message: Message) => void messages.push(message),
    has: (count: number) => until(() => messages.length >= count),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the library has no types for messages of this shape
type Event = any;

describe('cometd and cometd-nodejs-client', () => {
  adapt();

  /** As Salesforce's own example does it: the map is sent with each subscription and follows what was heard. */
  function replayExtension(map: Record<string, number>) {
    return {
      outgoing(message: Event) {
        if (message.channel === '/meta/subscribe') message.ext = { ...message.ext, replay: { ...map } };
        return message;
      },
      incoming(message: Event) {
        if (message.data?.event?.replayId !== undefined) map[message.channel] = message.data.event.replayId;
        return message;
      },
    };
  }

  function createClient(replay: Record<string, number> = {}) {
    const client = new CometD();
    const { cometdUrl, accessToken } = org.emulator.credentials;
    client.configure({
      url: cometdUrl,
      requestHeaders: { Authorization: `Bearer ${accessToken}` },
      appendMessageTypeToURL: false,
      logLevel: 'warn',
    });
    client.unregisterTransport('websocket');
    client.registerExtension('replay', replayExtension(replay));
    return client;
  }

  const handshake = (client: ReturnType<typeof createClient>) =>
    new Promise<Event>((resolve) => client.handshake((reply: Event) => resolve(reply)));
  const subscribe = (client: ReturnType<typeof createClient>, channel: string, listener: (message: Event) => void) =>
    new Promise<Event>((resolve) => client.subscribe(channel, listener, {}, (reply: Event) => resolve(reply)));
  const disconnect = (client: ReturnType<typeof createClient>) =>
    new Promise<void>((resolve) => client.disconnect(() => resolve()));

  test('subscribe, hear, stop', async () => {
    publish(org, 0);
    const client = createClient({ [topic]: -2 });
    expect(await handshake(client)).toMatchObject({ successful: true, ext: { replay: true } });
    const heard = inbox<Event>();
    expect(await subscribe(client, topic, heard.add)).toMatchObject({ successful: true, subscription: topic });
    await subscribe(client, '/data/ChangeEvents', heard.add);
    publish(org, 1, 2);
    await heard.has(3);
    org.insert('Account', { Name: 'Acme' });
    await heard.has(4);
    expect(heard.messages.slice(0, 3).map(({ data }) => data.payload.N__c)).toEqual([0, 1, 2]);
    expect(heard.messages[3].data.payload).toMatchObject({ Name: 'Acme', ChangeEventHeader: { changeType: 'CREATE' } });
    await disconnect(client);
    expect(org.emulator.streaming.clients()).toEqual([]);
  });

  test('a server that restarts is found again by the client itself, and nothing is lost in between', async () => {
    const client = createClient({ [topic]: -1 });
    const heard = inbox<Event>();
    // The way of its manual: subscriptions are made anew after every handshake.
    client.addListener('/meta/handshake', (reply: Event) => {
      if (reply.successful) client.subscribe(topic, heard.add);
    });
    client.handshake();
    await until(() => org.emulator.streaming.clients()[0]?.subscriptions.length === 1 && isWaiting(org));
    publish(org, 1);
    await heard.has(1);
    await until(() => isWaiting(org));
    org.emulator.streaming.forgetClients();
    publish(org, 2);
    await heard.has(2);
    publish(org, 3);
    await heard.has(3);
    expect(heard.messages.map(({ data }) => data.payload.N__c)).toEqual([1, 2, 3]);
    await disconnect(client);
  });

  test('an expired session reaches the listener of connects, and ends the client', async () => {
    const client = createClient();
    const connects = inbox<Event>();
    await handshake(client);
    await until(() => isWaiting(org));
    client.addListener('/meta/connect', connects.add);
    org.emulator.sessions.revoke(org.emulator.credentials.accessToken);
    org.emulator.org.clock.advance(110_000);
    await connects.has(2);
    expect(connects.messages).toMatchObject([
      { successful: true },
      { error: '401::Authentication invalid', advice: { reconnect: 'none' } },
    ]);
    expect(client.isDisconnected()).toBe(true);
  });
});

describe('jsforce', () => {
  const connect = (accessToken = org.emulator.credentials.accessToken) =>
    new jsforce.Connection({ instanceUrl: org.emulator.credentials.instanceUrl, accessToken, version: '62.0' });

  test('a PushTopic, made and heard of', async () => {
    const connection = connect();
    const made = await connection.sobject('PushTopic').create({
      Name: 'NewAccounts',
      Query: "SELECT Id, Name FROM Account WHERE Name LIKE 'A%'",
      ApiVersion: 62,
      NotifyForOperationCreate: true,
      NotifyForOperationUpdate: false,
    });
    expect(made).toMatchObject({ success: true });
    const heard = inbox<Event>();
    const subscription = connection.streaming.topic('NewAccounts').subscribe(heard.add);
    await subscription;
    const { id } = await connection.sobject('Account').create({ Name: 'Acme' });
    await connection.sobject('Account').create({ Name: 'Beta' });
    await connection.sobject('Account').create({ Name: 'Another' });
    await heard.has(2);
    expect(heard.messages).toMatchObject([
      { event: { type: 'created', replayId: 1 }, sobject: { Id: id, Name: 'Acme' } },
      { event: { type: 'created' }, sobject: { Name: 'Another' } },
    ]);
  });

  test('the Replay extension reads on where it stopped', async () => {
    const outcomes = publish(org, 1, 2, 3) as { replayId: number }[];
    const replay = new StreamingExtension.Replay(topic, outcomes[0]?.replayId);
    const client = connect().streaming.createClient([replay]);
    const heard = inbox<Event>();
    await client.subscribe(topic, heard.add);
    await heard.has(2);
    publish(org, 4);
    await heard.has(3);
    expect(heard.messages.map(({ payload }) => payload.N__c)).toEqual([2, 3, 4]);
    // Its types leave out what it has.
    (client as unknown as { disconnect(): void }).disconnect();
  });

  test('the AuthFailure extension hears of a bad token in the handshake', async () => {
    const failure = await new Promise<Event>((resolve) => {
      const client = connect('bad').streaming.createClient([new StreamingExtension.AuthFailure(resolve)]);
      client.subscribe(topic, () => {});
    });
    expect(failure).toMatchObject({
      channel: '/meta/handshake',
      error: '403::Handshake denied',
      ext: { sfdc: { failureReason: '401::Authentication invalid' } },
    });
  });

  test('the AuthFailure extension hears of a session that ends later', async () => {
    const { promise, resolve } = Promise.withResolvers<Event>();
    const client = connect().streaming.createClient([new StreamingExtension.AuthFailure(resolve)]);
    await client.subscribe(topic, () => {});
    await until(() => isWaiting(org));
    org.emulator.sessions.revokeAll();
    org.emulator.org.clock.advance(110_000);
    expect(await promise).toMatchObject({ channel: '/meta/connect', error: '401::Authentication invalid' });
  });

  test('a generic channel, pushed to', async () => {
    const connection = connect();
    await connection.sobject('StreamingChannel').create({ Name: '/u/news' });
    const heard = inbox<Event>();
    await connection.streaming.subscribe('/u/news', heard.add);
    expect(await connection.streaming.channel('/u/news').push({ payload: 'hello', userIds: [] })).toMatchObject({
      fanoutCount: 1,
    });
    await heard.has(1);
    expect(heard.messages[0].payload).toBe('hello');
  });
});
