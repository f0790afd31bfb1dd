// The schema is what every other part believes of the org: what it says of a field must be true of all its fields alike,
// and a change of a running org must be seen by whoever asks next.
import { describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { declareObject } from './declare.ts';
import { custom, reference, text } from './fields.ts';
import { createSchema } from './schema.ts';
import { notEmulated } from './standard/index.ts';
import { idField } from './system-fields.ts';
import type { FieldDescribe } from './types.ts';

const schema = createSchema();
const allFields = schema.objects.flatMap((object) =>
  object.fields.map((field) => ({ object, field, id: `${object.name}.${field.name}` })),
);
const offenders = (wrong: (field: FieldDescribe) => boolean) => allFields.filter(({ field }) => wrong(field)).map(({ id }) => id);

describe('standard objects', () => {
  test(`holds the objects that syncs are made of ${evidence('documented', 'Object Reference')}`, () => {
    const names = schema.objects.map((object) => object.name);
    expect(names).toEqual(
      expect.arrayContaining([
        ...[
          'Account',
          'Contact',
          'Lead',
          'Opportunity',
          'OpportunityLineItem',
          'OpportunityContactRole',
          'Product2',
          'Pricebook2',
        ],
        ...[
          'PricebookEntry',
          'Case',
          'Task',
          'Event',
          'Campaign',
          'CampaignMember',
          'User',
          'Profile',
          'UserRole',
          'Group',
          'Asset',
        ],
        ...['Order', 'OrderItem', 'Organization', 'RecordType'],
      ]),
    );
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  });

  test(`no two objects share a key prefix, so that an id tells its object ${evidence('documented', 'Object Reference, key prefixes')}`, () => {
    const prefixes = schema.objects.map((object) => object.keyPrefix);
    expect(prefixes.filter((prefix) => prefix === null || !/^[0-9A-Za-z]{3}$/.test(prefix))).toEqual([]);
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const object of schema.objects) expect(schema.byKeyPrefix(object.keyPrefix!)).toBe(object);
  });

  test('field names are unique in their object, and each object has one Id', () => {
    for (const object of schema.objects) {
      expect(new Set(object.fields.map((field) => field.name.toLowerCase())).size, object.name).toBe(object.fields.length);
      expect(
        object.fields.filter((field) => field.type === 'id').map((field) => field.name),
        object.name,
      ).toEqual(['Id']);
      expect(object.fields.filter((field) => field.nameField).length, object.name).toBeLessThanOrEqual(1);
    }
  });

  test(`part fields name a compound that exists; Account.Name is its own ${evidence('recorded', 'describe of Account, API 42 and 48')}`, () => {
    const missing = allFields.filter(
      ({ object, field }) => field.compoundFieldName !== null && !schema.field(object.name, field.compoundFieldName),
    );
    expect(missing.map(({ id }) => id)).toEqual([]);
    expect(schema.field('Account', 'Name')?.compoundFieldName).toBe('Name');
    expect(schema.field('Contact', 'LastName')?.compoundFieldName).toBe('Name');
    expect(schema.field('Contact', 'Name')).toMatchObject({ createable: false, updateable: false, nillable: false });
  });

  test(`compounds are read only; their parts are not ${evidence('recorded', 'describe of Account, Contact, Lead')}`, () => {
    expect(offenders((field) => ['address', 'location'].includes(field.type) && (field.createable || field.updateable))).toEqual(
      [],
    );
    const parts = schema.object('Account')!.fields.filter((field) => field.compoundFieldName === 'BillingAddress');
    expect(parts).toHaveLength(8);
    expect(parts.every((part) => part.createable && part.updateable)).toBe(true);
  });

  test('a reference names objects that exist, or that this org is known to leave out', () => {
    const unknown = allFields.flatMap(({ field, id }) =>
      field.referenceTo.filter((to) => !schema.object(to) && !notEmulated.has(to)).map((to) => `${id} → ${to}`),
    );
    expect(unknown).toEqual([]);
    expect(offenders((field) => (field.type === 'reference') !== field.referenceTo.length > 0)).toEqual([]);
    expect(offenders((field) => field.polymorphicForeignKey !== field.referenceTo.length > 1)).toEqual([]);
  });

  test(`lengths and digits follow from the type ${evidence('recorded', 'describes of nine objects')}`, () => {
    const textual = new Set(['string', 'phone', 'email', 'url', 'picklist', 'combobox', 'textarea']);
    // Case.Comments and Opportunity.Fiscal are recorded with one byte per character.
    const single = new Set(['Comments', 'Fiscal']);
    expect(
      offenders((f) => textual.has(f.type) && !(f.length > 0 && (f.byteLength === 3 * f.length || single.has(f.name)))),
    ).toEqual([]);
    expect(offenders((f) => ['id', 'reference'].includes(f.type) && (f.length !== 18 || f.byteLength !== 18))).toEqual([]);
    expect(offenders((f) => f.type === 'int' && f.digits !== 8 && f.digits !== 9)).toEqual([]);
    expect(
      offenders((f) => ['double', 'currency', 'percent'].includes(f.type) && !(f.precision >= f.scale && f.precision > 0)),
    ).toEqual([]);
    expect(offenders((f) => ['boolean', 'date', 'datetime'].includes(f.type) && f.length + f.precision + f.digits > 0)).toEqual(
      [],
    );
    expect(offenders((f) => f.type === 'textarea' && f.length > 255 && f.filterable)).toEqual([]);
  });

  test(`checkboxes are never null and start with a value ${evidence('recorded', 'describes of nine objects')}`, () => {
    expect(offenders((f) => f.type === 'boolean' && (f.nillable || !f.defaultedOnCreate || f.defaultValue !== false))).toEqual(
      [],
    );
  });

  test(`every object that can be read for changes has a modification stamp nobody may write ${evidence('documented', 'Object Reference, System Fields')}`, () => {
    for (const object of schema.objects.filter((candidate) => candidate.replicateable)) {
      expect(schema.field(object.name, 'SystemModstamp'), object.name).toMatchObject({
        type: 'datetime',
        nillable: false,
        createable: false,
        updateable: false,
      });
    }
  });

  test(`children carry the names that subqueries use, and what deleting their parent does ${evidence('recorded', 'childRelationships of Account and Contact')}`, () => {
    const children = schema.object('Account')!.childRelationships;
    const of = (child: string, field: string) => children.find((link) => link.childSObject === child && link.field === field);
    expect(of('Contact', 'AccountId')).toEqual({
      cascadeDelete: true,
      childSObject: 'Contact',
      deprecatedAndHidden: false,
      field: 'AccountId',
      junctionIdListNames: [],
      junctionReferenceTo: [],
      relationshipName: 'Contacts',
      restrictedDelete: false,
    });
    expect(of('Opportunity', 'AccountId')?.relationshipName).toBe('Opportunities');
    expect(of('Account', 'ParentId')?.relationshipName).toBe('ChildAccounts');
    expect(of('Case', 'AccountId')).toMatchObject({ relationshipName: 'Cases', restrictedDelete: true });
    expect(of('Account', 'MasterRecordId')).toBeUndefined();
    const named = children.map((link) => link.relationshipName).filter((name) => name !== null);
    expect(new Set(named).size).toBe(named.length);
  });
});

describe('changes of a running org', () => {
  const widget = (fields = [text('Code__c', 'Code', 20, custom)]) =>
    declareObject('Widget__c', { label: 'Widget', keyPrefix: 'a00', custom: true }, [idField('Record ID'), ...fields]);

  test('names are found in any case', () => {
    expect(schema.object('aCCOUNT')?.name).toBe('Account');
    expect(schema.field('ACCOUNT', 'billingcity')?.name).toBe('BillingCity');
    expect(schema.object('Nothing')).toBeUndefined();
    expect(schema.field('Account', 'toString')).toBeUndefined();
  });

  test('a new object appears with its id prefix, under its parents, at the time of the clock', () => {
    let nowMs = 1_000;
    const running = createSchema({ now: () => nowMs });
    const told: string[] = [];
    running.onChange((object) => told.push(object.name));
    expect(running.changedAtMs).toBe(1_000);
    nowMs = 5_000;
    const declared = widget([
      reference('Account__c', 'Account', 'Account', { children: 'Widgets__r', onDelete: 'cascade' }, custom),
    ]);
    running.add(declared.object, declared.links);
    expect(running.changedAtMs).toBe(5_000);
    expect(told).toEqual(['Widget__c']);
    expect(running.byKeyPrefix('a00')?.name).toBe('Widget__c');
    const link = running.object('Account')!.childRelationships.find((child) => child.childSObject === 'Widget__c');
    expect(link).toMatchObject({ relationshipName: 'Widgets__r', cascadeDelete: true });
  });

  test('fields are added to what is there; earlier answers stay as they were', () => {
    const running = createSchema();
    running.add(widget().object);
    const before = running.object('Widget__c')!;
    running.add(widget([text('Size__c', 'Size', 5, custom)]).object);
    expect(running.object('Widget__c')!.fields.map((field) => field.name)).toEqual(['Id', 'Code__c', 'Size__c']);
    expect(before.fields.map((field) => field.name)).toEqual(['Id', 'Code__c']);
  });

  test('a removed lookup is gone from its parent too', () => {
    const running = createSchema();
    running.removeField('contact', 'accountid');
    expect(running.field('Contact', 'AccountId')).toBeUndefined();
    expect(running.object('Account')!.childRelationships.some((child) => child.childSObject === 'Contact')).toBe(false);
    expect(() => running.removeField('Contact', 'AccountId')).toThrow('Contact has no field AccountId');
    expect(() => running.removeField('Contact', 'Id')).toThrow('cannot be removed');
  });

  test('a taken id prefix is refused', () => {
    const running = createSchema();
    running.add(widget().object);
    const twin = declareObject('Gadget__c', { label: 'Gadget', keyPrefix: 'a00', custom: true }, [idField('Record ID')]);
    expect(() => running.add(twin.object)).toThrow('Gadget__c cannot have the key prefix a00: Widget__c has it');
  });
});
