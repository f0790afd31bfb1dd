import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PermissionSet } from '../access/permission-set.ts';
import { evidence } from '../evidence.ts';
import type { TestOrg } from '../http/testing.ts';
import type { Values } from '../org/types.ts';
import { type BareClient, connectedClient, eventsOf, type Message, startStreamingOrg } from './cometd-fixture.ts';

// PushTopics tell of the changes that their query asks for, and of no others; generic channels tell what was pushed.

const guide = (section: string) => evidence('documented', `Streaming API Developer Guide, ${section}`);

let org: TestOrg;
let client: BareClient;
beforeEach(async () => {
  org = await startStreamingOrg();
  client = await connectedClient(org);
});
afterEach(() => org.emulator.close());

const createTopic = (fields: Record<string, unknown>) =>
  org.call('POST', '/sobjects/PushTopic', {
    body: { Name: 'T', ApiVersion: 62, Query: 'SELECT Id, Name FROM Account', ...fields },
  });
const update = (id: string, values: Values) => org.emulator.org.write((t) => t.update('Account', id, values));

/** A subscription to the topic, whose events are then asked for as often as one likes. */
async function hear(channel = '/topic/T', replay?: Record<string, unknown>): Promise<() => Promise<Message[]>> {
  expect(await client.subscribe(channel, replay)).toMatchObject({ successful: true, subscription: channel });
  // Something is always new, so that no connect is held.
  await client.subscribe('/event/Note__e');
  return async () => {
    org.emulator.events.publish('/event/Note__e', [{ fields: { N__c: 1 } }], org.emulator.org.adminUserId);
    return eventsOf((await client.connect()).messages).filter((message) => message.channel === channel);
  };
}

const told = (messages: Message[]) => messages.map(({ data }) => `${data.event.type} ${data.sobject.Name ?? '-'}`);

test(`a topic is a record, and its messages name the event and the fields of the query ${guide('Receive Events, message example')}`, async () => {
  expect(await createTopic({})).toMatchObject({ status: 201 });
  const events = await hear();
  const [id = ''] = org.insert('Account', { Name: 'Acme', Phone: '1' });
  expect(await events()).toEqual([
    {
      clientId: client.clientId,
      channel: '/topic/T',
      data: {
        event: { createdDate: '2026-03-04T05:06:07.000Z', replayId: 1, type: 'created' },
        sobject: { Id: id, Name: 'Acme' },
      },
    },
  ]);
  const { json } = await org.call(
    'GET',
    "/query?q=SELECT+NotifyForFields,NotifyForOperationDelete+FROM+PushTopic+WHERE+Name='T'",
  );
  expect(json.records[0]).toMatchObject({ NotifyForFields: 'Referenced', NotifyForOperationDelete: true });
});

test(`creating, updating, deleting and undeleting are told unless the topic says otherwise; a delete tells the id only ${guide('Events')}`, async () => {
  await createTopic({});
  const events = await hear();
  const live = (): string => {
    const [id = ''] = org.insert('Account', { Name: 'a' });
    update(id, { Name: 'b' });
    org.emulator.org.write((t) => t.delete('Account', id));
    org.emulator.org.write((t) => t.undelete('Account', id));
    return id;
  };
  const id = live();
  const all = await events();
  expect(told(all)).toEqual(['created a', 'updated b', 'deleted -', 'undeleted b']);
  expect(all[2].data.sobject).toEqual({ Id: id });
  const topic = org.emulator.org.query("SELECT Id FROM PushTopic WHERE Name = 'T'").page(0, 1, 'v62.0')[0] as { Id: string };
  const body = { NotifyForOperationCreate: false, NotifyForOperationDelete: false, NotifyForOperationUndelete: false };
  await org.call('PATCH', `/sobjects/PushTopic/${topic.Id}`, { body });
  live();
  expect(told(await events())).toEqual(['updated b']);
  await org.call('PATCH', `/sobjects/PushTopic/${topic.Id}`, { body: { IsActive: false } });
  live();
  expect(await events()).toEqual([]);
});

describe(`which updates are told, by NotifyForFields ${guide('Notifications')}`, () => {
  test.each([
    ['All', ['name', 'phone', 'site', 'in']],
    ['Referenced', ['name', 'phone', 'in']],
    ['Select', ['name', 'in']],
    ['Where', ['phone', 'in']],
  ])('%s', async (NotifyForFields, expected) => {
    const [id = ''] = org.insert('Account', { Name: 'x', Phone: '1' });
    await createTopic({ NotifyForFields, Query: "SELECT Id, Name FROM Account WHERE Phone LIKE '1%'" });
    const events = await hear();
    const heard: string[] = [];
    const after = async (step: string, values: Values) => {
      update(id, values);
      if ((await events()).length > 0) heard.push(step);
    };
    await after('name', { Name: 'y' });
    await after('phone', { Phone: '12' });
    await after('site', { Site: 's' });
    update(id, { Phone: '2' });
    expect(await events()).toEqual([]);
    // Out of the condition nothing is told, of fields that the query names neither.
    update(id, { Name: 'z' });
    expect(await events()).toEqual([]);
    await after('in', { Phone: '1', Name: 'in' });
    expect(heard).toEqual(expected);
  });
});

test(`datetimes come in ISO 8601 with Z, and several records of a transaction each in a message ${evidence('assumed', 'the form of createdDate')}`, async () => {
  await createTopic({ Query: 'SELECT Id, CreatedDate, IsDeleted FROM Account' });
  const events = await hear();
  org.insert('Account', { Name: 'a' }, { Name: 'b' });
  const messages = await events();
  expect(messages.map(({ data }) => data.sobject)).toEqual([
    { Id: expect.any(String), CreatedDate: '2026-03-04T05:06:07.000Z', IsDeleted: false },
    { Id: expect.any(String), CreatedDate: '2026-03-04T05:06:07.000Z', IsDeleted: false },
  ]);
});

describe(`queries that a topic cannot have are refused as it is saved ${guide('Unsupported PushTopic Queries')}`, () => {
  test.each([
    'SELECT Name FROM Account',
    'SELECT Id FROM Account ORDER BY Name',
    'SELECT Id FROM Account LIMIT 5',
    'SELECT Id, Owner.Name FROM Account',
    'SELECT Id, (SELECT Id FROM Contacts) FROM Account',
    'SELECT COUNT() FROM Account',
    'SELECT Id, Nope__c FROM Account',
    'SELECT Id FROM Nope__c',
    'SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)',
    'nonsense',
  ])('%s', async (Query) => {
    expect(await createTopic({ Query })).toMatchObject({ status: 400 });
  });

  test.each([{ Name: 'x'.repeat(26) }, { Name: null }, { NotifyForFields: 'Some' }])('%j', async (fields) => {
    expect(await createTopic(fields)).toMatchObject({ status: 400 });
  });

  test('a name is given once', async () => {
    await createTopic({});
    expect(await createTopic({})).toMatchObject({ status: 400, json: [{ errorCode: 'DUPLICATE_VALUE' }] });
  });
});

describe(`who may hear of a topic ${guide('Streaming API Error Codes')}`, () => {
  const userWith = async (permissions: PermissionSet) => {
    const { userId: id } = org.emulator.users.add({ username: `u@example.com`, profile: 'Standard User' });
    org.emulator.users.permit(id, permissions);
    client = await connectedClient(org, org.emulator.sessions.start(id).token);
    return client;
  };
  beforeEach(() => createTopic({ Query: "SELECT Id, Name, Phone FROM Account WHERE Site = 's'" }));

  test('not who cannot read the object', async () => {
    await userWith({ objects: { Account: { read: false } } });
    expect(await client.subscribe('/topic/T')).toMatchObject({
      error: '403::Subscriber does not have access to the entity in this topic',
    });
  });

  test('not who cannot see what the condition asks for', async () => {
    await userWith({ fields: { 'Account.Site': { read: false } } });
    expect(await client.subscribe('/topic/T')).toMatchObject({
      error: '403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic',
    });
  });

  test('not who cannot read PushTopics', async () => {
    await userWith({ objects: { PushTopic: { read: false } } });
    expect(await client.subscribe('/topic/T')).toMatchObject({ error: '403::User not enabled for streaming' });
  });

  test('others without the fields that they do not see', async () => {
    await userWith({ fields: { 'Account.Phone': { read: false } } });
    const events = await hear();
    org.insert('Account', { Name: 'a', Phone: '1', Site: 's' });
    const [message] = await events();
    expect(message.data.sobject).toEqual({ Id: expect.any(String), Name: 'a' });
  });
});

test(`topics are replayed for 24 hours, and count their own deliveries ${guide('Message Durability')}`, async () => {
  await createTopic({});
  const { clock, adminUserId } = org.emulator.org;
  org.insert('Account', { Name: 'old' });
  clock.advance(13 * 3_600_000);
  org.insert('Account', { Name: 'new' });
  const heardFrom = async (replayId: number) => {
    client = await connectedClient(org, org.emulator.sessions.start(adminUserId).token);
    const { successful, error } = await client.subscribe('/topic/T', { '/topic/T': replayId });
    return successful ? told(eventsOf((await client.connect()).messages)) : error.slice(0, 26);
  };
  expect(await heardFrom(-2)).toEqual(['created old', 'created new']);
  expect(await heardFrom(1)).toEqual(['created new']);
  expect(await heardFrom(99)).toBe('400::The replayId {99} you');
  clock.advance(12 * 3_600_000);
  expect(await heardFrom(-2)).toEqual(['created new']);
  expect(await heardFrom(1)).toBe('400::The replayId {1} you ');
  expect(org.emulator.limits.DailyStreamingApiEvents.used()).toBe(4);
  expect(org.emulator.limits.DailyDeliveredPlatformEvents.used()).toBe(0);
});

test(`a topic that names a removed field is silent, and nobody's writes suffer ${evidence('assumed', 'a real org keeps such a field from being removed')}`, async () => {
  await createTopic({ Query: 'SELECT Id, Name, Site FROM Account' });
  const events = await hear();
  org.emulator.org.schema.removeField('Account', 'Site');
  org.insert('Account', { Name: 'a' });
  expect(await events()).toEqual([]);
  expect(await client.subscribe('/topic/T')).toMatchObject({ successful: false });
});

describe(`a filtered subscription ${guide('Filtered Subscriptions')}`, () => {
  beforeEach(() => createTopic({ Query: 'SELECT Id, Name, Industry, ShippingCity, NumberOfEmployees FROM Account' }));

  test('hears of records that meet one of its conditions, from where its replay map says', async () => {
    const filtered = "/topic/T?Industry='Energy'&ShippingCity='San Francisco'&NumberOfEmployees=7";
    org.insert('Account', { Name: 'old', Industry: 'Energy' }, { Name: 'old other', Industry: 'Media' });
    const heard = await hear(filtered, { '/topic/T': -2 });
    org.insert(
      'Account',
      { Name: 'by industry', Industry: 'energy' },
      { Name: 'by city', ShippingCity: 'San Francisco', Industry: 'Media' },
      { Name: 'by number', NumberOfEmployees: 7 },
      { Name: 'none', ShippingCity: "San Francisco' OR Name != '" },
    );
    const events = await heard();
    expect(told(events)).toEqual(['created old', 'created by industry', 'created by city', 'created by number']);
    expect(org.emulator.limits.DailyStreamingApiEvents.used()).toBe(4);
  });

  test('takes a quote and an ampersand within a value, and ids of 18 characters only', async () => {
    const [id = ''] = org.insert('Account', { Name: "O'Neil & Sons" });
    const named = `/topic/T?Name='O\\'Neil & Sons'`;
    const counted = async (channel: string) => {
      client = await connectedClient(org);
      const heard = await hear(channel, { [channel]: -2 });
      return (await heard()).length;
    };
    expect(await counted(named)).toBe(1);
    expect(await counted(`/topic/T?Id='${id}'`)).toBe(1);
    expect(await counted(`/topic/T?Id='${id.slice(0, 15)}'`)).toBe(0);
  });

  test.each(['', "Phone='1'", "Industry>'A'", "Industry='A' OR Name='B'", "Industry='A"])(
    `is refused: ?%s ${evidence('assumed', 'that it is refused follows from the guide; the words do not')}`,
    async (expression) => {
      const reply = await client.subscribe(`/topic/T?${expression}`);
      expect(reply).toMatchObject({ successful: false, error: expect.stringMatching(/^400::The filter of the subscription/) });
    },
  );

  test(`tells of a deleted record that met it ${evidence('assumed', 'the guide tells only that the message has the id alone')}`, async () => {
    const [id = '', other = ''] = org.insert('Account', { Name: 'a', Industry: 'Energy' }, { Name: 'b', Industry: 'Media' });
    const heard = await hear("/topic/T?Industry='Energy'");
    org.emulator.org.write((t) => [id, other].map((each) => t.delete('Account', each)));
    expect((await heard()).map(({ data }) => data.sobject)).toEqual([{ Id: id }]);
  });
});

describe(`generic channels ${guide('Generic Streaming')}`, () => {
  const createChannel = async (Name = '/u/news') =>
    (await org.call('POST', '/sobjects/StreamingChannel', { body: { Name } })).json.id as string;
  const push = (id: string, ...pushEvents: unknown[]) =>
    org.call('POST', `/sobjects/StreamingChannel/${id}/push`, { body: { pushEvents } });

  test('carry what is pushed, to all or to some', async () => {
    const id = await createChannel();
    await client.subscribe('/u/news');
    const { adminUserId } = org.emulator.org;
    const reply = await push(
      id,
      { payload: 'for all' },
      { payload: 'for nobody', userIds: ['005000000000009AAA'] },
      { payload: 'for me', userIds: [adminUserId] },
    );
    expect(reply).toMatchObject({
      status: 200,
      json: [
        { fanoutCount: 1, userOnlineStatus: {} },
        { userOnlineStatus: { '005000000000009AAA': false } },
        { userOnlineStatus: { [adminUserId]: true } },
      ],
    });
    const events = eventsOf((await client.connect()).messages);
    expect(events.map(({ data }) => data.payload)).toEqual(['for all', 'for me']);
    expect(events[0]).toEqual({
      clientId: client.clientId,
      channel: '/u/news',
      data: { event: { createdDate: '2026-03-04T05:06:07.000Z', replayId: 1 }, payload: 'for all' },
    });
  });

  test('have a name of one spelling, and must be there', async () => {
    await createChannel();
    expect(await client.subscribe('/u/News')).toMatchObject({ error: '404::channel names may not vary only by case' });
    expect(await client.subscribe("/u/o'n")).toMatchObject({ error: '404::Unknown channel' });
    expect(await push('0M6000000000009AAA', { payload: 'x' })).toMatchObject({ status: 404 });
    expect(await push('0M6000000000009AAA', { payload: 5 })).toMatchObject({ status: 400 });
  });
});
