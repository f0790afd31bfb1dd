import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { startTestOrg, type TestOrg } from './testing.ts';

// Every record of a call gets its own answer, in the order of the request: a bad one costs the others nothing (P2).

let org: TestOrg;
beforeAll(async () => {
  org = await startTestOrg();
});
afterAll(() => org.emulator.close());

const contact = (LastName?: string) => ({ attributes: { type: 'Contact' }, ...(LastName === undefined ? {} : { LastName }) });
const count = async (where: string) =>
  (await org.backdoor('GET', `/count?object=Contact&where=${encodeURIComponent(where)}`)).json.count;

test(`a failed record fails alone ${evidence('recorded', 'POST /composite/sobjects')}`, async () => {
  const reply = await org.call('POST', '/composite/sobjects', { body: { records: [contact('one'), contact(), contact('two')] } });
  expect(reply.status).toBe(200);
  expect(reply.json).toEqual([
    { id: expect.stringMatching(/^003/), success: true, errors: [] },
    {
      success: false,
      errors: [
        { statusCode: 'REQUIRED_FIELD_MISSING', message: 'Required fields are missing: [LastName]', fields: ['LastName'] },
      ],
    },
    { id: expect.stringMatching(/^003/), success: true, errors: [] },
  ]);
});

test(`allOrNone undoes the good ones, which say so ${evidence('recorded', 'POST /composite/sobjects with allOrNone')}`, async () => {
  const reply = await org.call('POST', '/composite/sobjects', {
    body: { allOrNone: true, records: [contact(), contact('undone')] },
  });
  expect(reply.json.map((result: { success: boolean }) => result.success)).toEqual([false, false]);
  expect(reply.json[1]).toEqual({
    success: false,
    errors: [
      {
        statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
        message: 'Record rolled back because not all records were valid and the request was using AllOrNone header',
        fields: [],
      },
    ],
  });
  expect(await count("LastName = 'undone'")).toBe(0);
});

test(`updates take the id in either case; without one they fail ${evidence('recorded', 'PATCH /composite/sobjects')}`, async () => {
  const [a, b] = org.insert('Contact', { LastName: 'a' }, { LastName: 'b' });
  const reply = await org.call('PATCH', '/composite/sobjects', {
    body: { records: [{ ...contact('A'), id: a }, { ...contact('B'), Id: b }, contact('C')] },
  });
  expect(reply.json).toEqual([
    { id: a, success: true, errors: [] },
    { id: b, success: true, errors: [] },
    { success: false, errors: [{ statusCode: 'MISSING_ARGUMENT', message: 'Id not specified in an update call', fields: [] }] },
  ]);
});

test(`upserts say which records they created; keys given twice are refused ${evidence('documented', 'REST API Developer Guide, Upsert Multiple Records')}`, async () => {
  org.insert('Account', { Name: 'there', Ext__c: 'k1' });
  const record = (Ext__c: string) => ({ attributes: { type: 'Account' }, Name: 'n', Ext__c });
  const reply = await org.call('PATCH', '/composite/sobjects/Account/Ext__c', {
    body: { records: [record('k1'), record('k2'), record('k3'), record('K3')] },
  });
  expect(reply.json).toMatchObject([
    { success: true, created: false },
    { success: true, created: true },
    { success: false, created: false, errors: [{ statusCode: 'DUPLICATE_VALUE' }] },
    { success: false, errors: [{ statusCode: 'DUPLICATE_VALUE' }] },
  ]);
});

test(`deletes ${evidence('recorded', 'DELETE /composite/sobjects')}`, async () => {
  const [a, b] = org.insert('Contact', { LastName: 'a' }, { LastName: 'b' });
  const reply = await org.call('DELETE', `/composite/sobjects?ids=${a}%2C${b}%2C003000000000000&allOrNone=false`);
  expect(reply.json).toMatchObject([
    { id: a, success: true, errors: [] },
    { id: b, success: true, errors: [] },
    { success: false, errors: [{ statusCode: 'INVALID_CROSS_REFERENCE_KEY' }] },
  ]);
});

test(`retrieve answers null where there is nothing, by GET and by POST ${evidence('documented', 'REST API Developer Guide, Get Multiple Records')}`, async () => {
  const [a, b] = org.insert('Contact', { LastName: 'a' }, { LastName: 'b' });
  const byGet = await org.call('GET', `/composite/sobjects/Contact?ids=${a},003000000000000AAA,${b}&fields=LastName`);
  expect(byGet.json).toMatchObject([{ LastName: 'a', Id: a }, null, { LastName: 'b', Id: b }]);
  const byPost = await org.call('POST', '/composite/sobjects/Contact', {
    body: { ids: [a, '003000000000000AAA', b], fields: ['LastName'] },
  });
  expect(byPost.json).toEqual(byGet.json);
});

test(`200 records and 10 runs of a type at most; none is too few ${evidence('documented', 'REST API Developer Guide, sObject Collections')}`, async () => {
  const post = (records: unknown[]) => org.call('POST', '/composite/sobjects', { body: { records } });
  const before = await count('LastName != null');
  const limit = await post(Array.from({ length: 201 }, (_, n) => contact(`l${n}`)));
  expect(limit).toMatchObject({ status: 400, json: [{ errorCode: 'EXCEEDED_ID_LIMIT' }] });
  const mixed = Array.from({ length: 11 }, (_, n) => (n % 2 ? contact(`m${n}`) : { attributes: { type: 'Account' }, Name: 'x' }));
  expect((await post(mixed)).status).toBe(400);
  expect((await post([])).json).toEqual([{ message: 'At least 1 record is required', errorCode: 'REQUIRED_FIELD_MISSING' }]);
  expect(await count('LastName != null')).toBe(before);
  expect((await post(mixed.slice(0, 10))).json).toHaveLength(10);
});

test(`2000 records of a type are read in one call; fields that are not there are refused ${evidence('documented', 'REST API Developer Guide, Get Multiple Records with Fields in the Request Body')}`, async () => {
  const ids = Array.from({ length: 2001 }, () => '003000000000000AAA');
  const read = (body: object) => org.call('POST', '/composite/sobjects/Contact', { body });
  expect((await read({ ids: ids.slice(1), fields: ['LastName'] })).json).toHaveLength(2000);
  expect(await read({ ids, fields: ['LastName'] })).toMatchObject({ status: 400, json: [{ errorCode: 'EXCEEDED_ID_LIMIT' }] });
  expect((await read({ ids: [], fields: ['LastName'] })).json[0].errorCode).toBe('MISSING_ARGUMENT');
  expect((await read({ ids: ids.slice(0, 1), fields: ['Nope'] })).json[0].errorCode).toBe('INVALID_FIELD');
});

test(`every kind counts its records and runs of a type, and answers record by record ${evidence('documented', 'REST API Developer Guide, sObject Collections')}`, async () => {
  const [a, b] = org.insert('Contact', { LastName: 'kind a' }, { LastName: 'kind b' });
  const mixed = Array.from({ length: 11 }, (_, n) => ({ attributes: { type: n % 2 ? 'Contact' : 'Account' }, id: a }));
  const update = (records: unknown[], allOrNone = false) =>
    org.call('PATCH', '/composite/sobjects', { body: { allOrNone, records } });
  expect((await update(mixed)).json[0].errorCode).toBe('LIMIT_EXCEEDED');
  expect((await update(Array.from({ length: 201 }, () => contact('x')))).json[0].errorCode).toBe('EXCEEDED_ID_LIMIT');
  const many = Array.from({ length: 201 }, () => a).join(',');
  expect((await org.call('DELETE', `/composite/sobjects?ids=${many}`)).json[0].errorCode).toBe('EXCEEDED_ID_LIMIT');
  const alternating = Array.from({ length: 11 }, (_, n) => (n % 2 ? a : '001000000000000AAA')).join(',');
  expect((await org.call('DELETE', `/composite/sobjects?ids=${alternating}`)).json[0].errorCode).toBe('LIMIT_EXCEEDED');
  const upserts = Array.from({ length: 201 }, (_, n) => ({ attributes: { type: 'Account' }, Name: 'x', Ext__c: `m${n}` }));
  const upsert = (records: unknown[]) => org.call('PATCH', '/composite/sobjects/Account/Ext__c', { body: { records } });
  expect((await upsert(upserts)).json[0].errorCode).toBe('EXCEEDED_ID_LIMIT');
  expect((await upsert(upserts.slice(0, 200))).json).toHaveLength(200);

  const bad = await update(
    [
      { ...contact('fine'), id: a },
      { ...contact('x'.repeat(81)), id: b },
    ],
    true,
  );
  expect(bad.json).toMatchObject([
    { success: false, errors: [{ statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK' }] },
    { success: false, errors: [{ statusCode: 'STRING_TOO_LONG', fields: ['LastName'] }] },
  ]);
  const gone = await org.call('DELETE', `/composite/sobjects?ids=${a},003000000000000&allOrNone=true`);
  expect(gone.json.map(({ errors }: { errors: { statusCode: string }[] }) => errors[0]?.statusCode)).toEqual([
    'ALL_OR_NONE_OPERATION_ROLLED_BACK',
    'INVALID_CROSS_REFERENCE_KEY',
  ]);
  expect(await count("LastName = 'kind a'")).toBe(1);
  expect((await org.call('POST', '/composite/sobjects/Nope', { body: { ids: [a], fields: ['Id'] } })).status).toBe(404);
});
