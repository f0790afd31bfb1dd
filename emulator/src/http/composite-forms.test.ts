import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { CommittedTransaction } from '../org/types.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// Graph, batch and tree: what is atomic is atomic, what is independent is not, and change events see one transaction for each.

let org: TestOrg;
let commits: CommittedTransaction[] = [];
beforeAll(async () => {
  org = await startTestOrg();
  org.emulator.org.onCommit((committed) => commits.push(committed));
});
afterAll(() => org.emulator.close());

const base = '/services/data/v62.0';
const create = (referenceId: string, body: Record<string, unknown>, object = 'Account') => ({
  method: 'POST',
  url: `${base}/sobjects/${object}`,
  referenceId,
  body,
});
const count = async (name: string) =>
  (await org.backdoor('GET', `/count?object=Account&where=${encodeURIComponent(`Name = '${name}'`)}`)).json.count;

const graphGuide = evidence('documented', 'REST API Developer Guide, Composite Graph');

test(`each graph happens whole or not at all, whatever becomes of the others ${graphGuide}`, async () => {
  commits = [];
  const reply = await org.call('POST', '/composite/graph', {
    headers: { 'Sforce-Call-Options': 'client=graphs' },
    body: {
      graphs: [
        {
          graphId: 'good',
          compositeRequest: [
            create('a', { Name: 'graph' }),
            create('c', { LastName: 'x', AccountId: '@{a.id}' }, 'Contact'),
            { method: 'PATCH', url: `${base}/sobjects/Account/@{a.id}`, referenceId: 'p', body: { Phone: '1' } },
          ],
        },
        { graphId: 'bad', compositeRequest: [create('a', { Name: 'graph' }), create('b', {}), create('c', { Name: 'graph' })] },
      ],
    },
  });
  expect(reply.status).toBe(200);
  const [good, bad] = reply.json.graphs;
  expect(good).toMatchObject({ graphId: 'good', isSuccessful: true });
  expect(good.graphResponse.compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([
    201, 201, 204,
  ]);
  expect(bad.isSuccessful).toBe(false);
  expect(bad.graphResponse.compositeResponse.map((part: { body: { errorCode: string }[] }) => part.body[0]?.errorCode)).toEqual([
    'PROCESSING_HALTED',
    'REQUIRED_FIELD_MISSING',
    'PROCESSING_HALTED',
  ]);
  expect(await count('graph')).toBe(1);
  expect(commits).toHaveLength(1);
  expect(commits[0]).toMatchObject({ origin: 'com/salesforce/api/rest/62.0;client=graphs' });
  expect(commits[0]?.changes.map(({ object, kind }) => [object, kind])).toEqual([
    ['Account', 'create'],
    ['Contact', 'create'],
  ]);
});

test(`the limits of graphs ${graphGuide}`, async () => {
  const graph = (graphId: string, nodes: unknown[]) => ({ graphId, compositeRequest: nodes });
  const ask = async (graphs: unknown[]) => (await org.call('POST', '/composite/graph', { body: { graphs } })).json[0];
  const nodes = (n: number) => Array.from({ length: n }, (_, i) => create(`n${i}`, { Name: 'never' }));
  expect(await ask(Array.from({ length: 76 }, (_, i) => graph(`g${i}`, nodes(1))))).toMatchObject({
    errorCode: 'LIMIT_EXCEEDED',
  });
  expect(await ask([graph('a', nodes(300)), graph('b', nodes(201))])).toMatchObject({ errorCode: 'LIMIT_EXCEEDED' });
  const chain = Array.from({ length: 16 }, (_, i) => create(`n${i}`, { Name: i === 0 ? 'never' : `@{n${i - 1}.id}` }));
  expect(await ask([graph('deep', chain)])).toMatchObject({ errorCode: 'LIMIT_EXCEEDED' });
  expect(await ask([graph('q', [{ method: 'GET', url: `${base}/query?q=x`, referenceId: 'q' }])])).toMatchObject({
    errorCode: 'INVALID_INPUT',
  });
  expect(await count('never')).toBe(0);
});

const batchGuide = evidence('documented', 'REST API Developer Guide, Composite Batch');

test(`a batch goes on after a failure, unless told to halt; each part counts as a call ${batchGuide}`, async () => {
  const batchRequests = [
    { method: 'POST', url: 'v62.0/sobjects/Account', richInput: { Name: 'batch' } },
    { method: 'POST', url: 'v62.0/sobjects/Account', richInput: {} },
    { method: 'GET', url: 'v62.0/query?q=SELECT+Name+FROM+Account+LIMIT+1' },
  ];
  const used = () => org.emulator.limits.DailyApiRequests.used();
  const before = used();
  const going = await org.call('POST', '/composite/batch', { body: { batchRequests } });
  expect(used() - before).toBe(3);
  expect(going.json).toMatchObject({ hasErrors: true, results: [{ statusCode: 201 }, { statusCode: 400 }, { statusCode: 200 }] });
  const halting = await org.call('POST', '/composite/batch', { body: { batchRequests, haltOnError: true } });
  expect(halting.json.results[2]).toEqual({
    statusCode: 412,
    result: [{ errorCode: 'BATCH_PROCESSING_HALTED', message: 'Batch processing halted per request' }],
  });
  expect(await count('batch')).toBe(2);
  const tooMany = await org.call('POST', '/composite/batch', {
    body: { batchRequests: Array.from({ length: 26 }, () => batchRequests[2]) },
  });
  expect(tooMany.status).toBe(400);
});

test(`a batch asks for limits, and for no collections ${batchGuide}`, async () => {
  const batchRequests = [
    { method: 'GET', url: 'v62.0/limits' },
    { method: 'GET', url: 'v62.0/composite/sobjects/Account?ids=001000000000000AAA&fields=Name' },
  ];
  const { results } = (await org.call('POST', '/composite/batch', { body: { batchRequests } })).json;
  expect(results).toMatchObject([
    { statusCode: 200, result: { DailyApiRequests: { Max: expect.any(Number) } } },
    { statusCode: 400 },
  ]);
});

const treeGuide = evidence('documented', 'REST API Developer Guide, sObject Tree');
const node = (type: string, referenceId: string, body: Record<string, unknown>) => ({
  attributes: { type, referenceId },
  ...body,
});

test(`a tree is created whole, children under their parents ${treeGuide}`, async () => {
  const reply = await org.call('POST', '/composite/tree/Account', {
    body: {
      records: [
        node('Account', 'a', { Name: 'tree', Contacts: { records: [node('Contact', 'c', { LastName: 'leaf' })] } }),
        node('Account', 'b', { Name: 'tree' }),
      ],
    },
  });
  expect(reply.status).toBe(201);
  expect(reply.json).toEqual({
    hasErrors: false,
    results: [
      { referenceId: 'a', id: expect.stringMatching(/^001/) },
      { referenceId: 'c', id: expect.stringMatching(/^003/) },
      { referenceId: 'b', id: expect.stringMatching(/^001/) },
    ],
  });
  const contact = await org.call('GET', `/sobjects/Contact/${reply.json.results[1].id}?fields=AccountId`);
  expect(contact.json.AccountId).toBe(reply.json.results[0].id);
});

test(`one record refused: nothing is created, and it is named ${evidence('assumed', 'the status of the reply; its shape is documented (sObject Tree)')}`, async () => {
  const reply = await org.call('POST', '/composite/tree/Account', {
    body: { records: [node('Account', 'a', { Name: 'felled', Contacts: { records: [node('Contact', 'c', {})] } })] },
  });
  expect(reply.status).toBe(400);
  expect(reply.json).toEqual({
    hasErrors: true,
    results: [
      {
        referenceId: 'c',
        errors: [
          { statusCode: 'REQUIRED_FIELD_MISSING', message: 'Required fields are missing: [LastName]', fields: ['LastName'] },
        ],
      },
    ],
  });
  expect(await count('felled')).toBe(0);
});

test(`the limits of a tree ${treeGuide}`, async () => {
  const plant = async (records: unknown[]) => (await org.call('POST', '/composite/tree/Account', { body: { records } })).json[0];
  const accounts = Array.from({ length: 201 }, (_, i) => node('Account', `r${i}`, { Name: 'never' }));
  expect(await plant(accounts)).toMatchObject({ errorCode: 'LIMIT_EXCEEDED' });
  expect(await plant([accounts[0], accounts[0]])).toMatchObject({ errorCode: 'INVALID_INPUT' });
  let deep = node('Account', 'd6', { Name: 'never' });
  for (let level = 5; level > 0; level -= 1) {
    deep = node('Account', `d${level}`, { Name: 'never', ChildAccounts: { records: [deep] } });
  }
  expect(await plant([deep])).toMatchObject({ errorCode: 'LIMIT_EXCEEDED' });
});

test(`duplicate rules are passed by when the header says so ${evidence('documented', 'REST API Developer Guide, Duplicate Rule Header')}`, async () => {
  org.emulator.org.duplicateRules.define({ name: 'same name', object: 'Account', fields: ['Name'], action: 'allow' });
  const body = { Name: 'twin' };
  expect((await org.call('POST', '/sobjects/Account', { body })).status).toBe(201);
  const refused = await org.call('POST', '/sobjects/Account', { body });
  expect(refused).toMatchObject({
    status: 400,
    json: [{ errorCode: 'DUPLICATES_DETECTED', message: 'Use one of these records?' }],
  });
  const headers = { 'Sforce-Duplicate-Rule-Header': 'allowSave=true, includeRecordDetails=true' };
  expect((await org.call('POST', '/sobjects/Account', { body, headers })).status).toBe(201);
});
