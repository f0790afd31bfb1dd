// A subscriber reads every event by the schema of its id: the id must follow from the schema, and the schema must be that
// of the bytes.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { field, text } from '../schema/fields.ts';
import { identify } from './avro-schema.ts';
import { createBusOrg, eventsOf, readEvent } from './testing.ts';

const recorded = evidence('recorded', 'schemas of AccountChangeEvent and of a custom object');

interface Avro {
  name: string;
  namespace: string;
  fields: { name: string; type: unknown; doc: string; default?: null }[];
}
const schemaOf = (objects: string[], topic: string): Avro => JSON.parse(createBusOrg(objects).bus.channel(topic)!.schema().json);

test(`the id is the MD5 of the canonical form: full names, nothing that does not change the bytes ${evidence('documented', 'Apache Avro specification, Parsing Canonical Form; reproduces two recorded ids')}`, () => {
  const inner = { type: 'record' as const, name: 'Inner', fields: [{ name: 'X', type: ['null', 'double'] }] };
  const record = {
    type: 'record' as const,
    name: 'PingChangeEvent',
    namespace: 'com.sforce.eventbus',
    fields: [
      { name: 'A', type: 'string', doc: 'Data:Text' },
      { name: 'B', type: ['null', inner], doc: 'Data:Inner', default: null },
      { name: 'C', type: ['null', 'Inner'], default: null },
      { name: 'D', type: { type: 'array' as const, items: 'string' } },
      { name: 'E', type: { type: 'enum' as const, name: 'Kind', symbols: ['ON', 'OFF'] } },
    ],
  };
  const canonical =
    '{"name":"com.sforce.eventbus.PingChangeEvent","type":"record","fields":[{"name":"A","type":"string"},' +
    '{"name":"B","type":["null",{"name":"com.sforce.eventbus.Inner","type":"record","fields":[{"name":"X","type":["null","double"]}]}]},' +
    '{"name":"C","type":["null","com.sforce.eventbus.Inner"]},{"name":"D","type":{"type":"array","items":"string"}},' +
    '{"name":"E","type":{"name":"com.sforce.eventbus.Kind","type":"enum","symbols":["ON","OFF"]}}]}';
  const { id } = identify(record);
  expect(id).toBe(createHash('md5').update(canonical).digest('base64url'));
  expect(id).toMatch(/^[\w-]{22}$/);
  const [first, ...others] = record.fields;
  expect(identify({ ...record, fields: [{ ...first!, doc: 'other' }, ...others] }).id).toBe(id);
  expect(identify({ ...record, fields: [...record.fields, { name: 'F', type: 'int' }] }).id).not.toBe(id);
});

test(`an Account: the header first, then the object's fields in order, custom ones last ${recorded}`, () => {
  const { name, namespace, fields } = schemaOf(['Account'], '/data/AccountChangeEvent');
  expect({ name, namespace }).toEqual({ name: 'AccountChangeEvent', namespace: 'com.sforce.eventbus' });
  expect(fields.map((avro) => avro.name)).toEqual([
    ...['ChangeEventHeader', 'Name', 'Type', 'ParentId', 'BillingAddress', 'ShippingAddress', 'Phone', 'Fax', 'AccountNumber'],
    ...['Website', 'Sic', 'Industry', 'AnnualRevenue', 'NumberOfEmployees', 'Ownership', 'TickerSymbol', 'Description', 'Rating'],
    ...['Site', 'OwnerId', 'CreatedDate', 'CreatedById', 'LastModifiedDate', 'LastModifiedById', 'Jigsaw', 'JigsawCompanyId'],
    ...['CleanStatus', 'AccountSource', 'DunsNumber', 'Tradestyle', 'NaicsCode', 'NaicsDesc', 'YearStarted', 'SicDesc'],
    ...['DandbCompanyId', 'OperatingHoursId', 'CustomerPriority__c', 'SLA__c', 'Active__c', 'NumberofLocations__c'],
    ...['UpsellOpportunity__c', 'SLASerialNumber__c', 'SLAExpirationDate__c'],
  ]);
});

test(`types, docs and defaults ${recorded}`, () => {
  const { fields } = schemaOf(['Account'], '/data/AccountChangeEvent');
  const of = (name: string) => fields.find((avro) => avro.name === name)!;
  const simple = (name: string) => [(of(name).type as unknown[])[1], of(name).doc.replace(/00N\w{12}$/, '00N…')];
  expect(of('Phone')).toEqual({ name: 'Phone', type: ['null', 'string'], doc: 'Data:Phone', default: null });
  expect(simple('AnnualRevenue')).toEqual(['double', 'Data:Currency']);
  expect(simple('NumberOfEmployees')).toEqual(['int', 'Data:Integer']);
  expect(simple('Description')).toEqual(['string', 'Data:StringPlusClob']);
  expect(simple('Industry')).toEqual(['string', 'Data:DynamicEnum']);
  expect(simple('CleanStatus')).toEqual(['string', 'Data:StaticEnum']);
  expect(simple('OwnerId')).toEqual(['string', 'ForeignKey:EntityId']);
  expect(simple('JigsawCompanyId')).toEqual(['string', 'ExternalForeignKey:ExternalId']);
  expect(simple('CreatedDate')).toEqual(['long', 'CreatedDate:DateTime']);
  expect(simple('LastModifiedDate')).toEqual(['long', 'Data:DateTime']);
  expect(simple('NumberofLocations__c')).toEqual(['double', 'Data:Double:00N…']);
  expect(simple('SLAExpirationDate__c')).toEqual(['long', 'Data:DateOnly:00N…']);
  expect(new Set(fields.filter(({ name }) => name.endsWith('__c')).map(({ doc }) => doc.slice(-15))).size).toBe(7);
  expect(fields[0]).toMatchObject({ doc: 'Data:ComplexValueType', type: { name: 'ChangeEventHeader' } });
});

test(`compound fields are records, defined where first used and named later; an Account's name has three branches ${recorded}`, () => {
  const { fields } = schemaOf(['Account'], '/data/AccountChangeEvent');
  const of = (name: string) =>
    fields.find((avro) => avro.name === name)!.type as [string, { name: string; fields: { name: string; type: unknown }[] }];
  const [, address] = of('BillingAddress');
  expect(address.name).toBe('Address');
  expect(address.fields.map(({ name, type }) => `${name}:${type}`)).toEqual([
    ...['Street', 'City', 'State', 'PostalCode', 'Country'].map((name) => `${name}:null,string`),
    ...['Latitude:null,double', 'Longitude:null,double', 'GeocodeAccuracy:null,string'],
  ]);
  expect(of('ShippingAddress')).toEqual(['null', 'Address']);
  expect(fields.find(({ name }) => name === 'Name')).toMatchObject({
    doc: 'Data:Switchable_PersonName',
    type: [
      'null',
      'string',
      { name: 'Switchable_PersonName', fields: [{ name: 'Salutation' }, { name: 'FirstName' }, { name: 'LastName' }] },
    ],
  });
  const contact = schemaOf(['Contact'], '/data/ContactChangeEvent').fields.find(({ name }) => name === 'Name')!;
  expect(contact).toMatchObject({
    doc: 'Data:PersonName',
    type: ['null', { name: 'PersonName', fields: [{ name: 'Salutation' }, {}, {}] }],
  });
  expect(schemaOf(['Contact'], '/data/ContactChangeEvent').fields.map(({ name }) => name)).not.toContain('LastName');
});

test(`a custom object: its event's name, its types ${recorded}`, () => {
  const { name, fields } = schemaOf(['Thing__c'], '/data/Thing__ChangeEvent');
  expect(name).toBe('Thing__ChangeEvent');
  const shapes = Object.fromEntries(
    fields.slice(1).map((avro) => [avro.name, `${JSON.stringify((avro.type as unknown[])[1])} ${avro.doc.split(':00N')[0]}`]),
  );
  expect(shapes).toMatchObject({
    Text__c: '"string" Data:Text',
    Long__c: '"string" Data:StringPlusClob',
    Number__c: '"double" Data:Double',
    Int__c: '"int" Data:Integer',
    Money__c: '"double" Data:Currency',
    Flag__c: '"boolean" Data:Boolean',
    Day__c: '"long" Data:DateOnly',
    Moment__c: '"long" Data:DateTime',
    Time__c: '"long" Data:TimeOnly',
    Stage__c: '"string" Data:DynamicEnum',
    Colours__c: '"string" Data:MultiEnum',
    Email__c: '"string" Data:Email',
    Place__c:
      '{"type":"record","name":"Location","fields":[{"name":"Latitude","type":["null","double"],"default":null},{"name":"Longitude","type":["null","double"],"default":null}]} Data:Location',
  });
});

test(`what Salesforce keeps for itself is in no event ${evidence('recorded', "an Account's schema lacks them")}`, () => {
  const hidden = [
    'Id',
    'IsDeleted',
    'SystemModstamp',
    'MasterRecordId',
    'LastActivityDate',
    'LastViewedDate',
    'LastReferencedDate',
    'PhotoUrl',
  ];
  for (const [object, topic] of [
    ['Account', '/data/AccountChangeEvent'],
    ['Contact', '/data/ContactChangeEvent'],
  ] as const) {
    const names = schemaOf([object], topic).fields.map(({ name }) => name);
    expect(names.filter((name) => hidden.includes(name))).toEqual([]);
  }
});

test(`a new field gives a new id; events from before keep theirs and stay readable ${evidence('documented', 'Pub/Sub API guide, Event Schemas')}`, () => {
  const test = createBusOrg(['Account']);
  const { org, bus, schema } = test;
  org.write((transaction) => transaction.insert('Account', { Name: 'before' }));
  const before = bus.channel('/data/AccountChangeEvent')!.schema();
  schema.add({ ...schema.object('Account')!, fields: [text('New__c', 'New', 20, { custom: true }).describe] });
  const after = bus.channel('/data/AccountChangeEvent')!.schema();
  org.write((transaction) => transaction.insert('Account', { Name: 'after', New__c: 'x' }));
  const events = eventsOf(test, '/data/AccountChangeEvent');
  expect(events.map(({ schemaId }) => schemaId)).toEqual([before.id, after.id]);
  expect(before.id).not.toBe(after.id);
  expect(bus.schema(before.id)).toEqual(before);
  expect(events.map((event) => readEvent(bus, event).body.New__c)).toEqual([undefined, 'x']);
  expect(events[0]!.json().Name).toBe('before');
});

test(`roll-ups are in events, formulas are not ${evidence('assumed', "the guide's pages disagree; a formula's change alone makes no event")}`, () => {
  const { bus, schema } = createBusOrg(['Account']);
  const id = bus.channel('/data/AccountChangeEvent')!.schema().id;
  const add = (name: string, calculatedFormula: string | null) =>
    schema.add({
      ...schema.object('Account')!,
      fields: [field(name, name, 'double', { custom: true, calculated: true, calculatedFormula }).describe],
    });
  add('Twice__c', 'NumberOfEmployees * 2');
  expect(bus.channel('/data/AccountChangeEvent')!.schema().id).toBe(id);
  add('Total__c', null);
  const names = JSON.parse(bus.channel('/data/AccountChangeEvent')!.schema().json).fields.map(
    (entry: { name: string }) => entry.name,
  );
  expect(names).toContain('Total__c');
  expect(names).not.toContain('Twice__c');
});
