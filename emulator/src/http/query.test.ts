import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// Paging never skips and never repeats: whoever follows nextRecordsUrl until `done` has every record (P1, P13).

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
  org.emulator.org.load(
    'Account',
    Array.from({ length: 4500 }, (_, n) => ({ Name: `Account ${String(n).padStart(4, '0')}` })),
  );
});
afterAll(() => org.emulator.close());

const soql = (text: string) => `/query?q=${encodeURIComponent(text)}`;

test(`pages of 2,000 with a locator until done ${evidence('documented', 'REST API Developer Guide, Query More Results')}`, async () => {
  const first = await org.call('GET', soql('SELECT Id, Name FROM Account ORDER BY Name'));
  expect(first.status).toBe(200);
  expect(Object.keys(first.json)).toEqual(['totalSize', 'done', 'nextRecordsUrl', 'records']);
  expect(first.json).toMatchObject({ totalSize: 4500, done: false });
  expect(first.json.nextRecordsUrl).toMatch(/^\/services\/data\/v62\.0\/query\/01g\w{15}-2000$/);
  expect(first.json.records[0]).toEqual({
    attributes: { type: 'Account', url: `/services/data/v62.0/sobjects/Account/${first.json.records[0].Id}` },
    Id: expect.stringMatching(/^001\w{15}$/),
    Name: 'Account 0000',
  });
  const second = await org.call('GET', first.json.nextRecordsUrl);
  expect(second.json).toMatchObject({ totalSize: 4500, done: false });
  expect(second.json.nextRecordsUrl).toMatch(/-4000$/);
  const third = await org.call('GET', second.json.nextRecordsUrl);
  expect(third.json).toMatchObject({ totalSize: 4500, done: true });
  expect(third.json.nextRecordsUrl).toBeUndefined();
  const names = [first, second, third].flatMap((page) => page.json.records.map((row: { Name: string }) => row.Name));
  expect(names).toEqual(Array.from({ length: 4500 }, (_, n) => `Account ${String(n).padStart(4, '0')}`));
});

test(`the page size is a hint between 200 and 2,000 ${evidence('documented', 'REST API Developer Guide, Query Options Header')}`, async () => {
  const sizes: Record<string, number> = { '1000': 1000, '5': 200, '9999': 2000 };
  for (const [asked, given] of Object.entries(sizes)) {
    const page = await org.call('GET', soql('SELECT Id FROM Account'), {
      headers: { 'Sforce-Query-Options': `batchSize=${asked}` },
    });
    expect(page.json.records).toHaveLength(given);
  }
});

test(`nextRecordsUrl of queryAll says /query/ and still yields deleted records ${evidence('documented', 'REST API Developer Guide, QueryAll')}`, async () => {
  const ids = org.insert('Lead', ...Array.from({ length: 201 }, (_, n) => ({ LastName: `L${n}`, Company: 'C' })));
  org.emulator.org.write((transaction) => transaction.delete('Lead', ids[200] as string));
  const q = encodeURIComponent('SELECT Id, IsDeleted FROM Lead ORDER BY Id');
  const first = await org.call('GET', `/queryAll?q=${q}`, { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  expect(first.json.nextRecordsUrl).toMatch(/^\/services\/data\/v62\.0\/query\/01g/);
  const second = await org.call('GET', first.json.nextRecordsUrl);
  expect(second.json.records).toMatchObject([{ Id: ids[200], IsDeleted: true }]);
  const asQueryAll = await org.call('GET', first.json.nextRecordsUrl.replace('/query/', '/queryAll/'));
  expect(asQueryAll.json).toEqual(second.json);
  expect((await org.call('GET', `/query?q=${q}`)).json.totalSize).toBe(200);
});

test(`COUNT() has a size and no records ${evidence('documented', 'SOQL Reference, COUNT()')}`, async () => {
  const reply = await org.call('GET', soql('SELECT COUNT() FROM Account'));
  expect(reply.json).toEqual({ totalSize: 4500, done: true, records: [] });
});

test(`an unknown locator is INVALID_QUERY_LOCATOR ${evidence('assumed', 'the code is documented, the message is a guess')}`, async () => {
  const reply = await org.call('GET', '/query/01g000000000001AAA-2000');
  expect(reply).toMatchObject({ status: 400, json: [{ errorCode: 'INVALID_QUERY_LOCATOR' }] });
});

test(`a locator lives two days by the org's clock ${evidence('documented', 'Salesforce limits, API Query Cursor Limits')}`, async () => {
  const first = await org.call('GET', soql('SELECT Id FROM Account'));
  const { clock } = org.emulator.org;
  clock.advance(47 * 3600_000);
  const { accessToken } = org.emulator.credentials;
  const token = await signInAgain();
  expect((await org.call('GET', first.json.nextRecordsUrl, { headers: token })).status).toBe(200);
  clock.advance(3600_000);
  expect((await org.call('GET', first.json.nextRecordsUrl, { headers: token })).json[0].errorCode).toBe('INVALID_QUERY_LOCATOR');
  clock.advance(-48 * 3600_000);
  expect(accessToken).toContain('!');
});

async function signInAgain(): Promise<Record<string, string>> {
  const { clientId, clientSecret, loginUrl } = org.emulator.credentials;
  const reply = await fetch(`${loginUrl}/services/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
  });
  const { access_token } = (await reply.json()) as { access_token: string };
  return { authorization: `Bearer ${access_token}` };
}

test(`a bad query is an error array ${evidence('recorded', 'unknown object: INVALID_TYPE')}`, async () => {
  const unknown = await org.call('GET', soql('SELECT Id FROM Accout'));
  expect(unknown.status).toBe(400);
  expect(unknown.json).toMatchObject([
    { errorCode: 'INVALID_TYPE', message: expect.stringContaining("sObject type 'Accout' is not supported") },
  ]);
  expect((await org.call('GET', '/query')).json[0].errorCode).toBe('MALFORMED_QUERY');
});

test(`a short page is followed by the rest: its length says nothing ${evidence('documented', 'SOQL Reference, Change the Batch Size in Queries')}`, async () => {
  const fault = org.emulator.faults.add({ kind: 'short-page', match: { nth: 1 }, params: { records: 3 } });
  const first = await org.call('GET', soql('SELECT Id, Name FROM Account ORDER BY Name'));
  expect(first.json.records).toHaveLength(3);
  expect(first.json.nextRecordsUrl).toMatch(/-3$/);
  const second = await org.call('GET', first.json.nextRecordsUrl);
  expect(second.json.records[0].Name).toBe('Account 0003');
  expect(org.emulator.faults.status(fault)?.fired).toBe(1);
  org.emulator.faults.clear();
});

test('a locator expires when a fault says so, and is good again afterwards', async () => {
  org.emulator.faults.add({ kind: 'expired-locator', match: { times: 1 } });
  const first = await org.call('GET', soql('SELECT Id FROM Account'));
  expect((await org.call('GET', first.json.nextRecordsUrl)).json[0].errorCode).toBe('INVALID_QUERY_LOCATOR');
  expect((await org.call('GET', first.json.nextRecordsUrl)).status).toBe(200);
});

test(`columns=true tells what a query would answer ${evidence('assumed', 'what sf data query reads of it')}`, async () => {
  const ask = (soql: string) => org.call('GET', `/query?q=${encodeURIComponent(soql)}&columns=true`);
  const { json } = await ask('SELECT c.id, Account.Name, Account.Owner.Name, (SELECT Subject FROM Tasks) FROM Contact c LIMIT 1');
  expect(json).toMatchObject({ entityName: 'Contact', groupBy: false, idSelected: true, keyPrefix: '003' });
  const tree = (columns: { columnName: string; joinColumns: [] }[]): unknown =>
    columns.map(({ columnName, joinColumns }) => (joinColumns.length > 0 ? { [columnName]: tree(joinColumns) } : columnName));
  expect(tree(json.columnMetadata)).toEqual(['Id', { Account: ['Name', { Owner: ['Name'] }] }, { Tasks: ['Subject'] }]);
  const grouped = (await ask('SELECT Industry, COUNT(Id), MAX(Name) latest FROM Account GROUP BY Industry')).json;
  expect(grouped).toMatchObject({
    groupBy: true,
    columnMetadata: [
      { columnName: 'Industry', aggregate: false },
      { columnName: 'expr0', aggregate: true, displayName: 'COUNT(Id)' },
      { columnName: 'latest', aggregate: true },
    ],
  });
  expect((await ask('SELECT Nope FROM Account')).json[0].errorCode).toBe('INVALID_FIELD');
});

test(`the type of a body that is not there does not matter ${evidence('assumed', 'sf data export bulk asks for results so')}`, async () => {
  const headers = { 'content-type': 'text/csv' };
  expect((await org.call('GET', '/limits', { headers })).status).toBe(200);
});

test(`a second slash before the path does not matter ${evidence('assumed', 'sf asks so of an instance URL with a slash at its end')}`, async () => {
  const { accessToken } = org.emulator.credentials;
  const reply = await fetch(`${org.emulator.url}//services/data/v62.0/limits`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  expect(reply.status).toBe(200);
});

test(`children beyond a page have a locator of their own ${evidence('documented', 'REST API Developer Guide, Query: nested results')}`, async () => {
  const [crowded, small] = org.insert('Account', { Name: 'Crowded' }, { Name: 'Crowded too' });
  const contact = (AccountId: string, n: number) => ({ LastName: `c${String(n).padStart(3, '0')}`, AccountId });
  org.emulator.org.load('Contact', [
    ...Array.from({ length: 450 }, (_, n) => contact(crowded as string, n)),
    contact(small as string, 0),
  ]);
  const q =
    "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name LIKE 'Crowded%' ORDER BY Name";
  const { json } = await org.call('GET', soql(q), { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  expect(json).toMatchObject({ totalSize: 2, done: true });
  const [children, few] = json.records.map(({ Contacts }: { Contacts: object }) => Contacts);
  expect(few).toMatchObject({ totalSize: 1, done: true, records: [{ LastName: 'c000' }] });
  expect(Object.keys(children)).toEqual(['totalSize', 'done', 'nextRecordsUrl', 'records']);
  const names: string[] = [];
  for (let page = children; page; page = page.done ? undefined : (await org.call('GET', page.nextRecordsUrl)).json) {
    expect(page.totalSize).toBe(450);
    names.push(...page.records.map(({ LastName }: { LastName: string }) => LastName));
  }
  expect(names).toEqual(Array.from({ length: 450 }, (_, n) => `c${String(n).padStart(3, '0')}`));
});
