import { expect, test } from 'vitest';
import type { ConfigError } from '../base/errors.ts';
import { parseConfig } from './load-config.ts';
import type { PackageConfig } from './package-config.ts';
import { configReference } from './reference.ts';

// What is written into customers' orgs can hardly be changed there later: what cannot be is said before anything is written.

const load = (block: string): PackageConfig =>
  parseConfig(`connections: {}\nsyncs: {}\n${block}`, { file: 'tidemark.yaml', env: {}, connectors: [] }).package;

function problemsOf(block: string): string[] {
  try {
    load(block);
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ place, message, hint }) => `${place}: ${message} (${hint})`);
  }
}

test('a field is its type and size, or a block; what is not said is what the type has anyway', () => {
  const { objects, events, flows, name, namespace } = load(`package:
  objects:
    Thing__c:
      fields:
        A__c: Text(40)
        B__c: Text
        C__c: Number(8, 2)
        D__c: Checkbox
        E__c: Lookup(Account)
        F__c: { type: Picklist, values: [Hot, Cold], label: Warmth }
  events:
    Ask__e: { fields: { Ids__c: LongTextArea } }
  flows:
    Ask: { object: Account, when: ISCHANGED(Website), publish: Ask__e, fields: { Ids__c: Id, Why__c: '= "x" & Name' } }`);
  expect([name, namespace]).toEqual(['Tidemark', null]);
  expect(Object.fromEntries(objects.get('Thing__c')!.fields)).toEqual({
    A__c: { type: 'Text', length: 40 },
    B__c: { type: 'Text', length: 255 },
    C__c: { type: 'Number', precision: 8, scale: 2 },
    D__c: { type: 'Checkbox' },
    E__c: { type: 'Lookup', object: 'Account' },
    F__c: { type: 'Picklist', values: ['Hot', 'Cold'], label: 'Warmth' },
  });
  expect(events.get('Ask__e')).toMatchObject({ publish: 'after-commit' });
  expect(flows.get('Ask')).toMatchObject({ object: 'Account', on: ['create', 'update'], event: 'Ask__e', active: true });
  expect([...flows.get('Ask')!.fields]).toEqual([
    ['Ids__c', { kind: 'field', field: 'Id' }],
    ['Why__c', { kind: 'formula', formula: '"x" & Name' }],
  ]);
});

test.each([
  ['A__c: Words', /is no type of a field/],
  ['A__c: Text(300)', /1 to 255 characters.*LongTextArea/],
  ['A__c: Number(4, 6)', /more digits after the point/],
  ['A__c: Number(20, 6)', /18/],
  ['A__c: Checkbox(3)', /more than Checkbox takes/],
  ['A__c: Lookup', /points nowhere.*Lookup\(Account\)/],
  ['A__c: Picklist', /lacks its values/],
  ['A__c: { type: Date, length: 3 }', /Date has no length/],
  ['A: Text', /Rating__c/],
])('%s is refused, with its place and what to write instead', (field, expected) => {
  expect(problemsOf(`package:\n  objects:\n    Thing__c:\n      fields:\n        ${field}`)).toEqual([
    expect.stringMatching(expected),
  ]);
  expect(problemsOf(`package:\n  objects:\n    Thing__c:\n      fields:\n        ${field}`)[0]).toMatch(/^tidemark.yaml:7/);
});

test('events have fewer types; connections are those that there are', () => {
  expect(problemsOf('package: { events: { E__e: { fields: { A__c: Url } } } }')).toEqual([
    expect.stringMatching(/of type Url, which no event has \(take one of: Text/),
  ]);
  expect(problemsOf('package: { connection: crm }')).toEqual([expect.stringContaining('there is no connection of this name')]);
});

test('the reference lists what a package takes', () => {
  const page = configReference([]);
  for (const key of ['namespace', 'flows', 'publish', 'when', 'externalId']) expect(page).toContain(`| \`${key}\` |`);
});
