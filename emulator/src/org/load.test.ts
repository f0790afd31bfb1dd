import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from './testing.ts';

// A million records must be no trouble, and what is loaded must be as good as what is written one by one.

test('loaded rows are given ids, stamps, owners and names, or keep those they bring', () => {
  const { org } = createTestOrg();
  const brought = {
    Id: '003000000000001',
    LastName: 'B',
    CreatedDate: '2020-01-01T00:00:00Z',
    SystemModstamp: '2021-01-01T00:00:00.000+0000',
  };
  expect(org.load('Contact', [{ FirstName: 'Ann', LastName: 'A' }, brought, { LastName: 'C', IsDeleted: true }])).toBe(3);
  expect(
    records(org, 'SELECT Name, OwnerId, CreatedDate, SystemModstamp, IsEmailBounced FROM Contact ORDER BY Name'),
  ).toMatchObject([
    { Name: 'Ann A', OwnerId: org.adminUserId, CreatedDate: '2024-05-22T13:05:09.000+0000', IsEmailBounced: false },
    { Name: 'B', CreatedDate: '2020-01-01T00:00:00.000+0000', SystemModstamp: '2021-01-01T00:00:00.000+0000' },
  ]);
  expect(records(org, "SELECT Id FROM Contact WHERE Id = '003000000000001AAA'")).toHaveLength(1);
  expect(records(org, 'SELECT Id FROM Contact', { all: true })).toHaveLength(3);
  expect(org.deleted('Contact', org.clock.now() - 60_000, org.clock.now() + 60_000).deletedRecords).toHaveLength(1);
  expect(refusal(() => org.load('Contact', [{ Nope: 1 }])).errorCode).toBe('INVALID_FIELD');
});

test('a load that fails leaves nothing, and the indexes work after any load', () => {
  const { org } = createTestOrg();
  function* failing() {
    yield { Name: 'a', Ext__c: 'k' };
    throw new Error('out of rows');
  }
  expect(() => org.load('Thing__c', failing())).toThrow('out of rows');
  expect(records(org, 'SELECT Id FROM Thing__c')).toEqual([]);
  org.load('Thing__c', [{ Name: 'a', Ext__c: 'k' }]);
  expect(org.write((t) => t.upsert('Thing__c', 'Ext__c', 'K', { Name: 'b' })).created).toBe(false);
});

test('ids go on ascending after a load and after the org is opened again', () => {
  const directory = mkdtempSync(join(tmpdir(), 'emulator-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'org.db');
  const first = createTestOrg({ path });
  first.org.load('Thing__c', [{ Name: 'a' }, { Name: 'b' }]);
  const last = first.org.write((t) => t.insert('Thing__c', { Name: 'c' }).id);
  first.org.write((t) => t.purge('Thing__c', [last]));
  first.org.close();
  const { org } = createTestOrg({ path });
  expect(records(org, 'SELECT Name FROM Thing__c ORDER BY Id').map((row) => row.Name)).toEqual(['a', 'b']);
  expect(org.write((t) => t.insert('Thing__c', { Name: 'd' }).id) > last).toBe(true);
  expect(records(org, 'SELECT Id FROM User')).toHaveLength(1);
  org.close();
});

test('two orgs of one seed, written alike, are alike; of two seeds their ids differ', () => {
  const make = (seed: number) => {
    const { org } = createTestOrg({ seed });
    org.load('Account', [{ Name: 'a' }, { Name: 'b' }]);
    org.write((t) => t.insert('Thing__c', { Name: 'x' }));
    return JSON.stringify([
      org.id,
      records(org, 'SELECT FIELDS(ALL) FROM Account LIMIT 200'),
      records(org, 'SELECT FIELDS(ALL) FROM Thing__c LIMIT 200'),
    ]);
  };
  expect(make(7)).toBe(make(7));
  expect(make(7)).not.toBe(make(8));
});

const csv = evidence('documented', 'Bulk API 2.0 Guide, Get Results for a Query Job');

test(`a flat read gives every value as text, in the form of a CSV ${evidence('assumed', 'Bulk API 2.0 Guide; datetimes with Z and doubles with a fraction from reports')}`, () => {
  const { org } = createTestOrg();
  const account = org.write((t) => t.insert('Account', { Name: 'Parent' }).id);
  const values = {
    Name: 'a"b,\nc',
    Number__c: 12,
    Money__c: 0.1,
    Int__c: 3,
    Flag__c: true,
    Day__c: '2024-01-02',
    Account__c: account,
  };
  const id = org.write((t) => t.insert('Thing__c', values).id);
  const table = org.table(
    'select id, name, number__c, money__c, int__c, flag__c, day__c, text__c, account__r.name, createddate from thing__c',
  );
  expect(table.columns).toEqual([
    'Id',
    'Name',
    'Number__c',
    'Money__c',
    'Int__c',
    'Flag__c',
    'Day__c',
    'Text__c',
    'Account__r.Name',
    'CreatedDate',
  ]);
  expect([...table.rows()]).toEqual([
    [id, 'a"b,\nc', '12.0', '0.1', '3', 'true', '2024-01-02', '', 'Parent', '2024-05-22T13:05:09.000Z'],
  ]);
});

test(`a flat read keeps to its condition, order and limit, and to what lives ${csv}`, () => {
  const { org } = createTestOrg();
  org.load(
    'Thing__c',
    Array.from({ length: 9000 }, (_, i) => ({ Name: `n${i}`, Int__c: i, IsDeleted: i % 3 === 0 })),
  );
  const read = (soql: string, all = false) => [...org.table(soql, { all }).rows()].map((row) => Number(row[0]));
  const every = Array.from({ length: 9000 }, (_, i) => i);
  expect(read('SELECT Int__c FROM Thing__c', true)).toEqual(every);
  expect(read('SELECT Int__c FROM Thing__c')).toEqual(every.filter((i) => i % 3 !== 0));
  expect(read('SELECT Int__c FROM Thing__c WHERE Int__c < 5000')).toEqual(every.filter((i) => i % 3 !== 0 && i < 5000));
  expect(read('SELECT Int__c FROM Thing__c WHERE Int__c < 5000 ORDER BY Int__c DESC')).toEqual(
    every.filter((i) => i % 3 !== 0 && i < 5000).reverse(),
  );
  expect(read('SELECT Int__c FROM Thing__c WHERE Int__c >= 10 LIMIT 2', true)).toEqual([10, 11]);
  expect(read('SELECT Int__c FROM Thing__c LIMIT 3', true)).toHaveLength(3);
});

test.each([
  'SELECT COUNT() FROM Thing__c',
  'SELECT COUNT(Id) FROM Thing__c',
  'SELECT Id FROM Thing__c LIMIT 1 OFFSET 1',
  'SELECT FIELDS(ALL) FROM Thing__c LIMIT 200',
  'SELECT Id, Place__c FROM Thing__c',
  'SELECT Id, (SELECT Id FROM Parts__r) FROM Thing__c',
  'SELECT Nope FROM Thing__c',
  'SELECT Id FROM Thing__c WHERE Nope = 1',
])(
  `%s cannot be read flat, and says so at once ${evidence('assumed', 'unsupported SOQL is documented (Bulk API 2.0 Guide); the code is not')}`,
  (soql) => {
    const { org } = createTestOrg();
    expect(refusal(() => org.table(soql)).errorCode).toMatch(/MALFORMED_QUERY|INVALID_FIELD/);
  },
);

test(`rows written, deleted or moved while a flat read is under way neither repeat nor go missing ${evidence('assumed', 'ids are fixed when a query starts')}`, () => {
  const { org, schema } = createTestOrg();
  org.load(
    'Thing__c',
    Array.from({ length: 10_000 }, (_, i) => ({ Name: `n${i}`, Ext__c: `k${i}` })),
  );
  const ids = records(org, 'SELECT Id FROM Thing__c ORDER BY Id').map((row) => row.Id as string);
  for (const soql of [
    'SELECT Id FROM Thing__c',
    'SELECT Id FROM Thing__c WHERE Ext__c != null',
    'SELECT Id FROM Thing__c ORDER BY SystemModstamp, Id',
  ]) {
    const seen: string[] = [];
    for (const [id] of org.table(soql).rows()) {
      if (seen.length === 1) {
        // Moves rows not yet read behind all others in the order of modification, and alters the table.
        org.clock.advance(1000);
        org.write((t) => {
          for (const later of ids.slice(9000, 9100)) t.update('Thing__c', later, { Text__c: soql.slice(-20).trim() });
        });
        schema.add({
          ...schema.object('Thing__c')!,
          fields: [{ ...schema.field('Thing__c', 'Text__c')!, name: `Extra${soql.length}__c` }],
        });
      }
      seen.push(id!);
    }
    expect(seen.length).toBe(10_000);
    expect(new Set(seen).size).toBe(10_000);
  }
});
