import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, type Store } from '../org/store.ts';
import { createTestOrg } from '../org/testing.ts';
import { parseSoql } from './parse.ts';
import { pickSql } from './run.ts';
import { createUserTime } from './user-time.ts';

// A million records must be no trouble: what sync engines ask goes through an index and sorts nothing.

const open = '2024-01-01T00:00:00Z';
test.each([
  [
    'SystemModstamp',
    `WHERE SystemModstamp > ${open} OR (SystemModstamp = ${open} AND Id > '001000000000001') ORDER BY SystemModstamp, Id LIMIT 2000`,
  ],
  [
    'SystemModstamp',
    `WHERE (SystemModstamp > ${open} OR (SystemModstamp = ${open} AND Id > '001000000000001')) AND SystemModstamp < ${open} ORDER BY SystemModstamp, Id LIMIT 2000`,
  ],
  ['SystemModstamp', `WHERE SystemModstamp >= ${open} AND SystemModstamp < ${open} ORDER BY SystemModstamp ASC, Id ASC`],
  ['SystemModstamp', 'ORDER BY SystemModstamp DESC LIMIT 1'],
  ['Id', "WHERE Id > '001000000000001' ORDER BY Id LIMIT 2000"],
  ['Id', "WHERE Id IN ('001000000000001', '001000000000002')"],
  ['Name', "WHERE Name = 'acme'"],
  ['Name', "WHERE Name LIKE 'acm%'"],
  ['Ext__c', "WHERE Ext__c IN ('a', 'b')"],
  ['Account__c', "WHERE Account__c = '001000000000001'"],
])('uses the index on %s for %s', (index, rest) => {
  using store = openTestStore();
  const plan = planOf(store, rest);
  expect(plan).toContain(`INDEX Thing__c.${index} `.trimEnd());
  expect(plan).not.toMatch(/TEMP B-TREE|^SCAN t\d+$/m);
});

test('an index is made for who first looks by it, and not for writes alone; who looks into an open transaction leaves it to others', () => {
  using store = openTestStore();
  const indexes = () => {
    const found = store.database.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'Thing__c'").all();
    return found.map(({ name }) => name);
  };
  expect(indexes()).toEqual(['Thing__c.Id']);
  const byName = "WHERE Name = 'acme'";
  store.peek(
    () => {},
    () => planOf(store, byName),
  );
  expect(indexes()).toEqual(['Thing__c.Id']);
  const thing = store.requireTable('Thing__c');
  store.index(thing, thing.column('Ext__c'));
  expect(indexes()).toEqual(['Thing__c.Id', 'Thing__c.Ext__c folded']);
  expect(planOf(store, byName)).toContain('INDEX Thing__c.Name folded');
});

function openTestStore(): Store & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'emulator-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const { schema, clock } = createTestOrg();
  const store = openStore({ schema, clock, seed: 1, path: join(directory, 'org.db') });
  return Object.assign(store, { [Symbol.dispose]: () => store.close() });
}

function planOf(store: Store, rest: string): string {
  const time = createUserTime(0, () => 'UTC');
  const soql = parseSoql(`SELECT Id FROM Thing__c ${rest}`);
  const { sql, parameters } = pickSql(store, store.requireTable('Thing__c'), soql, { all: false, time });
  const steps = store.database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters);
  return steps.map((row) => String(row.detail)).join('\n');
}
