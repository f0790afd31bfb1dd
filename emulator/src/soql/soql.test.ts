import { beforeAll, describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createTestOrg, records, refusal } from '../org/testing.ts';
import type { Org } from '../org/types.ts';

// Queries answer in the shape that clients parse, and are refused with the codes by which clients decide what to do.

let org: Org;
const ids: Record<string, string> = {};
beforeAll(() => {
  ({ org } = createTestOrg());
  const insert = (object: string, values: Parameters<Parameters<Parameters<Org['write']>[0]>[0]['insert']>[1]) =>
    org.write((t) => t.insert(object, values).id);
  ids.acme = insert('Account', { Name: 'Acme', BillingCity: 'Berlin' });
  ids.beta = insert('Account', { Name: 'beta', ParentId: ids.acme! });
  ids.ann = insert('Contact', { FirstName: 'Ann', LastName: 'Ö', AccountId: ids.acme!, Email: 'ann@example.com' });
  ids.bob = insert('Contact', { FirstName: 'Bob', LastName: 'B', AccountId: ids.beta! });
  ids.eve = insert('Contact', { FirstName: 'Eve', LastName: 'E' });
  ids.task = insert('Task', { Subject: 'Call', WhoId: ids.ann!, WhatId: ids.acme! });
  for (const [Name, Stage__c, Money__c] of [
    ['one', 'Mid', 10],
    ['two', 'Zeta', 20],
    ['three', 'Alpha', 30],
    ['four', null, null],
    ['five', 'Mid', 5],
  ] as const) {
    ids[Name] = insert('Thing__c', { Name, Stage__c, Money__c, Account__c: ids.acme! });
  }
});

const names = (soql: string) => records(org, soql).map((row) => row.Name);
const code = (soql: string) => refusal(() => org.query(soql)).errorCode;
const url = (object: string, id: string) => ({ type: object, url: `/services/data/v62.0/sobjects/${object}/${id}` });

describe('shape', () => {
  test(`records carry attributes, then fields in the order and spelling asked for and known ${evidence('recorded', 'read-list-contacts')}`, () => {
    const [row] = records(org, `select email, ID, name from contact where id = '${ids.ann!.slice(0, 15)}'`);
    expect(JSON.stringify(row)).toBe(
      JSON.stringify({ attributes: url('Contact', ids.ann!), Email: 'ann@example.com', Id: ids.ann, Name: 'Ann Ö' }),
    );
  });

  test(`parents are nested, null when there is none, up to five levels ${evidence('documented', 'SOQL Reference, Relationship Queries')}`, () => {
    const rows = records(org, 'SELECT Name, Account.Parent.Name, Account.Name FROM Contact ORDER BY Name');
    expect(rows.map((row) => row.Account)).toEqual([
      { attributes: url('Account', ids.acme!), Parent: null, Name: 'Acme' },
      { attributes: url('Account', ids.beta!), Parent: { attributes: url('Account', ids.acme!), Name: 'Acme' }, Name: 'beta' },
      null,
    ]);
    expect(records(org, 'SELECT Account.Parent.Parent.Parent.Parent.Name FROM Contact')).toHaveLength(3);
    expect(code('SELECT Account.Parent.Parent.Parent.Parent.Parent.Name FROM Contact')).toBe('INVALID_FIELD');
  });

  test(`children are a result of their own, null when there are none ${evidence('recorded', 'read-opportunity-with-contacts')}`, () => {
    const rows = records(
      org,
      "SELECT Name, (SELECT Id, Account.Name FROM Contacts WHERE FirstName != 'x' ORDER BY Name LIMIT 5), (SELECT Id FROM Things__r WHERE Money__c > 10) FROM Account ORDER BY Name",
    );
    expect(rows[0]).toMatchObject({
      Contacts: {
        totalSize: 1,
        done: true,
        records: [{ attributes: url('Contact', ids.ann!), Id: ids.ann, Account: { Name: 'Acme' } }],
      },
      Things__r: { totalSize: 2 },
    });
    expect(rows[1]).toMatchObject({ Things__r: null });
    expect(code('SELECT Id, (SELECT Id FROM Nothings) FROM Account')).toBe('INVALID_TYPE');
  });

  test(`a polymorphic parent shows the fields that all have, and its type ${evidence('assumed', 'SOQL Reference, Polymorphic Relationships; attributes from common reports')}`, () => {
    const [row] = records(
      org,
      "SELECT Who.Name, Who.Type, What.Name FROM Task WHERE What.Type IN ('Account', 'Opportunity') AND Who.Name = 'ann ö'",
    );
    expect(row).toMatchObject({
      Who: { attributes: { type: 'Name', url: url('Contact', ids.ann!).url }, Name: 'Ann Ö', Type: 'Contact' },
      What: { Name: 'Acme' },
    });
    const [typed] = records(org, 'SELECT TYPEOF What WHEN Account THEN BillingCity ELSE Name END FROM Task');
    expect(typed!.What).toMatchObject({ attributes: url('Account', ids.acme!), BillingCity: 'Berlin' });
  });

  test(`COUNT() gives a number and no records ${evidence('documented', 'SOQL Reference, COUNT()')}`, () => {
    const result = org.query('SELECT COUNT() FROM Contact WHERE AccountId != null');
    expect([result.totalSize, result.page(0, 10, 'v62.0')]).toEqual([2, []]);
  });

  test(`aggregates are rows without a URL, named by alias or by place ${evidence('documented', 'SOQL Reference, GROUP BY')}`, () => {
    expect(
      records(
        org,
        'SELECT Stage__c, COUNT(Id), SUM(Money__c) total FROM Thing__c GROUP BY Stage__c HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC',
      ),
    ).toEqual([{ attributes: { type: 'AggregateResult' }, Stage__c: 'Mid', expr0: 2, total: 15 }]);
    expect(
      records(org, 'SELECT MIN(SystemModstamp) low, MAX(Money__c), COUNT_DISTINCT(Stage__c), AVG(Money__c) FROM Thing__c'),
    ).toEqual([
      { attributes: { type: 'AggregateResult' }, low: '2024-05-22T13:05:09.000+0000', expr0: 30, expr1: 3, expr2: 16.25 },
    ]);
    expect(
      records(
        org,
        'SELECT Account__r.Name, CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Thing__c GROUP BY Account__r.Name, CALENDAR_YEAR(CreatedDate)',
      ),
    ).toMatchObject([{ Name: 'Acme', y: 2024, n: 5 }]);
    expect(code('SELECT Name, COUNT(Id) FROM Thing__c')).toBe('MALFORMED_QUERY');
    expect(code('SELECT Money__c, COUNT(Id) FROM Thing__c GROUP BY Money__c')).toBe('INVALID_FIELD');
    expect(code('SELECT COUNT(Id) FROM Thing__c LIMIT 1')).toBe('MALFORMED_QUERY');
  });

  test(`FIELDS() stands for fields, and must be bounded ${evidence('documented', 'SOQL Reference, FIELDS()')}`, () => {
    const [row] = records(org, 'SELECT FIELDS(CUSTOM), Name FROM Thing__c LIMIT 200');
    expect(Object.keys(row!)).toEqual([
      'attributes',
      ...org.schema
        .object('Thing__c')!
        .fields.filter((field) => field.custom)
        .map((field) => field.name),
      'Name',
    ]);
    expect(records(org, 'SELECT FIELDS(STANDARD) FROM Thing__c')[0]).not.toHaveProperty('Money__c');
    expect(code('SELECT FIELDS(ALL) FROM Thing__c')).toBe('MALFORMED_QUERY');
    expect(code('SELECT FIELDS(ALL) FROM Thing__c LIMIT 201')).toBe('MALFORMED_QUERY');
    expect(code('SELECT FIELDS(ALL), Name FROM Thing__c LIMIT 1')).toBe('INVALID_FIELD');
    const named = (count: number) => Array.from({ length: count }, () => `Id = '${ids.one}'`).join(' OR ');
    expect(records(org, `SELECT FIELDS(ALL) FROM Thing__c WHERE ${named(200)}`)).toHaveLength(1);
    expect(code(`SELECT FIELDS(ALL) FROM Thing__c WHERE ${named(201)}`)).toBe('MALFORMED_QUERY');
    expect(code(`SELECT FIELDS(ALL) FROM Thing__c WHERE Id = '${ids.one}' OR Name = 'two'`)).toBe('MALFORMED_QUERY');
  });

  test(`two long texts of our own make pages small ${evidence('documented', 'REST API Developer Guide, Query: batch size')}`, () => {
    expect(org.query('SELECT Id, Long__c FROM Thing__c').pageSizeMax).toBe(2000);
    expect(org.query('SELECT Id, Long__c, Long2__c FROM Thing__c').pageSizeMax).toBe(200);
  });

  test(`labels are given for picklist values on request ${evidence('documented', 'SOQL Reference, toLabel()')}`, () => {
    expect(records(org, "SELECT toLabel(Stage__c) FROM Thing__c WHERE Name = 'three'")[0]!.Stage__c).toBe('Alpha label');
  });
});

describe('selection', () => {
  test(`order is blind to case, by place for picklists, nulls first unless said ${evidence('assumed', 'SOQL Reference, ORDER BY; nulls when descending from its general words')}`, () => {
    expect(names('SELECT Name FROM Account ORDER BY Name DESC')).toEqual(['beta', 'Acme']);
    expect(names('SELECT Name FROM Thing__c ORDER BY Stage__c, Name')).toEqual(['four', 'two', 'three', 'five', 'one']);
    expect(names('SELECT Name FROM Thing__c ORDER BY Money__c DESC')).toEqual(['four', 'three', 'two', 'one', 'five']);
    expect(names('SELECT Name FROM Thing__c ORDER BY Money__c NULLS LAST LIMIT 2 OFFSET 3')).toEqual(['three', 'four']);
  });

  test(`parents are joined from outside: a missing one is null ${evidence('documented', 'SOQL Reference, Relationship Queries and outer joins')}`, () => {
    expect(names("SELECT Name FROM Contact WHERE Account.Name = null OR Account.Name = 'BETA' ORDER BY Name")).toEqual([
      'Bob B',
      'Eve E',
    ]);
  });

  test(`semi-joins and anti-joins, which take empty lookups in ${evidence('assumed', 'SOQL Reference, Semi-Joins and Anti-Joins; empty lookups are not mentioned')}`, () => {
    expect(names("SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE FirstName = 'Ann')")).toEqual([
      'Acme',
    ]);
    expect(
      names("SELECT Name FROM Contact WHERE AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'Acme') ORDER BY Name"),
    ).toEqual(['Bob B', 'Eve E']);
    expect(code('SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Account)')).toBe('MALFORMED_QUERY');
    expect(code("SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)")).toBe('MALFORMED_QUERY');
  });

  test(`the object's alias and its name may open a path ${evidence('documented', 'SOQL Reference, Using Aliases')}`, () => {
    expect(names("SELECT c.Name, Contact.Id FROM Contact c WHERE c.Account.Name = 'beta'")).toEqual(['Bob B']);
  });

  test(`escapes in quotes are undone, others refused ${evidence('documented', 'SOQL Reference, Quoted String Escape Sequences')}`, () => {
    const id = org.write((t) => t.insert('Thing__c', { Name: `it's a\\b\n"ü"` }).id);
    expect(records(org, `SELECT Id FROM Thing__c WHERE Name = 'it\\'s a\\\\b\\n\\"\\u00fc\\"'`).map((row) => row.Id)).toEqual([
      id,
    ]);
    expect(records(org, `SELECT Id FROM Thing__c WHERE Name = 'it\\'s a\\\\b\n"ü"'`)).toHaveLength(1);
    org.write((t) => t.purge('Thing__c', [id]));
    expect(code("SELECT Id FROM Thing__c WHERE Name = '\\q'")).toBe('MALFORMED_QUERY');
  });

  test(`the ids of a query are fixed when it starts, the values are those of the time of reading ${evidence('assumed', 'behaviour of query locators, from common reports')}`, () => {
    const query = org.query("SELECT Name, Text__c FROM Thing__c WHERE Text__c = null AND Name IN ('one', 'two') ORDER BY Name");
    org.write((t) => t.update('Thing__c', ids.one!, { Text__c: 'now' }));
    expect(query.totalSize).toBe(2);
    expect(query.page(0, 2, 'v62.0')).toMatchObject([{ Name: 'one', Text__c: 'now' }, { Name: 'two' }]);
    org.write((t) => t.update('Thing__c', ids.one!, { Text__c: null }));
  });
});

test(`date literals are days of the user who asks ${evidence('documented', 'SOQL and SOSL Reference, Date Formats and Date Literals')}`, () => {
  const { org, clock } = createTestOrg();
  const day = '2024-03-10';
  for (const at of ['07:59', '08:00', '23:59']) {
    clock.freeze(Date.parse(`${day}T${at}:00Z`));
    org.write((t) => t.insert('Thing__c', { Name: at, Day__c: day }));
  }
  // In Los Angeles the clocks went forward on this day: it began at 8:00 UTC and ended at 7:00.
  clock.freeze(Date.parse('2024-03-11T06:59:00Z'));
  org.write((t) => t.insert('Thing__c', { Name: 'late', Day__c: '2024-03-11' }));
  const found = (where: string) =>
    records(org, `SELECT Name FROM Thing__c WHERE ${where} ORDER BY CreatedDate`).map(({ Name }) => Name);
  expect(found('CreatedDate = TODAY')).toEqual(['late']);
  org.write((t) => t.update('User', org.adminUserId, { TimeZoneSidKey: 'America/Los_Angeles' }));
  expect(found('CreatedDate = TODAY')).toEqual(['08:00', '23:59', 'late']);
  expect(found('CreatedDate = YESTERDAY')).toEqual(['07:59']);
  expect(found('Day__c = TODAY')).toEqual(['07:59', '08:00', '23:59']);
  clock.freeze(Date.parse('2024-03-11T07:00:00Z'));
  expect(found('CreatedDate = TODAY')).toEqual([]);
});

describe('refusals', () => {
  test.each([
    ['SELECT Id, id FROM Account', 'INVALID_FIELD'],
    ['SELECT Nope.Name FROM Contact', 'INVALID_FIELD'],
    ["SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", 'MALFORMED_QUERY'],
    ['SELECT COUNT(), Id FROM Account', 'MALFORMED_QUERY'],
    ['SELECT Id, FROM Account', 'MALFORMED_QUERY'],
    ['SELECT * FROM Account', 'MALFORMED_QUERY'],
    ['SELECT Id FROM Account FOR UPDATE', 'MALFORMED_QUERY'],
    ['SELECT Id FROM Account WHERE COUNT(Id) > 1', 'MALFORMED_QUERY'],
    ['SELECT Id FROM Account OFFSET 2001', 'NUMBER_OUTSIDE_VALID_RANGE'],
    [`SELECT Id FROM Account WHERE Name = '${'x'.repeat(100_000)}'`, 'MALFORMED_QUERY'],
  ])(
    `%s: %s ${evidence('documented', 'SOQL Reference; REST API Developer Guide, Status Codes and Error Responses')}`,
    (soql, expected) => {
      expect(code(soql)).toBe(expected);
    },
  );

  test.each([
    ['SELECT Id FROM Account WHERE Name = 1', 'INVALID_FIELD'],
    ["SELECT Id FROM Account WHERE CreatedDate > '2024-01-01T00:00:00Z'", 'INVALID_FIELD'],
    ['SELECT Id FROM Account WHERE CreatedDate > 2024-01-01', 'INVALID_FIELD'],
    ['SELECT Id FROM Thing__c WHERE Day__c = 2024-01-01T00:00:00Z', 'INVALID_FIELD'],
    ['SELECT Id FROM Thing__c WHERE Day__c = 2026-13-45', 'MALFORMED_QUERY'],
    ["SELECT Id FROM Thing__c WHERE Flag__c = 'true'", 'INVALID_FIELD'],
    ["SELECT Id FROM Account WHERE Id = 'abc'", 'INVALID_QUERY_FILTER_OPERATOR'],
    ["SELECT Id FROM Thing__c WHERE Number__c LIKE 'a%'", 'INVALID_QUERY_FILTER_OPERATOR'],
    ["SELECT Id FROM Thing__c WHERE Text__c INCLUDES ('a')", 'INVALID_QUERY_FILTER_OPERATOR'],
    ["SELECT Id FROM Thing__c WHERE Long__c = 'a'", 'INVALID_FIELD'],
    ['SELECT Id FROM Thing__c ORDER BY Long__c', 'INVALID_FIELD'],
    ['SELECT Id FROM Account WHERE Place__c = null', 'INVALID_FIELD'],
    ["SELECT Id FROM Account WHERE Name = 'a' Name = 'b'", 'MALFORMED_QUERY'],
    ['SELECT Id FROM Account ALL ROWS', 'MALFORMED_QUERY'],
  ])(
    `%s: %s ${evidence('assumed', 'that it is refused follows from the SOQL Reference; the code is from common reports')}`,
    (soql, expected) => {
      expect(code(soql)).toBe(expected);
    },
  );

  test(`20 child queries, 55 parents and 4,000 characters are the limits ${evidence('documented', 'SOQL and SOSL Reference, Understanding Relationship Query Limitations; SOQL and SOSL Limits; the code is assumed')}`, () => {
    const children = (count: number) => Array(count).fill('(SELECT Id FROM Contacts)').join(', ');
    expect(code(`SELECT Id, ${children(21)} FROM Account`)).toBe('MALFORMED_QUERY');
    const text = (length: number) => `SELECT Id FROM Account WHERE Name = '${'x'.repeat(length)}'`;
    expect(records(org, text(4000))).toEqual([]);
    expect(code(text(4001))).toBe('MALFORMED_QUERY');
    // Three users, three ways up from each, and five from each of those: 57 in all.
    const users = ['Owner', 'CreatedBy', 'LastModifiedBy'];
    const below = (paths: readonly string[], steps: readonly string[]) =>
      paths.flatMap((path) => steps.map((step) => `${path}.${step}`));
    const seconds = below(users, ['Manager', 'CreatedBy', 'LastModifiedBy']);
    const paths = below(seconds, ['Manager', 'CreatedBy', 'LastModifiedBy', 'Profile', 'UserRole']).map((path) => `${path}.Id`);
    expect(records(org, `SELECT ${paths.slice(2).join(', ')} FROM Account`)).toHaveLength(2);
    expect(code(`SELECT ${paths.slice(1).join(', ')} FROM Account`)).toBe('MALFORMED_QUERY');
  });

  // Not Salesforce's rule but a limit of the parser: refused, because the library would answer a different question.
  test('three NOTs in a row are refused and not misread', () => {
    expect(refusal(() => org.query("SELECT Id FROM Account WHERE NOT (NOT (NOT Name = 'a'))")).message).toContain(
      'this emulator',
    );
    expect(names("SELECT Name FROM Account WHERE NOT (NOT Name = 'acme')")).toEqual(['Acme']);
  });

  test(`the message shows where, cut as a real org cuts it ${evidence('recorded', 'unknown-object')}`, () => {
    expect(refusal(() => org.query('SELECT Id,Name,BillingCity,IsDeleted FROM Accout')).message).toBe(
      "\nName,BillingCity,IsDeleted FROM Accout\n                                ^\nERROR at Row:1:Column:43\nsObject type 'Accout' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
    );
    expect(refusal(() => org.query('SELECT Nme FROM Account')).message).toMatch(
      /^\nSELECT Nme FROM Account\n {7}\^\nERROR at Row:1:Column:8\nNo such column 'Nme' on entity 'Account'\./,
    );
  });
});
