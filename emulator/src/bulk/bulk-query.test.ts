import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { type Answer, startTestOrg, type TestOrg } from '../http/testing.ts';

// A result is whole and counted: every page says how many rows it has, and the last says that it is the last (P13).

let org: TestOrg;
const rowCount = 2345;
beforeAll(async () => {
  org = await startTestOrg({ bulkPageRows: 1000 });
  org.emulator.org.load(
    'Account',
    Array.from({ length: rowCount }, (_, n) => ({
      Name: `Ann "${n}", é\nline`,
      NumberOfEmployees: n % 2 ? n : null,
      AnnualRevenue: n / 4,
    })),
  );
});
afterAll(() => org.emulator.close());

const create = (query: string, body = {}, version = 'v62.0') =>
  org.call('POST', '/jobs/query', { body: { operation: 'query', query, ...body }, version });
const soql = 'SELECT Id, Name, NumberOfEmployees FROM Account';

/** Polls until the job has ended. The tests' limit ends a job that never does. */
async function finished(id: string): Promise<Answer> {
  for (;;) {
    const job = await org.call('GET', `/jobs/query/${id}`);
    if (!['UploadComplete', 'InProgress'].includes(job.json.state)) return job;
  }
}
const complete = async (query: string, body = {}) => {
  const { json } = await create(query, body);
  expect((await finished(json.id)).json.state).toBe('JobComplete');
  return json.id as string;
};

test(`a job goes from UploadComplete over InProgress to JobComplete ${evidence('recorded', 'query job of Account; other facts documented in the Bulk API 2.0 Developer Guide')}`, async () => {
  const created = await create(soql);
  expect(created.status).toBe(200);
  expect(created.json).toEqual({
    id: expect.stringMatching(/^750\w{15}$/),
    operation: 'query',
    object: 'Account',
    createdById: org.emulator.org.adminUserId,
    createdDate: '2026-03-04T05:06:07.000+0000',
    systemModstamp: '2026-03-04T05:06:07.000+0000',
    state: 'UploadComplete',
    concurrencyMode: 'Parallel',
    contentType: 'CSV',
    apiVersion: 62,
    lineEnding: 'LF',
    columnDelimiter: 'COMMA',
  });
  const first = await org.call('GET', `/jobs/query/${created.json.id}`);
  expect(first.json).toMatchObject({ state: 'InProgress', jobType: 'V2Query' });
  const last = await finished(created.json.id);
  expect(last.json).toMatchObject({ state: 'JobComplete', numberRecordsProcessed: rowCount, retries: 0 });
});

test(`pages by locator until the word null, each with the header ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Results for a Query Job')}`, async () => {
  const id = await complete(soql);
  const rows: string[][] = [];
  const pages: Answer[] = [];
  for (let locator = ''; locator !== 'null'; locator = pages.at(-1)?.headers.get('sforce-locator') as string) {
    const page = await org.call('GET', `/jobs/query/${id}/results?maxRecords=500${locator && `&locator=${locator}`}`);
    expect(page.headers.get('content-type')).toBe('text/csv');
    const [header, ...body] = parse(page.text) as string[][];
    expect(header).toEqual(['Id', 'Name', 'NumberOfEmployees']);
    expect(page.headers.get('sforce-numberofrecords')).toBe(String(body.length));
    rows.push(...body);
    pages.push(page);
  }
  expect(pages).toHaveLength(5);
  expect(rows).toHaveLength(rowCount);
  expect(new Set(rows.map((row) => row[0])).size).toBe(rowCount);
  expect(rows.find((row) => row[1] === 'Ann "0", é\nline')?.[2]).toBe('');
  expect(rows.find((row) => row[1] === 'Ann "7", é\nline')?.[2]).toBe('7');
  // A locator stays good: a page can be read again.
  const again = await org.call(
    'GET',
    `/jobs/query/${id}/results?maxRecords=500&locator=${pages[0]?.headers.get('sforce-locator')}`,
  );
  expect(again.text).toBe(pages[1]?.text);
});

test(`no rows: the header alone ${evidence('assumed', 'reports differ: some versions answer nothing')}`, async () => {
  const id = await complete("SELECT Id, Name FROM Account WHERE Name = 'nobody'");
  const page = await org.call('GET', `/jobs/query/${id}/results`);
  expect(page.text).toBe('"Id","Name"\n');
  expect(page.headers.get('sforce-numberofrecords')).toBe('0');
  expect(page.headers.get('sforce-locator')).toBe('null');
});

test(`queryAll brings the deleted ${evidence('documented', 'Bulk API 2.0 Developer Guide, Create a Query Job')}`, async () => {
  const [id] = org.insert('Contact', { LastName: 'gone' });
  org.emulator.org.write((transaction) => transaction.delete('Contact', id as string));
  const text = async (operation: string) => {
    const job = await complete('SELECT Id, IsDeleted FROM Contact', { operation });
    return (await org.call('GET', `/jobs/query/${job}/results`)).text;
  };
  expect(await text('query')).toBe('"Id","IsDeleted"\n');
  expect(await text('queryAll')).toBe(`"Id","IsDeleted"\n"${id}","true"\n`);
});

test(`result pages for reading in parallel, five at a time ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Parallel Results for a Query Job')}`, async () => {
  const id = await complete(soql);
  const { json } = await org.call('GET', `/jobs/query/${id}/resultPages`);
  expect(json.done).toBe(true);
  const pages = await Promise.all(json.resultPages.map(({ resultUrl }: { resultUrl: string }) => org.call('GET', resultUrl)));
  const ids = pages.flatMap((page) => (parse(page.text) as string[][]).slice(1).map((row) => row[0]));
  expect(pages.map((page) => page.headers.get('sforce-numberofrecords'))).toEqual(['1000', '1000', '345']);
  expect(new Set(ids).size).toBe(rowCount);
});

test(`gzip when asked for ${evidence('documented', 'Bulk API 2.0 Developer Guide, Use Compression')}`, async () => {
  const id = await complete(soql);
  const zipped = await org.call('GET', `/jobs/query/${id}/results`, { headers: { 'accept-encoding': 'gzip' } });
  const plain = await org.call('GET', `/jobs/query/${id}/results`, { headers: { 'accept-encoding': 'identity' } });
  expect([zipped.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual(['gzip', null]);
  expect(zipped.text).toBe(plain.text);
});

test(`what Bulk queries cannot do is refused at once ${evidence('documented', 'Bulk API 2.0 Developer Guide, SOQL Considerations; codes assumed')}`, async () => {
  const refused: Record<string, string> = {
    'SELECT COUNT(Id) FROM Account': 'API_ERROR',
    'SELECT Name, COUNT(Id) FROM Account GROUP BY Name': 'API_ERROR',
    'SELECT Id FROM Account LIMIT 5 OFFSET 5': 'API_ERROR',
    'SELECT Id, (SELECT Id FROM Contacts) FROM Account': 'API_ERROR',
    'SELECT BillingAddress FROM Account': 'API_ERROR',
    'SELECT FIELDS(ALL) FROM Account LIMIT 5': 'API_ERROR',
    'SELECT TYPEOF What WHEN Account THEN Name END FROM Task': 'API_ERROR',
    'SELECT Id FROM Nothing__c': 'INVALIDENTITY',
    'SELEKT Id FROM Account': 'MALFORMED_QUERY',
  };
  for (const [query, errorCode] of Object.entries(refused)) {
    expect(await create(query), query).toMatchObject({ status: 400, json: [{ errorCode }] });
  }
  expect((await create(soql, { operation: 'explain' })).status).toBe(400);
  expect((await create(soql, { columnDelimiter: 'COLON' })).status).toBe(400);
});

test(`an unknown field is refused before there is a job ${evidence('assumed', 'reports show errors at creation as well as Failed jobs')}`, async () => {
  const reply = await create('SELECT Id, Nme FROM Account');
  expect(reply).toMatchObject({
    status: 400,
    json: [{ errorCode: 'INVALID_FIELD', message: expect.stringContaining("No such column 'Nme'") }],
  });
});

test(`there are no results before the job is complete ${evidence('assumed', 'the guide only says to wait')}`, async () => {
  const { json } = await create(soql);
  expect((await org.call('GET', `/jobs/query/${json.id}/results`)).json[0].errorCode).toBe('INVALIDJOBSTATE');
});

test(`results want the version that created the job ${evidence('documented', 'Bulk API 2.0 Developer Guide, Get Results for a Query Job')}`, async () => {
  const id = await complete(soql);
  expect((await org.call('GET', `/jobs/query/${id}/results`, { version: 'v61.0' })).status).toBe(409);
});

test(`abort and delete, each in its state ${evidence('documented', 'Bulk API 2.0 Developer Guide, Abort a Query Job, Delete a Query Job')}`, async () => {
  const { json: open } = await create(soql);
  expect((await org.call('DELETE', `/jobs/query/${open.id}`)).json).toMatchObject([{ errorCode: 'API_ERROR' }]);
  const abort = (id: string) => org.call('PATCH', `/jobs/query/${id}`, { body: { state: 'Aborted' } });
  expect((await abort(open.id)).json.state).toBe('Aborted');
  expect((await org.call('DELETE', `/jobs/query/${open.id}`)).status).toBe(204);
  expect((await org.call('GET', `/jobs/query/${open.id}`)).status).toBe(404);
  const done = await complete(soql);
  expect((await abort(done)).json).toEqual([
    { message: 'Aborting already Completed Job not allowed', errorCode: 'INVALIDJOBSTATE' },
  ]);
  const { json: list } = await org.call('GET', '/jobs/query?jobType=V2Query');
  expect(list).toMatchObject({ done: true, nextRecordsUrl: null });
  expect(list.records.map((job: { id: string }) => job.id)).toContain(done);
});

test(`results are kept for seven days ${evidence('documented', 'Bulk API 2.0 Developer Guide, Limits')}`, async () => {
  const own = await startTestOrg();
  const { json } = await own.call('POST', '/jobs/query', { body: { operation: 'query', query: 'SELECT Id FROM Account' } });
  const token = async () => {
    const { clientId, clientSecret } = own.emulator.credentials;
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret });
    const reply = await fetch(`${own.emulator.url}/services/oauth2/token`, { method: 'POST', body });
    return { authorization: `Bearer ${((await reply.json()) as { access_token: string }).access_token}` };
  };
  own.emulator.org.clock.advance(7 * 24 * 3600_000 - 1);
  expect((await own.call('GET', `/jobs/query/${json.id}`, { headers: await token() })).status).toBe(200);
  own.emulator.org.clock.advance(1);
  expect((await own.call('GET', `/jobs/query/${json.id}`, { headers: await token() })).status).toBe(404);
  await own.emulator.close();
});

test('faults: a job that fails, one that is aborted, a garbled count, an expired locator, a short page', async () => {
  const { faults } = org.emulator;
  for (const [kind, state] of [
    ['job-failed', 'Failed'],
    ['job-aborted', 'Aborted'],
  ] as const) {
    const { json } = await create(soql);
    faults.add({ kind, match: { times: 1 } });
    expect((await finished(json.id)).json.state).toBe(state);
  }
  const id = await complete(soql);
  const results = (query = '') => org.call('GET', `/jobs/query/${id}/results${query}`);
  faults.add({ kind: 'garbled-count', match: { times: 1 }, params: { add: -1 } });
  expect((await results()).headers.get('sforce-numberofrecords')).toBe('999');
  faults.add({ kind: 'garbled-count', match: { times: 1 }, params: { value: 'many' } });
  const page = await results();
  expect(page.headers.get('sforce-numberofrecords')).toBe('many');
  faults.add({ kind: 'expired-locator', match: { times: 1 } });
  const locator = `?locator=${page.headers.get('sforce-locator')}`;
  expect((await results(locator)).json[0].errorCode).toBe('INVALID_QUERY_LOCATOR');
  faults.add({ kind: 'short-page', match: { times: 1 }, params: { records: 7 } });
  const short = await results(locator);
  expect([parse(short.text).length, short.headers.get('sforce-numberofrecords')]).toEqual([8, '7']);
});

test('closing removes every file', async () => {
  const before = new Set(readdirSync(tmpdir()));
  const own = await startTestOrg();
  await own.call('POST', '/jobs/query', { body: { operation: 'query', query: 'SELECT Id FROM Account' } });
  const made = readdirSync(tmpdir()).filter((name) => name.startsWith('tidemark-emulator-') && !before.has(name));
  await own.emulator.close();
  expect(made.length).toBeGreaterThan(0);
  // Another emulator of this machine may own some of them; ours is gone.
  expect(made.every((name) => existsSync(`${tmpdir()}/${name}`))).toBe(false);
});
