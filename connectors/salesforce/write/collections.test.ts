import { evidence } from '@tidemark/emulator';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { emptyOrg, reasons, remove, statuses, upsert, type WriteOrg, write, writeOrg } from './write-fixture.ts';

// Every record has its own answer: one that the org refuses is named, and costs the others nothing.                       (P2)

let org: WriteOrg;
beforeAll(async () => {
  org = await writeOrg();
});
afterAll(() => org[Symbol.asyncDispose]());
beforeEach(() => emptyOrg(org));

const key = (i: number) => `k${String(i).padStart(5, '0')}`;

test(`records are made, changed and deleted by their external id ${evidence('documented', 'REST API Developer Guide, sObject Collections')}`, async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c', 'Flag__c'] });
  expect(
    statuses(
      await write(
        target,
        [1, 2, 3].map((i) => upsert({ Key__c: key(i), Text__c: 'one', Flag__c: true })),
      ),
    ),
  ).toEqual(Array(3).fill('created'));
  const second = [
    upsert({ Key__c: key(2), Text__c: 'two', Flag__c: false }),
    remove(key(3)),
    upsert({ Key__c: key(4), Text__c: null, Flag__c: null }),
    remove('gone'),
  ];
  expect(statuses(await write(target, second))).toEqual(['updated', 'deleted', 'created', 'unchanged']);
  expect(org.records(['Key__c', 'Text__c', 'Flag__c'])).toEqual([
    { Key__c: key(1), Text__c: 'one', Flag__c: true },
    { Key__c: key(2), Text__c: 'two', Flag__c: false },
    { Key__c: key(4), Text__c: null, Flag__c: false },
  ]);
});

test('a thousand records cost five calls, and nothing is written twice when the same comes again (P1, P8)', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'] });
  const changes = Array.from({ length: 1000 }, (_, i) => upsert({ Key__c: key(i), Text__c: `text ${i}` }));
  await org.connect().check();
  org.calls();
  expect(new Set(statuses(await write(target, changes)))).toEqual(new Set(['created']));
  expect(org.calls()).toBeLessThanOrEqual(6);
  expect(new Set(statuses(await write(target, changes)))).toEqual(new Set(['updated']));
  expect(org.records(['Key__c', 'Text__c'])).toEqual(changes.map(({ row }) => row));
});

test('a record that the org refuses is named with its field, and the others are written (P2)', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c', 'Stage__c', 'Count__c'] });
  const row = { Text__c: 'x', Stage__c: 'new', Count__c: 1 };
  const results = await write(target, [
    upsert({ ...row, Key__c: 'a' }),
    upsert({ ...row, Key__c: 'b', Stage__c: 'no such' }),
    upsert({ ...row, Key__c: 'c', Text__c: 'x'.repeat(256) }),
    upsert({ ...row, Key__c: 'd', Count__c: 'seven' }),
    upsert({ ...row, Key__c: 'e' }),
    upsert({ ...row, Key__c: 'E' }),
    upsert({ ...row, Key__c: 'f' }),
  ]);
  expect(reasons(results)).toEqual([
    'created',
    'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    'STRING_TOO_LONG',
    'VALUE_REFUSED',
    'DUPLICATE_VALUE',
    'DUPLICATE_VALUE',
    'created',
  ]);
  expect(results[2]).toMatchObject({ reason: { message: expect.stringContaining('Text__c') } });
  expect(org.records(['Key__c'])).toEqual([{ Key__c: 'a' }, { Key__c: 'f' }]);
});

test('two keys that the org takes for one are both refused, though they went in calls of their own', async () => {
  const target = await org.target({ names: ['Key__c', 'Text__c'], to: { recordsPerCall: 1 } });
  const results = await write(
    target,
    ['same', 'other', 'SAME', ' same '].map((Key__c) => upsert({ Key__c, Text__c: Key__c })),
  );
  expect(reasons(results)).toEqual(['DUPLICATE_VALUE', 'created', 'DUPLICATE_VALUE', 'DUPLICATE_VALUE']);
  expect(org.records(['Key__c'])).toEqual([{ Key__c: 'other' }]);
});
