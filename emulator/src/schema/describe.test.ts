// Clients build tables, mappings and writes from describe: what is missing there is missing everywhere after.
import { describe, expect, test } from 'vitest';
import { evidence } from '../evidence.ts';
import { describeBasic, describeGlobal, describeObject } from './describe.ts';
import { createSchema } from './schema.ts';

const schema = createSchema();

const fieldAttributes = [
  ...['aggregatable', 'aiPredictionField', 'autoNumber', 'byteLength', 'calculated', 'calculatedFormula', 'cascadeDelete'],
  ...['caseSensitive', 'compoundFieldName', 'controllerName', 'createable', 'custom', 'defaultValue', 'defaultValueFormula'],
  ...['defaultedOnCreate', 'dependentPicklist', 'deprecatedAndHidden', 'digits', 'displayLocationInDecimal', 'encrypted'],
  ...['externalId', 'extraTypeInfo', 'filterable', 'filteredLookupInfo', 'formulaTreatNullNumberAsZero', 'groupable'],
  ...[
    'highScaleNumber',
    'htmlFormatted',
    'idLookup',
    'inlineHelpText',
    'label',
    'length',
    'mask',
    'maskType',
    'name',
    'nameField',
  ],
  ...['namePointing', 'nillable', 'permissionable', 'picklistValues', 'polymorphicForeignKey', 'precision', 'queryByDistance'],
  ...['referenceTargetField', 'referenceTo', 'relationshipName', 'relationshipOrder', 'restrictedDelete', 'restrictedPicklist'],
  ...['scale', 'searchPrefilterable', 'soapType', 'sortable', 'type', 'unique', 'updateable', 'writeRequiresMasterRead'],
];
const objectAttributes = [
  ...[
    'actionOverrides',
    'activateable',
    'associateEntityType',
    'associateParentEntity',
    'childRelationships',
    'compactLayoutable',
  ],
  ...['createable', 'custom', 'customSetting', 'deepCloneable', 'defaultImplementation', 'deletable', 'deprecatedAndHidden'],
  ...['extendedBy', 'extendsInterfaces', 'feedEnabled', 'fields', 'hasSubtypes', 'implementedBy', 'implementsInterfaces'],
  ...['isInterface', 'isSubtype', 'keyPrefix', 'label', 'labelPlural', 'layoutable', 'listviewable', 'lookupLayoutable'],
  ...['mergeable', 'mruEnabled', 'name', 'namedLayoutInfos', 'networkScopeFieldName', 'queryable', 'recordTypeInfos'],
  ...['replicateable', 'retrieveable', 'searchLayoutable', 'searchable', 'sobjectDescribeOption', 'supportedScopes'],
  ...['triggerable', 'undeletable', 'updateable', 'urls'],
];
const globalAttributes = [
  ...['activateable', 'associateEntityType', 'associateParentEntity', 'createable', 'custom', 'customSetting', 'deepCloneable'],
  ...['deletable', 'deprecatedAndHidden', 'feedEnabled', 'hasSubtypes', 'isInterface', 'isSubtype', 'keyPrefix', 'label'],
  ...['labelPlural', 'layoutable', 'mergeable', 'mruEnabled', 'name', 'queryable', 'replicateable', 'retrieveable', 'searchable'],
  ...['triggerable', 'undeletable', 'updateable', 'urls'],
];

describe('sObject Describe', () => {
  test(`carries every attribute, in order, for every object and field ${evidence('recorded', 'describe of Contact, API 52')}`, () => {
    for (const { name } of schema.objects) {
      const described = describeObject(schema, name, 'v62.0')!;
      expect(Object.keys(described), name).toEqual(objectAttributes);
      for (const field of described.fields as object[]) expect(Object.keys(field), name).toEqual(fieldAttributes);
    }
  });

  test(`links to its resources with the version that was asked for ${evidence('recorded', 'describe of Account, API 42')}`, () => {
    expect(describeObject(schema, 'account', 'v61.0', 'https://emu.example.com')!.urls).toEqual({
      compactLayouts: '/services/data/v61.0/sobjects/Account/describe/compactLayouts',
      rowTemplate: '/services/data/v61.0/sobjects/Account/{ID}',
      approvalLayouts: '/services/data/v61.0/sobjects/Account/describe/approvalLayouts',
      uiDetailTemplate: 'https://emu.example.com/{ID}',
      uiEditTemplate: 'https://emu.example.com/{ID}/e',
      listviews: '/services/data/v61.0/sobjects/Account/listviews',
      describe: '/services/data/v61.0/sobjects/Account/describe',
      uiNewRecord: 'https://emu.example.com/001/e',
      quickActions: '/services/data/v61.0/sobjects/Account/quickActions',
      layouts: '/services/data/v61.0/sobjects/Account/describe/layouts',
      sobject: '/services/data/v61.0/sobjects/Account',
    });
  });

  test(`shows the field from which all writes start ${evidence('recorded', 'describe of Lead, API 42')}`, () => {
    const fields = describeObject(schema, 'Lead', 'v62.0')!.fields as { name: string }[];
    expect(fields.find((field) => field.name === 'Status')).toMatchObject({
      type: 'picklist',
      soapType: 'xsd:string',
      length: 40,
      byteLength: 120,
      createable: true,
      updateable: true,
      nillable: false,
      defaultedOnCreate: true,
      permissionable: false,
      defaultValue: 'Open - Not Contacted',
      picklistValues: [
        { active: true, defaultValue: true, label: 'Open - Not Contacted', validFor: null, value: 'Open - Not Contacted' },
        { active: true, defaultValue: false, label: 'Working - Contacted', validFor: null, value: 'Working - Contacted' },
        { active: true, defaultValue: false, label: 'Closed - Converted', validFor: null, value: 'Closed - Converted' },
        { active: true, defaultValue: false, label: 'Closed - Not Converted', validFor: null, value: 'Closed - Not Converted' },
      ],
    });
    expect(fields.find((field) => field.name === 'OwnerId')).toMatchObject({
      referenceTo: ['Group', 'User'],
      polymorphicForeignKey: true,
      namePointing: true,
      relationshipName: 'Owner',
    });
  });

  test('does not know what the org does not hold', () => {
    expect(describeObject(schema, 'Nothing__c', 'v62.0')).toBeUndefined();
    expect(describeBasic(schema, 'Nothing__c', 'v62.0')).toBeUndefined();
  });
});

describe('Describe Global', () => {
  test(`lists every object with every attribute ${evidence('recorded', 'describeGlobal, API 52')}`, () => {
    const { encoding, maxBatchSize, sobjects } = describeGlobal(schema, 'v62.0');
    expect({ encoding, maxBatchSize }).toEqual({ encoding: 'UTF-8', maxBatchSize: 200 });
    expect(sobjects.map((entry) => entry.name)).toEqual(schema.objects.map((object) => object.name).sort());
    for (const entry of sobjects) expect(Object.keys(entry)).toEqual(globalAttributes);
  });

  test(`gives objects without a page fewer resources ${evidence('recorded', 'describeGlobal, API 52')}`, () => {
    const of = (name: string) =>
      Object.keys(describeGlobal(schema, 'v52.0').sobjects.find((entry) => entry.name === name)!.urls as object);
    expect(of('UserRole')).toEqual(['compactLayouts', 'rowTemplate', 'describe', 'sobject']);
    expect(of('Organization')).toEqual(['rowTemplate', 'describe', 'sobject']);
    expect(of('OpportunityContactRole')).toEqual([
      'compactLayouts',
      'rowTemplate',
      'describe',
      'quickActions',
      'layouts',
      'sobject',
    ]);
  });

  test(`one object alone comes with what was looked at lately ${evidence('documented', 'REST API Developer Guide, sObject Basic Information')}`, () => {
    const basic = describeBasic(schema, 'contact', 'v62.0', [{ Id: '003000000000001AAA' }])!;
    expect(basic.objectDescribe).toEqual(describeGlobal(schema, 'v62.0').sobjects.find((entry) => entry.name === 'Contact'));
    expect(basic.recentItems).toEqual([{ Id: '003000000000001AAA' }]);
  });
});
