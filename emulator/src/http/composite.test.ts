import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// One API call carries a whole delta read: query, updated and all (P8).

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
});
afterAll(() => org.emulator.close());

const base = '/services/data/v62.0';
const composite = (compositeRequest: unknown[], options = {}) =>
  org.call('POST', '/composite', { body: { compositeRequest, ...options } });
const create = (referenceId: string, Name?: string) => ({
  method: 'POST',
  url: `${base}/sobjects/Account`,
  referenceId,
  body: Name === undefined ? {} : { Name },
});
const count = async (name: string) =>
  (await org.backdoor('GET', `/count?object=Account&where=${encodeURIComponent(`Name = '${name}'`)}`)).json.count;

test(`later requests use answers of earlier ones ${evidence('documented', 'REST API Developer Guide, Composite')}`, async () => {
  const reply = await composite([
    create('made', 'Ref'),
    { method: 'POST', url: `${base}/sobjects/Contact`, referenceId: 'child', body: { LastName: 'x', AccountId: '@{made.id}' } },
    {
      method: 'GET',
      url: `${base}/query?q=SELECT+Id+FROM+Contact+WHERE+AccountId='@{made.id}'`,
      referenceId: 'found',
    },
    { method: 'GET', url: `${base}/sobjects/Contact/@{found.records[0].Id}?fields=LastName`, referenceId: 'row' },
  ]);
  expect(reply.status).toBe(200);
  const [made, child, found, row] = reply.json.compositeResponse;
  expect(made).toEqual({
    body: { id: expect.any(String), success: true, errors: [] },
    httpHeaders: { Location: `${base}/sobjects/Account/${made.body.id}` },
    httpStatusCode: 201,
    referenceId: 'made',
  });
  expect(child.httpStatusCode).toBe(201);
  expect(found.body).toMatchObject({ totalSize: 1, records: [{ Id: child.body.id }] });
  expect(row.body.LastName).toBe('x');
});

test('a whole delta read is one API call', async () => {
  await org.backdoor('DELETE', '/requests');
  const window = 'start=2026-03-04T04:00:00Z&end=2026-03-04T05:00:00Z';
  const reply = await composite([
    { method: 'GET', url: `${base}/queryAll?q=${encodeURIComponent('SELECT Id FROM Account')}`, referenceId: 'rows' },
    { method: 'GET', url: `${base}/sobjects/Account/updated?${window}`, referenceId: 'updated' },
    { method: 'GET', url: `${base}/sobjects/Account/deleted?${window}`, referenceId: 'deleted' },
  ]);
  expect(reply.json.compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([200, 200, 200]);
  const { apiCalls, byKind, log } = (await org.backdoor('GET', '/requests')).json;
  expect({ apiCalls, byKind }).toEqual({ apiCalls: 1, byKind: { composite: 1 } });
  expect(log[0].subrequests).toEqual(['queryAll', 'updated', 'deleted']);
});

test(`without allOrNone a failure stands alone ${evidence('documented', 'REST API Developer Guide, Composite')}`, async () => {
  const reply = await composite([create('good', 'Alone'), create('bad'), create('later', 'Alone')]);
  expect(reply.json.compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([201, 400, 201]);
  expect(reply.json.compositeResponse[1].body).toMatchObject([{ errorCode: 'REQUIRED_FIELD_MISSING' }]);
  expect(await count('Alone')).toBe(2);
});

test(`with allOrNone nothing of it stays ${evidence('documented', 'REST API Developer Guide, Composite, allOrNone')}`, async () => {
  const reply = await composite([create('good', 'Undone'), create('bad'), create('later', 'Undone')], { allOrNone: true });
  const halted = [{ errorCode: 'PROCESSING_HALTED', message: expect.stringContaining('rolled back') }];
  expect(reply.json.compositeResponse).toMatchObject([
    { httpStatusCode: 400, body: halted },
    { httpStatusCode: 400, body: [{ errorCode: 'REQUIRED_FIELD_MISSING' }] },
    { httpStatusCode: 400, body: halted },
  ]);
  expect(await count('Undone')).toBe(0);
});

test(`a failed record of a collection undoes the call too, though its answer is 200 ${evidence('documented', 'REST API Developer Guide, sObject Collections in Composite')}`, async () => {
  const records = [{ attributes: { type: 'Account' }, Name: 'Inner' }, { attributes: { type: 'Account' } }];
  const reply = await composite(
    [
      create('outer', 'Inner'),
      { method: 'POST', url: `${base}/composite/sobjects`, referenceId: 'many', body: { allOrNone: false, records } },
    ],
    { allOrNone: true },
  );
  expect(reply.json.compositeResponse[1].body).toMatchObject([{ success: true }, { success: false }]);
  expect(reply.json.compositeResponse[0].httpStatusCode).toBe(400);
  expect(await count('Inner')).toBe(0);
});

test('with allOrNone and no failure all of it is there', async () => {
  await composite([create('a', 'Kept'), create('b', 'Kept')], { allOrNone: true });
  expect(await count('Kept')).toBe(2);
});

test(`a reference to a failed request fails ${evidence('assumed', 'the code is documented, the text is from reports')}`, async () => {
  const reply = await composite([
    create('bad'),
    { method: 'DELETE', url: `${base}/sobjects/Account/@{bad.id}`, referenceId: 'after' },
  ]);
  expect(reply.json.compositeResponse[1]).toMatchObject({ httpStatusCode: 400, body: [{ errorCode: 'PROCESSING_HALTED' }] });
});

test(`25 requests, 5 of them queries or collections ${evidence('documented', 'REST API Developer Guide, Composite')}`, async () => {
  const limits = (n: number) => ({ method: 'GET', url: `${base}/sobjects/Account`, referenceId: `r${n}` });
  const query = (n: number) => ({ method: 'GET', url: `${base}/query?q=SELECT+Id+FROM+Account`, referenceId: `q${n}` });
  const many = (length: number, make: (n: number) => unknown) => Array.from({ length }, (_, n) => make(n));
  expect((await composite(many(25, limits))).json.compositeResponse).toHaveLength(25);
  expect((await composite(many(26, limits))).status).toBe(400);
  expect((await composite(many(5, query))).json.compositeResponse).toHaveLength(5);
  expect((await composite(many(6, query))).status).toBe(400);
});

test(`bad subrequests are refused as a whole ${evidence('documented', 'REST API Developer Guide, Composite Subrequest')}`, async () => {
  const one = create('one', 'Refused');
  for (const bad of [
    { ...one, referenceId: 'a-b' },
    { ...one, url: '/sobjects/Account' },
    { ...one, method: 'FETCH' },
    { ...one, httpHeaders: { Authorization: 'Bearer x' } },
  ]) {
    expect((await composite([one, bad])).status).toBe(400);
  }
  expect((await composite([one, one])).status).toBe(400);
  expect(await count('Refused')).toBe(0);
  const nested = await composite([{ method: 'POST', url: `${base}/composite`, referenceId: 'n', body: {} }]);
  expect(nested.json.compositeResponse[0].httpStatusCode).toBe(400);
});

const collation = evidence(
  'documented',
  'REST API Developer Guide, Composite Request Body, collateSubrequests; the grouping is one of many',
);

test(`what does the same to records may run together, and only a reference keeps an order ${collation}`, async () => {
  const query = { method: 'GET', url: `${base}/query?q=SELECT+Id+FROM+Account+WHERE+Name='Apart'`, referenceId: 'q' };
  const between = async (options: object, version: string) => {
    const compositeRequest = [create('a', 'Apart'), query, create('b', 'Apart')];
    const reply = await org.call('POST', '/composite', { version, body: { compositeRequest, ...options } });
    const parts = reply.json.compositeResponse as { referenceId: string; body: { totalSize: number } }[];
    expect(parts.map(({ referenceId }) => referenceId)).toEqual(['a', 'q', 'b']);
    const found = parts[1]!.body.totalSize;
    org.emulator.org.write((t) => {
      for (const { body } of parts) if ('id' in body) t.delete('Account', String(body.id));
    });
    return found;
  };
  expect(await between({}, 'v62.0')).toBe(2);
  expect(await between({ collateSubrequests: true }, 'v48.0')).toBe(2);
  expect(await between({}, 'v48.0')).toBe(1);
  expect(await between({ collateSubrequests: false }, 'v62.0')).toBe(1);
  expect(await between({ allOrNone: true }, 'v62.0')).toBe(2);

  const chain = await composite([
    create('made', 'Chain'),
    { method: 'PATCH', url: `${base}/sobjects/Account/@{made.id}`, referenceId: 'changed', body: { Phone: '1' } },
    create('other', 'Chain'),
    { method: 'POST', url: `${base}/sobjects/Contact`, referenceId: 'child', body: { LastName: 'x', AccountId: '@{other.id}' } },
  ]);
  expect(chain.json.compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([
    201, 204, 201, 201,
  ]);
});

test(`what runs together is one transaction, of which each part may fail alone ${evidence('assumed', 'the guide says that they are bulkified, as records of one DML statement are')}`, async () => {
  const commits: string[][] = [];
  const stop = org.emulator.org.onCommit(({ changes }) => commits.push(changes.map(({ kind }) => kind)));
  const reply = await composite([create('a', 'Bulk'), create('bad'), create('b', 'Bulk')]);
  expect(reply.json.compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([201, 400, 201]);
  await composite([{ ...create('alone', 'Bulk'), httpHeaders: { 'Sforce-Auto-Assign': 'FALSE' } }, create('c', 'Bulk')]);
  const objects = ['Account', 'Contact', 'Product2', 'Case', 'Campaign', 'Task'];
  const body = { Name: 'x', LastName: 'x' };
  await composite(
    objects.map((object) => ({
      method: 'POST',
      url: `${base}/sobjects/${object}`,
      referenceId: object,
      body: fieldsOf(object, body),
    })),
  );
  stop();
  expect(commits).toEqual([['create', 'create'], ['create'], ['create'], Array(5).fill('create'), ['create']]);
});

/** Of these values the ones that an object has. */
function fieldsOf(object: string, values: Record<string, string>): Record<string, string> {
  const isOwn = (name: string) => org.emulator.org.schema.field(object, name)?.createable === true;
  return Object.fromEntries(Object.entries(values).filter(([name]) => isOwn(name)));
}

test('faults of a resource strike a subrequest as they strike the request', async () => {
  org.insert('Lead', { LastName: 'a', Company: 'c' }, { LastName: 'b', Company: 'c' });
  org.emulator.faults.add({ kind: 'short-page', match: { times: 1 }, params: { records: 1 } });
  const reply = await composite([{ method: 'GET', url: `${base}/query?q=SELECT+Id+FROM+Lead`, referenceId: 'q' }]);
  expect(reply.json.compositeResponse[0].body).toMatchObject({ totalSize: 2, done: false });
});
