import { declareObject, type ObjectDeclaration, type Trait } from '../../schema/declare.ts';
import {
  checkbox,
  datetime,
  type FieldDeclaration,
  int,
  notNull,
  picklist,
  system,
  text,
  textarea,
} from '../../schema/fields.ts';
import { createSchema } from '../../schema/schema.ts';
import { audit, idField } from '../../schema/system-fields.ts';

/** The objects of the Tooling API that this org has (Tooling API guide, "Tooling API Objects"), by what they hold. */

const readOnly: readonly Trait[] = [
  'createable',
  'updateable',
  'deletable',
  'undeletable',
  'searchable',
  'replicateable',
  'layoutable',
  'triggerable',
  'feedEnabled',
  'mruEnabled',
];
const setUp = readOnly.filter((trait) => !['createable', 'updateable', 'deletable'].includes(trait));

const name = (field: string, label: string, length = 255) => text(field, label, length, system);
const flag = (field: string, label: string) => checkbox(field, label, system);
/** A value with an inner structure. Kept as JSON, and taken apart before it is shown. */
const complex = (field: string, label: string): FieldDeclaration => textarea(field, label, 131_072, system);
export const complexFields: readonly string[] = ['Metadata', 'ReferenceTo'];

/** A text that leads to the object's row in EntityDefinition, as an id would. */
const entityDefinition = (): FieldDeclaration =>
  text('EntityDefinitionId', 'Entity Definition ID', 70, system, {
    relationshipName: 'EntityDefinition',
    referenceTo: ['EntityDefinition'],
  });

const entityDefinitions = declareObject('EntityDefinition', { label: 'Entity Definition', keyPrefix: '4ie', without: readOnly }, [
  idField('Entity Definition ID'),
  name('DurableId', 'Durable ID'),
  datetime('LastModifiedDate', 'Last Modified Date', system),
  name('QualifiedApiName', 'Qualified API Name', 70),
  name('NamespacePrefix', 'Namespace Prefix', 15),
  name('DeveloperName', 'Developer Name', 40),
  name('MasterLabel', 'Master Label', 40),
  name('Label', 'Label', 80),
  name('PluralLabel', 'Plural Label', 80),
  name('KeyPrefix', 'Key Prefix', 3),
  name('PublisherId', 'Publisher ID', 70),
  name('DeploymentStatus', 'Deployment Status', 40),
  flag('IsCustomizable', 'Is Customizable?'),
  flag('IsCustomSetting', 'Is Custom Setting?'),
  flag('IsApexTriggerable', 'Is Apex Triggerable?'),
  flag('IsTriggerable', 'Is Triggerable?'),
  flag('IsWorkflowEnabled', 'Is Workflow Enabled?'),
  flag('IsProcessEnabled', 'Is Approval Process Enabled?'),
  flag('IsCompactLayoutable', 'Is Compact Layout Enabled?'),
  flag('IsLayoutable', 'Is Layoutable?'),
  flag('IsDeprecatedAndHidden', 'Is Deprecated And Hidden?'),
  flag('IsQueryable', 'Is Queryable?'),
  flag('IsRetrieveable', 'Is Retrieveable?'),
  flag('IsReplicateable', 'Is Replicateable?'),
  flag('IsSearchable', 'Is Searchable?'),
  flag('IsIdEnabled', 'Is ID Enabled?'),
  flag('IsEverCreatable', 'Is Ever Creatable?'),
  flag('IsEverUpdatable', 'Is Ever Updatable?'),
  flag('IsEverDeletable', 'Is Ever Deletable?'),
  flag('IsFeedEnabled', 'Is Feed Enabled?'),
  flag('IsMruEnabled', 'Is MRU Enabled?'),
]);

const fieldDefinitions = declareObject('FieldDefinition', { label: 'Field Definition', keyPrefix: '4fe', without: readOnly }, [
  idField('Field Definition ID'),
  name('DurableId', 'Durable ID'),
  datetime('LastModifiedDate', 'Last Modified Date', system),
  name('QualifiedApiName', 'Qualified API Name', 70),
  entityDefinition(),
  name('NamespacePrefix', 'Namespace Prefix', 15),
  name('DeveloperName', 'Developer Name', 40),
  name('MasterLabel', 'Master Label', 40),
  name('Label', 'Label', 80),
  int('Length', 'Length', 9, system),
  int('Precision', 'Precision', 9, system),
  int('Scale', 'Scale', 9, system),
  name('DataType', 'Data Type', 255),
  name('ExtraTypeInfo', 'Extra Type Info', 150),
  name('ValueTypeId', 'Data Type ID', 70),
  name('PublisherId', 'Publisher ID', 70),
  name('Description', 'Description', 1000),
  name('ControllingFieldDefinitionId', 'Controlling Field Definition ID', 150),
  name('RelationshipName', 'Relationship Name', 80),
  name('ReferenceTargetField', 'Reference Target Field', 80),
  complex('ReferenceTo', 'Entities Referenced by Relationship'),
  flag('IsCalculated', 'Is Calculated?'),
  flag('IsCompound', 'Is Compound?'),
  flag('IsHighScaleNumber', 'Is High Scale Number?'),
  flag('IsHtmlFormatted', 'Is HTML Formatted?'),
  flag('IsNameField', 'Is Name Field?'),
  flag('IsNillable', 'Is Nillable?'),
  flag('IsIndexed', 'Is Indexed?'),
  flag('IsApiFilterable', 'Is Field Filterable?'),
  flag('IsApiSortable', 'Is Field Sortable?'),
  flag('IsApiGroupable', 'Is Field Groupable?'),
  flag('IsFieldHistoryTracked', 'Is Field History Tracked?'),
  flag('IsPolymorphicForeignKey', 'Is Polymorphic Foreign Key?'),
  flag('IsSearchPrefilterable', 'Is Field Search Prefilterable?'),
]);

/** What every component of Setup has. */
const component = (label: string): FieldDeclaration[] => [
  idField(`${label} ID`),
  text('DeveloperName', 'Name', 80, system, notNull),
  picklist('Language', 'Master Language', 'en_US=English', system),
  text('MasterLabel', 'Label', 80, system, notNull),
  name('NamespacePrefix', 'Namespace Prefix', 15),
  picklist('ManageableState', 'Manageable State', 'unmanaged=Unmanaged', system),
  ...audit(),
  textarea('FullName', 'Full Name', 300, {}),
  complex('Metadata', 'Metadata'),
];

const channels = declareObject('PlatformEventChannel', { label: 'Platform Event Channel', keyPrefix: '0YL', without: setUp }, [
  ...component('Platform Event Channel'),
  picklist('ChannelType', 'Channel Type', 'event|data', system),
  picklist('EventType', 'Event Type', 'custom|data|monitoring|standard', system),
]);

const members = declareObject(
  'PlatformEventChannelMember',
  { label: 'Platform Event Channel Member', keyPrefix: '0v8', without: setUp },
  [
    ...component('Platform Event Channel Member'),
    text('EventChannel', 'Event Channel', 255, system),
    text('SelectedEntity', 'Selected Entity', 255, system),
    textarea('FilterExpression', 'Filter Expression', 131_072, system),
  ],
);

const subscriptions = declareObject(
  'ManagedEventSubscription',
  { label: 'Managed Event Subscription', keyPrefix: '18x', without: setUp },
  [
    ...component('Managed Event Subscription'),
    text('TopicName', 'Topic Name', 255, system),
    picklist('DefaultReplay', 'Default Replay', 'LATEST|EARLIEST', system),
    picklist('ErrorRecoveryReplay', 'Error Recovery Replay', 'LATEST|EARLIEST', system),
    picklist('State', 'State', 'RUN|STOP', system),
    text('Version', 'Version', 80, system),
  ],
);

export const toolingObjects: readonly ObjectDeclaration[] = [
  entityDefinitions,
  fieldDefinitions,
  channels,
  members,
  subscriptions,
];

export const toolingSchema = createSchema({ objects: toolingObjects });
