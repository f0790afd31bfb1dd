import avsc from 'avsc';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { connectClient } from '../pubsub/client-fixture.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// A platform event costs the same however it is published, and one that is refused is on nobody's stream.

let org: TestOrg;
beforeEach(async () => {
  org = await startTestOrg({
    platformEvents: [
      { name: 'Ping__e', fields: [{ name: 'Count__c', type: 'number' }] },
      { name: 'Late__e', publishBehavior: 'afterCommit', fields: [{ name: 'Count__c', type: 'number' }] },
    ],
    ingest: { pace: 'immediate' },
  });
});
afterEach(() => org.emulator.close());

const used = () => org.emulator.limits.HourlyPublishedPlatformEvents.used();
const counts = (event = 'Ping__e') => {
  const channel = org.emulator.events.channel(`/event/${event}`);
  return channel?.read(0, 100, org.emulator.org.adminUserId).events.map((each) => each.json().Count__c);
};
const enqueued = [{ statusCode: 'OPERATION_ENQUEUED', message: expect.stringMatching(/^[0-9a-f-]{36}$/), fields: [] }];
const record = (Count__c: number) => ({ attributes: { type: 'Ping__e' }, Count__c });

async function byBulk(rows: string) {
  const body = { object: 'Ping__e', operation: 'insert', contentType: 'CSV', lineEnding: 'LF' };
  const { id } = (await org.call('POST', '/jobs/ingest', { body })).json;
  await org.call('PUT', `/jobs/ingest/${id}/batches`, { body: `Count__c\n${rows}\n`, headers: { 'content-type': 'text/csv' } });
  await org.call('PATCH', `/jobs/ingest/${id}`, { body: { state: 'UploadComplete' } });
  const job = (await org.call('GET', `/jobs/ingest/${id}`)).json;
  return { job, failed: (await org.call('GET', `/jobs/ingest/${id}/failedResults`)).text };
}

async function byPubSub(...values: number[]) {
  const { accessToken, instanceUrl, organizationId, pubsubEndpoint } = org.emulator.credentials;
  const metadata = { accesstoken: accessToken, instanceurl: instanceUrl, tenantid: organizationId };
  const client = connectClient(pubsubEndpoint as string, metadata);
  const schema = org.emulator.events.channel('/event/Ping__e')?.schema() as { id: string; json: string };
  const type = avsc.Type.forSchema(JSON.parse(schema.json));
  const CreatedById = org.emulator.org.adminUserId;
  const events = values.map((Count__c) => ({
    id: `k${Count__c}`,
    schemaId: schema.id,
    payload: type.toBuffer({ CreatedDate: 1, CreatedById, Count__c, EventUuid: null, ReplayId: null }),
  }));
  try {
    return await client.unary('Publish', { topicName: '/event/Ping__e', events });
  } finally {
    client.close();
  }
}

test(`published by REST, Composite, graph, tree, Collections, Bulk and gRPC: each spends the hourly allocation ${evidence('documented', 'Platform Events Developer Guide, Platform Event Allocations; Publish Event Messages with Salesforce APIs')}`, async () => {
  const single = await org.call('POST', '/sobjects/Ping__e', { body: { Count__c: 1 } });
  expect(single).toMatchObject({ status: 201, json: { success: true, errors: enqueued } });
  const url = '/services/data/v62.0/sobjects/Ping__e';
  const part = (Count__c: number) => ({ method: 'POST', url, referenceId: `r${Count__c}`, body: { Count__c } });
  const composite = await org.call('POST', '/composite', { body: { allOrNone: true, compositeRequest: [part(2)] } });
  expect(composite.json.compositeResponse[0]).toMatchObject({ httpStatusCode: 201, body: { success: true, errors: enqueued } });
  const graph = { graphs: [{ graphId: 'g', compositeRequest: [part(3)] }] };
  expect((await org.call('POST', '/composite/graph', { body: graph })).json.graphs[0].isSuccessful).toBe(true);
  const tree = { records: [{ attributes: { type: 'Ping__e', referenceId: 't' }, Count__c: 4 }] };
  expect((await org.call('POST', '/composite/tree/Ping__e', { body: tree })).json.hasErrors).toBe(false);
  const collection = await org.call('POST', '/composite/sobjects', { body: { records: [record(5), record(6)] } });
  expect(collection.json).toMatchObject([{ success: true, errors: enqueued }, { success: true }]);
  expect((await byBulk('7\n8')).job).toMatchObject({ state: 'JobComplete', numberRecordsFailed: 0 });
  expect((await byPubSub(9, 10)).results).toMatchObject([{ correlationKey: 'k9', error: null }, { error: null }]);
  org.emulator.events.publish('/event/Ping__e', [{ fields: { Count__c: 11 } }], org.emulator.org.adminUserId);

  expect(counts()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(used()).toBe(11);
  const shown = (await org.call('GET', '/limits')).json.HourlyPublishedPlatformEvents;
  expect(shown).toEqual({ Max: 50_000, Remaining: 50_000 - 11 });
});

test(`once it is spent every way answers LIMIT_EXCEEDED, until the hour has passed ${evidence('documented', 'Platform Events Developer Guide, Platform Event Error Status Codes; the text is assumed')}`, async () => {
  org.emulator.limits.HourlyPublishedPlatformEvents.max = 1;
  await org.call('POST', '/sobjects/Ping__e', { body: { Count__c: 1 } });
  const refused = await org.call('POST', '/sobjects/Ping__e', { body: { Count__c: 2 } });
  expect(refused).toMatchObject({ status: 400, json: [{ errorCode: 'LIMIT_EXCEEDED' }] });
  const collection = await org.call('POST', '/composite/sobjects', { body: { records: [record(3)] } });
  expect(collection.json).toMatchObject([{ success: false, errors: [{ statusCode: 'LIMIT_EXCEEDED' }] }]);
  const { job, failed } = await byBulk('4');
  expect([job.numberRecordsFailed, failed]).toEqual([1, expect.stringContaining('LIMIT_EXCEEDED')]);
  expect((await byPubSub(5)).results).toMatchObject([{ correlationKey: 'k5', error: { code: 'PUBLISH' } }]);
  expect((await org.call('POST', '/sobjects/Late__e', { body: { Count__c: 6 } })).status).toBe(400);
  expect([counts(), counts('Late__e'), used()]).toEqual([[1], [], 1]);
  org.emulator.org.clock.advance(61 * 60_000);
  expect((await org.call('POST', '/sobjects/Late__e', { body: { Count__c: 7 } })).status).toBe(201);
  expect(counts('Late__e')).toEqual([7]);
});
