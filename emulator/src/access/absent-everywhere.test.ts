// What a user may not see is absent everywhere: a single reply that still tells of it would make an integration depend on
// what it will not have in production.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { type Answer, startTestOrg, type TestOrg } from '../http/testing.ts';
import { declareObject } from '../schema/declare.ts';
import { checkbox, custom, isName, reference, text } from '../schema/fields.ts';
import { audit, identity, owner } from '../schema/system-fields.ts';
import type { UserCredentials } from './users.ts';

const value = 'classified-4711';
const vaultName = 'Fort Knox';
const documented = evidence('documented', 'REST API Developer Guide, sObject Describe: what the user can access');

let org: TestOrg;
let user: UserCredentials;
let contact: string;
let account: string;
let vault: string;

beforeAll(async () => {
  org = await startTestOrg();
  const { schema } = org.emulator.org;
  const secrets = declareObject('Contact', { label: 'Contact', keyPrefix: '003' }, [
    text('Secret__c', 'Secret', 80, custom, { externalId: true, idLookup: true, defaultValue: 'preset' }),
    checkbox('Cleared__c', 'Cleared', custom),
    reference('Vault__c', 'Vault', 'Vault__c', { children: 'Keepers__r' }, custom, { relationshipName: 'Vault__r' }),
  ]);
  const vaults = declareObject('Vault__c', { label: 'Vault', keyPrefix: 'a0V', custom: true }, [
    ...identity('Record ID'),
    owner(['Group', 'User']),
    text('Name', 'Vault Name', 80, isName, { idLookup: true }),
    reference('Account__c', 'Account', 'Account', { children: 'Vaults__r' }, custom, { relationshipName: 'Account__r' }),
    ...audit(),
  ]);
  schema.add(vaults.object, vaults.links);
  schema.add({ ...schema.object('Contact')!, fields: secrets.object.fields }, secrets.links);
  [account] = org.insert('Account', { Name: 'Acme' }) as [string];
  [vault] = org.insert('Vault__c', { Name: vaultName, Account__c: account }) as [string];
  const values = { LastName: 'Kent', AccountId: account, Secret__c: value, Vault__c: vault, MailingCity: 'Smallville' };
  [contact] = org.insert('Contact', values) as [string];
  user = org.emulator.users.add({
    username: 'clerk@example.com',
    permissions: {
      objects: { Vault__c: { read: false } },
      fields: {
        'Contact.Secret__c': { read: false },
        'Contact.Vault__c': { read: false },
        'Contact.MailingAddress': { read: false },
      },
    },
  });
});
afterAll(() => org.emulator.close());

const soql = (query: string, resource = 'query') => `/${resource}?q=${encodeURIComponent(query)}`;
const asUser = (method: string, path: string, body?: unknown) =>
  org.call(method, path, { headers: { authorization: `Bearer ${user.accessToken}` }, ...(body === undefined ? {} : { body }) });
const asAdmin = (method: string, path: string, body?: unknown) => org.call(method, path, body === undefined ? {} : { body });

type Ask = () => [method: string, path: string, body?: unknown];
const composite = (url: string, method = 'GET', body?: unknown): [string, string, unknown] => [
  'POST',
  '/composite',
  { compositeRequest: [{ method, url: `/services/data/v62.0${url}`, referenceId: 'one', ...(body ? { body } : {}) }] },
];

/** Requests that name nothing hidden, and what an administrator finds in their replies. */
const listing: [what: string, ask: Ask, found: RegExp][] = [
  ['describeGlobal', () => ['GET', '/sobjects'], /Vault__c/],
  ['describe: fields', () => ['GET', '/sobjects/Contact/describe'], /Secret__c(.|\n)*Vault__r/],
  ['describe: parts of an address', () => ['GET', '/sobjects/Contact/describe'], /MailingCity/],
  ['describe: children', () => ['GET', '/sobjects/Account/describe'], /Vaults__r/],
  ['retrieve', () => ['GET', `/sobjects/Contact/${contact}`], /classified-4711/],
  ['retrieve: an address', () => ['GET', `/sobjects/Contact/${contact}`], /Smallville/],
  ['retrieve by composite', () => composite(`/sobjects/Contact/${contact}`), /classified-4711/],
  ['FIELDS(ALL)', () => ['GET', soql('SELECT FIELDS(ALL) FROM Contact LIMIT 200')], /classified-4711/],
  ['FIELDS(CUSTOM)', () => ['GET', soql('SELECT FIELDS(CUSTOM) FROM Contact LIMIT 200')], /classified-4711/],
  ['FIELDS(STANDARD)', () => ['GET', soql('SELECT FIELDS(STANDARD) FROM Contact')], /Smallville/],
  [
    'FIELDS(ALL) of children',
    () => ['GET', soql('SELECT Id, (SELECT FIELDS(ALL) FROM Contacts LIMIT 200) FROM Account')],
    /classified-4711/,
  ],
  ['FIELDS(ALL) by queryAll', () => ['GET', soql('SELECT FIELDS(ALL) FROM Contact LIMIT 200', 'queryAll')], /classified-4711/],
];

/** Requests that name what is hidden: to the user it does not exist. */
const naming: [what: string, ask: Ask, errorCode: string, status?: number][] = [
  ['describe', () => ['GET', '/sobjects/Vault__c/describe'], 'NOT_FOUND', 404],
  ['basic information', () => ['GET', '/sobjects/Vault__c'], 'NOT_FOUND', 404],
  ['retrieve of an object', () => ['GET', `/sobjects/Vault__c/${vault}`], 'NOT_FOUND', 404],
  ['retrieve of a field', () => ['GET', `/sobjects/Contact/${contact}?fields=Secret__c`], 'INVALID_FIELD'],
  ['retrieve by external id', () => ['GET', `/sobjects/Contact/Secret__c/${value}`], 'NOT_FOUND', 404],
  ['retrieve many', () => ['GET', `/composite/sobjects/Contact?ids=${contact}&fields=Secret__c`], 'INVALID_FIELD'],
  ['retrieve many of an object', () => ['GET', `/composite/sobjects/Vault__c?ids=${vault}&fields=Name`], 'NOT_FOUND', 404],
  ['SELECT', () => ['GET', soql('SELECT Secret__c FROM Contact')], 'INVALID_FIELD'],
  ['SELECT of a part', () => ['GET', soql('SELECT MailingCity FROM Contact')], 'INVALID_FIELD'],
  ['SELECT of an address', () => ['GET', soql('SELECT MailingAddress FROM Contact')], 'INVALID_FIELD'],
  ['toLabel()', () => ['GET', soql('SELECT toLabel(Secret__c) FROM Contact')], 'INVALID_FIELD'],
  ['WHERE', () => ['GET', soql(`SELECT Id FROM Contact WHERE Secret__c = '${value}'`)], 'INVALID_FIELD'],
  ['WHERE by COUNT()', () => ['GET', soql(`SELECT COUNT() FROM Contact WHERE Secret__c != null`)], 'INVALID_FIELD'],
  ['ORDER BY', () => ['GET', soql('SELECT Id FROM Contact ORDER BY Secret__c')], 'INVALID_FIELD'],
  ['GROUP BY', () => ['GET', soql('SELECT Secret__c, COUNT(Id) FROM Contact GROUP BY Secret__c')], 'INVALID_FIELD'],
  ['an aggregate', () => ['GET', soql('SELECT MAX(Secret__c) m FROM Contact')], 'INVALID_FIELD'],
  ['HAVING', () => ['GET', soql("SELECT LastName FROM Contact GROUP BY LastName HAVING MAX(Secret__c) > 'a'")], 'INVALID_FIELD'],
  ['FROM', () => ['GET', soql('SELECT Id FROM Vault__c')], 'INVALID_TYPE'],
  ['FROM by queryAll', () => ['GET', soql('SELECT Id FROM Vault__c', 'queryAll')], 'INVALID_TYPE'],
  ['a field of a parent', () => ['GET', soql('SELECT ReportsTo.Secret__c FROM Contact')], 'INVALID_FIELD'],
  ['a parent that is hidden', () => ['GET', soql('SELECT Vault__r.Name FROM Contact')], 'INVALID_FIELD'],
  [
    'a condition on a hidden parent',
    () => ['GET', soql(`SELECT Id FROM Contact WHERE Vault__r.Name = '${vaultName}'`)],
    'INVALID_FIELD',
  ],
  ['children that are hidden', () => ['GET', soql('SELECT (SELECT Name FROM Vaults__r) FROM Account')], 'INVALID_TYPE'],
  ['a hidden field of children', () => ['GET', soql('SELECT (SELECT Secret__c FROM Contacts) FROM Account')], 'INVALID_FIELD'],
  ['a semi-join', () => ['GET', soql('SELECT Id FROM Account WHERE Id IN (SELECT Account__c FROM Vault__c)')], 'INVALID_TYPE'],
  ['updated', () => ['GET', '/sobjects/Vault__c/updated?start=2026-03-04T05:00:00Z&end=2026-03-04T05:06:00Z'], 'NOT_FOUND', 404],
  ['deleted', () => ['GET', '/sobjects/Vault__c/deleted?start=2026-03-04T05:00:00Z&end=2026-03-04T05:06:00Z'], 'NOT_FOUND', 404],
  ['Bulk query', () => ['POST', '/jobs/query', { operation: 'query', query: 'SELECT Secret__c FROM Contact' }], 'INVALID_FIELD'],
  [
    'Bulk query of a parent',
    () => ['POST', '/jobs/query', { operation: 'query', query: 'SELECT Vault__r.Name FROM Contact' }],
    'INVALID_FIELD',
  ],
  [
    'Bulk query of an object',
    () => ['POST', '/jobs/query', { operation: 'query', query: 'SELECT Id FROM Vault__c' }],
    'INVALIDENTITY',
  ],
  ['create with a field', () => ['POST', '/sobjects/Contact', { LastName: 'n', Secret__c: 'x' }], 'INVALID_FIELD'],
  ['create of an object', () => ['POST', '/sobjects/Vault__c', { Name: 'n' }], 'NOT_FOUND', 404],
  ['update of a field', () => ['PATCH', `/sobjects/Contact/${contact}`, { Secret__c: value }], 'INVALID_FIELD'],
  ['update of a part', () => ['PATCH', `/sobjects/Contact/${contact}`, { MailingCity: 'Smallville' }], 'INVALID_FIELD'],
  [
    'update by a hidden parent',
    () => ['PATCH', `/sobjects/Contact/${contact}`, { Vault__r: { Name: vaultName } }],
    'INVALID_FIELD',
  ],
  ['upsert by a hidden field', () => ['PATCH', `/sobjects/Contact/Secret__c/${value}`, { LastName: 'Kent' }], 'NOT_FOUND', 404],
];

describe('what names nothing hidden is answered without it', () => {
  test.each(listing)(`%s ${documented}`, async (_, ask, found) => {
    const admin = await asAdmin(...ask());
    expect(admin.text).toMatch(found);
    const answer = await asUser(...ask());
    expect(answer.status, answer.text).toBe(200);
    expectNothing(answer, /Secret__c|Vault|Keepers|MailingCity|MailingAddress/);
  });
});

describe('what names something hidden is refused as if it did not exist', () => {
  test.each(naming)(`%s ${documented}`, async (_, ask, errorCode, status = 400) => {
    const answer = await asUser(...ask());
    expect([answer.status, answer.json[0]?.errorCode], answer.text).toEqual([status, errorCode]);
    expectNothing(answer, /a0V/);
  });

  test('and an administrator is refused none of it', async () => {
    for (const [what, ask] of naming) {
      const answer = await asAdmin(...ask());
      expect(answer.status, `${what}: ${answer.text}`).toBeLessThan(300);
    }
  });
});

function expectNothing(answer: Answer, names: RegExp): void {
  expect(answer.text).not.toMatch(names);
  expect(answer.text).not.toMatch(/classified-4711(?!')|Fort Knox(?!')|Smallville/);
}

test(`collections refuse record by record ${documented}`, async () => {
  const record = (fields: object) => ({ attributes: { type: 'Contact' }, LastName: 'c', ...fields });
  const body = { records: [record({}), record({ Secret__c: 'x' }), { attributes: { type: 'Vault__c' }, Name: 'v' }] };
  const { json } = await asUser('POST', '/composite/sobjects', body);
  expect(json.map((result: { errors: { statusCode: string }[] }) => result.errors.map((error) => error.statusCode))).toEqual([
    [],
    ['INVALID_FIELD'],
    ['INVALID_TYPE'],
  ]);
  const gone = await asUser('DELETE', `/composite/sobjects?ids=${vault}`);
  expect(gone.json[0]).toMatchObject({ success: false });
  expect((await asAdmin('GET', `/sobjects/Vault__c/${vault}`)).status).toBe(200);
});

test(`a record is referred to only if it can be seen ${evidence('documented', 'SOAP API Developer Guide, StatusCode INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY')}`, async () => {
  org.emulator.users.permit(user.userId, { fields: { 'Contact.Vault__c': { edit: true } } });
  try {
    const refused = await asUser('PATCH', `/sobjects/Contact/${contact}`, { Vault__c: vault });
    expect(refused.json[0].errorCode).toBe('INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY');
    // The id is all there is of it: no name of the object, no way to follow it.
    const { json } = await asUser('GET', '/sobjects/Contact/describe');
    const field = json.fields.find(({ name }: { name: string }) => name === 'Vault__c');
    expect(field).toMatchObject({ referenceTo: [], relationshipName: null });
    expect((await asUser('GET', soql('SELECT Vault__r.Name FROM Contact'))).json[0].errorCode).toBe('INVALID_FIELD');
    expect((await asUser('GET', soql('SELECT Vault__c FROM Contact WHERE Vault__c != null'))).json.records[0].Vault__c).toBe(
      vault,
    );
  } finally {
    org.emulator.users.permit(user.userId, { fields: { 'Contact.Vault__c': { read: false } } });
  }
});

test(`a hidden field keeps its data, and its default is given ${evidence('documented', 'Salesforce Help, Field-Level Security')}`, async () => {
  const { json } = await asUser('POST', '/sobjects/Contact', { LastName: 'New' });
  expect((await asAdmin('GET', `/sobjects/Contact/${json.id}?fields=Secret__c`)).json.Secret__c).toBe('preset');
  expect((await asUser('PATCH', `/sobjects/Contact/${contact}`, { FirstName: 'Clark' })).status).toBe(204);
  expect((await asAdmin('GET', `/sobjects/Contact/${contact}?fields=Secret__c`)).json.Secret__c).toBe(value);
});

test(`what is hidden goes along with a delete all the same ${evidence('assumed', 'cascades ask for no permission on children')}`, async () => {
  const [parent] = org.insert('Account', { Name: 'Parent' }) as [string];
  const [child] = org.insert('Vault__c', { Name: 'Child', Account__c: parent }) as [string];
  expect((await asUser('DELETE', `/sobjects/Account/${parent}`)).status).toBe(204);
  expect((await asAdmin('GET', `/sobjects/Vault__c/${child}?fields=Account__c`)).json.Account__c).toBeNull();
});

test(`a parent is not found by a key that is hidden ${documented}`, async () => {
  org.emulator.users.permit(user.userId, { fields: { 'Account.Ext__c': { read: false } } });
  org.insert('Account', { Name: 'Keyed', Ext__c: 'key-1' });
  const body = { LastName: 'k', Account: { Ext__c: 'key-1' } };
  const refused = await asUser('POST', '/sobjects/Contact', body);
  expect(refused.json[0]).toMatchObject({
    errorCode: 'INVALID_FIELD',
    message: expect.stringContaining("'Ext__c' on sobject of type Account"),
  });
  expect((await asAdmin('POST', '/sobjects/Contact', body)).status).toBe(201);
});

test(`who cannot see IsDeleted does not see what is deleted ${documented}`, async () => {
  const [id] = org.insert('Contact', { LastName: 'Binned' }) as [string];
  org.emulator.org.write((transaction) => transaction.delete('Contact', id));
  org.emulator.permissions.hide('Contact', 'IsDeleted');
  try {
    expect((await asAdmin('GET', soql("SELECT Id FROM Contact WHERE LastName = 'Binned'"))).json.records).toEqual([]);
    expect((await asAdmin('GET', `/sobjects/Contact/${id}`)).status).toBe(404);
  } finally {
    org.emulator.permissions.show('Contact', 'IsDeleted');
  }
});

test(`a Bulk ingest job cannot write what is hidden ${documented}`, async () => {
  const ingest = async (object: string, csv: string) => {
    const job = await asUser('POST', '/jobs/ingest', { object, operation: 'insert' });
    if (job.status !== 200) return job.json[0].errorCode;
    const headers = { authorization: `Bearer ${user.accessToken}`, 'content-type': 'text/csv' };
    await org.call('PUT', `/jobs/ingest/${job.json.id}/batches`, { headers, body: csv });
    await asUser('PATCH', `/jobs/ingest/${job.json.id}`, { state: 'UploadComplete' });
    // Once to begin it, once to do it.
    org.emulator.ingest.step(job.json.id);
    const { errorMessage, state } = org.emulator.ingest.step(job.json.id);
    return errorMessage ?? state;
  };
  org.emulator.ingest.pace = 'poll';
  expect(await ingest('Contact', 'LastName,Secret__c\nb,bulk\n')).toMatch(/InvalidBatch.*Secret__c/);
  expect(await ingest('Vault__c', 'Name\nb\n')).not.toBe('JobComplete');
  expect(await ingest('Contact', 'LastName\nBulk\n')).toBe('JobComplete');
  const { json } = await asAdmin('GET', soql("SELECT Secret__c FROM Contact WHERE LastName IN ('b', 'Bulk')"));
  expect(json.records).toMatchObject([{ Secret__c: 'preset' }]);
});

test(`a query cursor and a Bulk result are of use to their maker alone ${evidence('assumed', 'they hold what their maker could see')}`, async () => {
  org.emulator.org.load(
    'Lead',
    Array.from({ length: 250 }, (_, n) => ({ LastName: `l${n}`, Company: 'c' })),
  );
  const headers = { 'sforce-query-options': 'batchSize=200' };
  const { json } = await org.call('GET', soql('SELECT LastName FROM Lead'), { headers });
  expect((await asUser('GET', json.nextRecordsUrl)).json[0].errorCode).toBe('INVALID_QUERY_LOCATOR');
  expect((await asAdmin('GET', json.nextRecordsUrl)).json.records).toHaveLength(50);
  const job = await asAdmin('POST', '/jobs/query', { operation: 'query', query: 'SELECT Secret__c FROM Contact' });
  for (const path of ['', '/results']) {
    expect((await asUser('GET', `/jobs/query/${job.json.id}${path}`)).status).toBe(404);
  }
  expect((await asUser('GET', '/jobs/query')).text).not.toContain(job.json.id);
  expect((await asAdmin('GET', '/jobs/query')).text).toContain(job.json.id);
});
