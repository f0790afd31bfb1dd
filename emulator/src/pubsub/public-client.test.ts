import PubSubApiClient from 'salesforce-pubsub-api-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../http/start-emulator.ts';

// The most used public client, unchanged, cannot tell this server from the real one. It speaks TLS only and brings its own
// list of authorities, so that it must be told to take any certificate.

const topic = '/event/Order_Shipped__e';
let emulator: Emulator;
const clients: PubSubApiClient[] = [];
beforeAll(async () => {
  emulator = await startEmulator({
    platformEvents: [{ name: 'Order_Shipped__e', fields: [{ name: 'Number__c', type: 'number', precision: 18, scale: 0 }] }],
    changeEvents: ['Account'],
  });
});
// The client's `close` leaves streams open with nobody to hear of their end: it comes last.
afterAll(async () => {
  await emulator.close();
  for (const client of clients) client.close();
});

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const publish = (...numbers: number[]) =>
  emulator.events.publish(
    topic,
    numbers.map((number) => ({ fields: { Number__c: number } })),
    emulator.org.adminUserId,
  );

type Kind = 'event' | 'lastEvent' | 'error' | 'end' | 'grpcStatus' | 'grpcKeepAlive';
// biome-ignore lint/suspicious/noExplicitAny: what the client tells is of every shape
type Told = { kind: Kind; data: any };

async function connect(how: 'client credentials' | 'supplied token' = 'client credentials') {
  const { pubsubTlsEndpoint: pubSubEndpoint, loginUrl, clientId, clientSecret, accessToken, instanceUrl } = emulator.credentials;
  const auth =
    how === 'supplied token'
      ? { authType: 'user-supplied', accessToken, instanceUrl: instanceUrl.replace('http:', 'https:') }
      : { authType: 'oauth-client-credentials', loginUrl, clientId, clientSecret };
  const client = new PubSubApiClient({ ...auth, pubSubEndpoint, rejectUnauthorizedSsl: false } as never, quiet as never);
  clients.push(client);
  await client.connect();
  return client;
}

/** A callback for the client, and what it was told; a test waits for what must come. */
function listen() {
  const told: Told[] = [];
  let look = () => {};
  return {
    told,
    callback: (_info: unknown, kind: string, data: unknown) => {
      told.push({ kind: kind as Kind, data });
      look();
    },
    until: (satisfied: (told: Told[]) => boolean) =>
      new Promise<Told[]>((resolve) => {
        look = () => {
          if (satisfied(told)) resolve(told);
        };
        look();
      }),
  };
}

const events = (told: Told[]) => told.filter(({ kind }) => kind === 'event').map(({ data }) => data);
const shipped = (told: Told[]) => events(told).map(({ payload }) => payload.Number__c);
const atLeast = (count: number) => (told: Told[]) => events(told).length >= count;

test.each(['client credentials', 'supplied token'] as const)('subscribes from the earliest event, by %s', async (how) => {
  publish(1, 2);
  const client = await connect(how);
  const { callback, until } = listen();
  client.subscribeFromEarliestEvent(topic, callback as never);
  const numbers = shipped(await until(atLeast(2)));
  expect(numbers.slice(0, 2)).toEqual([1, 2]);
});

test('goes on for ever from the latest, with more than a hundred events', async () => {
  const client = await connect();
  const { callback, until, told } = listen();
  client.subscribe(topic, callback as never);
  // Its first request is on its way when this one is answered.
  await client.publish(topic, { CreatedDate: Date.now(), CreatedById: emulator.org.adminUserId, Number__c: { double: 1000 } });
  publish(...Array.from({ length: 250 }, (_, n) => n + 1));
  await until((all) => shipped(all).includes(250));
  expect(shipped(told).slice(-250)).toEqual(Array.from({ length: 250 }, (_, n) => n + 1));
});

test('resumes after a replay id', async () => {
  const outcomes = publish(11, 12, 13);
  const client = await connect();
  const { callback, until } = listen();
  const [first] = outcomes;
  if (!first || !('replayId' in first)) throw new Error('not published');
  client.subscribeFromReplayId(topic, callback as never, 2, first.replayId);
  const told = await until((all) => all.some(({ kind }) => kind === 'lastEvent'));
  expect(shipped(told)).toEqual([12, 13]);
});

test('publishes one, and many on a stream', async () => {
  const client = await connect();
  const payload = (number: number) => ({
    CreatedDate: Date.now(),
    CreatedById: emulator.org.adminUserId,
    Number__c: { double: number },
  });
  const result = await client.publish(topic, payload(21), 'my-key');
  expect(result).toMatchObject({ correlationKey: 'my-key', replayId: expect.any(Number) });
  const { callback, until } = listen();
  await client.publishBatch(
    topic,
    [
      { id: 'a', payload: payload(22) },
      { id: 'b', payload: payload(23) },
    ] as never,
    callback as never,
  );
  const [answer] = await until((all) => all.length > 0);
  expect(answer).toMatchObject({
    kind: 'publishResponse',
    data: { results: [{ correlationKey: 'a' }, { correlationKey: 'b' }] },
  });
  const read = listen();
  client.subscribeFromReplayId(topic, read.callback as never, 2, result.replayId as number);
  expect(shipped(await read.until(atLeast(2)))).toEqual([22, 23]);
});

test('reads change events with their changed fields', async () => {
  const client = await connect();
  const { id } = emulator.org.write((transaction) => transaction.insert('Account', { Name: 'Acme' }));
  emulator.org.write((transaction) => transaction.update('Account', id, { Phone: '1', BillingCity: 'Oslo' }));
  const { callback, until } = listen();
  client.subscribeFromEarliestEvent('/data/AccountChangeEvent', callback as never);
  const [created, updated] = events(await until(atLeast(2)));
  expect(created.payload).toMatchObject({ Name: 'Acme', ChangeEventHeader: { changeType: 'CREATE', recordIds: [id] } });
  expect(updated.payload).toMatchObject({ Phone: '1', BillingAddress: { City: 'Oslo' } });
  expect(updated.payload.ChangeEventHeader.changedFields).toEqual(
    expect.arrayContaining(['Phone', 'BillingAddress.City', 'LastModifiedDate']),
  );
});

test('a managed subscription goes on after what was committed', async () => {
  const { id } = emulator.managedSubscriptions.define({ developerName: 'Shipping', topicName: topic, defaultReplay: 'EARLIEST' });
  const first = await connect();
  const reading = listen();
  await first.subscribeWithManagedSubscription('Shipping', reading.callback as never, 3);
  const told = events(await reading.until(atLeast(3)));
  first.commitReplayId(id, told[1].replayId);
  // Commits are answered by a message without events.
  await reading.until((all) => all.some(({ kind }) => kind === 'grpcKeepAlive'));
  expect(emulator.managedSubscriptions.byName('Shipping')?.committed).toBe(told[1].replayId);
  // Its place is free again once its stream has ended.
  emulator.managedSubscriptions.define({ developerName: 'Shipping', topicName: topic, state: 'STOP' });
  await reading.until((all) => all.some(({ kind, data }) => kind === 'error' && data.code === 9));
  emulator.managedSubscriptions.define({ developerName: 'Shipping', topicName: topic, state: 'RUN' });
  const second = await connect();
  const again = listen();
  await second.subscribeWithManagedSubscription(id, again.callback as never, 1);
  const [resumed] = events(await again.until((all) => all.length > 0));
  expect(resumed.replayId).toBe(told[2].replayId);
});

test('a managed subscription that is stopped is not subscribed to', async () => {
  emulator.managedSubscriptions.define({ developerName: 'Stopped', topicName: topic, state: 'STOP' });
  const client = await connect();
  await expect(client.subscribeWithManagedSubscription('Stopped', () => {})).rejects.toThrow(/in STOP state/);
});
