import jsforce from 'jsforce';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// What Setup holds is asked for and changed as in a real org, so that a client can find out what is missing and put it right.

let org: TestOrg;
beforeEach(async () => {
  org = await startTestOrg();
});
afterEach(() => org.emulator.close());

const query = async (soql: string) => org.call('GET', `/tooling/query?q=${encodeURIComponent(soql)}`);
const records = async (soql: string) => (await query(soql)).json.records;
const create = (object: string, FullName: string, Metadata: object) =>
  org.call('POST', `/tooling/sobjects/${object}`, { body: { FullName, Metadata } });
const select = (entity: string, eventChannel = 'ChangeEvents', more: object = {}) =>
  create('PlatformEventChannelMember', `${eventChannel}_${entity}`.replaceAll('__', '_'), {
    eventChannel,
    selectedEntity: entity,
    ...more,
  });

test(`objects are selected for Change Data Capture, found, and given up ${evidence('documented', 'Tooling API guide, PlatformEventChannelMember')}`, async () => {
  const { events } = org.emulator;
  const created = await select('AccountChangeEvent');
  expect(created).toMatchObject({
    status: 201,
    json: { id: expect.stringMatching(/^0v8\w{15}$/), success: true, errors: [], warnings: [], infos: [] },
  });
  expect(events.selectedForChangeEvents()).toEqual(['Account']);
  const { id } = created.json;
  const found = await query(
    "SELECT Id, DeveloperName, EventChannel, SelectedEntity, Metadata FROM PlatformEventChannelMember WHERE SelectedEntity = 'AccountChangeEvent'",
  );
  expect(found.json).toEqual({
    size: 1,
    totalSize: 1,
    done: true,
    queryLocator: null,
    entityTypeName: 'PlatformEventChannelMember',
    records: [
      {
        attributes: {
          type: 'PlatformEventChannelMember',
          url: `/services/data/v62.0/tooling/sobjects/PlatformEventChannelMember/${id}`,
        },
        Id: id,
        DeveloperName: 'ChangeEvents_AccountChangeEvent',
        EventChannel: 'ChangeEvents',
        SelectedEntity: 'AccountChangeEvent',
        Metadata: {
          enrichedFields: [],
          eventChannel: 'ChangeEvents',
          filterExpression: null,
          selectedEntity: 'AccountChangeEvent',
          urls: null,
        },
      },
    ],
  });
  expect((await org.call('GET', found.json.records[0].attributes.url)).json).toMatchObject({
    Id: id,
    MasterLabel: 'AccountChangeEvent',
  });
  expect((await org.call('DELETE', `/tooling/sobjects/PlatformEventChannelMember/${id}`)).status).toBe(204);
  expect(events.selectedForChangeEvents()).toEqual([]);
  expect((await org.call('DELETE', `/tooling/sobjects/PlatformEventChannelMember/${id}`)).status).toBe(404);
  expect((await select('AccountChangeEvent')).json.id).not.toBe(id);
});

test(`five objects without an add-on, each counted once ${evidence('documented', 'Change Data Capture Developer Guide, Change Data Capture Allocations; the error is assumed')}`, async () => {
  await create('PlatformEventChannel', 'Sales__chn', { channelType: 'data', label: 'Sales' });
  for (const object of ['Account', 'Contact', 'Lead', 'Case']) {
    expect((await select(`${object}ChangeEvent`)).status, object).toBe(201);
  }
  expect((await select('OpportunityChangeEvent', 'Sales__chn')).status).toBe(201);
  const sixth = await select('TaskChangeEvent');
  expect(sixth).toMatchObject({ status: 400, json: [{ errorCode: 'LIMIT_EXCEEDED' }] });
  expect((await select('OpportunityChangeEvent')).status).toBe(201);
  const limits = (await org.backdoor('POST', '/limits', { max: { changeEventObjects: 6 } })).json;
  expect(limits.changeEventObjects).toEqual({ max: 6, used: 5 });
  expect((await select('TaskChangeEvent')).status).toBe(201);
});

test(`a custom channel with its members, filters and enriched fields ${evidence('documented', 'Tooling API guide, PlatformEventChannel; Change Data Capture Developer Guide, Event Enrichment')}`, async () => {
  const { events } = org.emulator;
  const channel = await create('PlatformEventChannel', 'Sales__chn', { channelType: 'data', label: 'Sales' });
  expect(channel.json.id).toMatch(/^0YL/);
  const options = { enrichedFields: [{ name: 'Phone' }], filterExpression: "Industry = 'Banking'" };
  const member = await select('AccountChangeEvent', 'Sales__chn', options);
  expect(await records('SELECT Id, DeveloperName, ChannelType, MasterLabel FROM PlatformEventChannel')).toMatchObject([
    { Id: channel.json.id, DeveloperName: 'Sales', ChannelType: 'data', MasterLabel: 'Sales' },
  ]);
  expect(await records('SELECT EventChannel, DeveloperName, FilterExpression FROM PlatformEventChannelMember')).toMatchObject([
    { EventChannel: channel.json.id, DeveloperName: 'Sales_chn_AccountChangeEvent', FilterExpression: "Industry = 'Banking'" },
  ]);

  const write = (values: object) => org.call('POST', '/sobjects/Account', { body: values });
  await write({ Name: 'Bank', Industry: 'Banking' });
  await write({ Name: 'Farm', Industry: 'Agriculture' });
  const read = () => events.channel('/data/Sales__chn')?.read(0, 100, org.emulator.org.adminUserId).events ?? [];
  expect(read().map((event) => event.json().Name)).toEqual(['Bank']);

  // Another member comes along: what is retained of the first stays.
  expect((await select('ContactChangeEvent', 'Sales__chn')).status).toBe(201);
  expect(read()).toHaveLength(1);

  const path = `/tooling/sobjects/PlatformEventChannelMember/${member.json.id}`;
  const patch = (Metadata: object) => org.call('PATCH', path, { body: { Metadata } });
  expect((await patch({ ...options, selectedEntity: 'LeadChangeEvent' })).status).toBe(400);
  expect((await patch({ filterExpression: "Industry = 'Agriculture'" })).status).toBe(204);
  await write({ Name: 'Barn', Industry: 'Agriculture' });
  expect(read().map((event) => event.json().Name)).toContain('Barn');

  const renamed = { body: { Metadata: { channelType: 'data', label: 'All sales' } } };
  expect((await org.call('PATCH', `/tooling/sobjects/PlatformEventChannel/${channel.json.id}`, renamed)).status).toBe(204);
  expect(events.customChannels()[0]).toMatchObject({ label: 'All sales', members: [{}, {}] });
  expect((await org.call('DELETE', `/tooling/sobjects/PlatformEventChannel/${channel.json.id}`)).status).toBe(204);
  expect(await records('SELECT Id FROM PlatformEventChannelMember')).toEqual([]);
});

test(`what cannot be set up says why ${evidence('assumed', 'codes of the Metadata API; the guides name none')}`, async () => {
  const { events } = org.emulator;
  const code = async (reply: ReturnType<typeof create>) => (await reply).json[0].errorCode;
  await select('AccountChangeEvent');
  expect(await code(select('AccountChangeEvent'))).toBe('DUPLICATE_DEVELOPER_NAME');
  expect(await code(select('NopeChangeEvent'))).toBe('INVALID_CROSS_REFERENCE_KEY');
  expect(await code(select('LeadChangeEvent', 'Nope__chn'))).toBe('INVALID_CROSS_REFERENCE_KEY');
  expect(await code(select('LeadChangeEvent', 'ChangeEvents', { filterExpression: "Name = 'x'" }))).toBe(
    'FIELD_INTEGRITY_EXCEPTION',
  );
  expect(await code(create('PlatformEventChannel', 'Sales', { channelType: 'data', label: 'x' }))).toBe('INVALID_FULL_NAME');
  expect(await code(create('PlatformEventChannel', 'A__chn', { channelType: 'x', label: 'x' }))).toBe(
    'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
  );
  expect(await code(create('PlatformEventChannel', 'A__chn', { channelType: 'data' }))).toBe('REQUIRED_FIELD_MISSING');
  expect((await create('ApexClass', 'A', {})).status).toBe(404);
  expect(events.selectedForChangeEvents()).toEqual(['Account']);
  expect(events.customChannels()).toEqual([]);
});

test(`managed event subscriptions ${evidence('documented', 'Tooling API guide, ManagedEventSubscription')}`, async () => {
  const metadata = {
    label: 'Crm',
    topicName: '/data/ChangeEvents',
    defaultReplay: 'EARLIEST',
    errorRecoveryReplay: 'LATEST',
    state: 'RUN',
  };
  const { json } = await create('ManagedEventSubscription', 'Crm', metadata);
  expect(json.id).toMatch(/^18x/);
  expect((await create('ManagedEventSubscription', 'Crm', metadata)).json[0].errorCode).toBe('DUPLICATE_DEVELOPER_NAME');
  const path = `/tooling/sobjects/ManagedEventSubscription/${json.id}`;
  expect((await org.call('PATCH', path, { body: { Metadata: { ...metadata, state: 'STOP' } } })).status).toBe(204);
  expect(await records("SELECT Id, Metadata FROM ManagedEventSubscription WHERE DeveloperName = 'Crm'")).toMatchObject([
    { Id: json.id, Metadata: { ...metadata, state: 'STOP', urls: null, version: null } },
  ]);
  expect((await org.call('DELETE', path)).status).toBe(204);
  expect(org.emulator.managedSubscriptions.list()).toEqual([]);
});

test(`full names and metadata are shown one at a time ${evidence('documented', 'Tooling API guide, FullName and Metadata; the text is assumed')}`, async () => {
  await select('AccountChangeEvent');
  await select('ContactChangeEvent');
  expect((await query('SELECT FullName FROM PlatformEventChannelMember')).json[0]).toMatchObject({
    errorCode: 'MALFORMED_QUERY',
  });
  expect(await records('SELECT FullName FROM PlatformEventChannelMember LIMIT 1')).toHaveLength(1);
});

test(`definitions of objects and fields, by Tooling and by data queries ${evidence('documented', 'Tooling API guide, EntityDefinition, FieldDefinition')}`, async () => {
  await org.backdoor('POST', '/schema/objects', {
    name: 'Ship__c',
    label: 'Ship',
    fields: [{ name: 'Mast__c', type: 'double' }],
  });
  expect(
    await records(
      "SELECT Id, DurableId, KeyPrefix, IsCustomizable FROM EntityDefinition WHERE QualifiedApiName IN ('Account', 'Ship__c') ORDER BY QualifiedApiName",
    ),
  ).toMatchObject([
    {
      attributes: { type: 'EntityDefinition', url: '/services/data/v62.0/tooling/sobjects/EntityDefinition/Account' },
      Id: '000000000000000AAA',
      DurableId: 'Account',
      KeyPrefix: '001',
    },
    { DurableId: expect.stringMatching(/^01I\w{12}$/) },
  ]);
  const fields = 'SELECT QualifiedApiName, DurableId, DataType, EntityDefinition.Label, ReferenceTo FROM FieldDefinition WHERE ';
  const [owner] = await records(`${fields} EntityDefinition.QualifiedApiName = 'Account' AND QualifiedApiName = 'OwnerId'`);
  expect(owner).toMatchObject({
    DurableId: 'Account.Owner',
    DataType: 'Lookup(User)',
    EntityDefinition: { Label: 'Account' },
    ReferenceTo: { referenceTo: ['User'] },
  });
  const all = await records(`${fields} EntityDefinitionId = 'Contact'`);
  const types = Object.fromEntries(all.map((row: Record<string, string>) => [row.QualifiedApiName, row.DataType]));
  expect(types).toMatchObject({ Id: 'Lookup()', Email: 'Email', Birthdate: 'Date', MailingAddress: 'Address', Fax: 'Fax' });
  expect(types.MailingStreet).toBeUndefined();
  expect((await query('SELECT QualifiedApiName FROM FieldDefinition')).json[0].errorCode).toBe('MALFORMED_QUERY');
  const data = await org.call(
    'GET',
    `/query?q=${encodeURIComponent("SELECT Label FROM EntityDefinition WHERE DurableId = 'Lead'")}`,
  );
  expect(data.json).toMatchObject({ totalSize: 1, done: true, records: [{ Label: 'Lead' }] });
  expect(data.json.records[0].attributes.url).toBe('/services/data/v62.0/sobjects/EntityDefinition/Lead');
});

test(`a user sees what is theirs to see ${evidence('documented', 'Tooling API guide, Special Access Rules')}`, async () => {
  await select('AccountChangeEvent');
  const { users } = org.emulator;
  const asUser = (profile: string, permissions = {}) => {
    const { accessToken } = users.add({ username: `${profile.length}@example.com`, profile, permissions });
    const headers = { authorization: `Bearer ${accessToken}` };
    return {
      ask: (soql: string) => org.call('GET', `/tooling/query?q=${encodeURIComponent(soql)}`, { headers }),
      post: () =>
        org.call('POST', '/tooling/sobjects/PlatformEventChannel', { body: { FullName: 'X__chn', Metadata: {} }, headers }),
    };
  };
  const standard = asUser('Standard User', { objects: { Lead: { read: false } } });
  expect((await standard.ask('SELECT Id FROM PlatformEventChannelMember')).json.size).toBe(1);
  expect((await standard.ask("SELECT Label FROM EntityDefinition WHERE QualifiedApiName = 'Lead'")).json.size).toBe(0);
  expect(await standard.post()).toMatchObject({ status: 403, json: [{ errorCode: 'INSUFFICIENT_ACCESS_OR_READONLY' }] });
  const minimum = asUser('Minimum Access - API Only Integrations');
  expect((await minimum.ask('SELECT Id FROM PlatformEventChannelMember')).json[0].errorCode).toBe('INVALID_TYPE');
});

test('jsforce uses the Tooling API', async () => {
  const { instanceUrl, accessToken } = org.emulator.credentials;
  const { tooling } = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
  const member = {
    FullName: 'ChangeEvents_LeadChangeEvent',
    Metadata: { eventChannel: 'ChangeEvents', selectedEntity: 'LeadChangeEvent' },
  };
  const created = (await tooling.sobject('PlatformEventChannelMember').create(member as never)) as unknown as { id: string };
  const found = await tooling.query<{ SelectedEntity: string }>('SELECT SelectedEntity FROM PlatformEventChannelMember');
  expect(found.records.map((record) => record.SelectedEntity)).toEqual(['LeadChangeEvent']);
  expect((await tooling.sobject('PlatformEventChannelMember').describe()).fields.map(({ name }) => name)).toContain(
    'EventChannel',
  );
  const names = (await tooling.describeGlobal()).sobjects.map(({ name, urls }) => [name, urls.sobject]);
  expect(names).toContainEqual(['EntityDefinition', '/services/data/v62.0/tooling/sobjects/EntityDefinition']);
  await tooling.sobject('PlatformEventChannelMember').delete(created.id);
  expect(org.emulator.events.selectedForChangeEvents()).toEqual([]);
});
