import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { createOrg } from '../org/org.ts';
import { records } from '../org/testing.ts';
import type { Values } from '../org/types.ts';
import { createSchema } from '../schema/schema.ts';
import { loadSourceFolder } from '../schema/source/load-source-folder.ts';
import { createAutomation } from './automation.ts';
import { takeOverSource } from './take-over-source.ts';

// A company's own flows run here as they are in its source folder: what they create reaches a sync as it does in production (P1).

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flows-'));
  mkdirSync(join(folder, 'flows'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const documented = evidence(
  'documented',
  'Metadata API Developer Guide, Flow; Salesforce Help, Record-Triggered Flow Entry Conditions',
);

/** A flow that makes a contact of an account. */
function put(name: string, start: string, rest = ''): void {
  const values =
    '<inputAssignments><field>LastName</field><value><elementReference>$Record.Name</elementReference></value></inputAssignments>' +
    '<inputAssignments><field>Title</field><value><stringValue>made</stringValue></value></inputAssignments>' +
    '<inputAssignments><field>AccountId</field><value><elementReference>$Record.Id</elementReference></value></inputAssignments>' +
    '<inputAssignments><field>Department</field><value><elementReference>Words</elementReference></value></inputAssignments>';
  const create = `<recordCreates><name>Make</name><label>Make</label>${values}<object>Contact</object></recordCreates>`;
  const begin = `<connector><targetReference>Make</targetReference></connector><object>Account</object><triggerType>RecordAfterSave</triggerType>`;
  const formula =
    '<formulas><name>Words</name><dataType>String</dataType><expression>{!$Record.Name} &amp; "!"</expression></formulas>';
  const body = `${formula}${create}${rest}<start>${begin}${start}</start>${rest.includes('<status>') ? '' : '<status>Active</status>'}`;
  writeFileSync(
    join(folder, `flows/${name}.flow-meta.xml`),
    `<Flow xmlns="http://soap.sforce.com/2006/04/metadata"><apiVersion>62.0</apiVersion>${body}</Flow>`,
  );
}

function open() {
  const schema = createSchema();
  const source = loadSourceFolder(schema, folder);
  const org = createOrg({ schema });
  const notes = takeOverSource(org, createAutomation(org), source);
  return {
    notes: [...source.notes, ...notes].map(({ file, message }) => `${file}: ${message}`),
    insert: (values: Values) => org.write((t) => t.insert('Account', values).id),
    update: (id: string, values: Values) => org.write((t) => t.update('Account', id, values).id),
    contacts: () => records(org, 'SELECT AccountId, Department FROM Contact'),
    made: () =>
      records(org, "SELECT LastName FROM Contact WHERE Title = 'made' ORDER BY LastName").map(({ LastName }) => LastName),
  };
}

const filter = (field: string, operator: string, value: string) =>
  `<filters><field>${field}</field><operator>${operator}</operator><value>${value}</value></filters>`;
const both = '<recordTriggerType>CreateAndUpdate</recordTriggerType>';

test(`a formula decides, which knows what was before ${documented}`, () => {
  put(
    'F',
    `${both}<filterFormula>NOT(ISNEW()) &amp;&amp; ISCHANGED({!$Record.Website}) &amp;&amp; {!$Record__Prior.Name} = "a"</filterFormula>`,
  );
  const { notes, insert, update, made } = open();
  expect(notes).toEqual([]);
  const [a, b] = [insert({ Name: 'a', Website: 'x' }), insert({ Name: 'b' })];
  update(b, { Website: 'y' });
  update(a, { Phone: '1' });
  expect(made()).toEqual([]);
  update(a, { Website: 'z', Name: 'after' });
  expect(made()).toEqual(['after']);
});

test.each([
  ['all of the filters', 'and', ['Hot and big']],
  ['any of them', 'or', ['big', 'Hot and big', 'Hot and small']],
  ['their own logic', '1 AND NOT (2)', ['Hot and small']],
])(`filters decide: %s ${documented}`, (_, logic, expected) => {
  const filters =
    filter('Rating', 'EqualTo', '<stringValue>Hot</stringValue>') +
    filter('AnnualRevenue', 'GreaterThan', '<numberValue>5</numberValue>');
  put('F', `<filterLogic>${logic}</filterLogic>${filters}<recordTriggerType>Create</recordTriggerType>`);
  const { notes, insert, update, made } = open();
  expect(notes).toEqual([]);
  insert({ Name: 'Hot and big', Rating: 'Hot', AnnualRevenue: 9 });
  insert({ Name: 'Hot and small', Rating: 'Hot', AnnualRevenue: 1 });
  insert({ Name: 'big', Rating: 'Cold', AnnualRevenue: 9 });
  update(insert({ Name: 'neither' }), { Rating: 'Hot', AnnualRevenue: 9 });
  expect(made()).toEqual(expected);
});

test(`values are texts, fields of the record as they are, and formulas ${documented}`, () => {
  put('F', both);
  const { insert, contacts } = open();
  const AccountId = insert({ Name: 'a' });
  expect(AccountId).toHaveLength(18);
  expect(contacts()).toMatchObject([{ AccountId, Department: 'a!' }]);
});

test(`only an update that meets the conditions anew, where the flow says so ${documented}`, () => {
  const start = `<doesRequireRecordChangedToMeetCriteria>true</doesRequireRecordChangedToMeetCriteria>${both}`;
  put('F', start + filter('Website', 'IsNull', '<booleanValue>false</booleanValue>'));
  const { insert, update, made } = open();
  const id = insert({ Name: 'a' });
  update(id, { Website: 'x' });
  update(id, { Website: 'y' });
  expect(made()).toEqual(['a']);
});

test('what this org cannot run is left out and told of; what is not active is not run', () => {
  put('Branches', both, '<decisions><name>D</name></decisions>');
  put('Drafted', both, '<status>Draft</status>');
  put('Unknown', `${both}<filterFormula>REGEX({!$Record.Name}, "x")</filterFormula>`);
  put('Wrong', both + filter('Name', 'WasSet', '<booleanValue>true</booleanValue>'));
  const { notes, insert, made } = open();
  expect(notes).toEqual([
    'flows/Branches.flow-meta.xml: has <decisions>, which is not run here: left out',
    'flows/Unknown.flow-meta.xml: is not run: Unknown function REGEX: this org does not know it',
    "flows/Wrong.flow-meta.xml: is not run: a flow cannot ask for 'WasSet' here",
  ]);
  insert({ Name: 'x' });
  expect(made()).toEqual([]);
});

test('a flow that leads nowhere is refused with its place', () => {
  put('Lost', both);
  const file = join(folder, 'flows/Lost.flow-meta.xml');
  writeFileSync(
    file,
    '<Flow><start><connector><targetReference>Gone</targetReference></connector><object>Account</object><recordTriggerType>Create</recordTriggerType><triggerType>RecordAfterSave</triggerType></start><status>Active</status></Flow>',
  );
  expect(() => open()).toThrow('<Flow.start.connector.targetReference> names Gone, which is not in the flow');
});
