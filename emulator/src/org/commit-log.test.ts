import { beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg } from './testing.ts';
import type { CommittedTransaction, Org, OrgClock, Transaction } from './types.ts';

// Change events are made of what commits tell, so a commit tells each record once, as what became of it in the whole
// transaction, and tells nothing that did not happen (P1, P6).

let org: Org;
let clock: OrgClock;
let told: CommittedTransaction[];
beforeEach(() => {
  ({ org, clock } = createTestOrg());
  told = [];
  org.onCommit((committed) => told.push(committed));
});

const merged = evidence(
  'assumed',
  'Change Data Capture Developer Guide, Change Event Message Structure: one event per record and transaction',
);
const insert = (name = 'x') => org.write((t) => t.insert('Thing__c', { Name: name }).id);
const kinds = (committed = told.at(-1)) => committed?.changes.map(({ kind, id }) => [kind, id]) ?? [];

type Step = (t: Transaction, id: string) => unknown;
const edit: Step = (t, id) => t.update('Thing__c', id, { Text__c: 'edited' });
const back: Step = (t, id) => t.update('Thing__c', id, { Text__c: null });
const remove: Step = (t, id) => t.delete('Thing__c', id);
const restore: Step = (t, id) => t.undelete('Thing__c', id);
const purge: Step = (t, id) => t.purge('Thing__c', [id]);

describe('one transaction does to one record', () => {
  const fromNothing: [string, Step[], string | undefined][] = [
    ['create', [], 'create'],
    ['create, update', [edit], 'create'],
    ['create, delete', [remove], undefined],
    ['create, delete, undelete', [remove, restore], 'create'],
    ['create, purge', [purge], undefined],
    ['create, delete, purge', [remove, purge], undefined],
  ];
  test.each(fromNothing)(`%s ${merged}`, (_name, steps, kind) => {
    const id = org.write((t) => {
      const made = t.insert('Thing__c', { Name: 'x' }).id;
      for (const step of steps) step(t, made);
      return made;
    });
    expect(kinds()).toEqual(kind === undefined ? [] : [[kind, id]]);
    // What did not happen is not a commit worth telling.
    expect(told).toHaveLength(kind === undefined ? 0 : 1);
  });

  const fromLife: [string, Step[], string][] = [
    ['update', [edit], 'update'],
    ['update, update back', [edit, back], 'update'],
    ['update, delete', [edit, remove], 'delete'],
    ['delete', [remove], 'delete'],
    ['delete, undelete', [remove, restore], 'update'],
    ['delete, undelete, delete', [remove, restore, remove], 'delete'],
    ['purge', [purge], 'purge'],
    ['update, purge', [edit, purge], 'purge'],
  ];
  test.each(fromLife)(`%s of a living record ${merged}`, (_name, steps, kind) => {
    const id = insert();
    clock.advance(1000);
    org.write((t) => {
      for (const step of steps) step(t, id);
    });
    expect(kinds()).toEqual([[kind, id]]);
    const [change] = told.at(-1)!.changes;
    expect(change!.before).toMatchObject({ Text__c: null, IsDeleted: 0, SystemModstamp: '2024-05-22T13:05:09.000Z' });
  });

  const fromBin: [string, Step[], string | undefined][] = [
    ['undelete', [restore], 'undelete'],
    ['undelete, update', [restore, edit], 'undelete'],
    ['undelete, delete', [restore, remove], undefined],
    ['purge', [purge], 'purge'],
    ['undelete, purge', [restore, purge], 'purge'],
  ];
  test.each(fromBin)(`%s of a record in the recycle bin ${merged}`, (_name, steps, kind) => {
    const id = insert();
    org.write((t) => t.delete('Thing__c', id));
    told.length = 0;
    org.write((t) => {
      for (const step of steps) step(t, id);
    });
    expect(kinds()).toEqual(kind === undefined ? [] : [[kind, id]]);
  });
});

test(`an update that changes nothing is told, with its stamps ${evidence('assumed', 'a save moves LastModifiedDate whatever it changes')}`, () => {
  const id = insert();
  clock.advance(1000);
  org.write((t) => t.update('Thing__c', id, {}));
  const { before, after } = told.at(-1)!.changes[0]!;
  const differing = Object.keys(after).filter((name) => after[name] !== before![name]);
  expect(differing.sort()).toEqual(['LastModifiedDate', 'SystemModstamp']);
});

test(`a cascade tells each record that went, a cleared lookup is a system change ${evidence('assumed', 'LastModifiedDate is for edits of users')}`, () => {
  const [master, account] = [insert('m'), org.write((t) => t.insert('Account', { Name: 'a' }).id)];
  const child = org.write((t) => t.insert('Thing__c', { Name: 'c', Master__c: master }).id);
  const looking = org.write((t) => t.insert('Thing__c', { Name: 'l', Account__c: account }).id);
  clock.advance(1000);
  org.write((t) => t.delete('Thing__c', master));
  expect(kinds()).toEqual([
    ['delete', master],
    ['delete', child],
  ]);
  org.write((t) => t.delete('Account', account));
  expect(kinds()).toEqual([
    ['delete', account],
    ['update', looking],
  ]);
  const { before, after } = told.at(-1)!.changes[1]!;
  expect(after).toMatchObject({ Account__c: null, LastModifiedDate: before!.LastModifiedDate });
  expect(after.SystemModstamp).not.toBe(before!.SystemModstamp);
});

test(`changes stand in the order of first writes, under one key and an ascending number ${evidence('recorded', 'change events with transactionKey, sequenceNumber and commitNumber')}`, () => {
  const [a, b] = org.write((t) => {
    const first = t.insert('Thing__c', { Name: 'a' }).id;
    const second = t.insert('Thing__c', { Name: 'b' }).id;
    t.update('Thing__c', first, { Text__c: 'again' });
    return [first, second];
  });
  org.write((t) => t.update('Thing__c', b!, { Text__c: 'x' }), {
    userId: org.adminUserId,
    origin: 'com/salesforce/api/rest/62.0;client=x',
  });
  expect(kinds(told[0])).toEqual([
    ['create', a],
    ['create', b],
  ]);
  expect(told[1]!.commitNumber > told[0]!.commitNumber).toBe(true);
  expect(told[0]!.commitNumber > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
  expect(new Set(told.map(({ key }) => key)).size).toBe(2);
  expect(told[1]).toMatchObject({
    origin: 'com/salesforce/api/rest/62.0;client=x',
    userId: org.adminUserId,
    committedAtMs: clock.now(),
  });
});

test('every listener hears commits in their order, even when one of them commits, and none hears of what was rolled back', () => {
  const heard: string[][] = [];
  const note = (committed: CommittedTransaction) => heard.push(committed.changes.map(({ after }) => String(after.Name)));
  // A listener that was there first and writes when it hears of `x`.
  const again = createTestOrg().org;
  again.onCommit(({ changes }) => {
    if (changes[0]!.after.Name === 'x') again.write((t) => t.insert('Thing__c', { Name: 'echo' }));
  });
  const stop = again.onCommit(note);
  again.write((t) => t.insert('Thing__c', { Name: 'x' }));
  again.begin().rollback();
  const open = again.begin();
  open.insert('Thing__c', { Name: 'never' });
  open.rollback();
  stop();
  again.write((t) => t.insert('Thing__c', { Name: 'unheard' }));
  expect(heard).toEqual([['x'], ['echo']]);
});

test('two orgs of one seed, written alike, tell the same keys', () => {
  const tell = () => {
    const keys: string[] = [];
    const { org: other } = createTestOrg({ seed: 7 });
    other.onCommit(({ key, commitNumber }) => keys.push(`${key} ${commitNumber}`));
    for (const name of ['a', 'b']) other.write((t) => t.insert('Thing__c', { Name: name }));
    return keys;
  };
  expect(tell()).toEqual(tell());
});
