import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createOrg } from '../org/org.ts';
import { declarePlatformEvent } from '../schema/platform-event.ts';
import { createSchema } from '../schema/schema.ts';
import { createAccess } from './access.ts';
import { changeObject, noObject, wholeObject } from './permission-set.ts';

const userId = '005000000000009AAA';
const open = () => createAccess(createOrg({ schema: createSchema() }));

test(`a permission brings what it needs, and goes with it ${evidence('documented', 'Salesforce Help, Object Permissions')}`, () => {
  expect(changeObject(noObject, { edit: true })).toEqual({ ...noObject, read: true, edit: true });
  expect(changeObject(noObject, { modifyAll: true })).toEqual({ ...wholeObject, create: false });
  expect(changeObject(wholeObject, { edit: false })).toEqual({ ...noObject, read: true, create: true, viewAll: true });
  expect(changeObject(wholeObject, { read: false })).toEqual(noObject);
  expect(changeObject(wholeObject, { read: false, edit: true })).toEqual(noObject);
});

test(`View All: by object, by "View All Data", and not by reading alone ${evidence('documented', 'Change Data Capture Developer Guide, Required Permissions')}`, () => {
  const access = open();
  access.setProfile(userId, 'Standard User');
  expect([access.canRead(userId, 'Account'), access.canReadAll(userId, 'Account')]).toEqual([true, false]);
  access.permit(userId, { objects: { Account: { viewAll: true } } });
  expect([access.canReadAll(userId, 'Account'), access.canReadAll(userId, 'Task')]).toEqual([true, false]);
  access.define('All', { system: { viewAllData: true } });
  access.assign(userId, 'All');
  expect([access.canReadAll(userId, 'Task'), access.canReadAll(userId, 'Nothing__c')]).toEqual([true, false]);
  access.permissions.hide('Account');
  expect(access.canReadAll(userId, 'Account')).toBe(true);
});

test(`what one permission took away another brings back ${evidence('documented', 'Salesforce Help, Object Permissions')}`, () => {
  const access = open();
  access.permit(userId, { objects: { Account: { read: false } } });
  expect(access.canRead(userId, 'Account')).toBe(false);
  access.permit(userId, { objects: { Account: { edit: true } } });
  expect([access.canRead(userId, 'Account'), access.canCreate(userId, 'Account')]).toEqual([true, false]);
});

test(`platform events are permitted as objects are ${evidence('documented', 'Platform Events Developer Guide, Required Permissions')}`, () => {
  const access = open();
  access.setProfile(userId, 'Minimum Access - API Only Integrations');
  expect(access.canRead(userId, 'Shipped__e')).toBe(false);
  access.permit(userId, { objects: { Shipped__e: { read: true } } });
  expect([access.canRead(userId, 'Shipped__e'), access.canCreate(userId, 'Shipped__e')]).toEqual([true, false]);
});

test(`whoever may read a platform event sees all of its fields ${evidence('documented', 'Platform Events Developer Guide, Considerations for Defining Platform Events')}`, () => {
  const org = createOrg({ schema: createSchema() });
  declarePlatformEvent(org.schema, { name: 'Sent__e', fields: [{ name: 'No__c', type: 'text' }] });
  const access = createAccess(org);
  access.setProfile(userId, 'Minimum Access - API Only Integrations', { objects: { Sent__e: { read: true } } });
  expect(access.canSeeField(userId, 'Sent__e', 'No__c')).toBe(true);
});

test('what is hidden is hidden from the API user alone', () => {
  const org = createOrg({ schema: createSchema() });
  const access = createAccess(org);
  access.permissions.hide('Contact', 'mailingaddress');
  access.permissions.hide('Campaign');
  expect(access.permissions.list()).toEqual([{ object: 'Campaign' }, { object: 'Contact', field: 'MailingAddress' }]);
  expect(access.canSeeField(org.adminUserId, 'Contact', 'MailingCity')).toBe(false);
  expect(access.canReadAll(org.adminUserId, 'Campaign')).toBe(false);
  expect(access.canRead(org.adminUserId, 'CampaignMember')).toBe(true);
  expect(access.canSeeField(userId, 'Contact', 'MailingCity')).toBe(true);
  access.permissions.show('Contact', 'MailingAddress');
  access.permissions.show('Campaign');
  expect(access.schemaOf(org.adminUserId).object('Contact')).toBe(org.schema.object('Contact'));
  expect(() => access.permissions.hide('Contact', 'Id')).toThrow('Id cannot be hidden');
  expect(() => access.permissions.hide('Nothing')).toThrow("there is no object 'Nothing'");
});

test('a schema that changes is seen at once, as far as the user may see it', () => {
  const org = createOrg({ schema: createSchema() });
  const access = createAccess(org);
  access.setProfile(userId, 'Minimum Access - API Only Integrations', { objects: { Account: { read: true } } });
  const seen = access.orgAs(userId);
  const account = org.schema.object('Account')!;
  const phone = org.schema.field('Account', 'Phone')!;
  expect(seen.schema.field('Account', 'Rating__c')).toBeUndefined();
  const added = (name: string, permissionable: boolean) => ({ ...phone, name, custom: true, permissionable });
  org.schema.add({ ...account, fields: [added('Hidden__c', true), added('Open__c', false)] });
  org.write((transaction) => transaction.insert('Account', { Name: 'a', Open__c: 'o', Hidden__c: 'h' }));
  expect(seen.schema.field('Account', 'Hidden__c')).toBeUndefined();
  expect(seen.query('SELECT Open__c FROM Account').page(0, 1, 'v62.0')).toMatchObject([{ Open__c: 'o' }]);
  // A reference to an object that the org did not know until now.
  const lookup = {
    ...added('Later__c', false),
    type: 'reference' as const,
    referenceTo: ['Later__c'],
    relationshipName: 'Later__r',
  };
  org.schema.add({ ...account, fields: [lookup] });
  expect(seen.schema.field('Account', 'Later__c')!.referenceTo).toEqual(['Later__c']);
  org.schema.add({
    ...account,
    name: 'Later__c',
    keyPrefix: 'a99',
    fields: account.fields.filter(({ name }) => name === 'Id' || name === 'Name'),
  });
  expect(seen.schema.field('Account', 'Later__c')!.referenceTo).toEqual([]);
});
