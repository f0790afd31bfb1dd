// A user's own objects come from their source folder. What is taken over must look as the API shows it; what is not taken
// over must be said; a folder with a mistake must not be half taken over.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidence } from '../../evidence.ts';
import { createSchema } from '../schema.ts';
import type { FieldDescribe } from '../types.ts';
import { type LoadedSource, loadSourceFolder } from './load-source-folder.ts';
import { SourceFolderError } from './problems.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'source-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const xml = (root: string, content: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://soap.sforce.com/2006/04/metadata">${content}</${root}>\n`;

function put(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}
const putObject = (name: string, content: string) =>
  put(`main/default/objects/${name}/${name}.object-meta.xml`, xml('CustomObject', content));
const putField = (object: string, name: string, content: string) =>
  put(
    `main/default/objects/${object}/fields/${name}.field-meta.xml`,
    xml('CustomField', `<fullName>${name}</fullName>${content}`),
  );

const widget =
  '<label>Widget</label><pluralLabel>Widgets</pluralLabel><nameField><label>Widget Name</label><type>Text</type></nameField>' +
  '<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel><enableSearch>true</enableSearch>';

/** Loads one field of Account and gives what describe then says. */
function accountField(content: string): { field: FieldDescribe; loaded: LoadedSource } {
  putField('Account', 'Probe__c', `<label>Probe</label>${content}`);
  const schema = createSchema();
  const loaded = loadSourceFolder(schema, folder);
  return { field: schema.field('Account', 'Probe__c')!, loaded };
}

function problemsOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(SourceFolderError);
    return (error as Error).message;
  }
  throw new Error('the folder was accepted');
}

describe('field types', () => {
  const cases: [type: string, content: string, expected: Partial<FieldDescribe>][] = [
    ['Text', '<length>80</length>', { type: 'string', length: 80, byteLength: 240 }],
    ['TextArea', '', { type: 'textarea', length: 255, extraTypeInfo: 'plaintextarea', filterable: true }],
    [
      'LongTextArea',
      '<length>32768</length><visibleLines>3</visibleLines>',
      { type: 'textarea', length: 32768, byteLength: 98304, filterable: false },
    ],
    [
      'Html',
      '<length>1000</length><visibleLines>9</visibleLines>',
      { type: 'textarea', htmlFormatted: true, extraTypeInfo: 'richtextarea' },
    ],
    ['Number', '<precision>18</precision><scale>0</scale>', { type: 'double', soapType: 'xsd:double', precision: 18, scale: 0 }],
    ['Currency', '<precision>16</precision><scale>2</scale>', { type: 'currency', precision: 16, scale: 2 }],
    ['Percent', '<precision>5</precision><scale>1</scale>', { type: 'percent', precision: 5, scale: 1 }],
    [
      'Checkbox',
      '<defaultValue>true</defaultValue>',
      { type: 'boolean', defaultValue: true, nillable: false, defaultedOnCreate: true },
    ],
    ['Date', '', { type: 'date', soapType: 'xsd:date' }],
    ['DateTime', '', { type: 'datetime', soapType: 'xsd:dateTime' }],
    ['Time', '', { type: 'time', soapType: 'xsd:time' }],
    ['Email', '', { type: 'email', length: 80 }],
    ['Phone', '', { type: 'phone', length: 40 }],
    ['Url', '', { type: 'url', length: 255 }],
    [
      'AutoNumber',
      '<displayFormat>{00000}</displayFormat>',
      { type: 'string', autoNumber: true, createable: false, updateable: false, nillable: false },
    ],
  ];
  test.each(cases)(
    `%s ${evidence('documented', 'Metadata API Developer Guide, CustomField; field lengths recorded')}`,
    (type, content, expected) => {
      const { field, loaded } = accountField(`<type>${type}</type>${content}`);
      expect(field).toMatchObject({ ...expected, custom: true, label: 'Probe', name: 'Probe__c' });
      expect(loaded).toMatchObject({ objects: [], fields: ['Account.Probe__c'], notes: [] });
    },
  );

  test(`an external id is unique, found by value, and may tell cases apart ${evidence('recorded', 'describe of Contact, Custom_External_ID__c')}`, () => {
    const { field } = accountField(
      '<type>Text</type><length>191</length><externalId>true</externalId><unique>true</unique><caseSensitive>true</caseSensitive>',
    );
    expect(field).toMatchObject({ externalId: true, idLookup: true, unique: true, caseSensitive: true });
  });

  test(`a required field refuses null and cannot be hidden ${evidence('documented', 'Metadata API Developer Guide, CustomField')}`, () => {
    expect(accountField('<type>Email</type><required>true</required>').field).toMatchObject({
      nillable: false,
      permissionable: false,
    });
  });

  test(`picklists keep order, default, inactive values and restriction ${evidence('recorded', 'describe of Contact, picklist_field__c')}`, () => {
    const { field } = accountField(
      '<type>Picklist</type><valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>' +
        '<value><fullName>r</fullName><default>false</default><label>Red &amp; more</label></value>' +
        '<value><fullName>007</fullName><default>true</default><label>Bond</label></value>' +
        '<value><fullName>old</fullName><default>false</default><label>old</label><isActive>false</isActive></value>' +
        '</valueSetDefinition></valueSet>',
    );
    expect(field).toMatchObject({
      type: 'picklist',
      length: 255,
      restrictedPicklist: true,
      defaultValue: '007',
      defaultedOnCreate: true,
    });
    expect(field.picklistValues.map(({ value, label, active }) => [value, label, active])).toEqual([
      ['r', 'Red & more', true],
      ['007', 'Bond', true],
      ['old', 'old', false],
    ]);
  });

  test(`a multi-select picklist is wide, and its precision is its lines ${evidence('recorded', 'describe, multipicklist 4099/4099')}`, () => {
    const { field } = accountField(
      '<type>MultiselectPicklist</type><visibleLines>4</visibleLines><valueSet><valueSetDefinition>' +
        '<value><fullName>a</fullName><default>false</default></value></valueSetDefinition></valueSet>',
    );
    expect(field).toMatchObject({
      type: 'multipicklist',
      length: 4099,
      byteLength: 4099,
      precision: 4,
      restrictedPicklist: false,
    });
  });

  test(`a global value set gives its values; a missing one is said and accepts all ${evidence('documented', 'Metadata API Developer Guide, GlobalValueSet')}`, () => {
    put(
      'gvs/Sizes.globalValueSet-meta.xml',
      xml(
        'GlobalValueSet',
        '<customValue><fullName>S</fullName><default>false</default></customValue><masterLabel>Sizes</masterLabel><sorted>false</sorted>',
      ),
    );
    putField('Contact', 'Lost__c', '<label>L</label><type>Picklist</type><valueSet><valueSetName>Gone</valueSetName></valueSet>');
    putField(
      'Account',
      'Probe__c',
      '<label>P</label><type>Picklist</type><valueSet><valueSetName>Sizes</valueSetName></valueSet>',
    );
    const schema = createSchema();
    const { notes } = loadSourceFolder(schema, folder);
    expect(schema.field('Account', 'Probe__c')).toMatchObject({ restrictedPicklist: true, picklistValues: [{ value: 'S' }] });
    expect(schema.field('Contact', 'Lost__c')).toMatchObject({ restrictedPicklist: false, picklistValues: [] });
    expect(notes.map((note) => note.message)).toEqual([expect.stringContaining('Gone')]);
  });

  test(`a dependent picklist marks who allows which value, first bit first ${evidence('documented', 'SOAP API Developer Guide, PicklistEntry validFor')}`, () => {
    const value = (name: string) => `<value><fullName>${name}</fullName><default>false</default></value>`;
    putField(
      'Account',
      'Continent__c',
      `<label>C</label><type>Picklist</type><valueSet><valueSetDefinition>${value('EU')}${value('AS')}</valueSetDefinition></valueSet>`,
    );
    putField(
      'Account',
      'Country__c',
      `<label>C</label><type>Picklist</type><valueSet><controllingField>Continent__c</controllingField><valueSetDefinition>${value('FR')}${value('JP')}${value('TR')}</valueSetDefinition>` +
        '<valueSettings><controllingFieldValue>EU</controllingFieldValue><valueName>FR</valueName></valueSettings>' +
        '<valueSettings><controllingFieldValue>AS</controllingFieldValue><valueName>JP</valueName></valueSettings>' +
        '<valueSettings><controllingFieldValue>EU</controllingFieldValue><controllingFieldValue>AS</controllingFieldValue><valueName>TR</valueName></valueSettings></valueSet>',
    );
    const schema = createSchema();
    loadSourceFolder(schema, folder);
    const field = schema.field('Account', 'Country__c')!;
    expect(field).toMatchObject({ dependentPicklist: true, controllerName: 'Continent__c' });
    expect(field.picklistValues.map((entry) => Buffer.from(entry.validFor!, 'base64')[0])).toEqual([
      0b1000_0000, 0b0100_0000, 0b1100_0000,
    ]);
  });

  test(`formulas and roll-ups are read only; how they are calculated is handed on ${evidence('documented', 'Metadata API Developer Guide, CustomField')}`, () => {
    putField(
      'Account',
      'Total__c',
      '<label>T</label><type>Summary</type><summarizedField>X__c.Y__c</summarizedField><summaryForeignKey>X__c.A__c</summaryForeignKey><summaryOperation>sum</summaryOperation>',
    );
    const { field, loaded } = accountField(
      '<type>Checkbox</type><formula>ISBLANK( Name ) &amp;&amp; 1 &lt; 2</formula><formulaTreatBlanksAs>BlankAsZero</formulaTreatBlanksAs>',
    );
    expect(field).toMatchObject({
      calculated: true,
      calculatedFormula: 'ISBLANK( Name ) && 1 < 2',
      formulaTreatNullNumberAsZero: true,
      createable: false,
      updateable: false,
      nillable: true,
      defaultValue: null,
    });
    expect(loaded.fields).toEqual(['Account.Probe__c', 'Account.Total__c']);
    expect(loaded.notes).toEqual([]);
    expect(loaded.calculated).toMatchObject([
      { object: 'Account', field: 'Probe__c', calculation: { kind: 'formula', blanksAsZero: true } },
      {
        object: 'Account',
        field: 'Total__c',
        calculation: { kind: 'roll-up', child: 'X__c', reference: 'A__c', operation: 'sum', summarized: 'Y__c', filters: [] },
      },
    ]);
  });

  test(`default values: literals count, formulas are shown and reported ${evidence('assumed', 'literal defaults also appear as defaultValue')}`, () => {
    putField('Account', 'Day__c', '<label>D</label><type>Date</type><defaultValue>TODAY() + 7</defaultValue>');
    const { field, loaded } = accountField('<type>Text</type><length>9</length><defaultValue>"a \\"b\\""</defaultValue>');
    expect(field).toMatchObject({ defaultValue: 'a "b"', defaultValueFormula: '"a \\"b\\""', defaultedOnCreate: true });
    expect(loaded.notes.map(({ file, element }) => [file, element])).toEqual([
      ['main/default/objects/Account/fields/Day__c.field-meta.xml', 'CustomField.defaultValue'],
    ]);
  });

  test(`a geolocation comes with its two parts ${evidence('documented', 'SOQL and SOSL Reference, Location-Based SOQL Queries')}`, () => {
    putField(
      'Account',
      'Place__c',
      '<label>Place</label><type>Location</type><scale>6</scale><displayLocationInDecimal>true</displayLocationInDecimal>',
    );
    const schema = createSchema();
    expect(loadSourceFolder(schema, folder).fields).toEqual([
      'Account.Place__c',
      'Account.Place__Latitude__s',
      'Account.Place__Longitude__s',
    ]);
    expect(schema.field('Account', 'Place__Latitude__s')).toMatchObject({
      type: 'double',
      scale: 6,
      compoundFieldName: 'Place__c',
    });
  });
});

describe('objects', () => {
  test(`a custom object gets an id prefix, a name, an owner and the system fields ${evidence('documented', 'Object Reference, Custom Objects')}`, () => {
    putObject('Widget__c', widget);
    putObject('Gadget__c', widget.replace('<type>Text</type>', '<type>AutoNumber</type><displayFormat>G-{0000}</displayFormat>'));
    putField(
      'Widget__c',
      'Account__c',
      '<label>A</label><type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Widgets</relationshipName><deleteConstraint>Restrict</deleteConstraint>',
    );
    const schema = createSchema();
    expect(loadSourceFolder(schema, folder)).toMatchObject({
      objects: ['Gadget__c', 'Widget__c'],
      fields: ['Widget__c.Account__c'],
      notes: [expect.objectContaining({ element: 'CustomObject.nameField.displayFormat' })],
    });
    const object = schema.object('widget__c')!;
    expect(object).toMatchObject({ label: 'Widget', labelPlural: 'Widgets', custom: true, searchable: true, feedEnabled: false });
    expect(object.fields.map((field) => field.name)).toEqual([
      ...['Id', 'OwnerId', 'IsDeleted', 'Name', 'CreatedDate', 'CreatedById', 'LastModifiedDate', 'LastModifiedById'],
      ...['SystemModstamp', 'LastViewedDate', 'LastReferencedDate', 'Account__c'],
    ]);
    expect(schema.objects.filter((other) => other.custom).map((other) => other.keyPrefix)).toEqual(['a00', 'a01']);
    expect(schema.field('Gadget__c', 'Name')).toMatchObject({ autoNumber: true, createable: false });
    expect(schema.field('Widget__c', 'Account__c')).toMatchObject({
      relationshipName: 'Account__r',
      restrictedDelete: true,
      nillable: true,
    });
    expect(schema.object('Account')!.childRelationships.find((child) => child.childSObject === 'Widget__c')).toMatchObject({
      relationshipName: 'Widgets__r',
      restrictedDelete: true,
    });
  });

  test(`one file with inline fields is the same as many files ${evidence('documented', 'Salesforce DX Developer Guide, source format')}`, () => {
    const field = (name: string) => `<fields><fullName>${name}</fullName><label>${name}</label><type>Date</type></fields>`;
    put('objects/Widget__c.object', xml('CustomObject', `${field('One__c')}${field('Two__c')}${widget}`));
    const schema = createSchema();
    const inline = loadSourceFolder(schema, folder);
    rmSync(join(folder, 'objects'), { recursive: true });
    putObject('Widget__c', widget);
    for (const name of ['One__c', 'Two__c']) putField('Widget__c', name, `<label>${name}</label><type>Date</type>`);
    const decomposed = createSchema();
    expect(loadSourceFolder(decomposed, folder)).toEqual(inline);
    expect(decomposed.object('Widget__c')).toEqual(schema.object('Widget__c'));
  });

  test(`a detail has no owner of its own and goes with its master ${evidence('documented', 'Object Reference, Master-Detail')}`, () => {
    putObject('Widget__c', widget);
    putField(
      'Widget__c',
      'Account__c',
      '<label>A</label><type>MasterDetail</type><referenceTo>Account</referenceTo><relationshipName>Widgets</relationshipName><relationshipOrder>0</relationshipOrder><reparentableMasterDetail>false</reparentableMasterDetail><writeRequiresMasterRead>false</writeRequiresMasterRead>',
    );
    const schema = createSchema();
    loadSourceFolder(schema, folder);
    expect(schema.field('Widget__c', 'OwnerId')).toBeUndefined();
    expect(schema.field('Widget__c', 'Account__c')).toMatchObject({
      nillable: false,
      updateable: false,
      cascadeDelete: true,
      relationshipOrder: 0,
    });
    expect(schema.object('Account')!.childRelationships.find((child) => child.childSObject === 'Widget__c')?.cascadeDelete).toBe(
      true,
    );
  });

  test('loading again adds what is new and keeps the rest', () => {
    putObject('Widget__c', widget);
    putField('Widget__c', 'One__c', '<label>1</label><type>Date</type>');
    const schema = createSchema();
    loadSourceFolder(schema, folder);
    putField('Widget__c', 'Two__c', '<label>2</label><type>Date</type>');
    expect(loadSourceFolder(schema, folder).objects).toEqual([]);
    expect(schema.object('Widget__c')).toMatchObject({ keyPrefix: 'a00' });
    expect(
      schema
        .object('Widget__c')!
        .fields.slice(-2)
        .map((field) => field.name),
    ).toEqual(['One__c', 'Two__c']);
  });
});

describe('platform events and channels', () => {
  const channel = 'main/default/platformEventChannels/Sales__chn.platformEventChannel-meta.xml';
  const putMember = (name: string, content: string) =>
    put(
      `main/default/platformEventChannelMembers/${name}.platformEventChannelMember-meta.xml`,
      xml('PlatformEventChannelMember', content),
    );

  test(`a platform event is published and cannot be read ${evidence('documented', 'Platform Events Developer Guide, Platform Event Fields')}`, () => {
    putObject(
      'Ping__e',
      '<label>Ping</label><eventType>HighVolume</eventType><publishBehavior>PublishAfterCommit</publishBehavior>',
    );
    putObject('Pong__e', '<label>Pong</label><eventType>HighVolume</eventType>');
    putField(
      'Ping__e',
      'Count__c',
      '<label>C</label><type>Number</type><precision>5</precision><scale>0</scale><required>true</required>',
    );
    putField('Ping__e', 'Whom__c', '<label>W</label><type>Lookup</type><referenceTo>Account</referenceTo>');
    const schema = createSchema();
    const { platformEvents, fields, notes } = loadSourceFolder(schema, folder);
    expect(platformEvents).toEqual([
      { name: 'Ping__e', publishBehavior: 'afterCommit' },
      { name: 'Pong__e', publishBehavior: 'immediately' },
    ]);
    expect(fields).toEqual(['Ping__e.Count__c']);
    expect(notes.map(({ message }) => message)).toEqual(['platform events have no fields of type reference: left out']);
    const ping = schema.object('Ping__e')!;
    expect(ping).toMatchObject({ keyPrefix: 'e00', custom: true, createable: true, queryable: false, updateable: false });
    expect(schema.object('Pong__e')!.keyPrefix).toBe('e01');
    expect(ping.fields.map(({ name }) => name)).toEqual(['ReplayId', 'CreatedDate', 'CreatedById', 'EventUuid', 'Count__c']);
    expect(schema.field('Ping__e', 'Count__c')).toMatchObject({ type: 'double', nillable: false });
  });

  test(`members are joined to their channels; those of ChangeEvents are the selected objects ${evidence('documented', 'Metadata API Developer Guide, PlatformEventChannelMember')}`, () => {
    put(channel, xml('PlatformEventChannel', '<channelType>data</channelType><label>Sales</label>'));
    putMember(
      'ChangeEvents_Contact',
      '<eventChannel>ChangeEvents</eventChannel><selectedEntity>ContactChangeEvent</selectedEntity>',
    );
    putMember(
      'Sales_Account',
      '<enrichedFields><name>Phone</name></enrichedFields><enrichedFields><name>Type</name></enrichedFields>' +
        "<eventChannel>Sales__chn</eventChannel><filterExpression>Industry = 'Banking'</filterExpression>" +
        '<selectedEntity>AccountChangeEvent</selectedEntity>',
    );
    const { channels, selectedChangeEvents, notes } = loadSourceFolder(createSchema(), folder);
    expect(channels).toEqual([
      {
        name: 'Sales__chn',
        label: 'Sales',
        kind: 'change',
        members: [
          { eventName: 'AccountChangeEvent', enrichedFields: ['Phone', 'Type'], filterExpression: "Industry = 'Banking'" },
        ],
      },
    ]);
    expect(selectedChangeEvents).toEqual(['ContactChangeEvent']);
    expect(notes).toEqual([]);
  });

  test(`a member of an unknown channel and a channel of an unknown type refuse the folder ${evidence('assumed', 'a deployment would be refused')}`, () => {
    put(channel, xml('PlatformEventChannel', '<channelType>radio</channelType>'));
    putMember('A', '<eventChannel>Other__chn</eventChannel><selectedEntity>AccountChangeEvent</selectedEntity>');
    const problems = problemsOf(() => loadSourceFolder(createSchema(), folder));
    expect(problems).toContain('<PlatformEventChannel.channelType> is "radio"');
    expect(problems).toContain('<PlatformEventChannelMember.eventChannel> names Other__chn');
  });
});

describe('what is left out is said', () => {
  test(`metadata types, other metadata, standard fields, unknown elements and targets ${evidence('assumed', 'a limit of the emulator')}`, () => {
    putObject('Ping__mdt', '<label>Ping</label>');
    putObject('Widget__c', `${widget}<brandNewThing>1</brandNewThing>`);
    putField('Account', 'Industry', '<type>Picklist</type>');
    putField(
      'Account',
      'Probe__c',
      '<label>P</label><type>Lookup</type><referenceTo>Nowhere__c</referenceTo><lookupFilter><active>true</active></lookupFilter>',
    );
    putField('Quote', 'Extra__c', '<label>E</label><type>Date</type>');
    put('main/default/objects/Account/listViews/All.listView-meta.xml', xml('ListView', ''));
    put('main/default/objects/Account/listViews/Mine.listView-meta.xml', xml('ListView', ''));
    const { notes, objects, fields } = loadSourceFolder(createSchema(), folder);
    expect({ objects, fields }).toEqual({ objects: ['Widget__c'], fields: ['Account.Probe__c'] });
    const said = notes.map((note) => `${note.file.replace('main/default/objects/', '')} <${note.element}> ${note.message}`);
    expect(said.sort()).toEqual([
      'Account/fields/Industry.field-meta.xml <> Industry is a standard field: its settings are not used',
      'Account/fields/Probe__c.field-meta.xml <CustomField.lookupFilter> is not enforced',
      'Account/fields/Probe__c.field-meta.xml <CustomField.referenceTo> names Nowhere__c, which this org does not hold: the field takes ids and cannot be followed',
      'Account/listViews/All.listView-meta.xml <> metadata of type listView is not supported: left out (and 1 more of this kind)',
      'Ping__mdt/Ping__mdt.object-meta.xml <> Ping__mdt is a custom metadata type, which is not supported yet: left out',
      'Quote/fields/Extra__c.field-meta.xml <> Quote is not an object of this org: left out',
      'Widget__c/Widget__c.object-meta.xml <CustomObject.brandNewThing> is not used here',
    ]);
  });
});

describe('a folder with mistakes is refused whole', () => {
  const file = 'main/default/objects/Account/fields/Probe__c.field-meta.xml';
  const mistakes: [what: string, content: string, message: string][] = [
    ['no type', '', '<CustomField.type> is missing'],
    ['an unknown type', '<type>Hologram</type>', '<CustomField.type> is "Hologram"'],
    ['no length', '<type>Text</type>', '<CustomField.length> is missing'],
    [
      'a length out of range',
      '<type>Text</type><length>256</length>',
      '<CustomField.length> is "256": a whole number from 1 to 255',
    ],
    ['a length that is no number', '<type>Text</type><length>1e2</length>', '<CustomField.length> is "1e2"'],
    [
      'a scale beyond the precision',
      '<type>Number</type><precision>2</precision><scale>3</scale>',
      '<CustomField.scale> is 3, more than',
    ],
    ['no truth value', '<type>Date</type><required>yes</required>', '<CustomField.required> is "yes": true or false'],
    ['no target', '<type>Lookup</type>', '<CustomField.referenceTo> is missing'],
    ['no values', '<type>Picklist</type>', '<CustomField.valueSet> is missing'],
    ['an element twice', '<type>Date</type><type>Text</type>', '<CustomField.type> occurs more than once'],
    [
      'a nameless value',
      '<type>Picklist</type><valueSet><valueSetDefinition><value><default>false</default></value></valueSetDefinition></valueSet>',
      '<CustomField.valueSet.valueSetDefinition.value.fullName> is missing',
    ],
    [
      'an unknown constraint',
      '<type>Lookup</type><referenceTo>Account</referenceTo><deleteConstraint>Explode</deleteConstraint>',
      '<CustomField.deleteConstraint> is "Explode"',
    ],
    [
      'a text default for a number',
      '<type>Number</type><precision>2</precision><scale>0</scale><defaultValue>"x"</defaultValue>',
      '<CustomField.defaultValue> is a text',
    ],
  ];
  test.each(mistakes)('%s', (_, content, message) => {
    putField('Account', 'Probe__c', content);
    expect(problemsOf(() => loadSourceFolder(createSchema(), folder))).toContain(`${file}: ${message}`);
  });

  test('XML that is cut off names the place', () => {
    put(file, xml('CustomField', '<fullName>Probe__c</fullName>').slice(0, -20));
    expect(problemsOf(() => loadSourceFolder(createSchema(), folder))).toMatch(
      /Probe__c\.field-meta\.xml: is not well-formed XML at \d+:\d+: /,
    );
  });

  test('another root, another name, a second declaration, an unknown object, a lost controller', () => {
    put('objects/Account/fields/A__c.field-meta.xml', xml('CustomObject', ''));
    put('objects/Account/fields/B__c.field-meta.xml', xml('CustomField', '<fullName>C__c</fullName>'));
    putField('Account', 'D__c', '<label>D</label><type>Date</type>');
    put('other/Account/fields/D__c.field-meta.xml', xml('CustomField', '<fullName>D__c</fullName><type>Date</type>'));
    putField('Widget__c', 'E__c', '<label>E</label><type>Date</type>');
    putField(
      'Contact',
      'F__c',
      '<label>F</label><type>Picklist</type><valueSet><controllingField>Gone__c</controllingField><valueSetDefinition/></valueSet>',
    );
    const message = problemsOf(() => loadSourceFolder(createSchema(), folder));
    expect(message).toContain('A__c.field-meta.xml: <CustomObject> is the root: CustomField was expected');
    expect(message).toContain("B__c.field-meta.xml: <CustomField.fullName> is C__c, unlike the file's name");
    expect(message).toContain(
      'other/Account/fields/D__c.field-meta.xml: <CustomField.fullName> is D__c, which main/default/objects',
    );
    expect(message).toContain('E__c.field-meta.xml: is a field of Widget__c, which neither the folder nor the org defines');
    expect(message).toContain(
      'F__c.field-meta.xml: <CustomField.valueSet.controllingField> names Gone__c, which Contact does not have',
    );
  });

  test('nothing of it is taken over, not even the good files', () => {
    putObject('Widget__c', widget);
    putField('Account', 'Probe__c', '<type>Hologram</type>');
    const schema = createSchema({ now: () => 7 });
    problemsOf(() => loadSourceFolder(schema, folder));
    expect(schema.object('Widget__c')).toBeUndefined();
  });

  test('a folder that does not exist', () => {
    expect(problemsOf(() => loadSourceFolder(createSchema(), join(folder, 'nowhere')))).toContain('does not exist');
  });
});
