import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createOrg } from '../org/org.ts';
import { records, refusal } from '../org/testing.ts';
import type { Values } from '../org/types.ts';
import { createSchema } from '../schema/schema.ts';
import { loadSourceFolder } from '../schema/source/load-source-folder.ts';
import { createAutomation } from './automation.ts';
import { takeOverSource } from './take-over-source.ts';

// A company's own formulas, roll-ups and rules work here as they are in its source folder, or what they do to a sync is
// first seen in production (P1, P2).

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'source-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, root: string, body: string): void {
  const file = join(folder, 'objects', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://soap.sforce.com/2006/04/metadata">${body}</${root}>`,
  );
}
const putField = (object: string, name: string, body: string) =>
  put(`${object}/fields/${name}.field-meta.xml`, 'CustomField', `<fullName>${name}</fullName><label>${name}</label>${body}`);
const summary = (operation: string, summarized: string | undefined, filters: string) =>
  `<type>Summary</type><summaryForeignKey>Opportunity.AccountId</summaryForeignKey><summaryOperation>${operation}</summaryOperation>` +
  (summarized === undefined ? '' : `<summarizedField>Opportunity.${summarized}</summarizedField>`) +
  filters;
const filter = (field: string, operation: string, value: string) =>
  `<summaryFilterItems><field>Opportunity.${field}</field><operation>${operation}</operation><value>${value}</value></summaryFilterItems>`;
const putRule = (object: string, name: string, body: string) =>
  put(`${object}/validationRules/${name}.validationRule-meta.xml`, 'ValidationRule', `<fullName>${name}</fullName>${body}`);

function open() {
  const schema = createSchema();
  const source = loadSourceFolder(schema, folder);
  const org = createOrg({ schema });
  const notes = takeOverSource(org, createAutomation(org), source);
  const insert = (object: string, values: Values) => org.write((t) => t.insert(object, values).id);
  return { schema, org, notes: [...source.notes, ...notes], insert };
}
const opportunity = { StageName: 'Prospecting', CloseDate: '2024-05-22' };

test(`formulas, roll-ups with filters and validation rules are taken over ${evidence('documented', 'Metadata API Developer Guide, CustomField, ValidationRule')}`, () => {
  putField('Account', 'Won__c', summary('sum', 'Amount', filter('StageName', 'equals', 'Closed Won, Prospecting')));
  putField(
    'Account',
    'Big__c',
    summary('count', undefined, filter('Amount', 'greaterOrEqual', '100') + filter('Name', 'notContain', '50%,x')),
  );
  putField('Account', 'Last__c', summary('max', 'CloseDate', filter('IsPrivate', 'equals', 'False')));
  putField(
    'Account',
    'Ratio__c',
    '<type>Number</type><precision>18</precision><scale>1</scale><formula>Won__c / Big__c</formula>',
  );
  putRule(
    'Account',
    'Ratio_Low',
    '<active>true</active><errorConditionFormula>Ratio__c &gt; 600</errorConditionFormula><errorDisplayField>Name</errorDisplayField><errorMessage>Too good</errorMessage>',
  );
  putRule(
    'Account',
    'Never',
    '<active>false</active><errorConditionFormula>TRUE</errorConditionFormula><errorMessage>No</errorMessage>',
  );
  const { schema, org, notes, insert } = open();
  expect(notes).toEqual([]);
  expect(schema.field('Account', 'Won__c')).toMatchObject({ type: 'currency', calculated: true, createable: false });
  expect(schema.field('Account', 'Last__c')).toMatchObject({ type: 'date' });
  const AccountId = insert('Account', { Name: 'Acme' });
  insert('Opportunity', { ...opportunity, Name: 'a', AccountId, Amount: 99.5 });
  insert('Opportunity', { ...opportunity, Name: 'b', AccountId, Amount: 500, StageName: 'Closed Won', CloseDate: '2025-01-01' });
  insert('Opportunity', { ...opportunity, Name: 'only 50% off', AccountId, Amount: 700, StageName: 'Closed Lost' });
  insert('Opportunity', { ...opportunity, Name: 'c', AccountId, Amount: 100, StageName: 'Closed Lost' });
  expect(records(org, 'SELECT Won__c, Big__c, Last__c, Ratio__c FROM Account')).toMatchObject([
    { Won__c: 599.5, Big__c: 2, Last__c: '2025-01-01', Ratio__c: 299.8 },
  ]);
  const error = refusal(() => insert('Opportunity', { ...opportunity, Name: 'd', AccountId, Amount: 99_000 }));
  expect([error.errorCode, error.message, error.fields]).toEqual(['FIELD_CUSTOM_VALIDATION_EXCEPTION', 'Too good', ['Name']]);
});

test('what is beyond this org is left out, reads null, and is told of', () => {
  putField('Account', 'Link__c', '<type>Text</type><formula>HYPERLINK("a", "b")</formula>');
  putField('Account', 'Wrong__c', '<type>Date</type><formula>Name</formula>');
  putField('Account', 'Me__c', '<type>Text</type><formula>$User.Alias</formula>');
  putField('Account', 'Sum__c', summary('sum', 'Nope__c', ''));
  putField('Account', 'Field__c', summary('count', undefined, filter('Amount', 'equals', 'many')));
  putRule(
    'Account',
    'R',
    '<active>true</active><errorConditionFormula>REGEX(Name, "x")</errorConditionFormula><errorMessage>No</errorMessage>',
  );
  const { org, notes, insert } = open();
  expect(notes.map(({ element, message }) => `${element} ${message}`).sort()).toEqual([
    'CustomField.formula is not evaluated, and the field reads null: Field $User.Alias does not exist. Check spelling.',
    'CustomField.formula is not evaluated, and the field reads null: Formula result is data type (text), incompatible with expected data type (date).',
    'CustomField.formula is not evaluated, and the field reads null: Unknown function HYPERLINK: this org does not know it',
    "CustomField.summaryOperation is not calculated, and the field reads null: Opportunity has no field 'Nope__c'",
    "CustomField.summaryOperation is not calculated, and the field reads null: a filter cannot compare a number with 'many'",
    'ValidationRule.errorConditionFormula is not enforced: Unknown function REGEX: this org does not know it',
  ]);
  insert('Account', { Name: 'x' });
  expect(records(org, 'SELECT Link__c, Wrong__c, Me__c, Sum__c, Field__c FROM Account')).toMatchObject([
    { Link__c: null, Wrong__c: null, Me__c: null, Sum__c: null, Field__c: null },
  ]);
});
