import Fastify from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../../evidence.ts';
import type { EmulatorContext } from '../context.ts';
import { startTestOrg, type TestOrg, testNow } from '../testing.ts';
import { addBackdoor } from './backdoor.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
});
afterAll(() => org.emulator.close());

const count = async (object: string, where?: string) =>
  (await org.backdoor('GET', `/count?object=${object}${where ? `&where=${encodeURIComponent(where)}` : ''}`)).json.count;
const soql = (text: string) => `/query?q=${encodeURIComponent(text)}`;

test('without the secret there is no door', async () => {
  const closed = await fetch(`${org.emulator.url}/__backdoor/${'x'.repeat(32)}/clock`);
  expect([closed.status, await closed.json()]).toEqual([404, { error: 'not found' }]);
});

test('from another machine there is no door', async () => {
  const app = Fastify();
  addBackdoor(app, { backdoorSecret: 'secret', org: org.emulator.org } as EmulatorContext);
  const answer = async (remoteAddress: string) =>
    (await app.inject({ method: 'GET', url: '/__backdoor/secret/clock', remoteAddress })).statusCode;
  expect(await answer('192.0.2.7')).toBe(404);
  expect(await answer('::1')).toBe(200);
});

test('the clock moves, stops and lies', async () => {
  const { json } = await org.backdoor('POST', '/clock', { advanceMs: 60_000, skewMs: 5 });
  expect(json).toEqual({ now: new Date(testNow + 60_000).toISOString(), nowMs: testNow + 60_000, skewMs: 5 });
  await org.backdoor('POST', '/clock', { freezeAtMs: testNow, skewMs: 0 });
  expect((await org.backdoor('GET', '/clock')).json.nowMs).toBe(testNow);
  expect((await org.backdoor('POST', '/clock', { advance: 1 })).status).toBe(400);
});

// A record committed late has an older stamp than records seen before it: the hazard of every watermark (P1).
test(`a transaction held open: stamped when written, seen when committed ${evidence('documented', 'SOAP API Developer Guide, Data Replication')}`, async () => {
  const { id } = (await org.backdoor('POST', '/transactions', {})).json;
  const writes = [{ kind: 'insert', object: 'Lead', values: { LastName: 'late', Company: 'c' } }];
  const { results } = (await org.backdoor('POST', `/transactions/${id}/writes`, { writes })).json;
  await org.backdoor('POST', '/clock', { advanceMs: 600_000 });
  expect(await count('Lead', "LastName = 'late'")).toBe(0);
  expect((await org.backdoor('GET', '/transactions')).json.transactions).toEqual([{ id, startedAt: '2026-03-04T05:06:07.000Z' }]);
  expect((await org.backdoor('POST', `/transactions/${id}/commit`)).status).toBe(200);
  const row = await org.call('GET', soql("SELECT Id, SystemModstamp FROM Lead WHERE LastName = 'late'"));
  expect(row.json.records).toMatchObject([{ Id: results[0].id, SystemModstamp: '2026-03-04T05:06:07.000+0000' }]);
  expect((await org.backdoor('POST', `/transactions/${id}/commit`)).status).toBe(400);
  await org.backdoor('POST', '/clock', { freezeAtMs: testNow });
});

test('a transaction rolled back was never there', async () => {
  const { id } = (await org.backdoor('POST', '/transactions', {})).json;
  const writes = [{ kind: 'insert', object: 'Lead', values: { LastName: 'never', Company: 'c' } }];
  await org.backdoor('POST', `/transactions/${id}/writes`, { writes });
  await org.backdoor('POST', `/transactions/${id}/rollback`);
  expect(await count('Lead', "LastName = 'never'")).toBe(0);
});

test('records are written, deleted, undeleted and purged without API calls', async () => {
  await org.backdoor('DELETE', '/requests');
  const write = async (...writes: unknown[]) => (await org.backdoor('POST', '/records', { writes })).json;
  const { results } = await write({ kind: 'insert', object: 'Contact', values: { LastName: 'w' } });
  const id = results[0].id as string;
  await write({ kind: 'update', object: 'Contact', id, values: { FirstName: 'f' } }, { kind: 'delete', object: 'Contact', id });
  expect(await count('Contact')).toBe(0);
  await write({ kind: 'undelete', object: 'Contact', id });
  expect(await count('Contact', "FirstName = 'f'")).toBe(1);
  await write({ kind: 'purge', object: 'Contact', ids: [id] });
  expect((await org.backdoor('GET', '/count?object=Contact&all=true')).json.count).toBe(0);
  expect((await org.backdoor('GET', '/requests')).json).toMatchObject({ requests: 0, apiCalls: 0 });
  const refused = await org.backdoor('POST', '/records', { writes: [{ kind: 'insert', object: 'Contact', values: {} }] });
  expect(refused).toMatchObject({ status: 400, json: { error: 'REQUIRED_FIELD_MISSING' } });
});

test('random changes are those of their seed', async () => {
  org.emulator.org.load(
    'Account',
    Array.from({ length: 500 }, (_, n) => ({ Name: `Account ${n}` })),
  );
  const change = async (body: object) =>
    (await org.backdoor('POST', '/changes', { object: 'Account', ...body })).json.ids as string[];
  org.emulator.org.clock.advance(10_000);
  const updated = await change({ records: 50, seed: 3 });
  expect(new Set(updated).size).toBe(50);
  expect(await count('Account', 'SystemModstamp > 2026-03-04T05:06:10Z')).toBe(50);
  expect(await change({ records: 50, seed: 3 })).toEqual(updated);
  expect(await change({ records: 50, seed: 4 })).not.toEqual(updated);
  await change({ records: 20, seed: 1, kind: 'delete' });
  expect(await count('Account')).toBe(480);
  await change({ records: 5, seed: 1, kind: 'undelete' });
  expect(await count('Account')).toBe(485);
});

test(`what the user may not see is absent everywhere ${evidence('documented', 'REST API Developer Guide, sObject Describe: fields the user can access')}`, async () => {
  const [id] = org.insert('Contact', { LastName: 'h', Email: 'h@example.com' });
  await org.backdoor('POST', '/hide', { object: 'Contact', field: 'Email' });
  const describe = await org.call('GET', '/sobjects/Contact/describe');
  expect(describe.json.fields.map((field: { name: string }) => field.name)).not.toContain('Email');
  expect((await org.call('GET', soql('SELECT Email FROM Contact'))).json[0].errorCode).toBe('INVALID_FIELD');
  expect((await org.call('GET', `/sobjects/Contact/${id}`)).json).not.toHaveProperty('Email');
  expect((await org.call('PATCH', `/sobjects/Contact/${id}`, { body: { Email: 'x@example.com' } })).status).toBe(400);
  await org.backdoor('POST', '/show', { object: 'Contact', field: 'Email' });
  expect((await org.call('GET', `/sobjects/Contact/${id}?fields=Email`)).json.Email).toBe('h@example.com');
});

test('a hidden object is gone for the user', async () => {
  await org.backdoor('POST', '/hide', { object: 'Campaign' });
  const names = (await org.call('GET', '/sobjects')).json.sobjects.map((object: { name: string }) => object.name);
  expect(names).not.toContain('Campaign');
  expect((await org.call('GET', '/sobjects/Campaign/describe')).status).toBe(404);
  expect((await org.call('GET', soql('SELECT Id FROM Campaign'))).json[0].errorCode).toBe('INVALID_TYPE');
  await org.backdoor('POST', '/show', { object: 'Campaign' });
  expect((await org.call('GET', soql('SELECT Id FROM Campaign'))).status).toBe(200);
});

test('objects and fields come and go', async () => {
  await org.backdoor('POST', '/schema/objects', { name: 'Rating__c', fields: [{ name: 'Stars__c', type: 'int', digits: 9 }] });
  const made = await org.call('POST', '/sobjects/Rating__c', { body: { Name: 'r', Stars__c: 5 } });
  expect(made.json.id).toMatch(/^a/);
  expect((await org.call('GET', soql('SELECT Stars__c FROM Rating__c'))).json.records).toMatchObject([{ Stars__c: 5 }]);
  await org.backdoor('DELETE', '/schema/fields/Rating__c/Stars__c');
  expect((await org.call('GET', soql('SELECT Stars__c FROM Rating__c'))).json[0].errorCode).toBe('INVALID_FIELD');
  expect((await org.backdoor('POST', '/schema/objects', { name: 'Rating' })).status).toBe(400);
  expect(
    (await org.backdoor('POST', '/schema/fields', { object: 'Account', fields: [{ name: 'A__c', type: 'odd' }] })).status,
  ).toBe(400);
});

test.each([
  ['is told apart by case from then on', { unique: true }, { unique: true, caseSensitive: true }],
  ['is no longer looked up', { externalId: true }, {}],
])('a field that %s can be removed', async (_, before, after) => {
  const declare = (attributes: object) =>
    org.backdoor('POST', '/schema/fields', { object: 'Contact', fields: [{ name: 'F__c', type: 'string', ...attributes }] });
  await declare(before);
  await declare(after);
  const [id] = org.insert('Contact', { LastName: 'f', F__c: 'x' });
  expect((await org.call('GET', soql("SELECT Id FROM Contact WHERE F__c = 'x'"))).json.records).toMatchObject([{ Id: id }]);
  expect((await org.backdoor('DELETE', '/schema/fields/Contact/F__c')).status).toBe(200);
  await declare(before);
  expect((await org.call('GET', soql(`SELECT F__c FROM Contact WHERE Id = '${id}'`))).json.records).toMatchObject([
    { F__c: null },
  ]);
  expect((await org.backdoor('DELETE', '/schema/fields/Contact/F__c')).status).toBe(200);
});

test('faults by HTTP, counted', async () => {
  const { id } = (await org.backdoor('POST', '/faults', { kind: 'unavailable', match: { pattern: '/limits', times: 1 } })).json;
  expect((await org.call('GET', '/limits')).status).toBe(503);
  expect((await org.call('GET', '/limits')).status).toBe(200);
  expect((await org.backdoor('GET', '/faults')).json.faults).toMatchObject([{ id, kind: 'unavailable', matched: 2, fired: 1 }]);
  expect((await org.backdoor('DELETE', `/faults/${id}`)).json).toEqual({ removed: true });
  expect((await org.backdoor('POST', '/faults', { kind: 'nonsense' })).status).toBe(400);
});
