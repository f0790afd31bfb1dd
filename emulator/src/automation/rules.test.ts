import { beforeEach, describe, expect, test } from 'vitest';
import { createEventBus } from '../events/event-bus.ts';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from '../org/testing.ts';
import type { Org, Values } from '../org/types.ts';
import { createAutomation, type OrgAutomation } from './automation.ts';
import type { TriggerMoment } from './triggers.ts';

// Rules refuse and change records as an org's do, so that what a sync makes of a refusal is tried before it meets one (P2).

let org: Org;
let automation: OrgAutomation;
beforeEach(() => {
  ({ org } = createTestOrg());
  automation = createAutomation(org);
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const update = (object: string, id: string, values: Values) => org.write((t) => t.update(object, id, values).id);
const texts = () => records(org, 'SELECT Text__c FROM Thing__c ORDER BY Name').map((row) => row.Text__c);

describe('validation rules', () => {
  const documented = evidence(
    'documented',
    'REST API Developer Guide, Status Codes and Error Responses; Salesforce Help, Define Validation Rules',
  );
  const base = { object: 'Thing__c', name: 'Positive', message: 'Must be positive' };

  test.each([
    ['a function', { check: (record: Readonly<Values>) => Number(record.Number__c) >= 0 }],
    ['a formula', { errorFormula: 'Number__c < 0' }],
    ['a SOQL condition', { errorWhere: 'Number__c < 0' }],
  ])(`refuse, given as %s, and name their field ${documented}`, (_, how) => {
    automation.validationRules.define({ ...base, ...how, field: 'number__c' });
    const error = refusal(() => insert('Thing__c', { Name: 'x', Number__c: -1 }));
    expect([error.errorCode, error.message, error.fields, error.httpStatus]).toEqual([
      'FIELD_CUSTOM_VALIDATION_EXCEPTION',
      'Must be positive',
      ['Number__c'],
      400,
    ]);
    const id = insert('Thing__c', { Name: 'y', Number__c: 1 });
    expect(refusal(() => update('Thing__c', id, { Number__c: -2 })).errorCode).toBe('FIELD_CUSTOM_VALIDATION_EXCEPTION');
    org.write((t) => t.delete('Thing__c', id));
    expect(automation.validationRules.remove('Thing__c', 'positive')).toBe(true);
    insert('Thing__c', { Name: 'x', Number__c: -1 });
  });

  test(`without a field the error stands at the top: no fields ${documented}`, () => {
    automation.validationRules.define({ ...base, check: () => false });
    expect(refusal(() => insert('Thing__c', { Name: 'x' })).fields).toEqual([]);
  });

  test(`see what was before, what before triggers made, parents and formulas as they are now ${evidence('documented', 'Salesforce Help, ISCHANGED, PRIORVALUE; Apex Developer Guide, Triggers and Order of Execution')}`, () => {
    automation.formulas.define({ object: 'Thing__c', field: 'Twice__c', type: 'number', formula: 'Number__c * 2' });
    automation.triggers.define({
      ...{ object: 'Thing__c', name: 'Add', on: ['before insert', 'before update'] },
      run: ({ records: [record] }) => record!.set('Number__c', Number(record!.values.Number__c) + 1),
    });
    const errorFormula =
      'NOT(ISNEW()) && ISCHANGED(Text__c) && Twice__c > 10 && Account__r.Name = "Acme" && PRIORVALUE(Text__c) = "a"';
    automation.validationRules.define({ ...base, errorFormula });
    const account = insert('Account', { Name: 'Acme' });
    const id = insert('Thing__c', { Name: 'x', Text__c: 'a', Number__c: 100, Account__c: account });
    update('Thing__c', id, { Number__c: 4 });
    update('Thing__c', id, { Number__c: 100 });
    expect(refusal(() => update('Thing__c', id, { Text__c: 'b', Number__c: 5 })).message).toBe('Must be positive');
    update('Thing__c', id, { Text__c: 'b', Number__c: 4 });
  });

  test('are refused when they cannot be right: no condition, no such object, field or type', () => {
    const { define } = automation.validationRules;
    const check = () => true;
    expect(() => define(base)).toThrow('refuses nothing');
    expect(() => define({ ...base, object: 'Nope', check })).toThrow("no object 'Nope'");
    expect(() => define({ ...base, field: 'Nope', check })).toThrow("no field 'Nope'");
    expect(() => define({ ...base, errorFormula: 'Number__c' })).toThrow('not true or false');
    expect(() => define({ ...base, errorWhere: 'Nope = 1' })).toThrow("no field 'Nope'");
    expect(() => define({ ...base, errorWhere: 'Number__c = 1', check })).toThrow('one of');
    define({ ...base, check: (record) => record.Misspelt__c !== null });
    expect(() => insert('Thing__c', { Name: 'x' })).toThrow("no field 'Misspelt__c'");
    expect(automation.validationRules.list().map(({ name }) => name)).toEqual(['Positive']);
  });
});

describe('triggers', () => {
  test(`run at each moment, with the record as it is and as it was ${evidence('documented', 'Apex Developer Guide, Trigger Context Variables')}`, () => {
    const seen: string[] = [];
    const on: TriggerMoment[] = ['before insert', 'before update', 'before delete'];
    automation.triggers.define({
      ...{ object: 'thing__c', name: 'Watch' },
      on: [...on, 'after insert', 'after update', 'after delete', 'after undelete'],
      run({ moment, records: all }) {
        for (const { id, values, old } of all) seen.push(`${moment} ${id !== undefined} ${old?.Text__c}>${values.Text__c}`);
      },
    });
    const id = insert('Thing__c', { Name: 'x', Text__c: 'a' });
    update('Thing__c', id, { Text__c: 'b' });
    org.write((t) => t.delete('Thing__c', id));
    org.write((t) => t.undelete('Thing__c', id));
    expect(seen).toEqual([
      'before insert false undefined>a',
      'after insert true undefined>a',
      'before update true a>b',
      'after update true a>b',
      'before delete true b>b',
      'after delete true b>b',
      'after undelete true b>b',
    ]);
    automation.triggers.remove('Watch');
    insert('Thing__c', { Name: 'x' });
    expect(seen.length).toBe(7);
  });

  test(`what they write is saved with the record or not at all, and their errors reach the client in Apex's words ${evidence('documented', 'Apex Developer Guide, Bulk DML Exception Handling; the form of the message as reported by users of many clients')}`, () => {
    automation.triggers.define({
      ...{ object: 'Thing__c', name: 'ThingTrigger', on: ['after insert', 'before update'] },
      run({ moment, records: [record], transaction }) {
        if (moment === 'before update') throw new Error('no more');
        transaction.insert('Account', { Name: `for ${record!.values.Name}` });
        if (record!.values.Text__c === 'bad') transaction.insert('Contact', {});
      },
    });
    const id = insert('Thing__c', { Name: 'good' });
    const error = refusal(() => insert('Thing__c', { Name: 'bad', Text__c: 'bad' }));
    expect([error.errorCode, error.message]).toEqual([
      'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
      'ThingTrigger: execution of AfterInsert\n\ncaused by: System.DmlException: Insert failed. First exception on row 0; first error: ' +
        'REQUIRED_FIELD_MISSING, Required fields are missing: [LastName]: [LastName]\n\nTrigger.ThingTrigger: line 1, column 1',
    ]);
    expect(records(org, 'SELECT Name FROM Account').map(({ Name }) => Name)).toEqual(['for good']);
    expect(refusal(() => update('Thing__c', id, { Text__c: 'x' })).message).toBe(
      'ThingTrigger: execution of BeforeUpdate\n\ncaused by: System.Exception: no more\n\nTrigger.ThingTrigger: line 1, column 1',
    );
  });

  test(`addError refuses once the trigger is done, by message and field ${evidence('documented', 'Apex Developer Guide, Trigger Exceptions: addError')}`, () => {
    let done = false;
    automation.triggers.define({
      ...{ object: 'Thing__c', name: 'Refuse', on: ['before insert'] },
      run({ records: [record] }) {
        record!.addError('not like this', 'Text__c');
        done = true;
      },
    });
    const error = refusal(() => insert('Thing__c', { Name: 'x' }));
    expect([error.errorCode, error.message, error.fields, done]).toEqual([
      ...['FIELD_CUSTOM_VALIDATION_EXCEPTION', 'not like this'],
      ['Text__c'],
      true,
    ]);
  });
});

describe('flows', () => {
  const documented = evidence('documented', 'Salesforce Help, Record-Triggered Flows: entry conditions, before and after save');

  test(`set fields before the save and create records after it, when their condition holds ${documented}`, () => {
    automation.flows.define({
      ...{
        name: 'Grade',
        object: 'Thing__c',
        on: ['create', 'update'],
        where: "Number__c > 10 AND Stage__c IN ('Alpha', 'Mid')",
      },
      actions: [
        { set: { Text__c: { formula: '"big " & TEXT(Number__c)' }, Flag__c: true } },
        { create: 'Contact', values: { LastName: { formula: 'Name' }, AccountId: { formula: 'Account__c' } } },
      ],
    });
    const account = insert('Account', { Name: 'Acme' });
    insert('Thing__c', { Name: 'a', Number__c: 11, Stage__c: 'Mid', Account__c: account });
    insert('Thing__c', { Name: 'b', Number__c: 9, Stage__c: 'Mid' });
    insert('Thing__c', { Name: 'c', Number__c: 99, Stage__c: 'Zeta' });
    expect(texts()).toEqual(['big 11', null, null]);
    expect(records(org, 'SELECT LastName, AccountId FROM Contact')).toMatchObject([{ LastName: 'a', AccountId: account }]);
  });

  test(`run once when the condition becomes true, if they are told so ${documented}`, () => {
    automation.flows.define({
      ...{ name: 'Once', object: 'Thing__c', on: ['update'], formula: 'Flag__c', onlyWhenItBecomesTrue: true },
      actions: [{ create: 'Account', values: { Name: 'made' } }],
    });
    const id = insert('Thing__c', { Name: 'a' });
    for (const Flag__c of [true, true, false, true]) update('Thing__c', id, { Flag__c });
    expect(records(org, 'SELECT Id FROM Account').length).toBe(2);
  });

  test(`an error in a flow refuses the record ${evidence('documented', 'SOAP API Developer Guide, StatusCode: CANNOT_EXECUTE_FLOW_TRIGGER; Salesforce Help, Customize Flow Errors')}`, () => {
    automation.flows.define({
      ...{ name: 'Broken', object: 'Thing__c', on: ['create'] },
      actions: [{ create: 'Contact', values: {} }],
    });
    const error = refusal(() => insert('Thing__c', { Name: 'a' }));
    expect(error.errorCode).toBe('CANNOT_EXECUTE_FLOW_TRIGGER');
    expect(error.message).toContain('“Broken” process failed');
    expect(error.message).toContain('REQUIRED_FIELD_MISSING');
    expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
  });

  test(`publish platform events with the commit or at once, as the event is defined ${evidence('documented', 'Platform Events Developer Guide, Publish Behavior')}`, () => {
    const bus = createEventBus(org);
    const fields = [{ name: 'Thing__c', type: 'text' as const }];
    bus.definePlatformEvent({ name: 'Late__e', publishBehavior: 'afterCommit', fields });
    bus.definePlatformEvent({ name: 'Soon__e', publishBehavior: 'immediately', fields });
    const values = { Thing__c: { formula: 'Name' } };
    automation.flows.define({
      ...{ name: 'Tell', object: 'Thing__c', on: ['create', 'delete'] },
      actions: [
        { publish: 'Late__e', values },
        { publish: 'Soon__e', values },
      ],
    });
    const published = (topic: string) =>
      bus
        .channel(topic)!
        .read(0, 100, org.adminUserId)
        .events.map((event) => event.json().Thing__c);
    const open = org.begin();
    open.insert('Thing__c', { Name: 'undone' });
    open.rollback();
    const id = insert('Thing__c', { Name: 'done' });
    org.write((t) => t.delete('Thing__c', id));
    expect(published('/event/Late__e')).toEqual(['done', 'done']);
    expect(published('/event/Soon__e')).toEqual(['undone', 'done', 'done']);
  });

  test('are refused when they cannot be right', () => {
    const { define } = automation.flows;
    const base = { name: 'F', object: 'Thing__c', on: ['create' as const] };
    expect(() => define({ ...base, actions: [] })).toThrow('does nothing');
    expect(() => define({ ...base, actions: [{ set: { Nope: 1 } }] })).toThrow("no field 'Nope'");
    expect(() => define({ ...base, on: ['delete'], actions: [{ set: { Text__c: 'x' } }] })).toThrow('deleted');
    expect(() => define({ ...base, actions: [{ publish: 'Account', values: {} }] })).toThrow('no platform event');
    expect(() => define({ ...base, actions: [{ set: { Text__c: { formula: 'Nope' } } }] })).toThrow('Check spelling');
  });
});
