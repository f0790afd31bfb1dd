import type { Values } from '../../org/types.ts';
import type { FieldDescribe, ObjectDescribe, Schema } from '../../schema/types.ts';
import { dataTypeOf } from './data-type.ts';
import type { ToolingIds } from './ids.ts';

/** Rows of EntityDefinition and FieldDefinition: what describe tells, as records (Tooling API guide). */

/** Standard objects go by their names, others by an id that stays when they are renamed. */
const durableId = (object: ObjectDescribe, ids: ToolingIds) =>
  object.custom ? ids.of('01I', object.name).slice(0, 15) : object.name;

/** `Rating__c` is `Rating`; a standard lookup is known without its `Id`. */
function developerName(name: string, field?: FieldDescribe): string {
  if (field && !field.custom && field.type === 'reference') return name.replace(/Id$/, '');
  return name.replace(/__\w$/, '');
}

export function* entityRows(schema: Schema, ids: ToolingIds): Generator<Values> {
  for (const object of schema.objects) {
    const id = durableId(object, ids);
    yield {
      Id: id,
      DurableId: id,
      LastModifiedDate: null,
      QualifiedApiName: object.name,
      NamespacePrefix: null,
      DeveloperName: developerName(object.name),
      MasterLabel: object.label,
      Label: object.label,
      PluralLabel: object.labelPlural,
      KeyPrefix: object.keyPrefix,
      PublisherId: object.custom ? '<local>' : 'System',
      DeploymentStatus: object.custom ? 'Deployed' : null,
      IsCustomizable: object.custom || (object.createable && object.layoutable),
      IsCustomSetting: object.customSetting,
      IsApexTriggerable: object.triggerable,
      IsTriggerable: object.triggerable,
      IsWorkflowEnabled: object.triggerable && object.layoutable,
      IsProcessEnabled: object.triggerable && object.layoutable,
      IsCompactLayoutable: object.layoutable,
      IsLayoutable: object.layoutable,
      IsDeprecatedAndHidden: false,
      IsQueryable: object.queryable,
      IsRetrieveable: object.retrieveable,
      IsReplicateable: object.replicateable,
      IsSearchable: object.searchable,
      IsIdEnabled: object.keyPrefix !== null,
      IsEverCreatable: object.createable,
      IsEverUpdatable: object.updateable,
      IsEverDeletable: object.deletable,
      IsFeedEnabled: object.feedEnabled,
      IsMruEnabled: object.mruEnabled,
    };
  }
}

/** The parts of an address or a name are in the whole: FieldDefinition has what the Metadata API has. */
const isPart = ({ compoundFieldName, name }: FieldDescribe) => compoundFieldName !== null && compoundFieldName !== name;

export function* fieldRows(schema: Schema, ids: ToolingIds): Generator<Values> {
  for (const object of schema.objects) {
    const entity = durableId(object, ids);
    for (const field of object.fields) {
      if (isPart(field)) continue;
      const developer = developerName(field.name, field);
      const id = `${entity}.${field.custom ? ids.of('00N', `${object.name}.${field.name}`).slice(0, 15) : developer}`;
      yield fieldRow(field, { id, entity, developer });
    }
  }
}

function fieldRow(field: FieldDescribe, { id, entity, developer }: { id: string; entity: string; developer: string }): Values {
  return {
    Id: id,
    DurableId: id,
    LastModifiedDate: null,
    QualifiedApiName: field.name,
    EntityDefinitionId: entity,
    NamespacePrefix: null,
    DeveloperName: developer,
    MasterLabel: field.label,
    Label: field.label,
    Length: field.length,
    Precision: field.precision,
    Scale: field.scale,
    DataType: dataTypeOf(field),
    ExtraTypeInfo: field.extraTypeInfo,
    ValueTypeId: field.type,
    PublisherId: field.custom ? '<local>' : 'System',
    Description: null,
    ControllingFieldDefinitionId: field.controllerName,
    RelationshipName: field.relationshipName,
    ReferenceTargetField: field.referenceTargetField,
    ReferenceTo: JSON.stringify({ referenceTo: field.referenceTo.length > 0 ? field.referenceTo : null }),
    IsCalculated: field.calculated,
    IsCompound: field.type === 'address' || field.type === 'location' || field.compoundFieldName === field.name,
    IsHighScaleNumber: field.highScaleNumber,
    IsHtmlFormatted: field.htmlFormatted,
    IsNameField: field.nameField,
    IsNillable: field.nillable,
    IsIndexed: field.type === 'id' || field.type === 'reference' || field.externalId || field.unique || field.nameField,
    IsApiFilterable: field.filterable,
    IsApiSortable: field.sortable,
    IsApiGroupable: field.groupable,
    IsFieldHistoryTracked: false,
    IsPolymorphicForeignKey: field.polymorphicForeignKey,
    IsSearchPrefilterable: field.searchPrefilterable,
  };
}
