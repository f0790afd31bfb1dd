import { evidence } from '@tidemark/emulator';
import { describe, expect, test } from 'vitest';
import { testOrg } from '../fixture.ts';

describe(`what events can tell of a filter and of fields ${evidence('documented', 'Change Data Capture Developer Guide, "Change Event Message Structure"')}`, () => {
  test.each([
    [undefined, undefined],
    ['Email != null', ['Email']],
    ["contact.email LIKE 'LastName%' AND (NOT Phone = null)", ['Email', 'Phone']],
    ["LastName IN ('Title', 'Fax') AND CreatedDate = LAST_N_DAYS:30", ['LastName', 'CreatedDate']],
    ["Account.Industry = 'Banking' AND Email != null", null],
    ['SystemModstamp > 2026-01-01T00:00:00Z', null],
    ["AccountId IN (SELECT Id FROM Account WHERE Industry = 'Banking')", null],
  ])('filter %s: fields %j', async (where, expected) => {
    await using org = await testOrg();
    await using source = await org.open({ from: { object: 'Contact' }, ...(where === undefined ? {} : { where }) });
    expect(source.filterFields).toEqual(expected);
  });

  test("fields that no event carries: the system's own, names made of parts, a parent's", async () => {
    await using org = await testOrg();
    const fields = ['Id', 'Name', 'LastName', 'IsDeleted', 'LastActivityDate', 'Account.Name', 'MailingCity', 'SystemModstamp'];
    await using contact = await org.open({ from: { object: 'Contact' }, fields });
    expect(Object.fromEntries(contact.derivedFields!)).toEqual({
      'Account.Name': ['AccountId'],
      LastActivityDate: null,
      Name: expect.arrayContaining(['FirstName', 'LastName']),
      SystemModstamp: null,
    });
    await using account = await org.open({ from: { object: 'Case' }, fields: ['Subject', 'CaseNumber'] });
    expect([...account.derivedFields!.keys()]).toEqual(['SystemModstamp']);
    expect(contact.driftingFields).toEqual(['Account.Name']);
    expect(account.driftingFields).toEqual([]);
  });

  test.each([
    ['of stored fields', "UPPER(LastName) & '!'", ['LastName'], false],
    ['of another formula, down to what is stored', 'Shout__c & FirstName', ['LastName', 'FirstName'], false],
    ['of a parent', 'Account.Name & LastName', ['AccountId', 'LastName'], true],
    ['of the time', 'IF(TODAY() > Birthdate, LastName, Title)', ['Birthdate', 'LastName', 'Title'], true],
    ['of a formula of the time', 'Age__c & LastName', ['Birthdate', 'LastName'], true],
  ])('a formula %s: %s', async (_, formula, fields, drifts) => {
    await using org = await testOrg();
    const define = (field: string, text: string) =>
      org.emulator.automation.formulas.define({ object: 'Contact', field, type: 'text', formula: text });
    define('Shout__c', "UPPER(LastName) & '!'");
    define('Age__c', 'TEXT(TODAY() - Birthdate)');
    define('Tried__c', formula);
    await using source = await org.open({ from: { object: 'Contact' }, fields: ['Id', 'Tried__c'] });
    expect(source.derivedFields!.get('Tried__c')).toEqual(expect.arrayContaining(fields));
    expect(source.derivedFields!.get('Tried__c')).not.toContain('Shout__c');
    expect(source.driftingFields).toEqual(drifts ? ['Tried__c'] : []);
  });
});
