import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg, testNow } from './testing.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
});
afterAll(() => org.emulator.close());

test(`create answers 201 and where the record is ${evidence('recorded', 'POST /sobjects/Campaign')}`, async () => {
  const reply = await org.call('POST', '/sobjects/Account', { body: { Name: 'Kent', attributes: { type: 'Account' } } });
  expect(reply.status).toBe(201);
  expect(reply.json).toEqual({ id: expect.stringMatching(/^001\w{15}$/), success: true, errors: [] });
  expect(reply.headers.get('location')).toBe(`/services/data/v62.0/sobjects/Account/${reply.json.id}`);
});

test(`update and delete answer 204 and nothing ${evidence('documented', 'REST API Developer Guide, sObject Rows')}`, async () => {
  const [id] = org.insert('Account', { Name: 'A' });
  const updated = await org.call('PATCH', `/sobjects/Account/${id}`, { body: { Name: 'B' } });
  expect([updated.status, updated.text]).toEqual([204, '']);
  const row = await org.call('GET', `/sobjects/Account/${id}?fields=Name,Phone`);
  expect(row.json).toEqual({
    attributes: { type: 'Account', url: `/services/data/v62.0/sobjects/Account/${id}` },
    Id: id,
    Name: 'B',
    Phone: null,
  });
  const gone = await org.call('DELETE', `/sobjects/Account/${id}`);
  expect([gone.status, gone.text]).toEqual([204, '']);
});

test(`a deleted record: read 404 NOT_FOUND, deleted again 404 ENTITY_IS_DELETED ${evidence('recorded', 'delete of a deleted record')}`, async () => {
  const [id] = org.insert('Account', { Name: 'A' });
  await org.call('DELETE', `/sobjects/Account/${id}`);
  expect(await org.call('GET', `/sobjects/Account/${id}`)).toMatchObject({
    status: 404,
    json: [{ errorCode: 'NOT_FOUND', message: 'The requested resource does not exist' }],
  });
  for (const [method, body] of [
    ['DELETE', undefined],
    ['PATCH', { Name: 'x' }],
  ] as const) {
    expect(await org.call(method, `/sobjects/Account/${id}`, { body })).toMatchObject({
      status: 404,
      json: [{ errorCode: 'ENTITY_IS_DELETED', message: 'entity is deleted', fields: [] }],
    });
  }
});

test(`errors name the fields ${evidence('recorded', 'REQUIRED_FIELD_MISSING, INVALID_FIELD')}`, async () => {
  expect(await org.call('POST', '/sobjects/Contact', { body: { FirstName: 'Ann' } })).toMatchObject({
    status: 400,
    json: [{ errorCode: 'REQUIRED_FIELD_MISSING', message: 'Required fields are missing: [LastName]', fields: ['LastName'] }],
  });
  const unknown = await org.call('POST', '/sobjects/Account', { body: { Name: 'A', AccountNumer: '1' } });
  expect(unknown.json).toEqual([
    { message: "No such column 'AccountNumer' on sobject of type Account", errorCode: 'INVALID_FIELD' },
  ]);
});

test(`an Id in the body of an update is refused ${evidence('documented', 'REST API Developer Guide, Update a Record')}`, async () => {
  const [id] = org.insert('Account', { Name: 'A' });
  const reply = await org.call('PATCH', `/sobjects/Account/${id}`, { body: { Id: id, Name: 'B' } });
  expect(reply).toMatchObject({ status: 400, json: [{ errorCode: 'INVALID_FIELD_FOR_INSERT_UPDATE', fields: ['Id'] }] });
});

test(`a body that is no JSON is JSON_PARSER_ERROR ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`, async () => {
  const reply = await org.call('POST', '/sobjects/Account', { body: '{"Name":' });
  expect(reply).toMatchObject({ status: 400, json: [{ errorCode: 'JSON_PARSER_ERROR' }] });
});

test(`unknown objects, resources and versions are 404, retired versions 410 ${evidence('documented', 'API End-of-Life Policy')}`, async () => {
  expect((await org.call('GET', '/sobjects/Nothing__c/001000000000000AAA')).status).toBe(404);
  expect((await org.call('GET', '/nothing')).json).toEqual([
    { message: 'The requested resource does not exist', errorCode: 'NOT_FOUND' },
  ]);
  expect((await org.call('GET', '/limits', { version: 'v99.0' })).status).toBe(404);
  expect((await org.call('GET', '/limits', { version: 'v30.0' })).status).toBe(410);
  expect((await org.call('PUT', '/limits')).status).toBe(405);
});

test(`POST with _HttpMethod=PATCH is an update ${evidence('documented', 'REST API Developer Guide, Update a Record')}`, async () => {
  const [id] = org.insert('Account', { Name: 'A' });
  expect((await org.call('POST', `/sobjects/Account/${id}?_HttpMethod=PATCH`, { body: { Name: 'B' } })).status).toBe(204);
});

test(`upsert creates with 201, updates with 200, and says which ${evidence('documented', 'REST API Developer Guide, Upsert')}`, async () => {
  const path = `/sobjects/Account/Unique__c/${encodeURIComponent("o'7/a.b")}`;
  const created = await org.call('PATCH', path, { body: { Name: 'A' } });
  expect(created).toMatchObject({ status: 201, json: { success: true, errors: [], created: true } });
  const updated = await org.call('PATCH', path, { body: { Name: 'B' } });
  expect(updated).toMatchObject({ status: 200, json: { id: created.json.id, success: true, errors: [], created: false } });
  const old = await org.call('PATCH', path, { body: { Name: 'C' }, version: 'v45.0' });
  expect([old.status, old.text]).toEqual([204, '']);
  const read = await org.call('GET', path);
  expect(read.json).toMatchObject({ Id: created.json.id, Name: 'C', Unique__c: "o'7/a.b" });
  expect((await org.call('DELETE', path)).status).toBe(204);
  expect((await org.call('GET', path)).status).toBe(404);
});

test(`several matches: 300, the candidates, and nothing written ${evidence('documented', 'REST API Developer Guide, Upsert')}`, async () => {
  const ids = org.insert('Account', { Name: 'A', Ext__c: 'twice' }, { Name: 'B', Ext__c: 'twice' });
  const reply = await org.call('PATCH', '/sobjects/Account/Ext__c/twice', { body: { Name: 'X' } });
  expect(reply.status).toBe(300);
  expect(reply.json).toEqual(ids.map((id) => `/services/data/v62.0/sobjects/Account/${id}`));
  expect((await org.backdoor('GET', `/count?object=Account&where=${encodeURIComponent("Name = 'X'")}`)).json).toEqual({
    count: 0,
  });
});

test(`the external id does not belong in the body; an unknown field is 404 ${evidence('assumed', 'the rule is documented, the message is from reports')}`, async () => {
  const reply = await org.call('PATCH', '/sobjects/Account/Ext__c/7', { body: { Ext__c: '7' } });
  expect(reply).toMatchObject({ status: 400, json: [{ errorCode: 'INVALID_FIELD' }] });
  expect((await org.call('PATCH', '/sobjects/Account/Phone/7', { body: {} })).status).toBe(404);
});

test(`a parent can be named by its external id ${evidence('documented', 'REST API Developer Guide, Relate a Record by External ID')}`, async () => {
  const [account] = org.insert('Account', { Name: 'P', Ext__c: 'parent' });
  const made = await org.call('POST', '/sobjects/Contact', { body: { LastName: 'K', Account: { Ext__c: 'parent' } } });
  expect(made.status).toBe(201);
  expect((await org.call('GET', `/sobjects/Contact/${made.json.id}?fields=AccountId`)).json.AccountId).toBe(account);
  const missing = await org.call('POST', '/sobjects/Contact', { body: { LastName: 'K', Account: { Ext__c: 'nobody' } } });
  expect(missing).toMatchObject({
    status: 400,
    json: [{ errorCode: 'INVALID_FIELD', message: expect.stringContaining('nobody not found') }],
  });
});

test(`rows say when they changed, and 304 when they did not ${evidence('recorded', 'Last-Modified of a record')}`, async () => {
  const [id] = org.insert('Contact', { LastName: 'A' });
  const row = await org.call('GET', `/sobjects/Contact/${id}`);
  expect(row.headers.get('last-modified')).toBe('Wed, 04 Mar 2026 05:06:07 GMT');
  const again = await org.call('GET', `/sobjects/Contact/${id}`, {
    headers: { 'If-Modified-Since': row.headers.get('last-modified') as string },
  });
  expect([again.status, again.text]).toEqual([304, '']);
});

test(`updated and deleted ${evidence('documented', 'REST API Developer Guide, sObject Get Updated, sObject Get Deleted')}`, async () => {
  const [kept, gone] = org.insert('Case', { Subject: 'a' }, { Subject: 'b' });
  await org.call('DELETE', `/sobjects/Case/${gone}`);
  const iso = (ms: number) => encodeURIComponent(new Date(ms).toISOString().replace('Z', '+00:00'));
  org.emulator.org.clock.advance(120_000);
  const window = `start=${iso(testNow - 3600_000)}&end=${iso(testNow + 60_000)}`;
  const updated = await org.call('GET', `/sobjects/Case/updated/?${window}`);
  expect(updated.status).toBe(200);
  expect(updated.json.ids).toContain(kept);
  expect(updated.json.latestDateCovered).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000$/);
  const deleted = await org.call('GET', `/sobjects/Case/deleted?${window}`);
  expect(deleted.json.deletedRecords).toEqual([{ id: gone, deletedDate: '2026-03-04T05:06:07.000+0000' }]);
  // A plus sign that is not encoded arrives as a blank.
  expect((await org.call('GET', '/sobjects/Case/updated?start=2026-03-04T00:00:00+00:00&end=x')).status).toBe(400);
  expect((await org.call('GET', '/sobjects/Case/updated')).status).toBe(400);
});

test(`a record edited since is neither read nor written ${evidence('documented', 'REST API Developer Guide, Conditional Request Headers; the words are assumed')}`, async () => {
  const [id] = org.insert('Lead', { LastName: 'A', Company: 'B' });
  const path = `/sobjects/Lead/${id}`;
  const modified = (await org.call('GET', `${path}?fields=LastName`)).headers.get('last-modified')!;
  const before = { 'If-Unmodified-Since': new Date(Date.parse(modified) - 1000).toUTCString() };
  const now = { 'If-Unmodified-Since': modified };
  const refused = { status: 412, json: [{ errorCode: 'PRECONDITION_FAILED' }] };
  expect(await org.call('GET', path, { headers: before })).toMatchObject(refused);
  expect(await org.call('PATCH', path, { body: { LastName: 'Late' }, headers: before })).toMatchObject(refused);
  expect((await org.call('GET', `${path}?fields=LastName`, { headers: now })).json.LastName).toBe('A');
  expect((await org.call('PATCH', path, { body: { LastName: 'In time' }, headers: now })).status).toBe(204);
  expect((await org.call('GET', `${path}?fields=LastName`)).json.LastName).toBe('In time');
});

test(`accounts have ETags, other records none ${evidence('documented', 'REST API Developer Guide, Conditional Request Headers; the words are assumed')}`, async () => {
  const [id] = org.insert('Account', { Name: 'A' });
  const path = `/sobjects/Account/${id}`;
  const tag = async () => (await org.call('GET', `${path}?fields=Name`)).headers.get('etag')!;
  const first = await tag();
  expect(first).toMatch(/^"[\w-]+"$/);
  expect(await org.call('GET', path, { headers: { 'If-None-Match': first } })).toMatchObject({ status: 304, text: '' });
  expect((await org.call('PATCH', path, { body: { Site: 'x' }, headers: { 'If-Match': first } })).status).toBe(204);
  // Within the same second: a date could not tell.
  expect(await tag()).not.toBe(first);
  expect((await org.call('PATCH', path, { body: { Site: 'y' }, headers: { 'If-Match': first } })).status).toBe(412);
  expect((await org.call('PATCH', path, { body: { Site: 'y' }, headers: { 'If-None-Match': await tag() } })).status).toBe(412);
  expect((await org.call('GET', path, { headers: { 'If-Match': first } })).status).toBe(412);
  expect((await org.call('GET', path, { headers: { 'If-None-Match': first } })).json.Site).toBe('x');
  const [lead] = org.insert('Lead', { LastName: 'A', Company: 'B' });
  const read = await org.call('GET', `/sobjects/Lead/${lead}`, { headers: { 'If-Match': '"x"' } });
  expect([read.status, read.headers.get('etag')]).toEqual([200, null]);
});

test(`describe, and 304 while nothing changed ${evidence('documented', 'REST API Developer Guide, sObject Describe, If-Modified-Since')}`, async () => {
  for (const path of ['/sobjects', '/sobjects/Account', '/sobjects/Account/describe']) {
    const full = await org.call('GET', path);
    expect(full.status).toBe(200);
    const since = { 'If-Modified-Since': full.headers.get('last-modified') as string };
    expect((await org.call('GET', path, { headers: since })).status).toBe(304);
  }
  const before = (await org.call('GET', '/sobjects/Account/describe')).headers.get('last-modified') as string;
  org.emulator.org.clock.advance(1000);
  await org.backdoor('POST', '/schema/fields', {
    object: 'Account',
    fields: [{ name: 'New__c', type: 'double', precision: 18, scale: 2 }],
  });
  const after = await org.call('GET', '/sobjects/Account/describe', { headers: { 'If-Modified-Since': before } });
  expect(after.status).toBe(200);
  expect(after.json.fields.at(-1)).toMatchObject({
    name: 'New__c',
    type: 'double',
    soapType: 'xsd:double',
    custom: true,
    scale: 2,
  });
  expect((await org.call('GET', '/sobjects/Nope/describe')).status).toBe(404);
});

test(`change events are described beside their objects, and nobody queries them ${evidence('recorded', 'describeGlobal, API 52: UserChangeEvent; the fields of its describe are assumed')}`, async () => {
  const { sobjects } = (await org.call('GET', '/sobjects')).json as { sobjects: { name: string }[] };
  const names = sobjects.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  expect(names).toEqual(expect.arrayContaining(['AccountChangeEvent', 'UserChangeEvent']));
  expect(names).not.toContain('OrganizationChangeEvent');
  const ofUser = sobjects.find(({ name }) => name === 'UserChangeEvent')!;
  const path = '/services/data/v62.0/sobjects/UserChangeEvent';
  expect(ofUser).toMatchObject({
    associateEntityType: 'ChangeEvent',
    associateParentEntity: 'User',
    keyPrefix: null,
    label: 'User Change Event',
    queryable: false,
    retrieveable: true,
    triggerable: true,
    urls: { rowTemplate: `${path}/{ID}`, eventSchema: `${path}/eventSchema`, describe: `${path}/describe`, sobject: path },
  });
  expect(Object.keys(ofUser)).toEqual(Object.keys(sobjects.find(({ name }) => name === 'User')!));
  expect((await org.call('GET', '/sobjects/UserChangeEvent')).json.objectDescribe).toEqual(ofUser);
  const { fields, queryable } = (await org.call('GET', '/sobjects/AccountChangeEvent/describe')).json;
  const named = fields.map(({ name }: { name: string }) => name);
  expect([queryable, named.slice(0, 4)]).toEqual([false, ['Id', 'ReplayId', 'ChangeEventHeader', 'Name']]);
  expect(named).not.toContain('SystemModstamp');
  await org.backdoor('POST', '/hide', { object: 'Campaign' });
  expect((await org.call('GET', '/sobjects/CampaignChangeEvent')).status).toBe(404);
  await org.backdoor('POST', '/show', { object: 'Campaign' });
});

test(`the versions need no session; the resources of one do ${evidence('documented', 'REST API Developer Guide, Versions')}`, async () => {
  const versions = await (await fetch(`${org.emulator.url}/services/data/`)).json();
  expect(versions).toContainEqual({ label: "Spring '24", url: '/services/data/v60.0', version: '60.0' });
  expect(versions).toContainEqual({ label: "Winter '24", url: '/services/data/v59.0', version: '59.0' });
  expect((await org.call('GET', '/')).json).toMatchObject({ sobjects: '/services/data/v62.0/sobjects' });
  expect((await org.call('GET', '/limits', { headers: { authorization: 'Bearer nobody' } })).json).toEqual([
    { message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' },
  ]);
});
