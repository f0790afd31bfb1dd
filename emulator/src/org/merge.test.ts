import { beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from './testing.ts';
import type { CommittedTransaction, Org, OrgClock, Values } from './types.ts';

// A merge must reach the other side as what it is: a loser that names its master, children that moved, one transaction (P4, P6).

let org: Org;
let clock: OrgClock;
beforeEach(() => {
  ({ org, clock } = createTestOrg());
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const one = (soql: string) => records(org, soql, { all: true })[0]!;
const guide = evidence('documented', 'Apex Developer Guide, Merging Records');

test(`the master stays with the values chosen, its children and those of its losers, which name it ${guide}`, () => {
  const [master, first, second] = ['m', 'l1', 'l2'].map((Name) => insert('Account', { Name, Phone: Name }));
  const contact = insert('Contact', { LastName: 'c', AccountId: first! });
  const thing = insert('Thing__c', { Name: 't', Account__c: second! });
  const kase = insert('Case', { AccountId: second! });
  clock.advance(1000);
  const told: CommittedTransaction[] = [];
  org.onCommit((committed) => told.push(committed));
  const outcome = org.write((t) => t.merge('Account', master!, [first!, second!], { Phone: 'chosen' }));
  expect(outcome).toEqual({ id: master, created: false, merged: [first, second], related: [contact, kase, thing] });
  expect(records(org, 'SELECT Id, Name, Phone FROM Account')).toMatchObject([{ Id: master, Name: 'm', Phone: 'chosen' }]);
  const losers = records(org, 'SELECT IsDeleted, MasterRecordId FROM Account WHERE IsDeleted = true', { all: true });
  expect(losers).toMatchObject([{ MasterRecordId: master }, { MasterRecordId: master }]);
  expect(one('SELECT AccountId, IsDeleted FROM Contact')).toMatchObject({ AccountId: master, IsDeleted: false });
  expect(one('SELECT Account__c FROM Thing__c').Account__c).toBe(master);
  expect(one('SELECT AccountId FROM Case').AccountId).toBe(master);
  const kinds = Object.fromEntries(told[0]!.changes.map(({ id, kind }) => [id, kind]));
  expect(told).toHaveLength(1);
  expect(kinds).toEqual({
    [contact]: 'update',
    [kase]: 'update',
    [thing]: 'update',
    [first!]: 'delete',
    [second!]: 'delete',
    [master!]: 'update',
  });
});

test(`children that move are not edited by a user ${evidence('assumed', 'a merge shows no LastModifiedDate on them')}`, () => {
  const [master, loser] = [insert('Account', { Name: 'm' }), insert('Account', { Name: 'l' })];
  insert('Contact', { LastName: 'c', AccountId: loser });
  clock.advance(1000);
  org.write((t) => t.merge('Account', master, [loser]));
  expect(one('SELECT SystemModstamp, LastModifiedDate FROM Contact')).toMatchObject({
    SystemModstamp: '2024-05-22T13:05:10.000+0000',
    LastModifiedDate: '2024-05-22T13:05:09.000+0000',
  });
});

test(`a master that belonged to its loser belongs to nobody, not to itself ${evidence('assumed', 'a circular reference is refused elsewhere')}`, () => {
  const loser = insert('Account', { Name: 'l' });
  const master = insert('Account', { Name: 'm', ParentId: loser });
  org.write((t) => t.merge('Account', master, [loser]));
  expect(records(org, 'SELECT Id, ParentId FROM Account')).toMatchObject([{ Id: master, ParentId: null }]);
});

test(`a unique value of a loser may go to the master ${evidence('assumed', 'losers are deleted before the master is updated: Apex Developer Guide, Triggers and Merge Statements')}`, () => {
  const { org: other, schema } = createTestOrg();
  const base = schema.object('Lead')!;
  const key = { ...schema.field('Thing__c', 'Ext__c')! };
  schema.add({ ...base, fields: [key] });
  const [master, loser] = ['m', 'l'].map((name) =>
    other.write((t) => t.insert('Lead', { LastName: name, Company: name, Ext__c: name }).id),
  );
  other.write((t) => t.merge('Lead', master!, [loser!], { Ext__c: 'l' }));
  expect(records(other, 'SELECT Ext__c FROM Lead')).toMatchObject([{ Ext__c: 'l' }]);
});

test(`a loser comes back without its master, and without the children that moved ${evidence('assumed', 'SOAP API Developer Guide, undelete()')}`, () => {
  const [master, loser] = [insert('Account', { Name: 'm' }), insert('Account', { Name: 'l' })];
  insert('Contact', { LastName: 'c', AccountId: loser });
  org.write((t) => t.merge('Account', master, [loser]));
  org.write((t) => t.undelete('Account', loser));
  expect(records(org, "SELECT MasterRecordId FROM Account WHERE Name = 'l'")).toMatchObject([{ MasterRecordId: null }]);
  expect(one('SELECT AccountId FROM Contact').AccountId).toBe(master);
});

test(`what cannot be merged is refused and nothing of it stays ${guide}`, () => {
  const ids = ['a', 'b', 'c', 'd'].map((Name) => insert('Account', { Name }));
  insert('Contact', { LastName: 'c', AccountId: ids[1]! });
  const merge =
    (losers: string[], values: Values = {}) =>
    () =>
      org.write((t) => t.merge('Account', ids[0]!, losers, values));
  expect(refusal(merge([ids[1]!, ids[2]!, ids[3]!])).errorCode).toBe('INVALID_OPERATION');
  expect(refusal(merge([])).errorCode).toBe('INVALID_OPERATION');
  expect(refusal(merge([ids[0]!])).errorCode).toBe('INVALID_OPERATION');
  expect(refusal(merge([ids[1]!], { Phone: 'x'.repeat(41) })).errorCode).toBe('STRING_TOO_LONG');
  const thing = insert('Thing__c', { Name: 'x' });
  expect(refusal(() => org.write((t) => t.merge('Thing__c', thing, [thing]))).errorCode).toBe('INVALID_TYPE_FOR_OPERATION');
  expect(records(org, 'SELECT Id FROM Account')).toHaveLength(4);
  expect(one('SELECT AccountId FROM Contact').AccountId).toBe(ids[1]);
});

test(`cases and contacts merge too ${guide}`, () => {
  const [a, b] = [insert('Case', { Subject: 'a' }), insert('Case', { Subject: 'b' })];
  org.write((t) => t.merge('Case', a, [b]));
  expect(records(org, 'SELECT Id FROM Case')).toMatchObject([{ Id: a }]);
  const [c, d] = [insert('Contact', { LastName: 'c' }), insert('Contact', { LastName: 'd' })];
  insert('Contact', { LastName: 'e', ReportsToId: d });
  org.write((t) => t.merge('Contact', c, [d]));
  expect(records(org, "SELECT ReportsToId FROM Contact WHERE LastName = 'e'")).toMatchObject([{ ReportsToId: c }]);
});
