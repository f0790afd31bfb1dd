import { beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import type { Schema } from '../schema/types.ts';
import { createTestOrg, records, refusal } from './testing.ts';
import type { Org, Values } from './types.ts';

// Details live and die with their masters, as "Object Relationships Overview" (Salesforce Help) says (P4).

let org: Org;
let schema: Schema;
let things: string[];
beforeEach(() => {
  ({ org, schema } = createTestOrg());
  things = ['a', 'b', 'c'].map((Name) => org.write((t) => t.insert('Thing__c', { Name }).id));
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const line = (values: Values = {}): Values => ({ Name: 'l', Fixed__c: things[0]!, Moving__c: things[1]!, ...values });
const help = evidence('documented', 'Salesforce Help, Object Relationships Overview');

test(`a detail needs its masters and cannot lose them ${help}`, () => {
  expect(refusal(() => insert('Line__c', { Name: 'l' })).fields).toEqual(['Fixed__c', 'Moving__c']);
  const id = insert('Line__c', line());
  expect(refusal(() => org.write((t) => t.update('Line__c', id, { Moving__c: null }))).errorCode).toBe('REQUIRED_FIELD_MISSING');
});

test(`a detail changes its master only where that is allowed ${help}`, () => {
  const id = insert('Line__c', line());
  org.write((t) => t.update('Line__c', id, { Moving__c: things[2]! }));
  expect(records(org, 'SELECT Moving__r.Name FROM Line__c')).toMatchObject([{ Moving__r: { Name: 'c' } }]);
  expect(refusal(() => org.write((t) => t.update('Line__c', id, { Fixed__c: things[2]! }))).errorCode).toBe(
    'INVALID_FIELD_FOR_INSERT_UPDATE',
  );
});

test(`deleting a master deletes its details, and undeleting it brings them back ${help}`, () => {
  const id = insert('Line__c', line());
  org.write((t) => t.delete('Thing__c', things[1]!));
  expect(records(org, 'SELECT Id FROM Line__c')).toEqual([]);
  expect(refusal(() => org.write((t) => t.undelete('Line__c', id))).errorCode).toBe('ENTITY_IS_DELETED');
  org.write((t) => t.undelete('Thing__c', things[1]!));
  expect(records(org, 'SELECT Id FROM Line__c')).toMatchObject([{ Id: id }]);
});

test(`a lookup that forbids it keeps its record from being deleted, unless its own goes along ${evidence('documented', 'Salesforce Help, Relationship Considerations: “Don’t allow deletion of the lookup record”')}`, () => {
  const id = insert('Line__c', line({ Guarded__c: things[2]! }));
  const error = refusal(() => org.write((t) => t.delete('Thing__c', things[2]!)));
  expect([error.errorCode, error.message]).toEqual([
    'DELETE_FAILED',
    `Your attempt to delete ${things[2]} could not be completed because it is associated with the following lines: ${id}`,
  ]);
  org.write((t) => t.delete('Line__c', id));
  org.write((t) => t.delete('Thing__c', things[2]!));
  // Guarded by its own detail, which a deletion takes along.
  insert('Line__c', line({ Guarded__c: things[0]! }));
  org.write((t) => t.delete('Thing__c', things[0]!));
  expect(records(org, 'SELECT Id FROM Line__c')).toEqual([]);
});

test(`a record that refers twice to what is deleted is emptied of both ${evidence('assumed', 'lookup option "Clear the value of this field"')}`, () => {
  const twin = { ...schema.field('Line__c', 'Loose__c')!, name: 'Twin__c', relationshipName: 'Twin__r' };
  schema.add({ ...schema.object('Line__c')!, fields: [twin] });
  insert('Line__c', line({ Loose__c: things[2]!, Twin__c: things[2]! }));
  org.write((t) => t.delete('Thing__c', things[2]!));
  expect(records(org, 'SELECT Loose__c, Twin__c FROM Line__c')).toMatchObject([{ Loose__c: null, Twin__c: null }]);
});

test(`a record that was made and purged in one transaction was never there ${evidence('assumed', 'nothing was committed')}`, () => {
  org.write((t) => t.purge('Thing__c', [t.insert('Thing__c', { Name: 'x' }).id]));
  const now = org.clock.now();
  expect(org.deleted('Thing__c', now - 60_000, now + 60_000).deletedRecords).toEqual([]);
});
