/**
 * The shapes of describe replies, and the compact form in which objects are declared here.
 * Attribute names are the API's own (REST guide, "sObject Describe"), so that a describe is a rendering and not a translation.
 */

export type FieldType =
  | 'id'
  | 'reference'
  | 'string'
  | 'phone'
  | 'email'
  | 'url'
  | 'picklist'
  | 'multipicklist'
  | 'combobox'
  | 'textarea'
  | 'boolean'
  | 'int'
  | 'double'
  | 'currency'
  | 'percent'
  | 'date'
  | 'datetime'
  | 'time'
  | 'address'
  | 'location'
  | 'base64'
  | 'encryptedstring'
  | 'anyType';

export interface PicklistValue {
  active: boolean;
  defaultValue: boolean;
  label: string;
  validFor: string | null;
  value: string;
}

/** One field as `/describe` answers it: every attribute that recorded describes carry. */
export interface FieldDescribe {
  aggregatable: boolean;
  aiPredictionField: boolean;
  autoNumber: boolean;
  byteLength: number;
  calculated: boolean;
  calculatedFormula: string | null;
  cascadeDelete: boolean;
  caseSensitive: boolean;
  compoundFieldName: string | null;
  controllerName: string | null;
  createable: boolean;
  custom: boolean;
  defaultValue: unknown;
  defaultValueFormula: string | null;
  defaultedOnCreate: boolean;
  dependentPicklist: boolean;
  deprecatedAndHidden: boolean;
  digits: number;
  displayLocationInDecimal: boolean;
  encrypted: boolean;
  externalId: boolean;
  extraTypeInfo: string | null;
  filterable: boolean;
  filteredLookupInfo: unknown;
  formulaTreatNullNumberAsZero: boolean;
  groupable: boolean;
  highScaleNumber: boolean;
  htmlFormatted: boolean;
  idLookup: boolean;
  inlineHelpText: string | null;
  label: string;
  length: number;
  mask: string | null;
  maskType: string | null;
  name: string;
  nameField: boolean;
  namePointing: boolean;
  nillable: boolean;
  permissionable: boolean;
  picklistValues: PicklistValue[];
  polymorphicForeignKey: boolean;
  precision: number;
  queryByDistance: boolean;
  referenceTargetField: string | null;
  referenceTo: string[];
  relationshipName: string | null;
  relationshipOrder: number | null;
  restrictedDelete: boolean;
  restrictedPicklist: boolean;
  scale: number;
  searchPrefilterable: boolean;
  soapType: string;
  sortable: boolean;
  type: FieldType;
  unique: boolean;
  updateable: boolean;
  writeRequiresMasterRead: boolean;
}

export interface ChildRelationship {
  cascadeDelete: boolean;
  childSObject: string;
  deprecatedAndHidden: boolean;
  field: string;
  junctionIdListNames: string[];
  junctionReferenceTo: string[];
  relationshipName: string | null;
  restrictedDelete: boolean;
}

/** One object: what the org needs to store it and what `/describe` needs to show it. */
export interface ObjectDescribe {
  name: string;
  label: string;
  labelPlural: string;
  keyPrefix: string | null;
  custom: boolean;
  customSetting: boolean;
  createable: boolean;
  updateable: boolean;
  deletable: boolean;
  queryable: boolean;
  retrieveable: boolean;
  searchable: boolean;
  replicateable: boolean;
  undeletable: boolean;
  mergeable: boolean;
  layoutable: boolean;
  triggerable: boolean;
  feedEnabled: boolean;
  mruEnabled: boolean;
  fields: FieldDescribe[];
  childRelationships: ChildRelationship[];
}

/** How a reference looks from the parent's side. A relationship without a name cannot be used in a SOQL subquery. */
export interface ChildLink {
  relationshipName: string | null;
  cascadeDelete: boolean;
  restrictedDelete: boolean;
}

/** All objects of an org. Names are looked up without regard to case, as the API does. */
export interface Schema {
  readonly objects: readonly ObjectDescribe[];
  object(name: string): ObjectDescribe | undefined;
  field(object: string, field: string): FieldDescribe | undefined;
  /** The object whose ids begin with these three characters. */
  byKeyPrefix(prefix: string): ObjectDescribe | undefined;
  /** When any object last changed, epoch ms by the org's clock: `If-Modified-Since` on describe. */
  readonly changedAtMs: number;
  /**
   * Adds an object, or fields to one that exists (a field of the same name is replaced). A schema change of a running org.
   * `links` says how its references look from their parents; without it they have no name there and delete as the field says.
   */
  add(object: ObjectDescribe, links?: Readonly<Record<string, ChildLink>>): void;
  removeField(object: string, field: string): void;
  /** Called after each change, so that the org can alter its tables. */
  onChange(listener: (object: ObjectDescribe) => void): void;
}
