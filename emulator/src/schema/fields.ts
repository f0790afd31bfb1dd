import type { ChildLink, FieldDescribe, FieldType, PicklistValue } from './types.ts';

/**
 * Builders for field declarations. An object's file lists its fields with these; everything not said there follows from
 * the type, as it does in the describes of real orgs (REST guide, "sObject Describe"; checked against recorded describes).
 */

export interface FieldDeclaration {
  describe: FieldDescribe;
  /** Only for references. */
  link?: ChildLink;
}

export type Changes = Partial<FieldDescribe>;

// Words for the changes that recur in the tables.
/** Must be given on insert; such a field cannot be hidden by permissions. */
export const required: Changes = { nillable: false, permissionable: false };
export const readOnly: Changes = { createable: false, updateable: false };
/** Written by Salesforce itself and seen by everybody. */
export const system: Changes = { createable: false, updateable: false, permissionable: false };
/** Seen by everybody who sees the object. */
export const always: Changes = { permissionable: false };
export const notNull: Changes = { nillable: false };
export const restricted: Changes = { restrictedPicklist: true };
export const isName: Changes = { nameField: true };
export const idLookup: Changes = { idLookup: true };
export const defaulted: Changes = { defaultedOnCreate: true };
/** Only stored: cannot be filtered, sorted or grouped. */
const unsearchable: Changes = { filterable: false, sortable: false, groupable: false, aggregatable: false };

const soapTypes: Record<FieldType, string> = {
  id: 'tns:ID',
  reference: 'tns:ID',
  string: 'xsd:string',
  phone: 'xsd:string',
  email: 'xsd:string',
  url: 'xsd:string',
  picklist: 'xsd:string',
  multipicklist: 'xsd:string',
  combobox: 'xsd:string',
  textarea: 'xsd:string',
  encryptedstring: 'xsd:string',
  boolean: 'xsd:boolean',
  int: 'xsd:int',
  double: 'xsd:double',
  currency: 'xsd:double',
  percent: 'xsd:double',
  date: 'xsd:date',
  datetime: 'xsd:dateTime',
  time: 'xsd:time',
  address: 'urn:address',
  location: 'urn:location',
  base64: 'xsd:base64Binary',
  anyType: 'xsd:anyType',
};

/** Types whose values `GROUP BY` refuses. */
const ungroupable: ReadonlySet<FieldType> = new Set([
  'double',
  'currency',
  'percent',
  'datetime',
  'time',
  'address',
  'location',
  'base64',
  'multipicklist',
]);

const byType: Partial<Record<FieldType, Changes>> = {
  id: { length: 18, byteLength: 18, idLookup: true, nillable: false, defaultedOnCreate: true, ...system },
  reference: { length: 18, byteLength: 18 },
  boolean: { nillable: false, defaultedOnCreate: true, defaultValue: false, aggregatable: false },
  address: { ...readOnly, queryByDistance: true, sortable: false, aggregatable: false },
  location: { ...readOnly, queryByDistance: true, sortable: false, aggregatable: false },
  base64: unsearchable,
  multipicklist: { sortable: false, aggregatable: false },
};

/** One field with the attributes of its type, then the changes in order. */
export function field(name: string, label: string, type: FieldType, ...changes: Changes[]): FieldDeclaration {
  const describe: FieldDescribe = {
    aggregatable: true,
    aiPredictionField: false,
    autoNumber: false,
    byteLength: 0,
    calculated: false,
    calculatedFormula: null,
    cascadeDelete: false,
    caseSensitive: false,
    compoundFieldName: null,
    controllerName: null,
    createable: true,
    custom: false,
    defaultValue: null,
    defaultValueFormula: null,
    defaultedOnCreate: false,
    dependentPicklist: false,
    deprecatedAndHidden: false,
    digits: 0,
    displayLocationInDecimal: false,
    encrypted: false,
    externalId: false,
    extraTypeInfo: null,
    filterable: true,
    filteredLookupInfo: null,
    formulaTreatNullNumberAsZero: false,
    groupable: !ungroupable.has(type),
    highScaleNumber: false,
    htmlFormatted: false,
    idLookup: false,
    inlineHelpText: null,
    label,
    length: 0,
    mask: null,
    maskType: null,
    name,
    nameField: false,
    namePointing: false,
    nillable: true,
    permissionable: true,
    picklistValues: [],
    polymorphicForeignKey: false,
    precision: 0,
    queryByDistance: false,
    referenceTargetField: null,
    referenceTo: [],
    relationshipName: null,
    relationshipOrder: null,
    restrictedDelete: false,
    restrictedPicklist: false,
    scale: 0,
    searchPrefilterable: false,
    soapType: soapTypes[type],
    sortable: true,
    type,
    unique: false,
    updateable: true,
    writeRequiresMasterRead: false,
    ...byType[type],
  };
  for (const change of changes) Object.assign(describe, change);
  return { describe };
}

/** A field that a Developer Edition org has as custom; picklists of these hold 255 characters. */
export const custom: Changes = { custom: true };
export const customPicklist: Changes = { custom: true, length: 255, byteLength: 765 };

/** Lengths count characters; the API gives three bytes for each. */
const sized = (length: number): Changes => ({ length, byteLength: 3 * length });

export const text = (name: string, label: string, length: number, ...changes: Changes[]) =>
  field(name, label, 'string', sized(length), ...changes);
export const phone = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'phone', sized(40), ...changes);
export const email = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'email', sized(80), ...changes);
export const url = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'url', sized(255), ...changes);

/** Up to 255 characters it is a filterable column; longer text is only stored. */
export const textarea = (name: string, label: string, length: number, ...changes: Changes[]) =>
  field(name, label, 'textarea', sized(length), { extraTypeInfo: 'plaintextarea' }, length > 255 ? unsearchable : {}, ...changes);

export const checkbox = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'boolean', ...changes);
export const int = (name: string, label: string, digits: 8 | 9, ...changes: Changes[]) =>
  field(name, label, 'int', { digits }, ...changes);
export const double = (name: string, label: string, precision: number, scale: number, ...changes: Changes[]) =>
  field(name, label, 'double', { precision, scale }, ...changes);
export const currency = (name: string, label: string, scale: number, ...changes: Changes[]) =>
  field(name, label, 'currency', { precision: 18, scale }, ...changes);
export const percent = (name: string, label: string, precision: number, scale: number, ...changes: Changes[]) =>
  field(name, label, 'percent', { precision, scale }, ...changes);
export const date = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'date', ...changes);
export const datetime = (name: string, label: string, ...changes: Changes[]) => field(name, label, 'datetime', ...changes);

/**
 * Values separated by `|`, in order: `value`, `value=Label`, `*value` for the default.
 * A default value makes the field one that is filled on insert.
 */
export function picklist(name: string, label: string, values: string, ...changes: Changes[]): FieldDeclaration {
  const picklistValues = values === '' ? [] : values.split('|').map(picklistValue);
  const preset = picklistValues.find((value) => value.defaultValue);
  return field(
    name,
    label,
    'picklist',
    sized(40),
    { picklistValues },
    preset ? { defaultValue: preset.value, defaultedOnCreate: true } : {},
    ...changes,
  );
}

/** A text with suggestions: any value is accepted. */
export function combobox(name: string, label: string, values: string, ...changes: Changes[]): FieldDeclaration {
  const picklistValues = values.split('|').map(picklistValue);
  return field(name, label, 'combobox', sized(255), { picklistValues, groupable: false, permissionable: false }, ...changes);
}

function picklistValue(declared: string): PicklistValue {
  const isDefault = declared.startsWith('*');
  const [value = '', label = value] = (isDefault ? declared.slice(1) : declared).split('=');
  return { active: true, defaultValue: isDefault, label, validFor: null, value };
}

/**
 * A reference. Its relationship name is the field's without `Id`; several targets make it polymorphic.
 * `children` is the relationship's name in subqueries of the parent; `onDelete` is what deleting the parent does.
 */
export function reference(
  name: string,
  label: string,
  to: string | readonly string[],
  link: { children?: string; onDelete?: 'clear' | 'cascade' | 'restrict' | 'cascade-or-restrict' } = {},
  ...changes: Changes[]
): FieldDeclaration {
  const referenceTo = typeof to === 'string' ? [to] : [...to];
  const polymorphic = referenceTo.length > 1;
  const declared = field(
    name,
    label,
    'reference',
    {
      referenceTo,
      relationshipName: name.replace(/Id$/, ''),
      searchPrefilterable: true,
      polymorphicForeignKey: polymorphic,
      namePointing: polymorphic,
    },
    ...changes,
  );
  const onDelete = link.onDelete ?? 'clear';
  return {
    ...declared,
    link: {
      relationshipName: link.children ?? null,
      cascadeDelete: onDelete.startsWith('cascade'),
      restrictedDelete: onDelete.endsWith('restrict'),
    },
  };
}

const personName: Changes = { extraTypeInfo: 'personname', permissionable: false };

/** A person's name, which is its parts together. @param salutations  Absent for those who are not greeted: users. */
export function person(salutations?: string): FieldDeclaration[] {
  const part: Changes = { ...personName, compoundFieldName: 'Name' };
  return [
    text('LastName', 'Last Name', 80, required, part),
    text('FirstName', 'First Name', 40, part),
    ...(salutations === undefined ? [] : [picklist('Salutation', 'Salutation', salutations, part)]),
    text('Name', 'Full Name', 121, system, notNull, isName, personName),
  ];
}

/** An address and its nine parts. `prefix` is `Billing`, `Mailing`, … or nothing. */
export function address(prefix: string, ...changes: Changes[]): FieldDeclaration[] {
  const compound = `${prefix}Address`;
  const part: Changes = { compoundFieldName: compound };
  const label = (word: string) => (prefix === '' ? word : `${prefix} ${word}`);
  return [
    textarea(`${prefix}Street`, label('Street'), 255, part, ...changes),
    text(`${prefix}City`, label('City'), 40, part, ...changes),
    text(`${prefix}State`, label('State/Province'), 80, part, ...changes),
    text(`${prefix}PostalCode`, label('Zip/Postal Code'), 20, part, ...changes),
    text(`${prefix}Country`, label('Country'), 80, part, ...changes),
    double(`${prefix}Latitude`, label('Latitude'), 18, 15, part, ...changes),
    double(`${prefix}Longitude`, label('Longitude'), 18, 15, part, ...changes),
    picklist(`${prefix}GeocodeAccuracy`, label('Geocode Accuracy'), geocodeAccuracies, part, restricted, ...changes),
    field(compound, label('Address'), 'address', ...changes, { ...readOnly }),
  ];
}

const geocodeAccuracies = 'Address|NearAddress|Block|Street|ExtendedZip|Zip|Neighborhood|City|County|State|Unknown';
