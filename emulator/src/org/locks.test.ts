import { beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, refusal } from './testing.ts';
import type { Org, Transaction, Values } from './types.ts';

// Writers that share a parent meet UNABLE_TO_LOCK_ROW as in a real org, or a sync's answer to it is never tried (P2).

let org: Org;
let things: string[];
beforeEach(() => {
  ({ org } = createTestOrg());
  things = ['a', 'b', 'c'].map((Name) => org.write((t) => t.insert('Thing__c', { Name }).id));
});
const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
const line = (values: Values = {}): Values => ({ Name: 'l', Fixed__c: things[0]!, Moving__c: things[1]!, ...values });

/** Which of the three things others may not write while a transaction that did this is open. */
function lockedBy(work: (t: Transaction) => unknown): string {
  const open = org.begin();
  work(open);
  const locked = things.filter((id) => {
    try {
      org.write((t) => t.update('Thing__c', id, { Text__c: 'other' }));
      return false;
    } catch (error) {
      expect(error).toMatchObject({ errorCode: 'UNABLE_TO_LOCK_ROW' });
      return true;
    }
  });
  open.rollback();
  return locked.map((id) => 'abc'[things.indexOf(id)]).join('');
}

describe('a parent is locked', () => {
  const levels = evidence('documented', 'Designing Record Access for Enterprise Scale, Record-Level Locking');
  test(`by every write of its details ${levels}`, () => {
    expect(lockedBy((t) => t.insert('Line__c', line()))).toBe('ab');
    const id = insert('Line__c', line());
    expect(lockedBy((t) => t.update('Line__c', id, { Text__c: 'x' }))).toBe('ab');
    expect(lockedBy((t) => t.update('Line__c', id, { Moving__c: things[2]! }))).toBe('abc');
    expect(lockedBy((t) => t.delete('Line__c', id))).toBe('ab');
    org.write((t) => t.delete('Line__c', id));
    expect(lockedBy((t) => t.undelete('Line__c', id))).toBe('ab');
  });

  const sheet = evidence(
    'assumed',
    'Record Locking Cheat Sheet: a lookup may lock, depending on its configuration; when it is left alone is not told',
  );
  test(`by a lookup that begins to point at it, if it does more than be emptied ${sheet}`, () => {
    const others = { Fixed__c: things[0]!, Moving__c: things[0]! };
    expect(lockedBy((t) => t.insert('Line__c', line({ ...others, Guarded__c: things[2]! })))).toBe('ac');
    const id = insert('Line__c', line({ ...others, Guarded__c: things[2]! }));
    expect(lockedBy((t) => t.update('Line__c', id, { Text__c: 'x' }))).toBe('a');
    expect(lockedBy((t) => t.update('Line__c', id, { Guarded__c: things[1]! }))).toBe('ab');
    expect(lockedBy((t) => t.insert('Line__c', line({ ...others, Loose__c: things[2]! })))).toBe('a');
  });

  test(`as an account by new contacts, but not by one that only changes ${sheet}`, () => {
    const account = insert('Account', { Name: 'x' });
    const contact = insert('Contact', { LastName: 'x', AccountId: account });
    const open = org.begin();
    open.update('Contact', contact, { Phone: '1' });
    insert('Contact', { LastName: 'y', AccountId: account });
    open.insert('Contact', { LastName: 'z', AccountId: account });
    const error = refusal(() => insert('Contact', { LastName: 'y', AccountId: account }));
    expect(error.message).toBe(`unable to obtain exclusive access to this record or 1 records: ${account}`);
    open.rollback();
  });
});

test(`all rows that are wanted and not free are named, up to ten ${evidence('documented', 'the message of UNABLE_TO_LOCK_ROW as reported by users')}`, () => {
  const open = org.begin();
  open.update('Thing__c', things[0]!, { Text__c: 'x' });
  open.update('Thing__c', things[1]!, { Text__c: 'x' });
  expect(refusal(() => insert('Line__c', line())).message).toBe(
    `unable to obtain exclusive access to this record or 2 records: ${things[0]},${things[1]}`,
  );
  const { message } = refusal(() => org.write((t) => t.merge('Account', insert('Account', { Name: 'a' }), [busyAccount(open)])));
  expect(message).toMatch(/or 13 records: (\w{18},){9}\w{18}, \.\.\. \(3 more\)$/);
});

/** An account with twelve contacts, all held by `open`. */
function busyAccount(open: Transaction): string {
  const account = insert('Account', { Name: 'busy' });
  const contacts = Array.from({ length: 12 }, () => insert('Contact', { LastName: 'x', AccountId: account }));
  for (const id of contacts) open.update('Contact', id, { Phone: '1' });
  open.update('Account', account, { Phone: '1' });
  return account;
}

test('a refused write holds nothing of what it wanted', () => {
  const open = org.begin();
  open.update('Thing__c', things[1]!, { Text__c: 'x' });
  const other = org.begin();
  expect(refusal(() => other.insert('Line__c', line())).errorCode).toBe('UNABLE_TO_LOCK_ROW');
  org.write((t) => t.update('Thing__c', things[0]!, { Text__c: 'free' }));
  other.rollback();
});

test('rows can be claimed from outside, once for each that is not held yet', () => {
  const asked: string[] = [];
  const stop = org.contend(({ object, origin }) => {
    asked.push(`${object} ${origin}`);
    return object === 'Account';
  });
  const account = insertAs('Account', { Name: 'a' });
  expect(account).toMatchObject({ errorCode: 'UNABLE_TO_LOCK_ROW' });
  stop();
  const real = insert('Account', { Name: 'a' });
  org.contend(({ object, origin }) => asked.push(`${object} ${origin}`) < 0);
  asked.length = 0;
  org.write((t) => {
    t.insert('Contact', { LastName: 'x', AccountId: real });
    t.insert('Contact', { LastName: 'y', AccountId: real });
  });
  expect(asked).toEqual(['Contact ', 'Account ', 'Contact ']);
});

function insertAs(object: string, values: Values): unknown {
  return refusal(() => org.write((t) => t.insert(object, values), { origin: 'client' }));
}
