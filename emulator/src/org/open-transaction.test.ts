import { beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from './testing.ts';
import type { Org } from './types.ts';

// What one transaction wrote it sees itself, nobody else does, and it can take back a part (P6).

let org: Org;
beforeEach(() => {
  ({ org } = createTestOrg());
});
const names = (transaction?: ReturnType<Org['begin']>) => {
  const found = org.query('SELECT Name, (SELECT Name FROM Parts__r ORDER BY Name) FROM Thing__c ORDER BY Name', { transaction });
  const rows = found.page(0, found.totalSize, 'v62.0') as { Name: string; Parts__r: { records: { Name: string }[] } | null }[];
  return rows.map((row) => [row.Name, ...(row.Parts__r?.records ?? []).map((part) => part.Name)].join('/'));
};

describe('a query in an open transaction', () => {
  const own = evidence('documented', 'REST API Developer Guide, Composite: a later subrequest can use what an earlier one made');

  test(`sees its writes, joined and nested, while others do not ${own}`, () => {
    const kept = org.write((t) => t.insert('Thing__c', { Name: 'kept' }).id);
    const gone = org.write((t) => t.insert('Thing__c', { Name: 'gone' }).id);
    const open = org.begin();
    open.insert('Thing__c', { Name: 'child', Master__c: kept });
    open.update('Thing__c', kept, { Name: 'renamed' });
    open.purge('Thing__c', [gone]);
    expect(names(open)).toEqual(['child', 'renamed/child']);
    expect(names()).toEqual(['gone', 'kept']);
    expect(org.retrieve('Thing__c', kept, 'v62.0', ['Name'], { transaction: open })).toMatchObject({ Name: 'renamed' });
    expect(org.retrieve('Thing__c', gone, 'v62.0', ['Name'], { transaction: open })).toBeUndefined();
    expect(org.retrieve('Thing__c', kept, 'v62.0', ['Name'])).toMatchObject({ Name: 'kept' });
    expect(org.deleted('Thing__c', org.clock.now() - 60_000, org.clock.now() + 60_000).deletedRecords).toEqual([]);
    open.commit();
    expect(names()).toEqual(['child', 'renamed/child']);
  });

  test('has pages that follow the transaction to its end', () => {
    const rolledBack = org.begin();
    rolledBack.insert('Thing__c', { Name: 'a' });
    const lost = org.query('SELECT Name FROM Thing__c', { transaction: rolledBack });
    expect(lost.page(0, 1, 'v62.0')).toHaveLength(1);
    rolledBack.rollback();
    expect(lost.page(0, 1, 'v62.0')).toEqual([]);
    const committed = org.begin();
    committed.insert('Thing__c', { Name: 'b' });
    const kept = org.query('SELECT Name FROM Thing__c', { transaction: committed });
    committed.commit();
    expect(kept.page(0, 1, 'v62.0')).toMatchObject([{ Name: 'b' }]);
  });

  test('cannot write, and leaves no trace of an error', () => {
    const open = org.begin();
    open.insert('Thing__c', { Name: 'a' });
    expect(() => open.see(() => open.insert('Thing__c', { Name: 'b' }))).toThrow('must not write');
    expect(refusal(() => org.query('SELECT Nope FROM Thing__c', { transaction: open })).errorCode).toBe('INVALID_FIELD');
    expect(names(open)).toEqual(['a']);
    expect(names()).toEqual([]);
    open.commit();
    expect(names()).toEqual(['a']);
  });
});

describe('a savepoint', () => {
  test('takes back what came after it: values, keys, deletes, locks, the order of changes', () => {
    const old = org.write((t) => t.insert('Thing__c', { Name: 'old', Ext__c: 'k' }).id);
    const child = org.write((t) => t.insert('Thing__c', { Name: 'part', Master__c: old }).id);
    const changed: string[] = [];
    org.onCommit(({ changes }) => changed.push(...changes.map(({ kind, after }) => `${kind} ${after.Name}`)));
    const open = org.begin();
    open.insert('Thing__c', { Name: 'first', Ext__c: 'f' });
    const point = open.savepoint();
    open.update('Thing__c', old, { Ext__c: 'moved' });
    open.insert('Thing__c', { Name: 'second', Ext__c: 'k' });
    open.delete('Thing__c', old);
    expect(names(open)).toEqual(['first', 'second']);
    open.rollbackTo(point);
    expect(names(open)).toEqual(['first', 'old/part', 'part']);
    expect(refusal(() => open.insert('Thing__c', { Name: 'x', Ext__c: 'k' })).errorCode).toBe('DUPLICATE_VALUE');
    org.write((t) => t.update('Thing__c', child, { Text__c: 'unlocked' }));
    changed.length = 0;
    open.update('Thing__c', old, { Ext__c: 'k2' });
    open.insert('Thing__c', { Name: 'third', Ext__c: 'k' });
    open.commit();
    expect(changed).toEqual(['create first', 'update old', 'create third']);
  });

  test('finds a record again by the key that it had then', () => {
    const open = org.begin();
    const made = open.insert('Thing__c', { Name: 'a', Ext__c: 'k' });
    const point = open.savepoint();
    open.update('Thing__c', made.id, { Ext__c: null });
    open.rollbackTo(point);
    expect(open.upsert('Thing__c', 'Ext__c', 'K', { Text__c: 'x' })).toEqual({ id: made.id, created: false });
    open.purge('Thing__c', [made.id]);
    expect(open.upsert('Thing__c', 'Ext__c', 'K', { Name: 'b' }).created).toBe(true);
    open.rollback();
  });

  test('can be returned to again, and not once it was taken back itself or in another transaction', () => {
    const open = org.begin();
    const start = open.savepoint();
    open.insert('Thing__c', { Name: 'a' });
    const later = open.savepoint();
    open.rollbackTo(start);
    open.rollbackTo(start);
    expect(() => open.rollbackTo(later)).toThrow('undone already');
    expect(() => org.begin().rollbackTo(start)).toThrow('another transaction');
    open.commit();
    expect(names()).toEqual([]);
  });
});

test(`what was purged is not there for the rest of the transaction ${evidence('assumed', 'follows from the transaction being one')}`, () => {
  const master = org.write((t) => t.insert('Thing__c', { Name: 'm' }).id);
  const part = org.write((t) => t.insert('Thing__c', { Name: 'p', Master__c: master }).id);
  org.write((t) => {
    t.delete('Thing__c', master);
    t.purge('Thing__c', [part]);
    t.undelete('Thing__c', master);
    expect(t.rows('Thing__c', 'Master__c', master)).toEqual([]);
    expect(refusal(() => t.insert('Thing__c', { Name: 'q', Master__c: part })).errorCode).toBe('INVALID_CROSS_REFERENCE_KEY');
  });
  expect(names()).toEqual(['m']);
});

test(`a write of several records that is refused half way leaves none of them ${evidence('assumed', 'a DML statement is whole or nothing for each record')}`, () => {
  const [a, b] = ['a', 'b'].map((Name) => org.write((t) => t.insert('Thing__c', { Name }).id));
  const other = org.begin();
  other.update('Thing__c', b!, { Text__c: 'x' });
  org.write((t) => {
    expect(refusal(() => t.purge('Thing__c', [a!, b!])).errorCode).toBe('UNABLE_TO_LOCK_ROW');
    t.insert('Thing__c', { Name: 'c' });
  });
  other.rollback();
  expect(records(org, 'SELECT Name FROM Thing__c ORDER BY Name').map((row) => row.Name)).toEqual(['a', 'b', 'c']);
});
