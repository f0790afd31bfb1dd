import { RequestRefusedError } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordId } from './record-id.ts';
import { after, identifier, likeText, selectText, text } from './soql.ts';
import { parseFilter, parseUserQuery } from './user-query.ts';

/** What Salesforce makes of a string literal; null when it is not exactly one. */
function readLiteral(literal: string): string | null {
  if (!/^'(?:\\[nrtbf"'\\_%]|[^'\\\n\r])*'$/.test(literal)) return null;
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };
  return literal.slice(1, -1).replace(/\\(.)/g, (_, char: string) => escapes[char] ?? char);
}

describe('literals', () => {
  test('any text comes back as it was, and never leaves its quotes', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("'", '\\', '"', '\n', '\r', '\t', '%', '_', 'a', 'é') }), (value) => {
        expect(readLiteral(text(value))).toBe(value);
        expect(readLiteral(likeText(value))).toBe(value);
      }),
    ));

  test('an identifier cannot bring SOQL along', () => {
    for (const name of ['Name FROM User', "a'b", 'a,b', '', '1a', 'a.b', 'a)']) expect(() => identifier(name)).toThrow();
    expect(identifier('Rating__c')).toBe('Rating__c');
  });

  test("a user's filter stays in its parentheses", () => {
    const where = ["Name = 'a' OR Name = 'b'", after('SystemModstamp', 0, '001000000000001AAA'), undefined];
    expect(
      selectText({ fields: ['Id', 'Account.Name'], object: 'Contact', where, orderBy: ['SystemModstamp', 'Id'], limit: 5 }),
    ).toBe(
      "SELECT Id, Account.Name FROM Contact WHERE (Name = 'a' OR Name = 'b') AND (SystemModstamp > 1970-01-01T00:00:00.000Z OR (SystemModstamp = 1970-01-01T00:00:00.000Z AND Id > '001000000000001AAA')) ORDER BY SystemModstamp, Id LIMIT 5",
    );
  });
});

test('ids are compared in their long form', () => {
  expect(recordId('001D000000IqhSL')).toBe('001D000000IqhSLIAZ');
  expect(recordId('001D000000IqhSLIAZ')).toBe('001D000000IqhSLIAZ');
  expect(recordId('001D000000IqhSLAAA')).toBeNull();
  expect(recordId("001'")).toBeNull();
});

describe("a user's query", () => {
  test('is read as far as it has to be known', () => {
    const query = parseUserQuery(
      "select Id, Name, Account.Name, Contact.LastModifiedDate\nfrom Contact\nwhere LastModifiedDate > :lastUpdateTimestamp and Name != 'WHERE x LIMIT 5' order by Name",
    );
    expect(query.object).toBe('Contact');
    expect(query.fields).toEqual(['Id', 'Name', 'Account.Name', 'LastModifiedDate']);
    expect(query.where!.text(Date.parse('2024-05-22T13:05:09Z'))).toBe(
      "LastModifiedDate > 2024-05-22T13:05:08.000Z and Name != 'WHERE x LIMIT 5'",
    );
    expect(query.where!.text(null)).toContain('> 1700-01-01T00:00:00.000Z');
  });

  test('sub-selects are noticed, and texts that look like one are not', () => {
    expect(parseFilter("AccountId IN (SELECT Id FROM Account WHERE Name = 'x')").hasSubselect).toBe(true);
    expect(parseFilter("Name = '(SELECT Id'").hasSubselect).toBe(false);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the other spelling of a parameter
    expect(parseFilter('CreatedDate >= ${since}').text(1000)).toBe('CreatedDate >= 1970-01-01T00:00:00.000Z');
    expect(parseFilter("Name = ':not a parameter' AND CloseDate = 2024-05-22T10:00:00Z").text(0)).toContain("':not a parameter'");
  });

  test.each([
    ['UPDATE Contact', 'does not begin with SELECT'],
    ['SELECT Name FROM Contact', 'does not select Id'],
    ['SELECT COUNT() FROM Contact', 'COUNT()'],
    ['SELECT Id, MAX(CreatedDate) FROM Contact', 'MAX(CreatedDate)'],
    ['SELECT Id, (SELECT Id FROM Contacts) FROM Account', 'child records'],
    ['SELECT Id, FIELDS(ALL) FROM Account', 'FIELDS(ALL)'],
    ['SELECT Id, Name n FROM Account', 'aliases'],
    ['SELECT Id FROM Contact c', 'aliases'],
    ['SELECT Id FROM Contact LIMIT 10', 'LIMIT'],
    ['SELECT Id FROM Contact WHERE Name = null OFFSET 3', 'OFFSET'],
    ['SELECT Id FROM Contact WHERE Name = null GROUP BY Id', 'GROUP BY'],
    ['SELECT Id FROM Contact WHERE (Name = null', 'parentheses'],
    ["SELECT Id FROM Contact WHERE Name = 'open", 'without an end'],
    ['SELECT Id FROM Contact WHERE LastModifiedDate < :since', 'after > or >='],
    ['SELECT Id FROM Contact WHERE A__c > :a AND B__c > :b', 'more than one parameter'],
    ['SELECT Id FROM Contact WHERE ', 'empty'],
  ])('%s is refused, with the reason', (soql, reason) => {
    expect(() => parseUserQuery(soql)).toThrow(RequestRefusedError);
    expect(() => parseUserQuery(soql)).toThrow(reason);
  });

  test('a filter cannot close the parentheses around it', () => {
    expect(() => parseFilter("Name = 'a') OR (Id != null")).toThrow(RequestRefusedError);
    expect(() => parseFilter('Name = null LIMIT 5')).toThrow(RequestRefusedError);
  });
});
