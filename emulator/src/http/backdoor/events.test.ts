// A test must be able to set up an org's events from outside the process, in any language, and to make them go wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../../evidence.ts';
import { startTestOrg, type TestOrg } from '../testing.ts';

let org: TestOrg;
beforeEach(async () => {
  org = await startTestOrg();
});
afterEach(() => org.emulator.close());

const read = async (topic: string, more = '') => (await org.backdoor('GET', `/events/read?topic=${topic}${more}`)).json;
const headers = (events: { payload: { ChangeEventHeader: unknown } }[]) => events.map(({ payload }) => payload.ChangeEventHeader);

test('objects are selected, their changes are told with the client that made them', async () => {
  expect((await org.backdoor('POST', '/events/change-events', { objects: ['Account'] })).json).toEqual({
    changeEvents: ['Account'],
  });
  expect((await org.backdoor('POST', '/events/change-events', { add: ['Contact'] })).json.changeEvents).toEqual([
    'Account',
    'Contact',
  ]);
  const { json: created } = await org.call('POST', '/sobjects/Account', {
    body: { Name: 'Acme' },
    headers: { 'Sforce-Call-Options': 'client=tide' },
  });
  const { events } = await read('/data/ChangeEvents');
  expect(headers(events)).toMatchObject([
    { changeType: 'CREATE', recordIds: [created.id], changeOrigin: 'com/salesforce/api/rest/62.0;client=tide' },
  ]);
  expect(await read('/data/ChangeEvents', `&after=${events[0].replayId}`)).toMatchObject({ events: [] });
});

test('channels and platform events are defined, and everything is listed', async () => {
  const defined = await org.backdoor('POST', '/events/platform-events', {
    name: 'Ping__e',
    publishBehavior: 'afterCommit',
    fields: [{ name: 'Count__c', type: 'number', precision: 4, scale: 0, required: true }],
  });
  expect(defined.json).toEqual({ topic: '/event/Ping__e', schemaId: expect.stringMatching(/^[\w-]{22}$/) });
  const members = [{ eventName: 'AccountChangeEvent', enrichedFields: ['Phone'], filterExpression: "Name = 'Acme'" }];
  expect((await org.backdoor('POST', '/events/channels', { name: 'A__chn', kind: 'change', members })).json).toEqual({
    topic: '/data/A__chn',
  });
  const { json } = await org.backdoor('GET', '/events');
  expect(json).toMatchObject({
    changeEvents: [],
    channels: [{ name: 'A__chn', kind: 'change', members }],
    platformEvents: [{ name: 'Ping__e', publishBehavior: 'afterCommit', fields: [{ name: 'Count__c', required: true }] }],
  });
  expect(json.topics.map(({ topic }: { topic: string }) => topic)).toEqual([
    '/data/ChangeEvents',
    '/data/AccountChangeEvent',
    '/data/A__chn',
    '/event/Ping__e',
  ]);
  await org.backdoor('DELETE', '/events/channels/A__chn');
  expect((await org.backdoor('GET', '/events')).json.channels).toEqual([]);
});

test(`a platform event is published by creating it: the reply has its UUID among the errors ${evidence('documented', 'Platform Events Developer Guide, Publish Event Messages with Salesforce APIs')}`, async () => {
  org.emulator.events.definePlatformEvent({ name: 'Ping__e', fields: [{ name: 'Count__c', type: 'number', required: true }] });
  const { status, json } = await org.call('POST', '/sobjects/Ping__e', { body: { Count__c: 1 } });
  const { events } = await read('/event/Ping__e');
  expect([status, json]).toEqual([
    201,
    {
      id: expect.stringMatching(/^e00/),
      success: true,
      errors: [{ statusCode: 'OPERATION_ENQUEUED', message: events[0].uuid, fields: [] }],
    },
  ]);
  const record = (values: object) => ({ attributes: { type: 'Ping__e' }, ...values });
  const several = await org.call('POST', '/composite/sobjects', { body: { records: [record({ Count__c: 2 }), record({})] } });
  expect(several.json).toMatchObject([
    { success: true, errors: [{ statusCode: 'OPERATION_ENQUEUED' }] },
    { success: false, errors: [{ statusCode: 'REQUIRED_FIELD_MISSING', fields: ['Count__c'] }] },
  ]);
  expect((await read('/event/Ping__e')).events.map(({ payload }: { payload: { Count__c: number } }) => payload.Count__c)).toEqual(
    [1, 2],
  );
  const described = await org.call('GET', '/sobjects/Ping__e/describe');
  expect(described.json).toMatchObject({ createable: true, queryable: false, keyPrefix: 'e00' });
  expect((await org.call('GET', '/sobjects/Ping__e/e00000000000001')).status).toBe(404);
});

test(`schemas by name and id, compact and expanded ${evidence('documented', 'REST API Developer Guide, Platform Event Schema by Schema ID')}`, async () => {
  org.emulator.events.definePlatformEvent({ name: 'Ping__e', fields: [{ name: 'Count__c', type: 'number' }] });
  org.emulator.events.selectForChangeEvents(['Account']);
  const { id, json } = org.emulator.events.channel('/event/Ping__e')!.schema();
  const compact = { ...JSON.parse(json), uuid: id };
  const get = async (path: string, version?: string) => (await org.call('GET', path, version ? { version } : {})).json;
  expect(await get('/sobjects/Ping__e/eventSchema?payloadFormat=COMPACT')).toEqual(compact);
  expect(await get(`/event/eventSchema/${id}?payloadFormat=COMPACT`)).toEqual(compact);
  expect(await get(`/event/eventSchema/${id}`, 'v42.0')).toEqual(compact);
  expect(await get('/sobjects/AccountChangeEvent/eventSchema?payloadFormat=COMPACT')).toMatchObject({
    name: 'AccountChangeEvent',
  });
  const expanded = await get('/sobjects/Ping__e/eventSchema');
  expect(expanded).toMatchObject({ name: 'Ping__e', namespace: 'com.sforce.eventbus', type: 'expanded-record', uuid: id });
  expect(expanded.fields[0].type.fields.map(({ name }: { name: string }) => name)).toEqual(['schema', 'payload', 'event']);
  expect(expanded.fields[0].type.fields[1].type.fields).toMatchObject([
    { name: 'CreatedDate', type: 'string' },
    {},
    { name: 'Count__c', type: ['null', 'double'] },
  ]);
  for (const path of [
    `/event/eventSchema/${id}?payloadFormat=LOOSE`,
    '/sobjects/Nope__e/eventSchema',
    '/event/eventSchema/nope',
  ]) {
    expect((await org.call('GET', path)).status).toBe(path.endsWith('LOOSE') ? 400 : 404);
  }
  expect((await org.call('GET', `/event/eventSchema/${id}?payloadFormat=COMPACT`, { version: 'v42.0' })).status).toBe(400);
});

test('the server publishes, and makes gaps and overflows', async () => {
  org.emulator.events.definePlatformEvent({ name: 'Ping__e', fields: [{ name: 'Count__c', type: 'number' }] });
  org.emulator.events.selectForChangeEvents(['Account']);
  const published = await org.backdoor('POST', '/events/publish', {
    topic: '/event/Ping__e',
    events: [{ Count__c: 1 }, { Nope__c: 1 }],
  });
  expect(published.json.results).toMatchObject([{ uuid: expect.any(String) }, { error: { code: 'INVALID_FIELD' } }]);
  await org.backdoor('POST', '/events/gap', { object: 'Account', type: 'GAP_DELETE', ids: ['001000000000001AAA'] });
  await org.backdoor('POST', '/events/overflow', { object: 'Account' });
  expect(headers((await read('/data/AccountChangeEvent')).events)).toMatchObject([
    { changeType: 'GAP_DELETE' },
    { changeType: 'GAP_OVERFLOW' },
  ]);
});

test('what a user may not see is not delivered to that user', async () => {
  org.emulator.events.selectForChangeEvents(['Account']);
  org.insert('Account', { Name: 'Acme', Phone: '1', Fax: '2' });
  org.emulator.permissions.hide('Account', 'Phone');
  const [event] = (await read('/data/AccountChangeEvent')).events;
  expect(event.payload).toMatchObject({ Fax: '2' });
  expect(event.payload).not.toHaveProperty('Phone');
  org.emulator.permissions.hide('Account');
  const channel = org.emulator.events.channel('/data/AccountChangeEvent');
  expect(channel?.canSubscribe(org.emulator.org.adminUserId)).toBe(false);
});

test.each([
  ['/events/change-events', { objects: ['Nothing'] }],
  ['/events/change-events', { objects: ['Account'], add: ['Contact'] }],
  ['/events/channels', { name: 'A', kind: 'change', members: [] }],
  ['/events/channels', { name: 'A__chn', kind: 'radio', members: [] }],
  ['/events/channels', { name: 'A__chn', kind: 'change', members: [{ eventName: 'NothingChangeEvent' }] }],
  ['/events/platform-events', { name: 'A__e', fields: [{ name: 'X__c', type: 'hologram' }] }],
  ['/events/platform-events', { name: 'A__e', publishBehavior: 'never', fields: [] }],
  ['/events/gap', { object: 'Account', ids: ['001000000000001AAA'] }],
  ['/events/overflow', { object: 'Account', colour: 'red' }],
])('what makes no sense is refused: %s %o', async (path, body) => {
  expect((await org.backdoor('POST', path, body)).status).toBe(400);
  expect((await org.backdoor('GET', '/events')).json).toMatchObject({ changeEvents: [], channels: [], platformEvents: [] });
});

test('a source folder and the options select and define', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'events-'));
  const put = (path: string, name: string, root: string, content: string) => {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(
      join(folder, path, name),
      `<?xml version="1.0"?><${root} xmlns="http://soap.sforce.com/2006/04/metadata">${content}</${root}>`,
    );
  };
  put(
    'objects/Ping__e',
    'Ping__e.object-meta.xml',
    'CustomObject',
    '<label>Ping</label><publishBehavior>PublishAfterCommit</publishBehavior>',
  );
  put(
    'platformEventChannels',
    'A__chn.platformEventChannel-meta.xml',
    'PlatformEventChannel',
    '<channelType>event</channelType>',
  );
  const member = (channel: string, entity: string) =>
    `<eventChannel>${channel}</eventChannel><selectedEntity>${entity}</selectedEntity>`;
  put(
    'platformEventChannelMembers',
    'A_Ping.platformEventChannelMember-meta.xml',
    'PlatformEventChannelMember',
    member('A__chn', 'Ping__e'),
  );
  put(
    'platformEventChannelMembers',
    'C_Lead.platformEventChannelMember-meta.xml',
    'PlatformEventChannelMember',
    member('ChangeEvents', 'LeadChangeEvent'),
  );
  const other = await startTestOrg({
    source: folder,
    listen: false,
    changeEvents: ['Account'],
    platformEvents: [{ name: 'Pong__e', fields: [] }],
  });
  try {
    const { events } = other.emulator;
    expect(events.selectedForChangeEvents()).toEqual(['Lead', 'Account']);
    expect(events.platformEvents()).toMatchObject([
      { name: 'Ping__e', publishBehavior: 'afterCommit' },
      { name: 'Pong__e', publishBehavior: 'immediately' },
    ]);
    expect(events.customChannels()).toMatchObject([{ name: 'A__chn', kind: 'platform', members: [{ eventName: 'Ping__e' }] }]);
  } finally {
    await other.emulator.close();
    rmSync(folder, { recursive: true });
  }
});
