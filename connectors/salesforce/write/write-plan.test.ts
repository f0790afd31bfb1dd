import { ConfigError } from '@tidemark/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { to } from '../config.ts';
import { type TargetOptions, types, type WriteOrg, writeOrg } from './write-fixture.ts';

// What a sync wants of an object is held against what the org says, before anything is written: everything that is in the way is
// named at once, each with its place and its remedy.

let org: WriteOrg;
beforeAll(async () => {
  org = await writeOrg();
});
afterAll(() => org[Symbol.asyncDispose]());

async function problems(options: TargetOptions): Promise<{ place: string; message: string; hint?: string | undefined }[]> {
  try {
    await org.target(options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [...error.problems];
  }
}
const messages = async (options: TargetOptions) => (await problems(options)).map(({ place, message }) => `${place}: ${message}`);

test('every problem of a mapping is told, with its place and what to do', async () => {
  const found = await problems({
    names: [
      'Key__c',
      'Txt__c',
      'text',
      'CreatedDate',
      'Account__r.Name',
      'Account__r.Owner.Name',
      'Boss__r.Key__c',
      'Account__r.Code',
    ],
  });
  expect(found.map(({ place, message }) => `${place}: ${message}`)).toEqual([
    'syncs.enrich.fields.Txt__c: Enrichment__c has no field Txt__c',
    'syncs.enrich.fields.text: Enrichment__c has no field text',
    'syncs.enrich.fields.CreatedDate: the user may not set Enrichment__c.CreatedDate',
    'syncs.enrich.fields.Account__r.Name: Account.Name is no external id',
    'syncs.enrich.fields.Account__r.Owner.Name: goes over more than one parent',
    'syncs.enrich.fields.Boss__r.Key__c: Enrichment__c has no relationship Boss__r',
    'syncs.enrich.fields.Account__r.Code: Account has no field Code',
  ]);
  expect(found.every(({ hint }) => hint !== undefined && hint !== '')).toBe(true);
  expect(found[1]!.hint).toContain('Did you mean Text__c?');
  expect(found[6]!.hint).toContain('Did you mean Code__c?');
});

test('a key has to be a unique external id, or Id for updates', async () => {
  expect(await messages({ names: ['Text__c', 'Long__c'] })).toEqual([
    'syncs.enrich.to.key: Enrichment__c.Text__c is no external id',
  ]);
  expect((await problems({ names: ['Text__c', 'Long__c'] }))[0]!.hint).toContain('Key__c');
  expect(await messages({ names: ['Loose__c', 'Text__c'] })).toEqual([
    'syncs.enrich.to.key: Enrichment__c.Loose__c is not unique: one value may stand for several records',
  ]);
  expect(await messages({ names: ['Id', 'Text__c'], to: { operation: 'upsert' } })).toEqual([
    'syncs.enrich.to.operation: upsert cannot create records under an Id of their own',
  ]);
  expect(await messages({ names: ['Key__c', 'Text__c'], to: { key: 'Loose__c' } })).toEqual([
    'syncs.enrich.to.key: is Loose__c, but what identifies a record is Key__c',
  ]);
  expect(await problems({ names: ['Id', 'Text__c'] })).toEqual([]);
  expect(await problems({ names: ['key__C', 'text__C'], key: 'key__C' })).toEqual([]);
  expect(await problems({ names: ['Id', 'Text__c'], to: { key: 'id' } })).toEqual([]);
});

test('required fields that nothing is mapped to, and fields that only Salesforce writes', async () => {
  expect(await messages({ object: 'Account', names: ['Code__c', 'Phone'] })).toEqual([
    'syncs.enrich.fields: Account.Name is required for new records, and nothing is mapped to it',
  ]);
  expect(await messages({ object: 'Account', names: ['Code__c', 'Phone'], to: { operation: 'update' } })).toEqual([]);
  expect(await messages({ object: 'Account', names: ['Code__c', 'Name', 'BillingAddress'] })).toEqual([
    'syncs.enrich.fields.BillingAddress: Account.BillingAddress is of type address, which cannot be written as one value',
  ]);
  expect(await messages({ names: ['Key__c', 'Account__c', 'Account__r.Code__c'] })).toEqual([
    'syncs.enrich.fields.Account__r.Code__c: sets the same field of Enrichment__c as Account__c',
  ]);
});

test('deletes that cannot be told, and what may come twice', async () => {
  expect(await messages({ names: ['Key__c'], deletes: 'mark' })).toEqual([
    'syncs.enrich.deletes: mark has no place in Salesforce',
  ]);
  const insert = await org.target({ names: ['Id', 'Text__c'], to: { operation: 'insert' } });
  expect(insert.warnings?.map(({ message }) => message)).toEqual([
    'each write makes a new Enrichment__c record: after a crash or a lost reply some may be there twice',
    'operation: insert deletes no record: what goes in the source stays in Enrichment__c',
  ]);
});

test('a user who lacks rights hears which', async () => {
  const { clientId, clientSecret } = org.emulator.users.add({ username: 'reader@example.com', profile: 'Read Only' });
  const connection = org.connect({}, { auth: { flow: 'client-credentials', clientId, clientSecret } });
  const open = connection.openTarget!(
    {
      to: to.parse({ object: 'Account' }),
      unit: 'enrich',
      schema: {
        name: 'x',
        key: ['Code__c'],
        fields: ['Code__c', 'Name'].map((name) => ({ name, type: types[name] ?? 'text', nullable: true })),
      },
      deletes: 'mirror',
    },
    new AbortController().signal,
  );
  const error = await open.then(
    () => null,
    (thrown: ConfigError) => thrown,
  );
  expect(error?.problems.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      'the user may not create Account records',
      'the user may not edit Account records',
      'the user may not delete Account records',
    ]),
  );
});
