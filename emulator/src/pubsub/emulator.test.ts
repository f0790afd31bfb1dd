import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from '../http/testing.ts';
import { connectClient, type TestClient } from './client-fixture.ts';
import { countEvents } from './pubsub-fixture.ts';

// The whole org behind the stream: what is written by REST comes over gRPC, and what Setup does to an org shows there.

const topic = '/data/AccountChangeEvent';
let org: TestOrg;
let client: TestClient;
beforeAll(async () => {
  org = await startTestOrg({ changeEvents: ['Account'] });
  const {
    accessToken: accesstoken,
    instanceUrl: instanceurl,
    organizationId: tenantid,
    pubsubEndpoint,
  } = org.emulator.credentials;
  client = connectClient(pubsubEndpoint as string, { accesstoken, instanceurl, tenantid });
});
afterAll(async () => {
  client.close();
  await org.emulator.close();
});

const create = async (body: Record<string, unknown>) => (await org.call('POST', '/sobjects/Account', { body })).json.id as string;
const subscribe = (request: Record<string, unknown> = { replayPreset: 'EARLIEST' }) => {
  const stream = client.stream('Subscribe');
  stream.send({ topicName: topic, numRequested: 100, ...request });
  return stream;
};

test(`each event carries the schema that it was written with: a new field changes it in mid-stream ${evidence('documented', 'Pub/Sub API guide, Event Data Serialization with Apache Avro')}`, async () => {
  const stream = subscribe();
  await create({ Name: 'before' });
  await stream.until((all) => countEvents(all) === 1);
  await org.backdoor('POST', '/schema/fields', { object: 'Account', fields: [{ name: 'Tier__c', type: 'string', length: 20 }] });
  await create({ Name: 'after', Tier__c: 'gold' });
  const [before, after] = (await stream.until((all) => countEvents(all) === 2)).flatMap(({ events }) => events);
  expect(before.event.schemaId).not.toBe(after.event.schemaId);
  const { schemaId } = await client.unary('GetTopic', { topicName: topic });
  expect(schemaId).toBe(after.event.schemaId);
  for (const [event, has] of [
    [before, false],
    [after, true],
  ] as const) {
    const { schemaJson } = await client.unary('GetSchema', { schemaId: event.event.schemaId });
    expect(schemaJson.includes('Tier__c')).toBe(has);
  }
  stream.cancel();
});

test(`a keepalive's position is ahead of the topic's last event, and good to resume from ${evidence('documented', 'Pub/Sub API guide, Subscribe Keepalive Behavior')}`, async () => {
  const stream = subscribe();
  const [first] = await stream.until((all) => countEvents(all) >= 1);
  org.emulator.events.selectForChangeEvents(['Account', 'Contact']);
  await org.call('POST', '/sobjects/Contact', { body: { LastName: 'k' } });
  await client.unary('GetTopic', { topicName: topic });
  org.emulator.org.clock.advance(270_000);
  const empty = (await stream.until((all) => all.at(-1)?.events.length === 0)).at(-1);
  expect(Buffer.compare(empty.latestReplayId, first.latestReplayId)).toBe(1);
  expect(empty.latestReplayId).toHaveLength(10);
  stream.cancel();
  const id = await create({ Name: 'next' });
  const again = subscribe({ replayPreset: 'CUSTOM', replayId: empty.latestReplayId });
  const [message] = await again.until((all) => countEvents(all) > 0);
  expect(message.events).toHaveLength(1);
  expect(Buffer.from(message.events[0].event.payload).includes(id)).toBe(true);
  again.cancel();
});

test(`an object that is not selected has no topic ${evidence('documented', 'Pub/Sub API guide, Handle Errors: topic.not.found')}`, async () => {
  const refused = client.unary('GetTopic', { topicName: '/data/LeadChangeEvent' });
  await expect(refused).rejects.toMatchObject({
    code: 5,
    errorCode: 'sfdc.platform.eventbus.grpc.topic.not.found',
    details: expect.stringMatching(
      /^The topic information for org CORE\/prod\/00D\w{15} and topic \/data\/LeadChangeEvent not found\./,
    ),
  });
  expect(await client.unary('GetTopic', { topicName: topic })).toMatchObject({ canPublish: false, canSubscribe: true });
});

test(`deliveries count against the org's daily allocation ${evidence('documented', 'Platform Events guide, Allocations')}`, async () => {
  const { DailyDeliveredPlatformEvents: limit } = org.emulator.limits;
  const [used, { max }] = [limit.used(), limit];
  const stream = subscribe();
  const count = countEvents(await stream.until((all) => countEvents(all) >= 3));
  expect(limit.used() - used).toBe(count);
  limit.max = limit.used();
  await create({ Name: 'one too many' });
  expect(await stream.ended).toMatchObject({ errorCode: 'sfdc.platform.eventbus.grpc.subscription.limit.exceeded' });
  limit.max = max;
});

test('managed subscriptions are defined through the backdoor, and asked for by the Tooling API', async () => {
  const made = await org.backdoor('POST', '/managed-subscriptions', { developerName: 'Crm', topicName: topic, label: 'CRM' });
  expect(made.json).toMatchObject({ id: expect.stringMatching(/^18x\w{15}$/), state: 'RUN', defaultReplay: 'LATEST' });
  const ask = (where: string) =>
    org.call(
      'GET',
      `/tooling/query?q=${encodeURIComponent(`SELECT Id, DeveloperName, Metadata FROM ManagedEventSubscription ${where}`)}`,
    );
  for (const where of ["WHERE DeveloperName='Crm' LIMIT 1", `WHERE Id='${made.json.id}'`, '']) {
    expect((await ask(where)).json).toMatchObject({
      size: 1,
      records: [{ Id: made.json.id, DeveloperName: 'Crm', Metadata: { topicName: topic, state: 'RUN' } }],
    });
  }
  expect((await ask("WHERE DeveloperName='Other'")).json).toMatchObject({ size: 0, records: [] });
  expect((await org.backdoor('POST', '/managed-subscriptions', { developerName: 'Crm' })).status).toBe(400);
  expect((await org.backdoor('DELETE', '/managed-subscriptions/Crm')).json).toEqual({ removed: true });
  expect((await org.backdoor('GET', '/managed-subscriptions')).json).toEqual({ subscriptions: [] });
});

test('the backdoor tells where it is and what certificate it shows', async () => {
  const { pubsubEndpoint, pubsubTlsEndpoint } = org.emulator.credentials;
  expect((await org.backdoor('GET', '/pubsub')).json).toEqual({
    endpoint: pubsubEndpoint,
    tlsEndpoint: pubsubTlsEndpoint,
    certificate: expect.stringContaining('BEGIN CERTIFICATE'),
  });
});

test('it can be left off, and is off without a socket', async () => {
  for (const options of [{ pubsub: false } as const, { listen: false }]) {
    const off = await startTestOrg(options);
    expect([off.emulator.pubsub, off.emulator.credentials.pubsubEndpoint]).toEqual([undefined, undefined]);
    await off.emulator.close();
  }
});
