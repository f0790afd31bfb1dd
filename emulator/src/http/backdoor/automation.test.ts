import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../../evidence.ts';
import { startTestOrg, type TestOrg } from '../testing.ts';

// A test in another process, or another language, sets up the rules of its org as data, and meets them through the API as
// a client of the real org does (P2).

let test1: TestOrg;
beforeEach(async () => {
  test1 = await startTestOrg({
    pubsub: false,
    platformEvents: [{ name: 'Told__e', publishBehavior: 'afterCommit', fields: [{ name: 'Name__c', type: 'text' }] }],
    automation: ({ triggers }) =>
      triggers.define({
        ...{ object: 'Contact', name: 'Guard', on: ['before delete'] },
        run: () => {
          throw new Error('contacts stay');
        },
      }),
  });
});
afterEach(() => test1.emulator.close());
const define = (kind: string, body: unknown) => test1.backdoor('POST', `/automation/${kind}`, body);

describe('rules as data', () => {
  test(`a validation rule answers a REST client with its own text and field ${evidence('documented', 'REST API Developer Guide, Status Codes and Error Responses')}`, async () => {
    const rule = {
      object: 'Account',
      name: 'Rich',
      message: 'Too poor',
      errorFormula: 'AnnualRevenue < 5',
      field: 'AnnualRevenue',
    };
    expect((await define('validation-rules', rule)).status).toBe(200);
    const refused = await test1.call('POST', '/sobjects/Account', { body: { Name: 'x', AnnualRevenue: 1 } });
    expect([refused.status, refused.json]).toEqual([
      400,
      [{ message: 'Too poor', errorCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION', fields: ['AnnualRevenue'] }],
    ]);
    const many = await test1.call('POST', '/composite/sobjects', {
      body: { records: [1, 9].map((AnnualRevenue) => ({ attributes: { type: 'Account' }, Name: 'x', AnnualRevenue })) },
    });
    expect(many.json.map(({ success }: { success: boolean }) => success)).toEqual([false, true]);
    expect((await test1.backdoor('DELETE', '/automation/validation-rules/Account/Rich')).json).toEqual({ removed: true });
    expect((await test1.call('POST', '/sobjects/Account', { body: { Name: 'x', AnnualRevenue: 1 } })).status).toBe(201);
  });

  test('flows, formulas and roll-ups; all are listed, triggers by name', async () => {
    const flow = {
      ...{ name: 'Tell', object: 'Account', on: ['update'], where: 'Contacts__c > 1', onlyWhenItBecomesTrue: true },
      actions: [{ publish: 'Told__e', values: { Name__c: { formula: 'Name & "!"' } } }],
    };
    const rollUp = { object: 'Account', field: 'Contacts__c', child: 'Contact', reference: 'AccountId', operation: 'count' };
    const formula = { object: 'Contact', field: 'Of__c', type: 'text', formula: 'LastName & " of " & Account.Name' };
    for (const [kind, body] of Object.entries({ 'roll-ups': rollUp, formulas: formula, flows: flow })) {
      expect((await define(kind, body)).status).toBe(200);
    }
    const [AccountId] = test1.insert('Account', { Name: 'Acme' }) as [string];
    for (const LastName of ['a', 'b', 'c']) {
      await test1.call('POST', '/sobjects/Contact', { body: { LastName, AccountId } });
    }
    const query = await test1.call(
      'GET',
      `/query?q=${encodeURIComponent('SELECT Of__c, Account.Contacts__c FROM Contact ORDER BY Of__c')}`,
    );
    expect(query.json.records[0]).toMatchObject({ Of__c: 'a of Acme', Account: { Contacts__c: 3 } });
    const told = await test1.backdoor('GET', '/events/read?topic=/event/Told__e');
    expect(told.json.events.map(({ payload }: { payload: { Name__c: string } }) => payload.Name__c)).toEqual(['Acme!']);
    const described = await test1.call('GET', '/sobjects/Contact/describe');
    expect(described.json.fields.find(({ name }: { name: string }) => name === 'Of__c')).toMatchObject({
      ...{ calculated: true, calculatedFormula: formula.formula, createable: false, custom: true },
    });
    expect((await test1.backdoor('GET', '/automation')).json).toMatchObject({
      flows: [flow],
      formulas: [formula],
      rollUps: [rollUp],
      triggers: [{ name: 'Guard', object: 'Contact', on: ['before delete'] }],
    });
  });

  test.each([
    ['validation-rules', { object: 'Account', name: 'x', message: 'y' }, 'refuses nothing'],
    ['validation-rules', { object: 'Account', name: 'x', message: 'y', errorFormula: 'Nam = 1' }, 'does not exist'],
    ['validation-rules', { object: 'Account', name: 'x', message: 'y', check: 'true' }, "unknown 'check'"],
    ['flows', { name: 'x', object: 'Account', on: ['save'], actions: [{ set: {} }] }, "'save'"],
    [
      'flows',
      { name: 'x', object: 'Account', on: ['create'], actions: [{ create: 'Contact', values: { LastName: {} } }] },
      "'formula'",
    ],
    ['formulas', { object: 'Account', field: 'X__c', formula: '1' }, "'type'"],
    ['formulas', { object: 'Account', field: 'Name', formula: '1' }, 'no calculated field'],
    [
      'roll-ups',
      { object: 'Account', field: 'X__c', child: 'Contact', reference: 'OwnerId', operation: 'count' },
      'does not refer',
    ],
  ])('%s that cannot be right are refused: %j', async (kind, body, message) => {
    const answer = await define(kind, body);
    expect([answer.status, answer.json.message]).toEqual([400, expect.stringContaining(message)]);
  });

  test('triggers that were set up before the start are there', async () => {
    const [id] = test1.insert('Contact', { LastName: 'x' });
    const answer = await test1.call('DELETE', `/sobjects/Contact/${id}`);
    expect([answer.status, answer.json[0].errorCode]).toEqual([400, 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY']);
    expect(answer.json[0].message).toContain('Guard: execution of BeforeDelete\n\ncaused by: System.Exception: contacts stay');
  });
});
