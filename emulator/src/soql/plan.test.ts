import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../org/store.ts';
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
  const directory = mkdtempSync(join(tmpdir(), 'emulator-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const { schema, clock } = createTestOrg();
  const store = openStore({ schema, clock, seed: 1, path: join(directory, 'org.db') });
  const soql = `SELECT Id FROM Thing__c ${rest}`;
  const { sql, parameters } = pickSql(store, store.requireTable('Thing__c'), parseSoql(soql), {
    all: false,
    time: createUserTime(0, () => 'UTC'),
  });
  const plan = store.database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...parameters)
    .map((row) => String(row.detail));
  store.close();
  expect(plan.join('\n')).toContain(`INDEX Thing__c.${index} `.trimEnd());
  expect(plan.join('\n')).not.toMatch(/TEMP B-TREE|^SCAN t\d+$/m);
});
