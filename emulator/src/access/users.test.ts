// An integration meets the org as one user with that user's permissions: signing in as another must show another org.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg, testNow } from '../http/testing.ts';
import type { NewUser, UserCredentials } from './users.ts';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
let org: TestOrg;
beforeAll(async () => {
  const jwtPublicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  org = await startTestOrg({ credentials: { jwtPublicKey } });
});
afterAll(() => org.emulator.close());

let made = 0;
const add = (user: Partial<NewUser> = {}) => org.emulator.users.add({ username: `user.${++made}@example.com`, ...user });
const as = (accessToken: string, method: string, path: string, body?: unknown) =>
  org.call(method, path, { headers: { authorization: `Bearer ${accessToken}` }, ...(body === undefined ? {} : { body }) });
async function token(form: Record<string, string>) {
  const response = await fetch(`${org.emulator.url}/services/oauth2/token`, { method: 'POST', body: new URLSearchParams(form) });
  return (await response.json()) as Record<string, string>;
}
async function assertion(sub: string): Promise<string> {
  const now = Math.floor(testNow / 1000);
  const claims = { iss: org.emulator.credentials.clientId, sub, aud: 'https://login.salesforce.com', exp: now + 180 };
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(keys.privateKey);
}
const soql = (query: string) => `/query?q=${encodeURIComponent(query)}`;

describe('each user signs in as themselves', () => {
  const app = () => ({ client_id: org.emulator.credentials.clientId, client_secret: org.emulator.credentials.clientSecret });
  const grants: [flow: string, form: (user: UserCredentials) => Promise<Record<string, string>>][] = [
    [
      'client credentials',
      async ({ clientId, clientSecret }) => ({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
      }),
    ],
    [
      'password',
      async ({ username, password, securityToken }) => ({
        grant_type: 'password',
        ...app(),
        username: username.toUpperCase(),
        password: password + securityToken,
      }),
    ],
    ['refresh token', async ({ refreshToken }) => ({ grant_type: 'refresh_token', ...app(), refresh_token: refreshToken })],
    [
      'JWT bearer',
      async ({ username }) => ({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: await assertion(username),
      }),
    ],
  ];
  test.each(grants)(`%s ${evidence('documented', 'Salesforce Help, OAuth 2.0 flows')}`, async (_, form) => {
    const user = add({ profile: 'Read Only' });
    const reply = await token(await form(user));
    expect(reply.id).toBe(`${org.emulator.url}/id/${org.emulator.org.id}/${user.userId}`);
    const me = await fetch(reply.id as string, { headers: { authorization: `Bearer ${reply.access_token}` } });
    expect(await me.json()).toMatchObject({ user_id: user.userId, username: user.username });
    // What is done is done as this user.
    const described = await as(reply.access_token as string, 'GET', '/sobjects/Account/describe');
    expect(described.json).toMatchObject({ name: 'Account', createable: false, updateable: false, deletable: false });
  });

  test(`SOAP login ${evidence('documented', 'SOAP API Developer Guide, login()')}`, async () => {
    const { username, password, securityToken, userId } = add();
    const body = `<Envelope><Body><login><username>${username}</username><password>${password}${securityToken}</password></login></Body></Envelope>`;
    const reply = await fetch(`${org.emulator.url}/services/Soap/u/50.0`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml' },
      body,
    });
    expect(await reply.text()).toContain(`<userId>${userId}</userId>`);
  });

  test(`the identity of another is not shown ${evidence('assumed', 'the identity URL is the session user’s own')}`, async () => {
    const { accessToken } = add();
    const url = `${org.emulator.url}/id/${org.emulator.org.id}/${org.emulator.org.adminUserId}`;
    expect((await fetch(url, { headers: { authorization: `Bearer ${accessToken}` } })).status).toBe(404);
  });

  test(`who is not active cannot sign in ${evidence('documented', 'Salesforce Help, OAuth 2.0 error codes')}`, async () => {
    const { userId, clientId, clientSecret } = add();
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
    expect((await token(form)).access_token).toBeDefined();
    org.emulator.org.write((transaction) => transaction.update('User', userId, { IsActive: false }));
    expect(await token(form)).toEqual({ error: 'invalid_grant', error_description: 'inactive user' });
  });

  test(`a user is a record, and records are made by users ${evidence('documented', 'Object Reference, User')}`, async () => {
    const user = add({ firstName: 'Lois', lastName: 'Lane', profile: 'Standard User' });
    const { json } = await as(user.accessToken, 'POST', '/sobjects/Account', { Name: 'By Lois' });
    const row = await org.call(
      'GET',
      soql(`SELECT CreatedBy.Name, OwnerId, Owner.Profile.Name FROM Account WHERE Id = '${json.id}'`),
    );
    expect(row.json.records).toMatchObject([
      { CreatedBy: { Name: 'Lois Lane' }, OwnerId: user.userId, Owner: { Profile: { Name: 'Standard User' } } },
    ]);
  });
});

describe('permissions', () => {
  test(`a field that may be read and not edited ${evidence('recorded', 'INVALID_FIELD_FOR_INSERT_UPDATE')}`, async () => {
    const { accessToken } = add({ permissions: { fields: { 'Contact.Email': { edit: false } } } });
    const [id] = org.insert('Contact', { LastName: 'r', Email: 'r@example.com' });
    const { json } = await as(accessToken, 'GET', '/sobjects/Contact/describe');
    expect(json.fields.find((field: { name: string }) => field.name === 'Email')).toMatchObject({
      createable: false,
      updateable: false,
    });
    expect((await as(accessToken, 'GET', `/sobjects/Contact/${id}?fields=Email`)).json.Email).toBe('r@example.com');
    const refused = { errorCode: 'INVALID_FIELD_FOR_INSERT_UPDATE', fields: ['Email'] };
    expect((await as(accessToken, 'PATCH', `/sobjects/Contact/${id}`, { Email: 'x@example.com' })).json[0]).toMatchObject(
      refused,
    );
    expect((await as(accessToken, 'POST', '/sobjects/Contact', { LastName: 'x', Email: 'x@example.com' })).json[0]).toMatchObject(
      refused,
    );
  });

  test(`an object that may be read and not written ${evidence('documented', 'SOAP API Developer Guide, StatusCode INSUFFICIENT_ACCESS_OR_READONLY')}`, async () => {
    const { accessToken } = add({ profile: 'Read Only' });
    const [id] = org.insert('Account', { Name: 'a', Ext__c: 'ro' });
    const attempts: [string, string, unknown?][] = [
      ['POST', '/sobjects/Account', { Name: 'b' }],
      ['PATCH', `/sobjects/Account/${id}`, { Name: 'b' }],
      ['DELETE', `/sobjects/Account/${id}`],
      ['PATCH', '/sobjects/Account/Ext__c/ro', { Name: 'b' }],
    ];
    for (const [method, path, body] of attempts) {
      const { status, json } = await as(accessToken, method, path, body);
      expect([status, json[0].errorCode], path).toEqual([403, 'INSUFFICIENT_ACCESS_OR_READONLY']);
    }
    expect((await org.call('GET', `/sobjects/Account/${id}?fields=Name`)).json.Name).toBe('a');
  });

  test(`an upsert needs the right to what it comes to ${evidence('documented', 'Salesforce Help, Data Loader: permissions by operation')}`, async () => {
    const creator = add({ permissions: { objects: { Account: { edit: false } } } });
    const editor = add({ permissions: { objects: { Account: { create: false } } } });
    org.insert('Account', { Name: 'old', Ext__c: 'up-old' });
    const upsert = async (user: UserCredentials, key: string) =>
      (await as(user.accessToken, 'PATCH', `/sobjects/Account/Ext__c/${key}`, { Name: user.username })).status;
    expect([await upsert(creator, 'up-old'), await upsert(creator, 'up-1')]).toEqual([403, 201]);
    expect([await upsert(editor, 'up-old'), await upsert(editor, 'up-2')]).toEqual([200, 403]);
    const found = await org.call('GET', soql("SELECT Ext__c, Name FROM Account WHERE Ext__c LIKE 'up-%' ORDER BY Ext__c"));
    expect(found.json.records).toMatchObject([
      { Ext__c: 'up-1', Name: creator.username },
      { Ext__c: 'up-old', Name: editor.username },
    ]);
  });

  test(`an upsert that is refused leaves nothing among others that are not ${evidence('documented', 'REST API Developer Guide, sObject Collections Upsert')}`, async () => {
    const editor = add({ permissions: { objects: { Account: { create: false } } } });
    org.insert('Account', { Name: 'old', Ext__c: 'many-old' });
    const record = (Ext__c: string) => ({ attributes: { type: 'Account' }, Ext__c, Name: 'new' });
    const records = [record('many-1'), record('many-old')];
    const { json } = await as(editor.accessToken, 'PATCH', '/composite/sobjects/Account/Ext__c', { records });
    expect(json).toMatchObject([
      { success: false, errors: [{ statusCode: 'INSUFFICIENT_ACCESS_OR_READONLY' }] },
      { success: true },
    ]);
    const found = await org.call('GET', soql("SELECT Ext__c, Name FROM Account WHERE Ext__c LIKE 'many-%'"));
    expect(found.json.records).toMatchObject([{ Ext__c: 'many-old', Name: 'new' }]);
  });

  test(`without "API Enabled" nothing answers ${evidence('documented', 'SOAP API Developer Guide, ExceptionCode API_CURRENTLY_DISABLED')}`, async () => {
    const { accessToken, userId } = add({ permissions: { system: { apiEnabled: false } } });
    const refused = await as(accessToken, 'GET', '/limits');
    expect([refused.status, refused.json]).toEqual([
      403,
      [{ message: 'API is disabled for this User', errorCode: 'API_CURRENTLY_DISABLED' }],
    ]);
    org.emulator.users.permit(userId, { system: { apiEnabled: true } });
    expect((await as(accessToken, 'GET', '/limits')).status).toBe(200);
  });

  test(`permission sets add up, and only give ${evidence('documented', 'Salesforce Help, Permission Sets')}`, async () => {
    const { users } = org.emulator;
    const user = add({ profile: 'Minimum Access - API Only Integrations' });
    const sees = async (query: string) => (await as(user.accessToken, 'GET', soql(query))).status === 200;
    expect(await sees('SELECT Id FROM Lead')).toBe(false);
    users.definePermissionSet('Leads', { objects: { Lead: { read: true } } });
    users.definePermissionSet('Phones', { fields: { 'Lead.Phone': { read: true } } });
    users.assign(user.userId, 'Leads');
    expect([await sees('SELECT LastName, SystemModstamp FROM Lead'), await sees('SELECT Phone FROM Lead')]).toEqual([
      true,
      false,
    ]);
    users.assign(user.userId, 'Phones');
    expect([await sees('SELECT Phone FROM Lead'), await sees('SELECT Title FROM Lead')]).toEqual([true, false]);
    users.definePermissionSet('Phones', { fields: { 'lead.title': { edit: true } } });
    expect([await sees('SELECT Phone FROM Lead'), await sees('SELECT Title FROM Lead')]).toEqual([false, true]);
    users.unassign(user.userId, 'Leads');
    expect(await sees('SELECT Id FROM Lead')).toBe(false);
    // What describes the org is open to everybody.
    expect(await sees('SELECT Id FROM User')).toBe(true);
  });

  test(`a line of an opportunity goes with the opportunity ${evidence('documented', 'Object Reference, OpportunityLineItem')}`, async () => {
    const user = add({ permissions: { objects: { Opportunity: { read: false } } } });
    expect((await as(user.accessToken, 'GET', '/sobjects/OpportunityLineItem')).status).toBe(404);
  });

  test(`a change of permissions is a change of describe ${evidence('assumed', 'If-Modified-Since on describe')}`, async () => {
    const user = add();
    const describeSince = async (since: string) =>
      (
        await org.call('GET', '/sobjects/Account/describe', {
          headers: { authorization: `Bearer ${user.accessToken}`, 'if-modified-since': since },
        })
      ).status;
    org.emulator.org.clock.advance(10_000);
    const since = new Date(org.emulator.org.clock.now()).toUTCString();
    expect(await describeSince(since)).toBe(304);
    org.emulator.org.clock.advance(10_000);
    org.emulator.users.permit(user.userId, { fields: { 'Account.Phone': { read: false } } });
    expect(await describeSince(since)).toBe(200);
  });

  test('a name that does not exist is an error and no silence', () => {
    const { users } = org.emulator;
    const { userId } = add();
    const wrong: (() => unknown)[] = [
      () => users.permit(userId, { objects: { Acount: { read: false } } }),
      () => users.permit(userId, { fields: { 'Account.Fone': { read: false } } }),
      () => users.permit(userId, { fields: { 'Contact.LastName': { read: false } } }),
      () => users.permit(userId, { objects: { Account: { write: true } as object } }),
      () => users.permit(userId, { system: { viewAll: true } as object }),
      () => users.permit('005000000000009AAA', {}),
      () => users.assign(userId, 'Nothing'),
      () => add({ profile: 'Nobody' }),
      () => add({ username: org.emulator.credentials.username }),
    ];
    for (const attempt of wrong) expect(attempt).toThrow(TypeError);
  });
});

test(`users and their permissions by the backdoor ${evidence('assumed', 'the backdoor is ours')}`, async () => {
  const { json: user } = await org.backdoor('POST', '/users', {
    username: 'back@example.com',
    profile: 'Read Only',
    permissions: { fields: { 'Contact.Email': { read: false } } },
  });
  const contactNames = async () =>
    (await as(user.accessToken, 'GET', '/sobjects/Contact/describe')).json.fields.map((field: { name: string }) => field.name);
  expect(await contactNames()).not.toContain('Email');
  await org.backdoor('POST', '/permission-sets', { name: 'Emails', fields: { 'Contact.Email': { read: true } } });
  await org.backdoor('POST', `/users/${user.userId}/permission-sets`, { name: 'Emails' });
  expect(await contactNames()).toContain('Email');
  const listed = (await org.backdoor('GET', '/users')).json.users;
  expect(listed).toContainEqual({
    userId: user.userId,
    username: 'back@example.com',
    profile: 'Read Only',
    permissionSets: ['Emails'],
  });
  expect(JSON.stringify(listed)).not.toContain(user.password);
  await org.backdoor('DELETE', `/users/${user.userId}/permission-sets/Emails`);
  expect(await contactNames()).not.toContain('Email');
  await org.backdoor('POST', `/users/${user.userId}/permissions`, { objects: { Contact: { read: false } } });
  expect((await as(user.accessToken, 'GET', '/sobjects/Contact')).status).toBe(404);
  expect((await org.backdoor('POST', '/users', { username: 'back@example.com' })).status).toBe(400);
  expect((await org.backdoor('POST', '/users', { user: 'x' })).status).toBe(400);
});

test(`permission sets and profiles of a source folder ${evidence('documented', 'Metadata API Developer Guide, PermissionSet, Profile')}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'permission-sets-'));
  const put = (path: string, root: string, content: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(
      join(folder, path),
      `<?xml version="1.0"?><${root} xmlns="http://soap.sforce.com/2006/04/metadata">${content}</${root}>`,
    );
  };
  const object = (name: string, ...allowed: string[]) =>
    `<objectPermissions>${['Create', 'Delete', 'Edit', 'Read'].map((right) => `<allow${right}>${allowed.includes(right)}</allow${right}>`).join('')}` +
    `<modifyAllRecords>false</modifyAllRecords><object>${name}</object><viewAllRecords>${allowed.includes('All')}</viewAllRecords></objectPermissions>`;
  const field = (name: string, editable: boolean) =>
    `<fieldPermissions><editable>${editable}</editable><field>${name}</field><readable>true</readable></fieldPermissions>`;
  put(
    'permissionsets/Sync.permissionset-meta.xml',
    'PermissionSet',
    `<label>Sync</label>${object('Account', 'Read', 'All')}${object('Nowhere__c', 'Read')}${field('Account.Phone', false)}${field('Account.Nothing__c', true)}`,
  );
  put(
    'profiles/Sync %26 Co.profile-meta.xml',
    'Profile',
    `${object('Contact', 'Read', 'Create', 'Edit')}${field('Contact.Email', true)}<userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions>`,
  );
  const loaded = await startTestOrg({ source: folder });
  try {
    expect(loaded.emulator.sourceNotes).toEqual([
      expect.stringContaining('names Nowhere__c, which is not an object of this org'),
      expect.stringContaining('names Account.Nothing__c, which is not a field of this org'),
    ]);
    const user = loaded.emulator.users.add({ username: 's@example.com', profile: 'Sync & Co', permissionSets: ['Sync'] });
    const describeAs = async (name: string) =>
      (await loaded.call('GET', `/sobjects/${name}/describe`, { headers: { authorization: `Bearer ${user.accessToken}` } })).json;
    const account = await describeAs('Account');
    expect(account).toMatchObject({ createable: false, updateable: false });
    const named = (describe: { fields: { name: string }[] }, name: string) =>
      describe.fields.find((entry) => entry.name === name);
    expect(named(account, 'Phone')).toMatchObject({ updateable: false });
    expect(named(account, 'Fax')).toBeUndefined();
    const contact = await describeAs('Contact');
    expect(contact).toMatchObject({ createable: true, updateable: true, deletable: false });
    expect(named(contact, 'Email')).toMatchObject({ updateable: true });
  } finally {
    await loaded.emulator.close();
    rmSync(folder, { recursive: true });
  }
});
