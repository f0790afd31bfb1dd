import { RateLimitedError, SchemaChangedError } from '@tidemark/core';
import { createClock, evidence } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reasons, remove, statuses, upsert, type WriteOrg, write, writeOrg } from './write-fixture.ts';

// What an org does with a write besides storing it: locks, rules, parents, limits. None of it loses a record, or repeats one. (P1, P2)

let org: WriteOrg;
const clock = createClock();
beforeEach(async () => {
  org = await writeOrg({ clock });
});
afterEach(() => org[Symbol.asyncDispose]());

const rows = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, i) => upsert({ Key__c: `k${String(i).padStart(4, '0')}`, Text__c: `text ${i}`, ...more }));
const insert = (object: string, ...records: object[]) =>
  org.emulator.org.write((transaction) => records.map((record) => transaction.insert(object, record as never).id));

/** What a request says, and the request that may still be sent: JSON is a text, the file of a job is there once. */
async function listen(init: RequestInit | undefined): Promise<{ said: string; init: RequestInit | undefined }> {
  if (!(init?.body instanceof ReadableStream)) return { said: typeof init?.body === 'string' ? init.body : '', init };
  const said = await new Response(init.body).text();
  return { said, init: { ...init, body: said } };
}

/** The org behind a machine that refuses a whole call on records when it finds the word in it. What signs in is random, and may hold any word. */
const refusing = (word: string, status: number, errorCode: string): typeof fetch => {
  return async (input, request) => {
    const { said, init } = await listen(request);
    if (!String(input).includes('/services/data/') || !said.includes(word)) return fetch(input, init);
    const told = JSON.stringify([{ errorCode, message: `cannot take ${word}` }]);
    return new Response(told, { status, headers: { date: new Date().toUTCString() } });
  };
};

test('a call that is refused as a whole is halved until the bad record is named (P2)', async () => {
  const changes = rows(40);
  changes[17]!.row!.Text__c = 'poison';
  for (const [status, code] of [
    [400, 'JSON_PARSER_ERROR'],
    [500, 'UNKNOWN_EXCEPTION'],
  ] as const) {
    const target = await org.target({ names: ['Key__c', 'Text__c'] }, { fetch: refusing('poison', status, code) });
    const results = await write(target, changes);
    expect(results.flatMap((result, i) => (result.status === 'rejected' ? [[i, result.reason.code]] : []))).toEqual([[17, code]]);
    expect(org.records(['Key__c'])).toHaveLength(39);
  }
});

test('when the org refuses everything it is no record that is to blame', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'] }, { fetch: refusing('k0', 500, 'UNKNOWN_EXCEPTION') });
  await expect(write(target, rows(40))).rejects.toThrow('UNKNOWN_EXCEPTION');
});

test('records that somebody else has locked are sent again, at last one by one; what stays locked is told', async () => {
  org.emulator.faults.add({ kind: 'row-lock', match: { after: 10, times: 60 } });
  const target = await org.target({ names: ['Key__c', 'Text__c'] });
  const results = await write(target, rows(100));
  expect(results.filter(({ status }) => status === 'rejected').length).toBeLessThan(5);
  org.emulator.faults.clear();
  org.emulator.faults.add({ kind: 'row-lock' });
  expect(new Set(reasons(await write(target, rows(3))))).toEqual(new Set(['UNABLE_TO_LOCK_ROW']));
});

test(`parents by their external id, one that is lacking named ${evidence('documented', 'REST API Developer Guide, Relate a Record by External ID')}`, async () => {
  insert('Account', { Name: 'a', Code__c: 'A1' });
  const target = await org.target({ names: ['Key__c', 'Account__r.Code__c'] });
  const results = await write(target, [
    upsert({ Key__c: 'a', 'Account__r.Code__c': 'A1' }),
    upsert({ Key__c: 'b', 'Account__r.Code__c': 'nobody' }),
    upsert({ Key__c: 'c', 'Account__r.Code__c': null }),
  ]);
  expect(reasons(results)).toEqual(['created', 'INVALID_FIELD', 'created']);
  expect(org.records(['Key__c', 'Account__r.Name'])).toMatchObject([
    { Key__c: 'a', Account__r: { Name: 'a' } },
    { Key__c: 'c', Account__r: null },
  ]);
});

test('parents and children of one object come in any order in one write, by either path', async () => {
  for (const bulkAbove of [0, 1000]) {
    const target = await org.target({ names: ['Key__c', 'Parent__r.Key__c'], to: { bulkAbove } });
    const name = (i: number) => `${bulkAbove}-${i}`;
    const chain = [4, 3, 2, 1, 0].map((i) => upsert({ Key__c: name(i), 'Parent__r.Key__c': i === 0 ? null : name(i - 1) }));
    const orphan = upsert({ Key__c: name(9), 'Parent__r.Key__c': 'nobody' });
    expect(reasons(await write(target, [...chain, orphan]))).toEqual([...Array(5).fill('created'), 'INVALID_FIELD']);
    const found = org.records(['Key__c', 'Parent__r.Key__c'], `Key__c LIKE '${bulkAbove}-%'`);
    expect(found.map(({ Parent__r }) => (Parent__r as { Key__c: string } | null)?.Key__c ?? null)).toEqual([
      null,
      ...[0, 1, 2, 3].map(name),
    ]);
  }
});

test('updates find their records by Id or by external id, and make none', async () => {
  const byKey = await org.target({ names: ['Key__c', 'Text__c'] });
  await write(byKey, rows(3));
  const [{ Id }] = org.records(['Id']) as [{ Id: string }];
  const byId = await org.target({ names: ['Id', 'Text__c'] });
  const results = await write(byId, [
    upsert({ Id: Id.slice(0, 15), Text__c: 'by id' }, 'Id'),
    upsert({ Id: 'not an id', Text__c: 'x' }, 'Id'),
    remove(Id),
  ]);
  expect(reasons(results)).toEqual(['updated', 'MALFORMED_ID', 'unchanged']);
  const only = await org.target({ names: ['Key__c', 'Text__c'], to: { operation: 'update' } });
  expect(
    reasons(await write(only, [upsert({ Key__c: 'K0001', Text__c: 'by key' }), upsert({ Key__c: 'new', Text__c: 'x' })])),
  ).toEqual(['updated', 'NOT_FOUND']);
  expect(org.records(['Key__c', 'Text__c'])).toEqual([
    { Key__c: 'k0000', Text__c: 'by id' },
    { Key__c: 'k0001', Text__c: 'by key' },
    { Key__c: 'k0002', Text__c: 'text 2' },
  ]);
});

test('inserts make a record each time, and keep what identifies it where there is a field', async () => {
  const target = await org.target({ names: ['Loose__c', 'Text__c'], to: { operation: 'insert', bulkAbove: 5 } });
  for (const count of [3, 8]) {
    const changes = Array.from({ length: count }, (_, i) => upsert({ Loose__c: `l${i}`, Text__c: `t${i}` }, 'Loose__c'));
    expect(statuses(await write(target, changes))).toEqual(Array(count).fill('created'));
  }
  expect(org.records(['Loose__c', 'Text__c'], 'Loose__c != null')).toHaveLength(11);
});

test('an insert that breaks off half way sends nothing twice: what was not sent waits as failures (P1)', async () => {
  org.emulator.faults.add({ kind: 'unavailable', match: { method: 'POST', path: /composite\/sobjects/, after: 1, times: 1 } });
  const target = await org.target({ names: ['Loose__c', 'Text__c'], to: { operation: 'insert', recordsPerCall: 5 } });
  const changes = Array.from({ length: 15 }, (_, i) => upsert({ Loose__c: `l${i}`, Text__c: `t${i}` }, 'Loose__c'));
  const results = await write(target, changes);
  expect(reasons(results)).toEqual([...Array(5).fill('created'), ...Array(5).fill('transient'), ...Array(5).fill('created')]);
  expect(org.records(['Loose__c'], 'Loose__c != null')).toHaveLength(10);
});

test('fields that are set once are set once: records that are there are updated without them', async () => {
  const [parent, other] = insert('Account', { Name: 'a', Code__c: 'A1' }, { Name: 'b', Code__c: 'A2' }) as [string, string];
  const { schema } = org.emulator.org;
  const field = schema.field('Enrichment__c', 'Account__c')!;
  schema.add({ ...schema.object('Enrichment__c')!, fields: [{ ...field, updateable: false }] });
  const target = await org.target({ names: ['Key__c', 'Text__c', 'Account__c'] });
  await write(target, [upsert({ Key__c: 'a', Text__c: 'one', Account__c: parent })]);
  const results = await write(target, [
    upsert({ Key__c: 'a', Text__c: 'two', Account__c: other }),
    upsert({ Key__c: 'b', Text__c: 'two', Account__c: other }),
  ]);
  expect(statuses(results)).toEqual(['updated', 'created']);
  expect(org.records(['Text__c', 'Account__c'])).toEqual([
    { Text__c: 'two', Account__c: parent },
    { Text__c: 'two', Account__c: other },
  ]);
});

test('an unchanged record is not written, and of a changed one only what differs (P8)', async () => {
  for (const bulkAbove of [0, 1000]) {
    const target = await org.target({
      names: ['Key__c', 'Text__c', 'Amount__c', 'At__c', 'Colours__c'],
      to: { compare: true, bulkAbove },
    });
    const row = {
      Key__c: `c${bulkAbove}`,
      Text__c: ' padded ',
      Amount__c: 1.005,
      At__c: '2024-05-22T13:05:09.999Z',
      Colours__c: 'blue;red',
    };
    await write(target, [upsert(row)]);
    const stamp = () => org.records(['SystemModstamp'], `Key__c = 'c${bulkAbove}'`)[0]!.SystemModstamp;
    const before = stamp();
    clock.advance(5_000);
    expect(statuses(await write(target, [upsert(row)]))).toEqual(['unchanged']);
    expect(stamp()).toEqual(before);
    org.emulator.org.write((transaction) => {
      const [{ Id }] = org.records(['Id'], `Key__c = 'c${bulkAbove}'`) as [{ Id: string }];
      transaction.update('Enrichment__c', Id, { Long__c: 'of somebody else' });
    });
    expect(statuses(await write(target, [upsert({ ...row, Text__c: 'new' })]))).toEqual(['updated']);
    expect(stamp()).not.toEqual(before);
  }
});

test('two thousand records are compared in one call', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'], to: { compare: true } });
  await write(target, rows(2000));
  org.calls();
  expect(new Set(statuses(await write(target, rows(2000))))).toEqual(new Set(['unchanged']));
  expect(org.calls()).toBe(1);
});

test('what the target reads back is what a verify compares', async () => {
  insert('Account', { Name: 'a', Code__c: 'A1' });
  const target = await org.target({ names: ['Key__c', 'Text__c', 'At__c', 'Flag__c', 'Account__r.Code__c'] });
  const row = { Key__c: 'a', Text__c: 'x', At__c: '2024-05-22T13:05:09.000Z', Flag__c: true, 'Account__r.Code__c': 'A1' };
  await write(target, [upsert(row)]);
  expect(await target.read!(['a', 'b'])).toEqual(new Map([['a', row]]));
});

test(`the org hears who writes, which rules to run, and what to let pass ${evidence('documented', 'REST API Developer Guide, headers')}`, async () => {
  const seen: Headers[] = [];
  const watching: typeof fetch = (input, init) => {
    if (String(input).includes('/composite/sobjects')) seen.push(new Headers(init?.headers));
    return fetch(input, init);
  };
  const names = ['Key__c', 'Text__c'];
  await write(await org.target({ names }, { fetch: watching }), rows(1));
  const rule = '01Q000000000001AAA';
  await write(await org.target({ names, to: { assignmentRule: rule, allowDuplicates: true } }, { fetch: watching }), rows(1));
  expect(
    seen.map((headers) =>
      ['sforce-call-options', 'sforce-auto-assign', 'sforce-duplicate-rule-header'].map((name) => headers.get(name)),
    ),
  ).toEqual([
    ['client=tidemark', 'FALSE', null],
    ['client=tidemark', rule, 'allowSave=true'],
  ]);
});

test('all or none: the good records of a call go down with the bad one, and all of them are told', async () => {
  const target = await org.target({ names: ['Key__c', 'Stage__c'], to: { allOrNone: true, recordsPerCall: 2, bulkAbove: 0 } });
  const results = await write(
    target,
    ['new', 'wrong', 'old', 'old'].map((Stage__c, i) => upsert({ Key__c: `s${i}`, Stage__c })),
  );
  expect(statuses(results)).toEqual(['rejected', 'rejected', 'created', 'created']);
});

test("the org's limit is waited for, a field that is gone is no record's fault", async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'] });
  org.emulator.faults.add({ kind: 'limit-exceeded', match: { path: /composite/, times: 1 } });
  await expect(write(target, rows(3))).rejects.toThrow(RateLimitedError);
  expect(statuses(await write(target, rows(3)))).toEqual(Array(3).fill('created'));
  for (const bulkAbove of [0, 1000]) {
    const gone = await org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove } }, { fetch: renaming('Text__c', 'Gone__c') });
    await expect(write(gone, rows(3))).rejects.toThrow(SchemaChangedError);
  }
});

test(`a right to edit a field that is taken away is no record's fault; a field that only some records may not have is theirs (P2) ${evidence('documented', 'SOAP API Developer Guide, Core Data Types, INVALID_FIELD_FOR_INSERT_UPDATE')}`, async () => {
  const { userId } = org.emulator.users.list().find(({ username }) => username === org.emulator.credentials.username)!;
  const permit = (edit: boolean) => org.emulator.users.permit(userId, { fields: { 'Enrichment__c.Text__c': { edit } } });
  for (const bulkAbove of [0, 1000]) {
    const target = await org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove } });
    permit(false);
    await expect(write(target, rows(3))).rejects.toMatchObject({
      code: 'schema_changed',
      message: expect.stringContaining('Enrichment__c.Text__c'),
    });
    permit(true);
    const refusing = await org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove: 1000 } }, { fetch: refusingOne });
    expect(reasons(await write(refusing, rows(3)))).toContain('INVALID_FIELD_FOR_INSERT_UPDATE');
  }
  const inserting = await org.target({ names: ['Key__c', 'Text__c'], to: { operation: 'insert' } });
  permit(false);
  const some = [...rows(1), upsert({ Key__c: 'without' })];
  expect(reasons(await write(inserting, some))).toEqual(['INVALID_FIELD_FOR_INSERT_UPDATE', 'created']);
});

/** An org that does not take a field of the first record, for what that record is. */
const refusingOne: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!String(input).includes('/composite/sobjects')) return response;
  const [_, ...others] = (await response.json()) as object[];
  const message = 'Unable to create/update fields: Text__c. Please check the security settings of this field';
  const refused = { success: false, errors: [{ statusCode: 'INVALID_FIELD_FOR_INSERT_UPDATE', message, fields: ['Text__c'] }] };
  return new Response(JSON.stringify([refused, ...others]), response);
};

/** The org after an admin renamed a field: it is described as it was. */
function renaming(from: string, to: string): typeof fetch {
  return async (input, request) => {
    const { said, init } = await listen(request);
    const response = await fetch(input, said === '' ? init : { ...init, body: said.replaceAll(from, to) });
    if (!/composite|jobs/.test(String(input))) return response;
    return new Response((await response.text()).replaceAll(to, from) || null, response);
  };
}

test(`a lookup is emptied by its own name, since by its parent's external id nobody says how ${evidence('documented', 'REST API Developer Guide and Bulk API 2.0 Developer Guide name parents by external id, and clear fields by null or #N/A')}`, async () => {
  const sent: string[] = [];
  const watching: typeof fetch = async (input, request) => {
    const { said, init } = await listen(request);
    sent.push(said);
    return fetch(input, init);
  };
  for (const bulkAbove of [0, 1000]) {
    const target = await org.target({ names: ['Key__c', 'Account__r.Code__c'], to: { bulkAbove } }, { fetch: watching });
    await write(target, [upsert({ Key__c: 'emptied', 'Account__r.Code__c': null })]);
  }
  expect(sent).toContain('Key__c,Account__c\nemptied,#N/A\n');
  const records = [{ attributes: { type: 'Enrichment__c' }, Key__c: 'emptied', Account__c: null }];
  expect(sent).toContain(JSON.stringify({ allOrNone: false, records }));
});

test(`what a duplicate rule warns of is refused, or saved when the sync says so, by either path ${evidence('documented', 'REST API Developer Guide, Duplicate Rule Header')}`, async () => {
  org.emulator.org.duplicateRules.define({ object: 'Enrichment__c', fields: ['Text__c'], action: 'allow' });
  for (const bulkAbove of [0, 1000]) {
    const changes = Array.from({ length: 8 }, (_, i) =>
      upsert({ Key__c: `d${bulkAbove}-${i}`, Text__c: `${bulkAbove} ${i % 4}` }),
    );
    const target = (allowDuplicates: boolean) => org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove, allowDuplicates } });
    const refused = reasons(await write(await target(false), changes)).filter((reason) => reason !== 'created');
    expect(refused).toEqual(Array(4).fill('DUPLICATES_DETECTED'));
    expect(reasons(await write(await target(true), changes))).not.toContain('DUPLICATES_DETECTED');
    expect(org.records(['Key__c'], `Key__c LIKE 'd${bulkAbove}-%'`)).toHaveLength(8);
  }
});

test('an object that the Bulk API does not know goes by Collections, and is asked for once', async () => {
  let asked = 0;
  const unknown: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/jobs/ingest')) return fetch(input, init);
    asked++;
    const body = [{ errorCode: 'INVALIDENTITY', message: "Entity 'Enrichment__c' is not supported by the Bulk API." }];
    return new Response(JSON.stringify(body), { status: 400, headers: { date: new Date().toUTCString() } });
  };
  const target = await org.target({ names: ['Key__c', 'Text__c'], to: { bulkAbove: 1 } }, { fetch: unknown });
  for (const _ of [1, 2]) expect(statuses(await write(target, rows(5)))).not.toContain('rejected');
  expect(asked).toBe(1);
  expect(org.records(['Key__c'])).toHaveLength(5);
});
